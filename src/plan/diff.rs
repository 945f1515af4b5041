//! What a plan does to files, as unified diffs; of secrets only the names show.
//! It compares texts that it is given and reads none.

use std::collections::BTreeMap;

use serde::Serialize;
use similar::TextDiff;

use crate::desired::{Desired, family};
use crate::diagnostic::clean;
use crate::names::HostName;
use crate::secret::{Content, Part};
use crate::survey::{Before, Old};

use super::{Action, Cause, Plan};

/// A file that a plan writes, removes, or replaces by one of another name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileChange {
    /// Where.
    pub host: HostName,
    /// The file that is there now, below the project's directory.
    pub old: Option<String>,
    /// The file that will be there.
    pub new: Option<String>,
}

/// A file's change, to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Where.
    pub host: HostName,
    /// The file that is there now, below the project's directory; none if it is new.
    pub old: Option<String>,
    /// The file that will be there; none if it is removed.
    pub new: Option<String>,
    /// A unified diff with its two header lines, without control characters and secrets.
    pub unified: String,
}

impl Plan {
    /// Every file that is written or removed, by host and name. Files are named by content, so a
    /// changed one is another file: what takes the place of what is told by the rest of the name.
    #[must_use]
    pub fn file_changes(&self) -> Vec<FileChange> {
        let mut leaving: BTreeMap<(&HostName, &str), Vec<&String>> = BTreeMap::new();
        for (host, step) in self.steps() {
            if let Action::RemoveFile { path } = &step.action {
                leaving.entry((host, family(path))).or_default().push(path);
            }
        }
        let mut all = Vec::new();
        for (host, step) in self.steps() {
            let Action::WriteFile { path, .. } = &step.action else { continue };
            let old = match step.because {
                Cause::Missing => leaving.get_mut(&(host, family(path))).and_then(Vec::pop).cloned(),
                _ => Some(path.clone()),
            };
            all.push(FileChange { host: host.clone(), old, new: Some(path.clone()) });
        }
        for ((host, _), paths) in leaving {
            let gone =
                |path: &&String| FileChange { host: host.clone(), old: Some((*path).clone()), new: None };
            all.extend(paths.iter().map(gone));
        }
        let place = |change: &FileChange| (change.host.clone(), change.new.clone().or(change.old.clone()));
        all.sort_by_key(place);
        all
    }
}

/// The diff of every change.
#[must_use]
pub fn diffs(changes: &[FileChange], desired: &Desired, before: &Before) -> Vec<FileDiff> {
    let diff = |change: &FileChange| {
        let host = &change.host;
        let old = change.old.as_ref().and_then(|path| before.get(host)?.get(path));
        let new = change.new.as_ref().and_then(|path| desired.hosts.get(host)?.files.get(path));
        FileDiff {
            host: host.clone(),
            old: change.old.clone(),
            new: change.new.clone(),
            unified: unified(change, old, new),
        }
    };
    changes.iter().map(diff).collect()
}

fn unified(change: &FileChange, old: Option<&Old>, new: Option<&Content>) -> String {
    let name = |path: &Option<String>| {
        path.as_ref().map_or("/dev/null".to_owned(), |path| format!("{}/{path}", change.host))
    };
    let header = header(&name(&change.old), &name(&change.new));
    let before = match old {
        None => Some(String::new()),
        Some(Old::Plain(bytes)) => String::from_utf8(bytes.clone()).ok(),
        Some(Old::Variables(all)) => Some(all.keys().map(|name| variable(name, "")).collect()),
        Some(Old::Unread(why)) => {
            return cleaned(&format!("{header}(what is there now cannot be read: {why})\n"));
        }
    };
    let after = new.map_or(Some(String::new()), |content| shown(content, old));
    let body = match (before, after) {
        (Some(before), Some(after)) => body(&before, &after),
        _ => "(not text)\n".to_owned(),
    };
    // Only its mode differs, or only the value that is redacted on both sides.
    let body = if body.is_empty() { "(the same text)\n".to_owned() } else { body };
    cleaned(&(header + &body))
}

/// The unified diff of two texts in which no secret stands.
#[must_use]
pub fn unified_texts(old: (&str, &str), new: (&str, &str)) -> String {
    cleaned(&(header(old.0, new.0) + &body(old.1, new.1)))
}

fn header(old: &str, new: &str) -> String {
    format!("--- {old}\n+++ {new}\n")
}

fn body(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).to_string()
}

/// A file's text with what may be said of its secrets; none if it is not text.
fn shown(content: &Content, old: Option<&Old>) -> Option<String> {
    let part = |part: &Part| match part {
        Part::Plain(bytes) => String::from_utf8(bytes.clone()).ok(),
        Part::Env { name, .. } => {
            let same = match old {
                Some(Old::Variables(all)) => all.get(name).copied(),
                _ => None,
            };
            Some(match same {
                None | Some(Some(true)) => variable(name, ""),
                Some(Some(false)) => variable(name, ": another value"),
                Some(None) => variable(name, ": perhaps another value"),
            })
        }
        Part::Secret(secret) => Some(format!("<redacted: {}>\n", secret.label())),
    };
    content.0.iter().map(part).collect()
}

fn variable(name: &str, note: &str) -> String {
    format!("{name}=<redacted{note}>\n")
}

/// Line by line, so that an escape sequence cannot swallow the end of its line.
fn cleaned(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}
