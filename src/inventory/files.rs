//! The user's files: the inventory, and what stands in group_vars/ and host_vars/ beside it.
//! The only place in here that reads; it understands nothing of what it reads.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::yaml;
use crate::diagnostic::{Diagnostic, Origin, Severity, Source};

/// The endings Ansible looks for, in its order; of several files for one name only the first is read.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];
/// How deep directories of variables may nest; a link may lead back up.
const MAX_DEPTH: usize = 10;

/// A path as messages show it: as the user gave it, without a leading `./`.
pub(super) fn shown(path: &Path) -> String {
    let short = path.strip_prefix("./").unwrap_or(path);
    if short.as_os_str().is_empty() { path } else { short }.display().to_string()
}

/// Reads a file as text.
///
/// # Errors
/// When it cannot be read, is too large or is not UTF-8, with the place where it stops being that.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let name = shown(path);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(yaml::MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| Diagnostic::everywhere(format!("{name} cannot be read: {e}")))?;
    if bytes.len() as u64 > yaml::MAX_BYTES {
        let limit = yaml::MAX_BYTES >> 20;
        return Err(Diagnostic::everywhere(format!("{name} is larger than {limit} MiB")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Ok(Arc::new(Source { name, text }))
        }
        Err(error) => Err(not_utf8(name, &error)),
    }
}

fn not_utf8(name: String, error: &std::string::FromUtf8Error) -> Diagnostic {
    let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let origin = Origin { source: Arc::new(Source { name, text }), line, column, length: 1 };
    Diagnostic::error(&origin, "this is not UTF-8").hint("save the file in UTF-8")
}

/// The files with the variables of one group or host, in the order in which they count.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    /// Files that are passed over although they look like variables of this name, and directories
    /// that cannot be read.
    pub(super) problems: Vec<Diagnostic>,
}

/// Looks for `NAME`, `NAME.yml`, `NAME.yaml` and `NAME.json` in a directory; the first there is counts.
pub(super) fn find(dir: &Path, name: &str) -> Found {
    let mut found = Found::default();
    // A name is not a way out of the directory.
    if name.contains('/') || name.starts_with('.') {
        return found;
    }
    let mut first: Option<PathBuf> = None;
    for ending in ENDINGS {
        let path = dir.join(format!("{name}{ending}"));
        let Ok(kind) = fs::metadata(&path) else { continue };
        if let Some(first) = &first {
            found.problems.push(hidden(&path, first));
            continue;
        }
        if kind.is_dir() {
            collect(&path, MAX_DEPTH, &mut found);
        } else {
            found.files.push(path.clone());
        }
        first = Some(path);
    }
    found
}

fn hidden(path: &Path, by: &Path) -> Diagnostic {
    let slash = if by.is_dir() { "/" } else { "" };
    let (path, by) = (shown(path), shown(by));
    Diagnostic {
        severity: Severity::Warning,
        message: format!("{path} is not read: {by}{slash} hides it, as in Ansible"),
        origin: None,
        hint: Some(if slash.is_empty() {
            "put both into one file".into()
        } else {
            format!("move it into {by}/")
        }),
    }
}

/// All files of a directory in the order of their names, directories in between.
fn collect(dir: &Path, depth: usize, found: &mut Found) {
    let names = match names(dir) {
        Ok(names) => names,
        Err(error) => {
            found.problems.push(Diagnostic::everywhere(format!("{} cannot be read: {error}", shown(dir))));
            return;
        }
    };
    for name in names {
        if name.starts_with('.') || name.ends_with('~') || depth == 0 {
            continue;
        }
        let path = dir.join(&name);
        let ending = path.extension().map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
        if path.is_dir() && ending.is_empty() {
            collect(&path, depth - 1, found);
        } else if path.is_file() && ENDINGS.contains(&ending.as_str()) {
            found.files.push(path);
        }
    }
}

/// What is in a directory, in the order of the names.
pub(super) fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// The names that have variables in a directory: `all` for `all.yml` and for `all/`.
pub(super) fn subjects(dir: &Path) -> Vec<String> {
    let mut subjects: Vec<String> = names(dir)
        .unwrap_or_default()
        .into_iter()
        .filter(|n| !n.starts_with('.') && !n.ends_with('~'))
        .map(|n| match ENDINGS[1..].iter().find_map(|e| n.strip_suffix(e)) {
            Some(subject) => subject.to_owned(),
            None => n,
        })
        .collect();
    subjects.dedup();
    subjects
}
