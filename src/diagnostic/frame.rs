//! The line a mistake is on and a mark under it: no wider than a page, without secrets, aligned whatever is in it.
//! It shows; it reads no file and prints nothing.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;
use unicode_width::UnicodeWidthChar as _;

use super::{Origin, clean};

/// How many columns of a line are shown.
const WIDTH: usize = 120;
/// How many characters are looked at before and after a mark: some may belong to a secret.
const NEAR: usize = 2000;
/// What is shown in place of a tab, whose width is the terminal's affair.
const TAB: &str = "    ";
/// What is shown in place of a secret, however long it is.
const HIDDEN: &str = "***";

/// How names of secrets end.
const NAMES: &str = "(?:key|token|secret|passwd|password|_pass|authorization)";

/// A name that a secret goes by, up to where its value begins; in a list of arguments the value is the next item.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r#"(?i)[\w-]*{NAMES}["']?\s*[:=]\s*|--[\w-]*{NAMES}["']?\s*,\s*"#)).ok()
});

/// The end of a line whose next one is the value of a secret.
static NAME_ABOVE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r#"(?i)(?:{NAMES}["']?\s*:\s*[|>]?[-+]?|-\s+["']?--[\w-]*{NAMES}["']?)\s*$"#)).ok()
});

/// A character as it is shown, and how many columns that takes.
struct Cell {
    text: String,
    width: usize,
}

/// The line a place is on, with a mark under it.
pub(super) fn frame(origin: &Origin) -> String {
    let gutter = " ".repeat(origin.line.to_string().len());
    let head = format!("{gutter}--> {}", clean(&origin.to_string()));
    let mut lines = origin.source.text.lines().skip(origin.line.saturating_sub(2));
    let above = if origin.line > 1 { lines.next() } else { None };
    let Some(line) = lines.next() else { return head };
    let (begin, line) = near(line, origin.column - 1);
    let cells = cells(above.unwrap_or_default(), &line);
    let from = (origin.column - 1 - begin).min(cells.len());
    let marked = from..(from + origin.length).min(cells.len());
    let shown = window(&cells, &marked);
    let text = |range: Range<usize>| -> String { cells[range].iter().map(|c| c.text.as_str()).collect() };
    let width = |range: Range<usize>| cells[range].iter().map(|c| c.width).sum::<usize>();
    let (before, after) =
        (if shown.start > 0 { "…" } else { "" }, if shown.end < cells.len() { "…" } else { "" });
    let indent = " ".repeat(before.chars().count() + width(shown.start..marked.start));
    let mark = "^".repeat(width(marked.start..marked.end.min(shown.end)).max(1));
    let line = format!("{before}{}{after}", text(shown));
    format!("{head}\n{gutter} |\n{} | {}\n{gutter} | {indent}{mark}", origin.line, line.trim_end())
}

/// What is worth looking at of a line that may be a whole file long, and how many characters come before it.
fn near(line: &str, column: usize) -> (usize, String) {
    let begin = column.saturating_sub(NEAR);
    (begin, line.chars().skip(begin).take(2 * NEAR).collect())
}

/// The part of a line that is shown: all of it, or as much as fits around the mark.
fn window(cells: &[Cell], marked: &Range<usize>) -> Range<usize> {
    let end_of = |start: usize| {
        let mut width = 0;
        let fits = |cell: &&Cell| {
            width += cell.width;
            width <= WIDTH
        };
        start + cells[start..].iter().take_while(fits).count()
    };
    let start = if marked.end <= end_of(0) || marked.start < WIDTH / 2 {
        0
    } else {
        let mut left = WIDTH / 3;
        let fits = |cell: &&Cell| match left.checked_sub(cell.width) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        marked.start - cells[..marked.start].iter().rev().take_while(fits).count()
    };
    start..end_of(start)
}

/// A line character by character: what a terminal would obey is not shown, nor what is a secret.
fn cells(above: &str, line: &str) -> Vec<Cell> {
    let cell = |c: char| match c {
        '\t' => Cell { text: TAB.to_owned(), width: TAB.len() },
        c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
            Cell { text: "\u{fffd}".to_owned(), width: 1 }
        }
        c => Cell { text: c.to_string(), width: c.width().unwrap_or(0) },
    };
    let mut cells: Vec<Cell> = line.chars().map(cell).collect();
    for secret in secrets(above, line) {
        for (index, cell) in cells[secret].iter_mut().enumerate() {
            let text = if index == 0 { HIDDEN } else { "" };
            *cell = Cell { text: text.to_owned(), width: text.len() };
        }
    }
    cells
}

/// A line below another one as it may be shown.
pub(super) fn harmless(above: &str, line: &str) -> String {
    cells(above, line).into_iter().map(|cell| cell.text).collect()
}

