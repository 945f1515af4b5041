//! What one process on a host tells about it: home, kernel, GPUs, listening ports, files.
//! The script reads only; the rest of this module only reads its text.

use std::collections::{BTreeMap, BTreeSet};

use super::link::Link;
use super::{after_mark, failure, hinted, last_lines};
use crate::diagnostic::clean;
use crate::survey::{Failure, FileSeen, Gpu};

const STEP: &str = "reading the host's facts";

/// `$1` is the project's directory, maybe below `~/`. Sections in a fixed order, files last: a
/// file's name cannot pass for a section. Files above 1 MiB are none of homelab's; a model cache
/// below the directory must not be read through.
const FACTS: &str = r#"
echo '#homelab'
cd / || exit 1
printf '%s\n' "$HOME"
uname -s
case $1 in
  "~") dir=$HOME ;;
  "~/"*) dir=$HOME/${1#??} ;;
  *) dir=$1 ;;
esac
printf '%s\n' "$dir"
echo '#gpus'
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout 20'; fi
for smi in nvidia-smi /usr/lib/wsl/lib/nvidia-smi; do
  if command -v "$smi" >/dev/null 2>&1; then
    $limit "$smi" --query-gpu=index,name,memory.total,memory.used --format=csv,noheader,nounits 2>/dev/null
    break
  fi
done
echo '#ports'
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep ' 0A '
echo '#modes'
if [ -d "$dir" ] && cd "$dir"; then
  if stat -c %a . >/dev/null 2>&1
  then find . -type f -size -2049 -exec stat -c '%a %n' {} + 2>/dev/null
  else find . -type f -size -2049 -exec stat -f '%Lp %N' {} + 2>/dev/null
  fi
  echo '#sums'
  if command -v sha256sum >/dev/null 2>&1
  then find . -type f -size -2049 -exec sha256sum {} + 2>/dev/null
  else find . -type f -size -2049 -exec shasum -a 256 {} + 2>/dev/null
  fi
fi
exit 0
"#;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) home: String,
    pub(super) os: String,
    /// The project's directory, absolute.
    pub(super) dir: String,
    pub(super) gpus: Vec<Gpu>,
    /// TCP ports something listens on.
    pub(super) listening: BTreeSet<u16>,
    pub(super) files: BTreeMap<String, FileSeen>,
}

/// Asks the host, with one process.
pub(super) async fn read(link: &Link, dir: &str) -> Result<Read, Failure> {
    let output = link.run(FACTS, &[dir], &[]).await.map_err(|f| Failure { step: STEP.into(), ..f })?;
    let said = String::from_utf8_lossy(after_mark(&output.stdout)).into_owned();
    parse(&said).ok_or_else(|| Failure {
        lines: last_lines(&String::from_utf8_lossy(&output.stderr), 5),
        ..hinted(
            STEP,
            "the host's shell did not answer as a POSIX shell does",
            "the SSH user needs a login shell that runs commands (chsh -s /bin/sh)",
        )
    })?
}

/// None if it is not what the script writes.
fn parse(text: &str) -> Option<Result<Read, Failure>> {
    let (head, rest) = text.split_once("#gpus\n")?;
    let (gpus, rest) = rest.split_once("#ports\n")?;
    let (ports, rest) = rest.split_once("#modes\n")?;
    let (modes, sums) = rest.split_once("#sums\n").unwrap_or((rest, ""));
    let mut head = head.lines();
    let (home, os, dir) = (head.next()?, head.next()?, head.next()?);
    if !home.starts_with('/') || !dir.starts_with('/') {
        return Some(Err(failure(STEP, format!("`{dir}` is not an absolute path, nor is it below ~/"))));
    }
    Some(Ok(Read {
        home: home.to_owned(),
        os: clean(os),
        dir: dir.trim_end_matches('/').to_owned(),
        gpus: gpus.lines().filter_map(gpu).collect(),
        listening: ports.lines().filter_map(listening).collect(),
        files: files(modes, sums),
    }))
}

/// A line of nvidia-smi's CSV. What a part does not tell (`[N/A]`, `[Not Supported]`) is unknown;
/// a line of any other form is a message, not a GPU.
fn gpu(line: &str) -> Option<Gpu> {
    let (index, rest) = line.split_once(", ")?;
    let (rest, used) = rest.rsplit_once(", ")?;
    let (name, total) = rest.rsplit_once(", ")?;
    Some(Gpu {
        index: index.trim().parse().ok()?,
        name: clean(name.trim()),
        memory_total: total.trim().parse().ok(),
        memory_used: used.trim().parse().ok(),
    })
}

