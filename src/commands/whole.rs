//! Writing a file of this machine so that it appears whole or not at all.
//! It decides nothing about what is in it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Puts a text in the place of a file, whose mode is then this, as far as the umask lets it.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    replace(path, text, mode, false)
}

/// The same with exactly this mode.
pub(super) fn write_with_mode(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    replace(path, text, mode, true)
}

fn replace(path: &Path, text: &str, mode: u32, exactly: bool) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut new = PathBuf::from(path);
    new.set_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).and_then(|mut file| {
            if exactly {
                file.set_permissions(fs::Permissions::from_mode(mode))?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        });
    if written.is_err() {
        // What is left of it is in nobody's way.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Whether there is something of this name, a link to nowhere included.
pub(super) fn present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for text in ["one", "two"] {
            write(&path, text, 0o644).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        write_with_mode(&path, "three", 0o606).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o606);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write(&dir.path().join("none").join("file"), "x", 0o644).is_err());
    }
}