/// Where values stand that belong to a secret's name, in characters.
fn secrets(above: &str, line: &str) -> Vec<Range<usize>> {
    if NAME_ABOVE.iter().any(|name| name.is_match(above)) && !line.contains([':', '{', '[']) {
        let indent = line.chars().take_while(|c| c.is_whitespace() || *c == '-').count();
        return std::iter::once(indent..line.chars().count().max(indent)).collect();
    }
    let names = NAME.iter().flat_map(|name| name.find_iter(line));
    let values = names.filter_map(|name| {
        let end = name.end() + value(&line[..name.end()], &line[name.end()..])?;
        let count = |text: &str| text.chars().count();
        Some(count(&line[..name.end()])..count(&line[..end]))
    });
    values.collect()
}

/// How many bytes of `rest` are a literal value; nothing where another value is referred to.
fn value(before: &str, rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    let bare = rest.trim_start_matches(['"', '\'']);
    if "{[&*!|>#".contains(first) || bare.starts_with("{{") {
        return None;
    }
    if first == '"' || first == '\'' {
        return Some(quoted(rest, first));
    }
    // In `{…}` and `[…]` a value ends at a comma or bracket, after `=` at a blank, else with its line.
    let opened = before.matches(['{', '[']).count() > before.matches(['}', ']']).count();
    let end = match before.trim_end().chars().next_back() {
        Some('=') => rest.find(char::is_whitespace),
        _ if opened => rest.find([',', '}', ']']),
        _ => rest.find(" #"),
    };
    let end = end.unwrap_or(rest.len());
    let is_no_secret = ["none", "null", "~", "true", "false"].contains(&rest[..end].trim());
    (end > 0 && !is_no_secret).then_some(end)
}

/// How many bytes a text in quotes has, with them. A quote in it is escaped, or doubled between single ones.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == quote);
        if c == '\\' && quote == '"' || c == quote && doubled {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::Source;

    fn shown(line: &str, column: usize, length: usize) -> String {
        let source = Arc::new(Source { name: "f".into(), text: line.into() });
        frame(&Origin { source, line: line.lines().count(), column, length })
    }

    #[test]
    fn a_secret_does_not_show() {
        for line in [
            "{A: 1, HF_TOKEN: hunter2, B: 2}",
            "master_key: sk-hunter2, with more of hunter2 # why",
            "\"api-key\" : \"hunter2, hunter2\"",
            "box ansible_password=hunter2 ansible_port=22",
            "args: [--api-key, hunter2]",
            "args: [\"--api-key=hunter2\"]",
            "db_password: 'hunter2",
            "a: {secret: hunter2}",
            r#"{"token": "a \" hunter2", "b": 1}"#,
            "password: 'it''s hunter2' # why",
            "\"Authorization\": \"Bearer hunter2\"",
            "hf_token:\n  hunter2",
            "hf_token: |\n  hunter2",
            "- --api-key\n- hunter2",
        ] {
            let shown = shown(line, 3, 1);
            assert!(!shown.contains("hunter2") && shown.contains(HIDDEN), "{shown}");
        }
        for line in
            ["hf_token: {env: HF}", "api_key: \"{{ vault_key }}\"", "api_key: none", "keys: all", "key:"]
        {
            assert!(shown(line, 1, 1).contains(&format!("| {line}\n")), "{line}");
        }
        assert!(
            shown("{my_key: hunter2, x: 1}", 19, 1).ends_with("| {my_key: ***, x: 1}\n  |               ^")
        );
    }

    #[test]
    fn a_mark_stands_under_its_word() {
        assert!(
            shown("\ta:\tb", 5, 1).ends_with("|     a:    b\n  |           ^"),
            "{}",
            shown("\ta:\tb", 5, 1)
        );
        assert!(shown("模型: x", 5, 1).ends_with("| 模型: x\n  |       ^"));
        assert!(shown("a: \u{1b}[2Jx", 4, 5).ends_with("| a: \u{fffd}[2Jx\n  |    ^^^^^"));
        assert!(shown("a: b", 9, 3).ends_with("| a: b\n  |     ^"));
    }

    #[test]
    fn a_long_line_is_cut_around_its_mark() {
        let line = format!("{}BAD{}", "x ".repeat(200), " y".repeat(200));
        let shown = shown(&line, 401, 3);
        let (text, mark) = shown.split_once("1 | ").unwrap().1.split_once('\n').unwrap();
        assert!(text.starts_with('…') && text.ends_with('…') && text.chars().count() <= WIDTH + 2, "{shown}");
        let column = |text: &str, what: &str| text[..text.find(what).unwrap()].chars().count();
        assert_eq!(column(text, "BAD") + 4, column(mark, "^^^"), "{shown}");
        let long = format!("{}BAD", "x".repeat(1 << 20));
        assert!(
            self::shown(&long, (1 << 20) + 1, 3).ends_with("^^^") && self::shown(&long, 1, 1).len() < 300
        );
        assert!(self::shown(&line, 1, 800).lines().all(|line| line.chars().count() < WIDTH + 8));
    }
}
