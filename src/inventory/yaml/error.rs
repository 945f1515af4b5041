//! The parser's complaints in words that say what to do.
//! It explains what was found; it does not look for more.

use std::sync::Arc;

use saphyr_parser::ScanError;

use crate::diagnostic::{Diagnostic, Origin, Source};

const UNCLOSED: &str = "the quote that is opened here is never closed";
const QUOTE_IT: &str =
    "put the value in quotes if the `:` belongs to it; close the `[` or `{` above if one is open";
const CLOSE_IT: &str = "close it with the same kind of quote";

/// What the parser says, what we say, and what to do about it.
const SAYINGS: [(&str, &str, &str); 14] = [
    ("mapping values are not allowed", "a `:` where none can stand", QUOTE_IT),
    ("illegal placement of ':'", "a `:` where none can stand", QUOTE_IT),
    (
        "did not find expected key",
        "this line fits into no map or list above it",
        "indent it as far as the keys it belongs to",
    ),
    ("simple key expect", "a `:` is missing after this key", "write `key: value`, or `- value` in a list"),
    ("recursion limit", "lists and maps stand more than 100 deep in one another here", "nest them less"),
    ("unknown anchor", "no anchor of this name stands above", "define it first, with `&name`"),
    ("quoted scalar, found unexpected end of stream", UNCLOSED, CLOSE_IT),
    ("invalid indentation in quoted scalar", UNCLOSED, CLOSE_IT),
    ("expected ',' or '}'", "a `,` or the closing `}` is missing", "close what `{` opened"),
    ("expected ',' or ']'", "a `,` or the closing `]` is missing", "close what `[` opened"),
    (
        "trailing content after double-quoted",
        "text after the closing quote",
        "put the whole value into one pair of quotes",
    ),
    (
        "unknown escape character",
        "`\\` begins no known escape here",
        "write `\\\\`, or use single quotes, where `\\` means itself",
    ),
    ("unexpected character", "a value cannot begin with this character", "put the value in quotes"),
    ("block sequence entries are not allowed", "a list cannot begin here", "begin it on a line of its own"),
];

/// The parser's error, at its place.
pub(super) fn syntax(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let mark = error.marker();
    let place = |line, column| Origin { source: Arc::clone(source), line, column, length: 1 };
    if let Some((line, column)) = tab_near(&source.text, mark.line()) {
        return Diagnostic::error(&place(line, column), "a tab in the indentation")
            .hint("indent with spaces; YAML takes no tabs there");
    }
    // The end of a file is behind its last line; the mark belongs to what is there.
    let (line, column) = match source.text.lines().count() {
        lines if mark.line() > lines && lines > 0 => {
            (lines, source.text.lines().last().map_or(1, |l| l.chars().count().max(1)))
        }
        _ => (mark.line().max(1), mark.col() + 1),
    };
    let known = SAYINGS.iter().find(|(theirs, ..)| error.info().contains(theirs));
    match known {
        Some((_, ours, hint)) => Diagnostic::error(&place(line, column), *ours).hint(*hint),
        None => Diagnostic::error(&place(line, column), format!("this is not YAML: {}", error.info()))
            .hint("look at brackets, quotes, `: ` and the indentation, here and in the line above"),
    }
}

/// The first tab in the indentation of the line the parser stopped at, or of its neighbours:
/// it often notices a tab only one line later.
fn tab_near(text: &str, line: usize) -> Option<(usize, usize)> {
    let from = line.saturating_sub(2);
    text.lines().enumerate().skip(from).take(line + 1 - from).find_map(|(index, text)| {
        let indentation = text.chars().take_while(|c| c.is_whitespace());
        let column = indentation.clone().position(|c| c == '\t')?;
        (text.trim() != "").then_some((index + 1, column + 1))
    })
}
