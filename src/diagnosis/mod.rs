//! What stands behind a failure: known messages, what each means, and what to do next.
//! Pure: it reads what was seen and asks nothing; where a key stands is told to it.

mod advice;
mod container;
mod docker;
mod hub;
mod nvidia;
mod ollama;
mod registry;
mod system;

use regex_lite::Regex;
use serde::Serialize;

use crate::diagnostic::clean;

pub use advice::{Key, Place};
pub use container::CONTAINER;
pub use docker::DOCKER;
pub use hub::HUB;
pub use nvidia::NVIDIA;
pub use ollama::OLLAMA;
pub use registry::{PINNED, REGISTRY};
pub use system::SYSTEM;

/// The tables that hold for whatever runs in a container, the more specific ones first.
pub const SHARED: [&[Row]; 5] = [OLLAMA, HUB, NVIDIA, SYSTEM, CONTAINER];

/// What Docker may answer when a container is made or started, the more specific ones first.
pub const REFUSALS: [&[Row]; 3] = [NVIDIA, DOCKER, SYSTEM];

/// What Docker may answer when an image is pulled, the more specific ones first.
pub const PULLS: [&[Row]; 2] = [REGISTRY, SYSTEM];

/// One known failure. Of a table's rows the first that fits counts.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name, which scripts may rely on.
    pub id: &'static str,
    /// By what it is known.
    pub known_by: KnownBy,
    /// A regular expression for the numbers and names in that line; a line that it does not match
    /// is not this row's. Empty: there are none.
    pub reads: &'static str,
    /// What happened, as a part of a sentence. `{1}` is the expression's first group, `{image}` a
    /// name that came with the evidence.
    pub cause: &'static str,
    /// What to do next. `[key]` and `[key=value]` stand for keys of the inventory; only numbers are
    /// taken from the line, since people paste commands.
    pub next: &'static str,
}

/// By what a row is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// A line has one of these words.
    Words(&'static [&'static str]),
    /// The kernel killed the container for its memory.
    OutOfMemory,
    /// It exited with this code, and nothing else is known.
    Code(i64),
}

/// A row that is known by one of these words.
#[must_use]
pub const fn row(
    id: &'static str,
    words: &'static [&'static str],
    cause: &'static str,
    next: &'static str,
) -> Row {
    Row { id, known_by: KnownBy::Words(words), reads: "", cause, next }
}

impl Row {
    /// The same with an expression that reads the line.
    #[must_use]
    pub const fn reads(self, reads: &'static str) -> Self {
        Self { reads, ..self }
    }
}

/// What was seen of a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The last lines of what it said, cleaned.
    pub lines: &'a [String],
    /// Whether the kernel killed it for its memory.
    pub out_of_memory: bool,
    /// The code it exited with, if it did.
    pub code: Option<i64>,
    /// Names that causes may mention, as `image`.
    pub names: &'a [(&'static str, &'a str)],
}

/// What stands behind a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The row's name.
    pub id: &'static str,
    /// What happened, as a part of a sentence.
    #[serde(skip)]
    pub cause: String,
    /// The line that says so, shortened; none where no line does.
    #[serde(skip)]
    pub line: Option<String>,
    /// The model it is about, as its server calls it, where that serves several.
    #[serde(skip)]
    pub model: Option<String>,
    /// The inventory's keys that may have to change.
    pub keys: Vec<Key>,
    /// What to do next, with a mark for each key.
    #[serde(skip)]
    pub(super) next: String,
}

/// More of a line is not looked at: who writes logs may be hostile.
const LONGEST: usize = 4096;
/// More of a line is not shown.
const SHOWN: usize = 400;
/// So much of a line is shown before the words that a row knows.
const BEFORE: usize = 100;
/// So much of a word that was cut is left out at most.
const WORD: usize = 20;
/// More of what an expression reads is not taken.
const LONGEST_NAME: usize = 120;

/// What stands behind a failure; none if no row knows it. A container that was killed for its
/// memory says nothing, so that goes first; codes say least.
#[must_use]
pub fn find<'a>(tables: impl IntoIterator<Item = &'a [Row]>, seen: &Evidence<'_>) -> Option<Finding> {
    let rows: Vec<&Row> = tables.into_iter().flatten().collect();
    let killed =
        || rows.iter().find(|row| row.known_by == KnownBy::OutOfMemory).filter(|_| seen.out_of_memory);
    let coded = || rows.iter().find(|row| seen.code.is_some_and(|code| row.known_by == KnownBy::Code(code)));
    let unsaid = |row: &&Row| finding(row, seen, None, &[]);
    killed()
        .map(unsaid)
        .or_else(|| rows.iter().find_map(|row| said(row, seen)))
        .or_else(|| coded().map(unsaid))
}

