//! The plan as Markdown for a comment on a pull request. Text from users and hosts stands in code
//! only, where it can be neither Markdown nor HTML nor a mention; the whole fits into a comment.

use std::fmt::Write as _;

use super::report::Report;
use super::text::{Line, by_host, one_line};
use super::{FileDiff, Plan};

/// In bytes. GitHub takes 65,536 characters in a comment; some are left for what a workflow adds.
const LONGEST: usize = 64_000;
/// What is kept for notes at the end.
const RESERVE: usize = 500;

/// The report as Markdown, at most 64,000 bytes long.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = Bounded(String::new());
    let headline = match report.headline() {
        Some(text) => text.trim_end().to_owned(),
        None if report.plan.is_empty() => "Nothing to do.".to_owned(),
        None => format!("{}.", capitalized(&report.summary.to_string())),
    };
    out.push(&format!("**homelab plan**: {headline}\n"));
    for note in report.notes() {
        out.push(&format!("\n> {}\n", code(&note)));
    }
    hosts(&mut out, &report.plan);
    diffs(&mut out, report.diffs.as_deref().unwrap_or_default());
    out.0
}

fn hosts(out: &mut Bounded, plan: &Plan) {
    let all = by_host(plan);
    let mut left: usize = all.values().map(Vec::len).sum();
    for (host, lines) in &all {
        let title = format!("\n### {}\n\n", code(host.as_str()));
        for (i, line) in lines.iter().enumerate() {
            let text = if i == 0 { title.clone() + &item(line) } else { item(line) };
            if !out.push(&text) {
                let _ = write!(out.0, "\n… and {left} more lines; `homelab plan` shows them.\n");
                return;
            }
            left -= 1;
        }
    }
}

fn item(line: &Line) -> String {
    format!("- {}\n", code(line.to_string().trim()))
}

fn diffs(out: &mut Bounded, all: &[FileDiff]) {
    for (i, diff) in all.iter().enumerate() {
        let whole = details(diff, usize::MAX);
        if out.push(&whole)
            || out.push(&details(diff, out.room().saturating_sub(whole.len() - diff.unified.len())))
        {
            continue;
        }
        let left = all.len() - i;
        let _ = write!(out.0, "\n… and {left} more files; `homelab plan --diff` shows them.\n");
        return;
    }
}

/// A diff to fold out, its text at most `most` bytes long.
fn details(diff: &FileDiff, most: usize) -> String {
    let path = diff.new.as_ref().or(diff.old.as_ref()).map_or("", String::as_str);
    let name = html(&format!("{}/{path}", diff.host));
    let fence = "`".repeat(longest_run(&diff.unified).max(2) + 1);
    let body = cut(diff.unified.trim_end_matches('\n'), most);
    format!(
        "\n<details><summary><code>{name}</code></summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>\n"
    )
}

/// Whole lines from the beginning, and how many more there are.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for (i, line) in text.lines().enumerate() {
        if kept.len() + line.len() > most.saturating_sub(40) {
            let _ = write!(kept, "… {} more lines", text.lines().count() - i);
            break;
        }
        let _ = writeln!(kept, "{line}");
    }
    kept
}

/// Text that grows up to its limit.
struct Bounded(String);

impl Bounded {
    fn room(&self) -> usize {
        (LONGEST - RESERVE).saturating_sub(self.0.len())
    }

    /// Adds a part if it fits.
    fn push(&mut self, part: &str) -> bool {
        let fits = part.len() <= self.room();
        if fits {
            self.0.push_str(part);
        }
        fits
    }
}

/// A code span: nothing in it is interpreted. It is fenced by more backticks than it has in a row.
fn code(text: &str) -> String {
    let text = one_line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    // One blank on both sides is not shown; it keeps backticks of the text from the fence.
    if text.starts_with('`') || text.ends_with('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// How many backticks the text has in a row at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text in HTML: everything but letters, digits and what paths are made of as a reference.
fn html(text: &str) -> String {
    let one = |c: char| {
        if c.is_alphanumeric() || "-_./".contains(c) { c.to_string() } else { format!("&#{};", u32::from(c)) }
    };
    one_line(text).chars().map(one).collect()
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
