//! `-e 'key=value other="a b"'`: pairs as Ansible cuts them, all of whose values are text.
//! Nothing is typed and nothing evaluated.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::inventory::{Entry, Map, Node, Value};

/// The pairs of a text.
///
/// # Errors
/// A quote or brace that is never closed, and a word that is no pair.
pub(super) fn read(source: &Arc<Source>) -> Result<Map, Diagnostic> {
    let at = |column: usize, length: usize| Origin {
        source: Arc::clone(source),
        line: 1,
        column: column + 1,
        length: length.max(1),
    };
    let words = words(&source.text).ok_or_else(|| {
        Diagnostic::error(&at(0, 1), "a quote or `{{` that is opened here is never closed")
            .hint("close it with the same kind")
    })?;
    let mut entries = Vec::new();
    for (column, word) in words {
        let length = word.trim_end().chars().count();
        let unescaped = unescaped(&word);
        let Some((key, value)) = pair(&unescaped) else {
            return Err(Diagnostic::error(&at(column, length), format!("`{}` is no key=value", word.trim()))
                .hint("-e KEY=VALUE, -e @FILE or -e '{\"KEY\": VALUE}'"));
        };
        let before = word.chars().position(|c| c == '=').map_or(0, |at| at + 1).min(length);
        let place = at(column + before, length - before);
        let node = Node { origin: place, value: Value::Str(unquoted(value.trim()).to_owned()) };
        let origin = at(column, key.chars().count());
        entries.push(Entry { key: key.trim().to_owned(), text: true, origin, node });
    }
    Ok(Map(entries))
}

/// Cut at the first `=` that no backslash escapes; a key is at least one character long.
fn pair(word: &str) -> Option<(&str, &str)> {
    let at = word.match_indices('=').map(|(at, _)| at).find(|at| *at > 0 && !word[..*at].ends_with('\\'))?;
    Some((&word[..at], &word[at + 1..]))
}

fn unquoted(text: &str) -> &str {
    let inner = ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q));
    inner.filter(|inner| !inner.ends_with('\\')).unwrap_or(text)
}

/// What is open where a text is cut.
#[derive(Default)]
struct Open {
    quote: Option<char>,
    /// How many `{{`, `{%` and `{#` are open.
    blocks: [usize; 3],
}

impl Open {
    fn pass(&mut self, word: &str) {
        let mut before = None;
        for c in word.chars() {
            if ['"', '\''].contains(&c) && before != Some('\\') {
                match self.quote {
                    None => self.quote = Some(c),
                    Some(q) if q == c => self.quote = None,
                    Some(_) => {}
                }
            }
            before = Some(c);
        }
        for (depth, (open, close)) in self.blocks.iter_mut().zip([("{{", "}}"), ("{%", "%}"), ("{#", "#}")]) {
            *depth = (*depth + word.matches(open).count()).saturating_sub(word.matches(close).count());
        }
    }

    fn closed(&self) -> bool {
        self.quote.is_none() && self.blocks == [0; 3]
    }
}

/// Words between spaces and line breaks that stand in no quotes and in no `{{ … }}`, and where each begins.
fn words(text: &str) -> Option<Vec<(usize, String)>> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut open = Open::default();
    let mut column = 0;
    for part in text.split_inclusive([' ', '\n']) {
        let bare = part.trim_end_matches([' ', '\n']);
        let inside = !open.closed();
        open.pass(bare);
        match words.last_mut() {
            // Spaces between words belong to the word before; they are cut off with the value's end.
            Some((_, word)) if inside || bare.is_empty() => word.push_str(part),
            None if bare.is_empty() => {}
            _ => words.push((column, part.to_owned())),
        }
        column += part.chars().count();
    }
    open.closed().then_some(words)
}

/// A text with Python's escapes resolved. Those by name stay.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (c, length) = escape(&rest[at + 1..]);
        match c {
            Some(c) => out.push(c),
            None => out.push('\\'),
        }
        rest = &rest[at + 1 + length..];
    }
    out + rest
}

/// What follows a backslash: the character it stands for, and how many bytes that took.
fn escape(rest: &str) -> (Option<char>, usize) {
    let code = |digits: usize| {
        let hex = rest.get(1..=digits).filter(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()));
        let c = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        (c, if c.is_some() { digits + 1 } else { 0 })
    };
    let simple = |c| (Some(c), 1);
    match rest.chars().next() {
        Some(c @ ('\\' | '\'' | '"')) => simple(c),
        Some('a') => simple('\u{7}'),
        Some('b') => simple('\u{8}'),
        Some('f') => simple('\u{c}'),
        Some('n') => simple('\n'),
        Some('r') => simple('\r'),
        Some('t') => simple('\t'),
        Some('v') => simple('\u{b}'),
        Some('x') => code(2),
        Some('u') => code(4),
        Some('U') => code(8),
        _ => (None, 0),
    }
}
