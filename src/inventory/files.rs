//! The user's files: the inventory, and what stands in group_vars/ and host_vars/ beside it.
//! The only place in here that reads; it understands nothing of what it reads.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::yaml;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};

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
        .map_err(|e| unreadable(&name, e))?;
    if bytes.len() as u64 > yaml::MAX_BYTES {
        let limit = yaml::MAX_BYTES >> 20;
        return Err(Diagnostic::everywhere(format!("{name} is larger than {limit} MiB"))
            .hint("an inventory is far smaller: is this the file that was meant?"));
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

/// What is in a directory of variables.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) dir: PathBuf,
    names: BTreeSet<String>,
}

impl Listing {
    /// Lists a directory; one that is not there has nothing in it.
    pub(super) fn of(dir: &Path, problems: &mut Diagnostics) -> Self {
        let names = match kind(dir) {
            Kind::Missing => Vec::new(),
            Kind::File => {
                let message = format!("{} is not read: it is no directory", shown(dir));
                problems.push(Diagnostic::aside(message).hint("make a directory of it, or move it away"));
                Vec::new()
            }
            Kind::Directory => names(dir).unwrap_or_else(|error| {
                problems.push(unreadable(&shown(dir), error));
                Vec::new()
            }),
        };
        Self { dir: dir.to_owned(), names: names.into_iter().collect() }
    }

    /// Looks for `NAME`, `NAME.yml`, `NAME.yaml` and `NAME.json`; the first there is counts.
    pub(super) fn find(&self, name: &str) -> Found {
        let mut found = Found::default();
        let mut first: Option<PathBuf> = None;
        for ending in ENDINGS {
            let file = format!("{name}{ending}");
            let path = self.dir.join(&file);
            if !self.names.contains(&file) || kind(&path) == Kind::Missing {
                continue;
            }
            if let Some(first) = &first {
                found.problems.push(hidden(&path, first));
                continue;
            }
            match kind(&path) {
                Kind::Directory => collect(&path, MAX_DEPTH, &mut found),
                _ => found.files.push(path.clone()),
            }
            first = Some(path);
        }
        found
    }

    /// The names that have variables here: `all` for `all.yml` and for `all/`.
    pub(super) fn subjects(&self) -> BTreeSet<&str> {
        let names = self.names.iter().filter(|n| !n.starts_with('.') && !n.ends_with('~'));
        names.map(|n| ENDINGS[1..].iter().find_map(|e| n.strip_suffix(e)).unwrap_or(n)).collect()
    }
}

fn unreadable(name: &str, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::everywhere(format!("{name} cannot be read: {why}"))
        .hint("see that it is there and that you may read it")
}

fn hidden(path: &Path, by: &Path) -> Diagnostic {
    let slash = if by.is_dir() { "/" } else { "" };
    let (path, by) = (shown(path), shown(by));
    let hint = if slash.is_empty() { "put both into one file".into() } else { format!("move it into {by}/") };
    Diagnostic::aside(format!("{path} is not read: {by}{slash} hides it, as in Ansible")).hint(hint)
}

/// All files of a directory in the order of their names, directories in between.
fn collect(dir: &Path, depth: usize, found: &mut Found) {
    let names = match names(dir) {
        Ok(names) => names,
        Err(error) => {
            found.problems.push(unreadable(&shown(dir), error));
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
fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// What an inventory directory is not searched for: Ansible's list.
const PASSED_OVER: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// The inventories in a directory, in the order of their names, those of directories in it in between.
///
/// # Errors
/// When it cannot be read, or nests too deep: a link may lead back up.
pub(super) fn inventories(dir: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    fn walk(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
        let wrong = |why: String| unreadable(&shown(dir), why);
        if depth == 0 {
            return Err(wrong("its directories nest too deep".into()));
        }
        for name in names(dir).map_err(|e| wrong(e.to_string()))? {
            let special = ["host_vars", "group_vars", "vars_plugins"].contains(&name.as_str());
            if special || name.starts_with('.') || PASSED_OVER.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let path = dir.join(name);
            match kind(&path) {
                Kind::Directory => walk(&path, depth - 1, found)?,
                _ => found.push(path),
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(dir, MAX_DEPTH, &mut found)?;
    Ok(found)
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    Directory,
    File,
}

/// What a path leads to; what cannot be looked at counts as missing.
pub(super) fn kind(path: &Path) -> Kind {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Kind::Directory,
        Ok(_) => Kind::File,
        Err(_) => Kind::Missing,
    }
}

/// A path without links, so that two names of one directory are the same.
pub(super) fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A path from the root on, links as they are.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The directory a file is in, as the user would write it.
pub(super) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if dir != Path::new("") => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}
