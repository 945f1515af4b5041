//! Small files on a host, by fixed scripts: read, write whole or not at all, remove.
//! Paths are absolute and come as arguments, contents by stdin; nothing is spliced into a script.

use super::link::{Link, Output};
use super::{after_mark, failure, hinted, last_lines};
use crate::survey::Failure;

/// No file that homelab reads back is longer.
const LONGEST_READ: usize = 1 << 20;
/// The scripts' exit code for a file that is not there.
const MISSING: i32 = 44;

const READ: &str = r#"
[ -e "$1" ] || exit 44
echo '#homelab'
exec head -c 1048577 -- "$1"
"#;

/// `$1` path, `$2` mode, `$3` mode of directories that are not there yet, `$4` length. A connection
/// that breaks looks like the end of the content; the length keeps half a file from taking the
/// place of a whole one.
const WRITE: &str = r#"
set -eu
umask 077
dir=${1%/*}
[ -n "$dir" ] || dir=/
if [ ! -d "$dir" ]; then
  (if [ "$3" = 755 ]; then umask 022; fi; mkdir -p -- "$dir")
fi
if [ -d "$1" ]; then echo "$1 is a directory" >&2; exit 1; fi
temporary=$(mktemp "$dir/.homelab.XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$temporary"
if [ "$(($(wc -c <"$temporary")))" -ne "$4" ]; then echo "the content did not arrive whole" >&2; exit 1; fi
chmod "$2" "$temporary"
mv -f -- "$temporary" "$1"
"#;

/// `$1` path: the only file of its directory afterwards, and empty. There is one at every moment.
const WRITE_ONLY: &str = r#"
set -eu
dir=${1%/*}
(umask 022; mkdir -p -- "$dir")
: >"$1"
for other in "$dir"/*; do
  [ "$other" = "$1" ] || rm -f -- "$other"
done
"#;

const REMOVE: &str = r#"rm -f -- "$1""#;

const REMOVE_EMPTY: &str = r#"
[ -d "$1" ] || exit 0
if [ -z "$(ls -A -- "$1")" ]; then rmdir -- "$1"; fi
"#;

/// The whole file, or none if there is none.
pub(super) async fn read(link: &Link, path: &str) -> Result<Option<Vec<u8>>, Failure> {
    let step = format!("reading {path}");
    let output = run(link, &step, READ, &[path], &[]).await?;
    match output.code {
        Some(MISSING) => Ok(None),
        _ => {
            let output = done(&step, output)?;
            let content = after_mark(&output.stdout);
            if content.len() > LONGEST_READ {
                return Err(failure(&step, "it is longer than 1 MiB; that is no file of homelab's"));
            }
            Ok(Some(content.to_vec()))
        }
    }
}

/// Writes a file: it has its mode from the start, and is there whole or not at all.
pub(super) async fn write(link: &Link, path: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
    let step = format!("writing {path}");
    absolute(&step, path)?;
    let directories = if mode & 0o077 == 0 { "700" } else { "755" };
    let (mode, length) = (format!("{mode:o}"), content.len().to_string());
    let output = run(link, &step, WRITE, &[path, &mode, directories, &length], content).await?;
    done(&step, output).map(|_| ())
}

/// Makes an empty file the only one of its directory.
pub(super) async fn write_only(link: &Link, path: &str) -> Result<(), Failure> {
    let step = format!("writing {path}");
    absolute(&step, path)?;
    let output = run(link, &step, WRITE_ONLY, &[path], &[]).await?;
    done(&step, output).map(|_| ())
}

/// Removes a file; one that is gone already is no failure.
pub(super) async fn remove(link: &Link, path: &str) -> Result<(), Failure> {
    let step = format!("removing {path}");
    absolute(&step, path)?;
    let output = run(link, &step, REMOVE, &[path], &[]).await?;
    done(&step, output).map(|_| ())
}

/// Removes a directory if it is there and empty.
pub(super) async fn remove_dir_if_empty(link: &Link, path: &str) -> Result<(), Failure> {
    let step = format!("removing {path}");
    absolute(&step, path)?;
    let output = run(link, &step, REMOVE_EMPTY, &[path], &[]).await?;
    done(&step, output).map(|_| ())
}

fn absolute(step: &str, path: &str) -> Result<(), Failure> {
    match path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') {
        true => Ok(()),
        false => Err(failure(step, "it is not an absolute path of a file")),
    }
}

/// Runs a script; what cannot be run at all has this step's name.
async fn run(
    link: &Link,
    step: &str,
    script: &'static str,
    args: &[&str],
    stdin: &[u8],
) -> Result<Output, Failure> {
    link.run(script, args, stdin).await.map_err(|f| Failure { step: step.to_owned(), ..f })
}

fn done(step: &str, output: Output) -> Result<Output, Failure> {
    if output.code == Some(0) {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let known = [
        (
            "Permission denied",
            "the SSH user may not do that here",
            "give the directory to the SSH user (chown)",
        ),
        (
            "No space left",
            "the disk is full",
            "make room on the host: docker system df shows what Docker holds",
        ),
        (
            "Read-only file system",
            "the file system is read-only",
            "remount it, or set homelab_dir to another place",
        ),
        ("Disk quota exceeded", "the SSH user's quota is used up", "make room, or raise the quota"),
    ];
    let found = known.iter().find(|(mark, ..)| said.contains(mark));
    let plain = match found {
        Some((_, what, hint)) => hinted(step, *what, *hint),
        None => failure(step, "the host could not do it"),
    };
    Err(Failure { lines: last_lines(&said, 3), ..plain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::names::HostName;
    use std::os::unix::fs::PermissionsExt as _;

    async fn here() -> Link {
        let name = HostName::new("here").unwrap();
        Link::open(&Connection { local: true, ..Connection::new(name) }).await.unwrap()
    }

    fn mode(path: &std::path::Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_file_is_written_with_its_mode_read_back_and_removed() {
        let (link, dir) = (here().await, tempfile::tempdir().unwrap());
        let path = dir.path().join("a b/it's/x.env");
        let text = path.to_str().unwrap();
        assert_eq!(read(&link, text).await, Ok(None));
        write(&link, text, b"A=1\n\0\xff", 0o600).await.unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        write(&link, text, b"", 0o644).await.unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o644, 0o700));
        assert_eq!(read(&link, text).await, Ok(Some(vec![])));
        let public = dir.path().join("public/deep/compose.yml");
        write(&link, public.to_str().unwrap(), &[b'x'; 300_000], 0o644).await.unwrap();
        assert_eq!(mode(public.parent().unwrap()), 0o755);
        assert_eq!(std::fs::metadata(&public).unwrap().len(), 300_000);
        let parent = path.parent().unwrap();
        remove_dir_if_empty(&link, parent.to_str().unwrap()).await.unwrap();
        remove(&link, text).await.unwrap();
        remove(&link, text).await.unwrap();
        assert_eq!(std::fs::read_dir(parent).unwrap().count(), 0);
        remove_dir_if_empty(&link, parent.to_str().unwrap()).await.unwrap();
        assert!(!parent.exists());
    }

    #[tokio::test]
    async fn half_a_file_does_not_replace_a_whole_one() {
        let (link, dir) = (here().await, tempfile::tempdir().unwrap());
        let path = dir.path().join("x");
        std::fs::write(&path, "whole").unwrap();
        let output = link.run(WRITE, &[path.to_str().unwrap(), "600", "700", "10"], b"half").await.unwrap();
        assert_eq!(done("writing x", output).unwrap_err().lines, ["the content did not arrive whole"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_written_says_why() {
        let (link, dir) = (here().await, tempfile::tempdir().unwrap());
        let path = dir.path().to_str().unwrap();
        let failure = write(&link, path, b"x", 0o600).await.unwrap_err();
        assert_eq!(failure.lines, [format!("{path} is a directory")]);
        let failure = write(&link, "relative", b"x", 0o600).await.unwrap_err();
        assert_eq!(failure.what, "it is not an absolute path of a file");
        let failure = write(&link, "/proc/homelab/x", b"x", 0o600).await.unwrap_err();
        assert_eq!(failure.step, "writing /proc/homelab/x");
    }
}
