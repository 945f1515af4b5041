//! Clients' own files on this machine: where they are, what is in them, putting a new text in their place.
//! What belongs into them is decided elsewhere.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::whole;
use crate::client::{File, Place, merge};
use crate::diagnostic::{Diagnostic, without_secrets};
use crate::inventory;
use crate::names::Secret;
use crate::plan;

/// How the file that keeps what was there is called.
const COPY: &str = "before-homelab";
/// Who may read a file with a key in it.
const OWNER_ONLY: u32 = 0o600;

/// A file of a client's, as it is and as it should be.
pub(super) struct Target {
    /// Where it is, links followed.
    path: PathBuf,
    /// What is in it, and its mode; none if it is not there.
    old: Option<(String, u32)>,
    new: String,
    holds_key: bool,
}

/// Reads the files, and merges into each what belongs there. None is written.
///
/// # Errors
/// The first that cannot be read or understood.
pub(super) fn read(files: &[File], project: Option<&Path>) -> Result<Vec<Target>, Diagnostic> {
    files.iter().map(|file| target(file, project)).collect()
}

fn target(file: &File, project: Option<&Path>) -> Result<Target, Diagnostic> {
    let path = located(file.place, project)?;
    let path = followed(if file.may_be_jsonc { with_comments(path) } else { path });
    let unreadable = |e: io::Error| Diagnostic::everywhere(format!("{}: {e}", path.display()));
    let old = match whole::present(&path) {
        false => None,
        true => {
            let mode = fs::metadata(&path).map_err(unreadable)?.permissions().mode() & 0o777;
            Some((inventory::read(&path)?.text.clone(), mode))
        }
    };
    let name = path.display().to_string();
    let text = old.as_ref().map_or("", |(text, _)| text);
    let new = merge::merge(&name, text, file)?;
    Ok(Target { path, old, new, holds_key: file.holds_key })
}

fn located(place: Place, project: Option<&Path>) -> Result<PathBuf, Diagnostic> {
    match place {
        Place::Project(path) => Ok(project.unwrap_or(Path::new(".")).join(path)),
        Place::Home { variable, below, otherwise } => {
            let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
            let named = set(variable).map(|dir| dir.join(below));
            let path = named.or_else(|| Some(std::env::home_dir()?.join(otherwise)));
            path.ok_or_else(|| Diagnostic::everywhere("there is no home directory: set HOME"))
        }
    }
}

/// The file that is called `.jsonc` instead, if it is there.
fn with_comments(path: PathBuf) -> PathBuf {
    let other = path.with_extension("jsonc");
    if whole::present(&other) { other } else { path }
}

/// What a link leads to: people keep such files elsewhere and link to them.
fn followed(path: PathBuf) -> PathBuf {
    fs::canonicalize(&path).unwrap_or(path)
}

impl Target {
    /// Whether it is not as it should be.
    pub(super) fn changes(&self) -> bool {
        self.old.as_ref().is_none_or(|(text, mode)| *text != self.new || self.wanted_mode() != *mode)
    }

    /// Its path.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn wanted_mode(&self) -> u32 {
        match (&self.old, self.holds_key) {
            (None, true) => OWNER_ONLY,
            (None, false) => 0o644,
            (Some((_, mode)), true) => mode & OWNER_ONLY,
            (Some((_, mode)), false) => *mode,
        }
    }

    /// What would change, without a secret of anybody's.
    pub(super) fn diff(&self, key: &Secret) -> String {
        let before = self.old.as_ref().map_or("", |(text, _)| text);
        // As it is, and as JSON and TOML have it between quotes.
        let encoded = serde_json::Value::from(key.reveal()).to_string();
        let forms = [key.reveal(), encoded.trim_matches('"')];
        let holds = |text: &str| forms.iter().any(|form| text.contains(form));
        let shown = |text: &str| {
            let another = !holds(before);
            let lines = without_secrets(text).into_iter().zip(text.lines()).map(|(line, raw)| {
                // Whatever it is called, this one does not show; that it is another one does.
                let line = forms.iter().fold(line, |line, form| line.replace(form, "***"));
                let note = if another && holds(raw) { "*** (another value)" } else { "***" };
                line.replace("***", note) + "\n"
            });
            lines.collect::<String>()
        };
        let name = self.shown();
        let old_name = if self.old.is_some() { name.as_str() } else { "/dev/null" };
        let mut diff = plan::unified_texts((old_name, &shown(before)), (&name, &shown(&self.new)));
        if let Some((_, mode)) = self.old.as_ref().filter(|(_, mode)| self.wanted_mode() != *mode) {
            diff += &format!("~ mode {mode:o} → {:o}: the key is in it\n", self.wanted_mode());
        }
        diff
    }

    /// Puts the new text there, with a copy of the old one beside it, whose path it returns.
    ///
    /// # Errors
    /// When it cannot be written, or is another one than was read.
    pub(super) fn write(&self) -> Result<Option<String>> {
        let name = self.shown();
        let now = whole::present(&self.path).then(|| fs::read_to_string(&self.path)).transpose();
        let now = now.with_context(|| format!("reading {name}"))?;
        let then = self.old.as_ref().map(|(text, _)| text.as_str());
        if now.as_deref().map(|text| text.strip_prefix('\u{feff}').unwrap_or(text)) != then {
            bail!("{name} has changed meanwhile, so nothing was written there: run the command again");
        }
        if let Some(dir) = self.path.parent() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.with_context(|| format!("making {}", dir.display()))?;
        }
        let copy = now.map(|text| self.copy(&text)).transpose()?;
        let written = whole::write_with_mode(&self.path, &self.new, self.wanted_mode());
        written.with_context(|| format!("writing {name}"))?;
        Ok(copy)
    }

    /// Keeps what was there under a name that nothing has yet. There may be keys in it.
    fn copy(&self, text: &str) -> Result<String> {
        let base = format!("{}.{COPY}", self.shown());
        for n in 1_u32.. {
            let name = if n == 1 { base.clone() } else { format!("{base}.{n}") };
            let file = fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&name);
            match file {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).with_context(|| format!("writing {name}")),
                Ok(mut file) => {
                    io::Write::write_all(&mut file, text.as_bytes())
                        .with_context(|| format!("writing {name}"))?;
                    return Ok(name);
                }
            }
        }
        bail!("{base} and all names like it are taken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Change, Format, at};

    #[test]
    fn a_file_that_changed_since_it_was_read_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.json");
        let file = File {
            place: Place::Project("f.json"),
            may_be_jsonc: false,
            format: Format::Json,
            holds_key: false,
            changes: vec![Change::Set(at(&["a"]), 1.into())],
        };
        let target = || read(std::slice::from_ref(&file), Some(dir.path())).unwrap().remove(0);
        let (before, meanwhile) = (target(), "{\"b\": 2}");
        fs::write(&path, meanwhile).unwrap();
        assert!(before.write().unwrap_err().to_string().contains("has changed meanwhile"));
        assert_eq!(fs::read_to_string(&path).unwrap(), meanwhile);
        let before = target();
        fs::remove_file(&path).unwrap();
        assert!(before.write().is_err() && !whole::present(&path));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