/// What a row says of the last line that it knows.
fn said(row: &Row, seen: &Evidence<'_>) -> Option<Finding> {
    let KnownBy::Words(words) = row.known_by else { return None };
    let known = seen.lines.iter().rev().map(|line| start(line, LONGEST)).filter_map(|line| {
        let at = words.iter().find_map(|word| line.find(word))?;
        Some((line, at))
    });
    if row.reads.is_empty() {
        return known.take(1).map(|(line, at)| finding(row, seen, Some(shown(line, at)), &[])).next();
    }
    let reads = Regex::new(row.reads).ok()?;
    known.into_iter().find_map(|(line, at)| {
        let captures = reads.captures(line)?;
        let groups: Vec<&str> = captures.iter().skip(1).map(|g| g.map_or("", |g| g.as_str())).collect();
        Some(finding(row, seen, Some(shown(line, at)), &groups))
    })
}

fn finding(row: &Row, seen: &Evidence<'_>, line: Option<String>, groups: &[&str]) -> Finding {
    let next = filled(row.next, seen, groups);
    Finding { line, ..told(row.id, &filled(row.cause, seen, groups), &next) }
}

/// What stands behind a failure that homelab found by itself, with the keys that `next` marks.
#[must_use]
pub fn told(id: &'static str, cause: &str, next: &str) -> Finding {
    let keys = advice::keys(next);
    Finding { id, cause: cause.to_owned(), line: None, model: None, keys, next: next.to_owned() }
}

/// A template with its groups and names in their places.
fn filled(template: &str, seen: &Evidence<'_>, groups: &[&str]) -> String {
    let groups = groups.iter().enumerate().map(|(i, group)| ((i + 1).to_string(), *group));
    let names = seen.names.iter().map(|(name, value)| ((*name).to_owned(), *value));
    groups.chain(names).fold(template.to_owned(), |text, (mark, value)| {
        text.replace(&format!("{{{mark}}}"), clean(start(value, LONGEST_NAME)).trim())
    })
}

/// The part of a line around what a row knows.
fn shown(line: &str, at: usize) -> String {
    let from = line[..at].char_indices().rev().take(BEFORE).last().map_or(0, |(i, _)| i);
    // It begins with a word where one begins soon.
    let word = line[from..at].char_indices().take(WORD).find(|(_, c)| *c == ' ').map_or(0, |(i, _)| i + 1);
    // What is short enough is shown whole.
    let from = if line.chars().count() <= SHOWN { 0 } else { from + word };
    let (before, rest) = (if from > 0 { "… " } else { "" }, &line[from..]);
    let part = start(rest, SHOWN);
    let after = if part.len() < rest.len() { " …" } else { "" };
    clean(&format!("{before}{part}{after}"))
}

/// The first `most` characters.
fn start(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Row] = &[
        row("exact", &["the model needs"], "{1} GiB are missing for {image}", "set [size={1}] or [other]")
            .reads(r"needs (\d+)"),
        row("rough", &["needs", "wants"], "something is missing", "look again"),
        Row { known_by: KnownBy::OutOfMemory, ..row("killed", &[], "killed", "more memory") },
        Row { known_by: KnownBy::Code(139), ..row("crashed", &[], "crashed", "report it") },
    ];

    fn found(lines: &[&str], out_of_memory: bool, code: Option<i64>) -> Option<Finding> {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let names = [("image", "img:1")];
        find([TABLE], &Evidence { lines: &lines, out_of_memory, code, names: &names })
    }

    #[test]
    fn the_first_row_that_fits_counts_and_of_its_lines_the_last() {
        let all = ["the model needs 3", "the model needs 5", "it wants more", "the model needs much"];
        let finding = found(&all, false, Some(139)).unwrap();
        assert_eq!((finding.id, finding.cause.as_str()), ("exact", "5 GiB are missing for img:1"));
        assert_eq!(finding.line.as_deref(), Some("the model needs 5"));
        assert_eq!(found(&all[2..], false, None).unwrap().id, "rough");
        assert_eq!(found(&["nothing"], false, Some(139)).unwrap().id, "crashed");
        assert_eq!(found(&all, true, Some(137)).unwrap().id, "killed");
        assert_eq!(found(&["nothing"], false, Some(1)), None);
        assert_eq!(found(&[], false, None), None);
    }

    #[test]
    fn hostile_lines_are_cut_and_cleaned() {
        let long = format!("{}\u{1b}[2J wants {}", "ä".repeat(900), "x".repeat(9000));
        let line = found(&[&long], false, None).unwrap().line.unwrap();
        assert!(line.starts_with("… ä") && line.ends_with("x …") && line.contains(" wants "), "{line}");
        assert!(line.chars().count() < SHOWN + 10 && !line.contains('\u{1b}'));
        let words = format!("{} wants {}", "word ".repeat(200), "x".repeat(900));
        let line = found(&[&words], false, None).unwrap().line.unwrap();
        assert!(line.starts_with("… word word"), "{line}");
        // What is too far out is not looked at.
        assert_eq!(found(&[&format!("{} wants", "x".repeat(LONGEST))], false, None), None);
    }
}
