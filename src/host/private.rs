//! The private directory on this machine where ssh's sockets and homelab's forwards lie.
//! It serves no other purpose, and nothing that anybody else could read or write is trusted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

/// A socket's path has 104 bytes on macOS. ssh puts 17 more behind a control socket's while it makes
/// it, and the crate's own directory in front takes 29.
const LONGEST: usize = 104 - 1 - 17 - 29;

/// Finds or makes the directory: `$XDG_RUNTIME_DIR/homelab`, else `~/.cache/homelab`, else one
/// below the temp directory (where the home directory's path is too long for a socket).
///
/// # Errors
/// Why the last candidate cannot be used.
pub(super) fn directory() -> io::Result<PathBuf> {
    let mut error = io::Error::other("neither XDG_RUNTIME_DIR nor HOME is set");
    for candidate in candidates() {
        if candidate.as_os_str().len() > LONGEST {
            error = io::Error::other(format!("{} is too long for a socket", candidate.display()));
            continue;
        }
        match secured(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(e) => error = io::Error::new(e.kind(), format!("{}: {e}", candidate.display())),
        }
    }
    Err(error)
}

fn candidates() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let home = set("HOME");
    let mut all = Vec::new();
    all.extend(set("XDG_RUNTIME_DIR").map(|dir| dir.join("homelab")));
    all.extend(home.as_ref().map(|dir| dir.join(".cache/homelab")));
    if let Some(home) = home {
        let mark = short_hash(&[home.as_os_str().as_encoded_bytes()]);
        all.push(std::env::temp_dir().join(format!("homelab-{mark}")));
    }
    all
}

/// Makes the directory if it is not there, and makes sure that it is ours alone.
fn secured(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it"));
    }
    // Whoever owns what we make here is us; there is no safe call that asks who we are.
    let (probe, made) = private_file(dir, "probe")?;
    let ours = made.metadata()?.uid();
    fs::remove_file(probe)?;
    if ours != found.uid() {
        return Err(io::Error::other("it belongs to somebody else"));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Eight characters that nobody else has chosen.
pub(super) fn random_name() -> io::Result<String> {
    getrandom::u32().map(|n| format!("{n:08x}")).map_err(io::Error::other)
}

fn private_file(dir: &Path, stem: &str) -> io::Result<(PathBuf, File)> {
    let path = dir.join(format!(".{stem}-{}", random_name()?));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

/// Writes a file that appears whole or not at all.
pub(super) fn write(dir: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let (temporary, mut file) = private_file(dir, "new")?;
    file.write_all(text.as_bytes())?;
    let path = dir.join(name);
    fs::rename(temporary, &path)?;
    Ok(path)
}

/// Points the link `name` at `target`, at once: whoever looks sees the old one or the new one.
pub(super) fn point(dir: &Path, name: &str, target: &Path) -> io::Result<()> {
    let temporary = dir.join(format!(".new-{}", random_name()?));
    std::os::unix::fs::symlink(target, &temporary)?;
    fs::rename(temporary, dir.join(name))
}

/// Makes a directory that is ours alone.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Removes what earlier runs left: directories of ssh masters that are gone, links to them,
/// and files nobody has renewed for a day. Young ones may belong to a run that is just starting.
pub(super) fn tidy(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let age = found.modified().ok().and_then(|m| SystemTime::now().duration_since(m).ok());
        let old = |limit| age.is_some_and(|age| age > Duration::from_secs(limit));
        // ssh removes its socket when it ends.
        if found.is_dir() && old(120) && !answers(&path.join("master")) {
            let _ = fs::remove_dir_all(&path);
        } else if (found.is_symlink() && !path.exists()) || (found.is_file() && old(24 * 3600)) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn answers(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

/// Sixteen characters that stand for these parts.
pub(super) fn short_hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_others_may_write_to_is_refused_and_an_open_one_is_closed() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        secured(&dir).unwrap();
        let mode = || fs::metadata(&dir).unwrap().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        secured(&dir).unwrap();
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(secured(&dir).unwrap_err().to_string(), "others may write to it");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[test]
    fn a_link_can_be_pointed_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        for target in ["one", "two"] {
            point(dir.path(), "link", Path::new(target)).unwrap();
            assert_eq!(fs::read_link(dir.path().join("link")).unwrap(), Path::new(target));
        }
        tidy(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
