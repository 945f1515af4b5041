//! What went wrong, in two shapes: the user's files with their place, the world with host and step.
//! It words nothing new: the sentences come from where the mistake was found.

use std::collections::BTreeSet;

use super::{BOLD, RED, YELLOW, note, paint};
use crate::diagnostic::{Diagnostics, Severity, clean};
use crate::host::Outcome;
use crate::names::{HostName, ServiceName};
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
pub fn failures(outcome: &Outcome, verb: &str) {
    if outcome.failures.is_empty() && !outcome.stopped {
        return;
    }
    for failed in &outcome.failures {
        failure(failed.host.as_str(), failed.service.as_ref().map(|s| s.as_str()), &failed.why);
    }
    for (host, service) in &outcome.back {
        note(&format!("{service} on {host} is back on its previous version and answers.\n"));
    }
    let list = |services: &BTreeSet<(HostName, ServiceName)>| {
        let names: Vec<String> = services.iter().map(|(host, name)| format!("{name} on {host}")).collect();
        names.join(", ")
    };
    let why = if outcome.stopped { "" } else { " because of that" };
    if !outcome.skipped.is_empty() {
        note(&format!("Not done{why}: {}.\n", list(&outcome.skipped)));
    }
    if !outcome.done.is_empty() {
        note(&format!("Done: {}.\n", list(&outcome.done)));
    }
    let after = if outcome.stopped { "" } else { "After the fix, " };
    note(&format!("{after}`homelab {verb}` goes on from here.\n"));
}