/// The port of a line of `/proc/net/tcp` or `tcp6` whose state is LISTEN.
fn listening(line: &str) -> Option<u16> {
    let mut fields = line.split_whitespace();
    let (_slot, local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (_, port) = local.rsplit_once(':')?;
    if state == "0A" { u16::from_str_radix(port, 16).ok() } else { None }
}

/// Files with both a mode and a sum; one that came or went in between is not there yet or no more.
fn files(modes: &str, sums: &str) -> BTreeMap<String, FileSeen> {
    let relative = |name: &str| name.strip_prefix("./").map(str::to_owned);
    let modes: BTreeMap<String, u32> = modes
        .lines()
        .filter_map(|line| {
            let (mode, name) = line.split_once(' ')?;
            Some((relative(name)?, u32::from_str_radix(mode, 8).ok()?))
        })
        .collect();
    let seen = |line: &str| {
        let (sum, name) = line.split_at_checked(64)?;
        // Two characters stand between: a blank, and `*` where the file was read as binary.
        let name = relative(name.get(2..)?)?;
        let mode = *modes.get(&name)?;
        let hex = sum.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| (name, FileSeen { sha256: sum.to_owned(), mode }))
    };
    sums.lines().filter_map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_read_from_nvidia_smis_csv() {
        let text = "0, NVIDIA GeForce RTX 4090, 24564, 412\n1, NVIDIA GB10, [N/A], [N/A]\n\
            2, Odd, Name, 16, 1\nNVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\
            No devices were found\n";
        let gpus: Vec<Gpu> = text.lines().filter_map(gpu).collect();
        let one = |index, name: &str, memory_total, memory_used| Gpu {
            index,
            name: name.into(),
            memory_total,
            memory_used,
        };
        assert_eq!(
            gpus,
            [
                one(0, "NVIDIA GeForce RTX 4090", Some(24564), Some(412)),
                one(1, "NVIDIA GB10", None, None),
                one(2, "Odd, Name", Some(16), Some(1)),
            ]
        );
    }

    #[test]
    fn listening_ports_are_read_from_proc() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n\
            \x20  1: 0B4D1EAC:0016 014D1EAC:A5F2 01 00000000:00000000 02:00000000 00000000     0        0 2 2\n\
            \x20  2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 3 1\n";
        assert_eq!(text.lines().filter_map(listening).collect::<Vec<_>>(), [8080, 22]);
    }

    #[test]
    fn the_script_s_text_is_read_whole() {
        let sum = "a".repeat(64);
        let text = format!(
            "/home/lab\nLinux\n/home/lab/homelab/x\n#gpus\n#ports\n#modes\n600 ./a b.env\n644 ./d/#sums\n#sums\n\
             {sum}  ./a b.env\n{sum} *./d/#sums\n{sum}  ./gone\n"
        );
        let read = parse(&text).unwrap().unwrap();
        assert_eq!((read.home.as_str(), read.os.as_str()), ("/home/lab", "Linux"));
        assert_eq!(read.files["a b.env"], FileSeen { sha256: sum, mode: 0o600 });
        assert_eq!(read.dir, "/home/lab/homelab/x");
        assert!(parse("This account is currently not available.\n").is_none());
        let relative = parse("/home/lab\nLinux\nhomelab\n#gpus\n#ports\n#modes\n").unwrap().unwrap_err();
        assert_eq!(relative.what, "`homelab` is not an absolute path, nor is it below ~/");
    }

    #[tokio::test]
    async fn this_machine_can_be_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let file = dir.path().join("sub/x y");
        std::fs::write(&file, "abc").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::write(dir.path().join("large"), vec![0; 2 << 20]).unwrap();
        let name = crate::names::HostName::new("here").unwrap();
        let local = crate::connection::Connection { local: true, ..crate::connection::Connection::new(name) };
        let link = Link::open(&local).await.unwrap();
        let seen = read(&link, dir.path().to_str().unwrap()).await.unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(seen.files, [("sub/x y".to_owned(), FileSeen { sha256, mode: 0o640 })].into());
        assert_eq!(read(&link, "~/no/such").await.unwrap().dir, format!("{}/no/such", seen.home));
        assert_eq!(link.counts(), super::super::Counts { logins: 0, processes: 2 });
    }
}
