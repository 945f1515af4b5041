//! Templates as text: what is one, and what is a single expression.
//! Nothing is evaluated here.

use crate::inventory::{Node, Value, Vaulted};

/// Whether a text holds an expression, a statement or a comment of Jinja.
pub(in crate::inventory) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// The template that a node is, if it is one. A `!vault` never is; text in a file that is encrypted as a whole
/// may be, as in Ansible.
pub(super) fn template(node: &Node) -> Option<&str> {
    let text = match &node.value {
        Value::Str(text) => text,
        Value::Vault(Vaulted::Open(value)) => match value.as_ref() {
            Value::Str(text) => text,
            _ => return None,
        },
        _ => return None,
    };
    is_template(text).then_some(text)
}

/// The expression of a text that is nothing but one `{{ … }}`: its value keeps its type.
pub(super) fn sole_expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let (mut depth, mut quote) = (0_usize, None);
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            // A brace that nothing opened ends the expression before the text ends.
            (None, '}') => depth = depth.checked_sub(1)?,
            (None, _) => {}
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_that_is_one_expression_keeps_its_type() {
        for (text, expression) in [
            ("{{ a }}", Some(" a ")),
            ("{{- a -}}", Some(" a ")),
            ("{{ {'a': {'b': 1}} }}", Some(" {'a': {'b': 1}} ")),
            ("{{ '}}' ~ \"{{\" }}", Some(" '}}' ~ \"{{\" ")),
            ("{{ 'it\\'s }}' }}", Some(" 'it\\'s }}' ")),
            ("{{ a }}{{ b }}", None),
            (" {{ a }}", None),
            ("{{ a }} ", None),
            ("{% if a %}{{ a }}{% endif %}", None),
        ] {
            assert_eq!(sole_expression(text), expression, "{text}");
        }
    }
}
