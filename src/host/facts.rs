//! What one process on a host tells about it: home, kernel, GPUs, listening ports, files.
//! The script reads only; the rest of this module only reads its text.

use std::collections::{BTreeMap, BTreeSet};

use super::claim::lock_file;
use super::gpus::nvidia_smi;
use super::link::Link;
use super::native::scripts::native_facts;
use super::native::{self, NativeRead};
use super::{after_mark, failure, hinted, last_lines};
use crate::claim::Holder;
use crate::lock::is_commit;
use crate::names::{ByteSize, ProjectName, Secret};
use crate::survey::{Devices, Failure, FileSeen, Gpu};

const STEP: &str = "reading the host's facts";

/// `$1` is the project's directory, maybe below `~/`; `$2` and `$3` are `yes` where the GPUs and the
/// root key are asked for, `$4` is the project. Sections in a fixed order, files last: a file's name cannot pass for a
/// section. Files above 1 MiB are none of homelab's; a model cache below the directory must not be
/// read through. Every process that is not started here is a millisecond less for who waits.
const FACTS: &str = concat!(
    "project=$4",
    lock_file!(),
    nvidia_smi!(),
    r#"
echo '#homelab'
cd / || exit 1
printf '%s\n' "$HOME"
case $1 in
  "~") dir=$HOME ;;
  "~/"*) dir=$HOME/${1#??} ;;
  *) dir=$1 ;;
esac
printf '%s\n' "$dir"
holders
echo '#memory'
if [ -x /bin/launchctl ]; then
  # A Mac says it in bytes.
  memory=$(sysctl -n hw.memsize 2>/dev/null) && printf '%s\n' "$((memory / 1024))"
elif [ -r /proc/meminfo ]; then
  read -r _ memory _ </proc/meminfo
  printf '%s\n' "$memory"
fi
echo '#gpus'
if [ "$2" = yes ]; then
  smi --query-gpu=index,name,memory.total,memory.used --format=csv,noheader,nounits
  for hook in /usr/bin/nvidia-container-runtime-hook /usr/local/nvidia/toolkit/nvidia-container-runtime-hook; do
    if [ -e "$hook" ]; then echo 'device hook'; fi
  done
  for node in /dev/kfd /dev/dri/renderD*; do
    if [ -e "$node" ]; then
      case $node in
        *kfd) echo 'device kfd' ;;
        *) echo 'device dri' ;;
      esac
      stat -c 'group %g' "$node" 2>/dev/null
    fi
  done
fi
echo '#ports'
if [ -x /bin/launchctl ]
then netstat -an -p tcp 2>/dev/null | grep LISTEN
else grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null
fi
echo '#key'
if [ "$3" = yes ] && [ -r "$dir/root.key" ]; then
  while IFS= read -r key || [ -n "$key" ]; do printf '%s\n' "$key"; done <"$dir/root.key"
fi
echo '#fetched'
for marker in "$dir"/fetched/*.txt; do
  [ -r "$marker" ] || continue
  while IFS= read -r path; do
    [ -e "$path" ] || { printf '%s gone\n' "fetched/${marker##*/}"; break; }
    for ref in "${path%/snapshots/*}"/refs/*; do
      means=
      { IFS= read -r means <"$ref"; } 2>/dev/null
      if [ "$means" = "${path##*/}" ]; then printf '%s %s\n' "fetched/${marker##*/}" "$path"; break; fi
    done
  done <"$marker"
done
"#,
    native_facts!(),
    r#"
echo '#files'
if [ -d "$dir" ] && cd "$dir"; then
  if [ -x /bin/launchctl ]
  then find . -type f -size -2049 -exec stat -f '%Lp %N' {} + -exec shasum -a 256 {} + 2>/dev/null
  else
    find . -type f -size -2049 -printf '%m %p\n' -exec sha256sum {} + 2>/dev/null ||
      find . -type f -size -2049 -exec stat -c '%a %n' {} + -exec sha256sum {} + 2>/dev/null
  fi
fi
exit 0
"#
);

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) home: String,
    /// The project's directory, absolute.
    pub(super) dir: String,
    /// Who held the lock, in the order of the files they stand in.
    pub(super) holders: Vec<Holder>,
    /// The system's memory: the first line of /proc/meminfo, in KiB there.
    pub(super) memory: Option<ByteSize>,
    pub(super) gpus: Vec<Gpu>,
    /// Ways to GPUs, as far as the host itself tells of them.
    pub(super) devices: Devices,
    /// TCP ports something listens on.
    pub(super) listening: BTreeSet<u16>,
    /// The root key's file, the key in its first line; none if it was not asked for or is not there.
    pub(super) root_key: Option<Secret>,
    /// Services of the host's own.
    pub(super) native: NativeRead,
    pub(super) files: BTreeMap<String, FileSeen>,
    /// What was downloaded, by the file that says so.
    pub(super) snapshots: Snapshots,
}

