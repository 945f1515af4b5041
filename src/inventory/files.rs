//! The user's files: the inventory, and what stands in group_vars/ and host_vars/ beside it.
//! The only place in here that reads; it understands nothing of what it reads.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// The endings Ansible looks for, in its order; of several files for one name only the first is read.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];
/// How deep directories of variables may nest; a link may lead back up.
const MAX_DEPTH: usize = 10;
/// How many names are looked at below one directory: links that lead back up show them again and again.
const MAX_SEEN: usize = 20_000;

/// A path as messages show it: as the user gave it, without a leading `./`.
pub(super) fn shown(path: &Path) -> String {
    let short = path.strip_prefix("./").unwrap_or(path);
    if short.as_os_str().is_empty() { path } else { short }.display().to_string()
}

/// Reads a file as text.
///
/// # Errors
/// When it cannot be read, is too large or is not UTF-8, with the place where it stops being that.
pub fn read(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let name = shown(path);
    let bytes = bytes(path).map_err(|why| unreadable(&name, why))?;
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Ok(Arc::new(Source { name, text }))
        }
        Err(error) => Err(not_utf8(name, &error)),
    }
}

/// Reads a file that need not be text.
///
/// # Errors
/// When it is none, cannot be read or is too large.
pub fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e: std::io::Error| e.to_string();
    // Whoever opens a pipe that nobody writes to waits for ever; one the shell made (`<(…)`) has its writer.
    let shell = path.starts_with("/dev") || path.starts_with("/proc/self/fd");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() && !metadata.is_dir() && !shell {
        return Err("it is no file, but a pipe or a device".into());
    }
    // Room for all of it, and for seeing that there is no more.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0) + 1);
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    Ok(bytes)
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
    /// How many names were looked at.
    seen: usize,
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
        found.seen += 1;
        if found.seen > MAX_SEEN {
            if found.seen == MAX_SEEN + 1 {
                found.problems.push(too_many(dir));
            }
            return;
        }
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

fn too_many(dir: &Path) -> Diagnostic {
    Diagnostic::everywhere(format!("there are more than {MAX_SEEN} files below {}", shown(dir)))
        .hint("take out what is no inventory, and links that lead back up")
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
    fn walk(dir: &Path, depth: usize, seen: &mut usize, found: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
        let wrong = |why: String| unreadable(&shown(dir), why);
        if depth == 0 {
            return Err(wrong("its directories nest too deep".into()));
        }
        for name in names(dir).map_err(|e| wrong(e.to_string()))? {
            *seen += 1;
            if *seen > MAX_SEEN {
                return Err(too_many(dir));
            }
            let special = ["host_vars", "group_vars", "vars_plugins"].contains(&name.as_str());
            if special || name.starts_with('.') || PASSED_OVER.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let path = dir.join(name);
            match kind(&path) {
                Kind::Directory => walk(&path, depth - 1, seen, found)?,
                _ => found.push(path),
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(dir, MAX_DEPTH, &mut 0, &mut found)?;
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
