//! Templates as text: what is one, what is a single expression, how values are written into one.
//! Nothing is evaluated here.

use std::fmt::Write as _;

use crate::inventory::{Node, Value};

/// Whether a text holds an expression, a statement or a comment of Jinja.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
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

/// A value as Python writes it: this is what Ansible puts into a text.
pub(super) fn python(node: &Node) -> String {
    let mut out = String::new();
    write(&node.value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    let _ = match value {
        Value::Null => write!(out, "None"),
        Value::Bool(true) => write!(out, "True"),
        Value::Bool(false) => write!(out, "False"),
        Value::Int(number) => write!(out, "{number}"),
        Value::Float(number) => write!(out, "{number:?}"),
        Value::Str(text) | Value::Unsafe(text) | Value::Vault(text) => {
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            let escaped = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
            let escaped = if quote == '\'' { escaped.replace('\'', "\\'") } else { escaped };
            write!(out, "{quote}{escaped}{quote}")
        }
        Value::Seq(seq) => {
            out.push('[');
            for (index, node) in seq.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&node.value, out);
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            out.push('{');
            for (index, entry) in map.0.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&Value::Str(entry.key.clone()), out);
                out.push_str(": ");
                write(&entry.node.value, out);
            }
            write!(out, "}}")
        }
    };
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