/// Repositories of the hub and their commits, by the file that says that they were downloaded.
type Snapshots = BTreeMap<String, BTreeSet<(String, String)>>;

/// What is not asked of every host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    pub(super) gpus: bool,
    pub(super) root_key: bool,
    /// The programs of services of the host's own; none where there is no such service.
    pub(super) programs: Option<&'a [String]>,
}

/// Asks the host, with one process.
pub(super) async fn read(
    link: &Link,
    (project, dir): (&ProjectName, &str),
    wanted: Wanted<'_>,
) -> Result<Read, Failure> {
    let word = |yes| if yes { "yes" } else { "no" };
    let own =
        [dir, word(wanted.gpus), word(wanted.root_key), project.as_str(), word(wanted.programs.is_some())];
    let programs = wanted.programs.unwrap_or_default();
    let args: Vec<&str> = own.into_iter().chain(programs.iter().map(String::as_str)).collect();
    let output = link.run(FACTS, &args, &[]).await.map_err(|f| Failure { step: STEP.into(), ..f })?;
    let said = String::from_utf8_lossy(after_mark(&output.stdout)).into_owned();
    parse(&said, project, programs).ok_or_else(|| Failure {
        lines: last_lines(&String::from_utf8_lossy(&output.stderr), 5),
        ..hinted(
            STEP,
            "the host's shell did not answer as a POSIX shell does",
            "the SSH user needs a login shell that runs commands (chsh -s /bin/sh)",
        )
    })?
}

/// None if it is not what the script writes.
fn parse(text: &str, project: &ProjectName, programs: &[String]) -> Option<Result<Read, Failure>> {
    let (head, rest) = text.split_once("#memory\n")?;
    let (memory, rest) = rest.split_once("#gpus\n")?;
    let (gpus, rest) = rest.split_once("#ports\n")?;
    let (ports, rest) = rest.split_once("#key\n")?;
    let (key, rest) = rest.split_once("#fetched\n")?;
    let (fetched, rest) = rest.split_once("#native\n")?;
    let (native, seen) = rest.split_once("#files\n")?;
    let (gone, snapshots) = snapshots(fetched);
    let mut head = head.lines();
    let (home, dir) = (head.next()?, head.next()?);
    if !home.starts_with('/') || !dir.starts_with('/') {
        return Some(Err(failure(STEP, format!("`{dir}` is not an absolute path, nor is it below ~/"))));
    }
    Some(Ok(Read {
        home: home.to_owned(),
        dir: dir.trim_end_matches('/').to_owned(),
        holders: head.filter_map(|line| Holder::parse(line.strip_prefix("by ")?)).collect(),
        memory: memory.trim().parse().ok().and_then(|kib: u64| kib.checked_mul(1 << 10)).map(ByteSize),
        devices: devices(gpus),
        gpus: gpus.lines().filter_map(Gpu::from_csv).collect(),
        listening: ports.lines().filter_map(listening).collect(),
        root_key: (!key.is_empty()).then(|| Secret::new(key.trim().to_owned())),
        native: native::read(native, project, programs),
        // What says that something was downloaded says nothing when that is gone.
        files: files(seen).into_iter().filter(|(path, _)| !gone.contains(path.as_str())).collect(),
        snapshots,
    }))
}

