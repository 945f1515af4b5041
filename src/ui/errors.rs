//! What went wrong, in two shapes: the user's files with their place, the world with host and step.
//! It words nothing new: the sentences come from where the mistake was found.

use super::{BOLD, RED, YELLOW, note, paint};
use crate::diagnostic::{Diagnostics, Severity, clean};
use crate::host::Outcome;
use crate::plan::Blocked;
use crate::survey::Failure;

/// How many mistakes are shown: nobody mends more at a time.
const SHOWN: usize = 100;

/// Everything wrong with the user's files, and how much that is.
pub fn diagnostics(all: &Diagnostics) {
    let mut shown = all.sorted();
    let cut = shown.len() > SHOWN;
    if cut && all.has_errors() {
        shown.retain(|d| d.severity == Severity::Error);
    }
    shown.truncate(SHOWN);
    for diagnostic in &shown {
        let text = diagnostic.to_string();
        let (style, word) = match diagnostic.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
        };
        // The first word carries the colour, the rest is as it reads without one.
        note(&format!("{}{}\n\n", paint(style, word), text.strip_prefix(word).unwrap_or(&text)));
    }
    if let Some(count) = all.count() {
        let rest = if cut { format!("; {} of them are shown", shown.len()) } else { String::new() };
        note(&format!("{count}{rest}\n"));
    }
}

/// An error without a host.
pub fn plain(message: &str, hint: Option<&str>) {
    said(&paint(RED, "error"), message, hint);
}

/// What is not as it should be, without a host.
pub fn warning(message: &str, hint: Option<&str>) {
    said(&paint(YELLOW, "warning"), message, hint);
}

fn said(word: &str, message: &str, hint: Option<&str>) {
    note(&format!("{word}: {}\n", clean(message)));
    if let Some(hint) = hint {
        note(&format!("  hint: {}\n", clean(hint)));
    }
}

/// An error nobody foresaw, with its causes.
pub fn unexpected(error: &anyhow::Error) {
    plain(&format!("{error:#}"), None);
}

/// A failure of the world.
pub fn failure(host: &str, service: Option<&str>, why: &Failure) {
    let service = service.map(|s| format!("{s}: ")).unwrap_or_default();
    let head = format!("{host}: {service}{}: {}", why.step, why.what);
    note(&format!("{}: {}\n", paint(RED, "error"), paint(BOLD, &clean(&head))));
    if !why.lines.is_empty() {
        note("  it said:\n");
        for line in &why.lines {
            note(&format!("    | {}\n", clean(line)));
        }
    }
    if let Some(hint) = &why.hint {
        note(&format!("  hint: {}\n", clean(hint)));
    }
}

/// What stood in the way before anything began.
pub fn blocked(all: &[Blocked]) {
    for item in all {
        failure(item.host.as_str(), item.service.as_ref().map(|s| s.as_str()), &item.why);
    }
}

/// Every step that failed, what came back, and how to go on.
pub fn failures(outcome: &Outcome) {
    for failed in &outcome.failures {
        failure(failed.host.as_str(), failed.service.as_ref().map(|s| s.as_str()), &failed.why);
    }
    for (host, service) in &outcome.back {
        note(&format!("{service} on {host} is back on its previous version and answers.\n"));
    }
    if !outcome.skipped.is_empty() {
        let list: Vec<String> =
            outcome.skipped.iter().map(|(host, service)| format!("{service} on {host}")).collect();
        note(&format!("Not done because of that: {}.\n", list.join(", ")));
    }
    if !outcome.failures.is_empty() {
        note("After the fix, `homelab deploy` goes on from here.\n");
    }
}