/// Files that say that something was downloaded: those whose directories are gone, and what the others say that a branch or
/// tag still means there: only that is surely what a server loads that was told no commit.
fn snapshots(text: &str) -> (BTreeSet<&str>, Snapshots) {
    let lines = || text.lines().filter_map(|line| line.split_once(' '));
    let gone: BTreeSet<&str> = lines().filter(|(_, path)| *path == "gone").map(|(file, _)| file).collect();
    let mut all = Snapshots::new();
    for (file, path) in lines().filter(|(file, _)| !gone.contains(file)) {
        all.entry(file.to_owned()).or_default().extend(snapshot(path));
    }
    (gone, all)
}

/// `…/models--USER--NAME/snapshots/COMMIT`, as the hub's cache has it: no name there has two hyphens in a row.
fn snapshot(path: &str) -> Option<(String, String)> {
    let (rest, commit) = path.rsplit_once("/snapshots/")?;
    let (_, folder) = rest.rsplit_once('/')?;
    let name = folder.strip_prefix("models--")?.replacen("--", "/", 1);
    is_commit(commit).then(|| (name, commit.to_owned()))
}

/// What stands of devices among the lines of `nvidia-smi`.
fn devices(text: &str) -> Devices {
    let is = |device: &str| text.lines().any(|line| line.strip_prefix("device ") == Some(device));
    let group = |line: &str| line.strip_prefix("group ")?.parse().ok();
    Devices {
        cdi: false,
        hook: is("hook"),
        kfd: is("kfd"),
        dri: is("dri"),
        // Root's own are open to a container's root anyway.
        groups: text.lines().filter_map(group).filter(|group| *group != 0).collect(),
    }
}

/// The port of a line of `/proc/net/tcp` or `tcp6` whose state is LISTEN, or of one of a Mac's `netstat`:
/// `tcp4 0 0 *.8080 *.* LISTEN`.
fn listening(line: &str) -> Option<u16> {
    let mut fields = line.split_whitespace();
    if let Some(rest) = line.trim_end().strip_suffix("LISTEN").filter(|rest| rest.starts_with("tcp")) {
        return rest.split_whitespace().nth(3)?.rsplit_once('.')?.1.parse().ok();
    }
    let (_slot, local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (_, port) = local.rsplit_once(':')?;
    if state == "0A" { u16::from_str_radix(port, 16).ok() } else { None }
}

/// Files with both a mode and a sum; one that came or went in between is not there yet or no more.
/// Lines of modes and of sums are told apart by their first word: no mode has 64 digits.
fn files(seen: &str) -> BTreeMap<String, FileSeen> {
    let relative = |name: &str| name.strip_prefix("./").map(str::to_owned);
    let modes: BTreeMap<String, u32> = seen
        .lines()
        .filter_map(|line| {
            let (mode, name) = line.split_once(' ')?;
            Some((relative(name)?, u32::from_str_radix(mode, 8).ok()?))
        })
        .collect();
    let file = |line: &str| {
        let (sum, name) = line.split_at_checked(64)?;
        // Two characters stand between: a blank, and `*` where the file was read as binary.
        let name = relative(name.get(2..)?)?;
        let mode = *modes.get(&name)?;
        let hex = sum.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| (name, FileSeen { sha256: sum.to_owned(), mode }))
    };
    seen.lines().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_read_from_nvidia_smis_csv() {
        let text = "0, NVIDIA GeForce RTX 4090, 24564, 412\n1, NVIDIA GB10, [N/A], [N/A]\n\
            2, Odd, Name, 16, 1\nNVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\
            No devices were found\n";
        let gpus: Vec<Gpu> = text.lines().filter_map(Gpu::from_csv).collect();
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
        let mac = "tcp46      0      0  *.8080                 *.*                    LISTEN     \n\
            tcp4       0      0  127.0.0.1.631          *.*                    LISTEN\n\
            tcp6       0      0  ::1.5432               *.*                    LISTEN\n\
            tcp4       0      0  192.168.1.9.22         192.168.1.2.51515      ESTABLISHED\n";
        assert_eq!(mac.lines().filter_map(listening).collect::<Vec<_>>(), [8080, 631, 5432]);
    }

    #[test]
    fn the_script_s_text_is_read_whole() {
        let (sum, commit) = ("a".repeat(64), "c".repeat(40));
        let text = format!(
            "/home/lab\n/home/lab/homelab/x\nby done 7 r1 deploy 42 anna@laptop\n#memory\n127600000\n#gpus\ndevice kfd\ngroup 992\ndevice dri\ngroup 44\n#ports\n#key\nrk-1\nmodel/a 2\n#fetched\nfetched/1.txt gone\nfetched/2.txt /hf/hub/models--a--b-c/snapshots/{commit}\nfetched/3.txt /hf/x/snapshots/1\n#native\n#files\n600 ./a b.env\n644 ./d/#files\n644 ./fetched/1.txt\n\
             {sum}  ./fetched/1.txt\n{sum}  ./a b.env\n{sum} *./d/#files\n{sum}  ./gone\n"
        );
        let project = ProjectName::new("home").unwrap();
        let parse = |text: &str| parse(text, &project, &[]);
        let read = parse(&text).unwrap().unwrap();
        assert_eq!(read.home, "/home/lab");
        assert_eq!(read.holders, [Holder::parse("done 7 r1 deploy 42 anna@laptop").unwrap()]);
        let devices = Devices { kfd: true, dri: true, groups: [44, 992].into(), ..Devices::default() };
        assert_eq!((&read.devices, &read.gpus), (&devices, &vec![]));
        assert_eq!(read.memory, Some(ByteSize(127_600_000 << 10)));
        assert_eq!(read.root_key.as_ref().map(Secret::reveal), Some("rk-1\nmodel/a 2"));
        assert!(!format!("{read:?}").contains("rk-1"));
        assert_eq!(read.files["a b.env"], FileSeen { sha256: sum, mode: 0o600 });
        assert_eq!(read.dir, "/home/lab/homelab/x");
        assert_eq!(read.snapshots["fetched/2.txt"], [("a/b-c".to_owned(), commit)].into());
        assert!(read.snapshots["fetched/3.txt"].is_empty());
        assert!(parse("This account is currently not available.\n").is_none());
        let relative = parse("/home/lab\nhomelab\n#memory\n#gpus\n#ports\n#key\n#fetched\n#native\n#files\n")
            .unwrap()
            .unwrap_err();
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
        let (project, here) = (ProjectName::new("facts").unwrap(), dir.path().to_str().unwrap());
        std::fs::write(dir.path().join("root.key"), "rk-2\n").unwrap();
        let both = read(&link, (&project, here), Wanted { root_key: true, gpus: true, programs: None })
            .await
            .unwrap();
        assert_eq!(both.root_key.unwrap().reveal(), "rk-2");
        std::fs::remove_file(dir.path().join("root.key")).unwrap();
        let seen =
            read(&link, (&project, here), Wanted { root_key: true, ..Wanted::default() }).await.unwrap();
        assert_eq!((seen.root_key, seen.gpus), (None, vec![]));
        assert!(!std::path::Path::new("/proc/meminfo").exists() || seen.memory > Some(ByteSize(1 << 28)));
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(seen.files, [("sub/x y".to_owned(), FileSeen { sha256, mode: 0o640 })].into());
        assert_eq!(
            read(&link, (&project, "~/no/such"), Wanted::default()).await.unwrap().dir,
            format!("{}/no/such", seen.home)
        );
        assert_eq!(link.counts(), super::super::Counts { processes: 3, ..Default::default() });
    }
}
