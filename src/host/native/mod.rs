//! Services of a host's own: what its service manager is asked and told.
//! Each call is one fixed script; which service there should be is decided elsewhere.

pub(in crate::host) mod launchd;
mod read;
pub(in crate::host) mod scripts;

use futures_util::future;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::inspected::Inspected;
use super::link::{Link, Output};
use super::{after_mark, failure, hinted, last_lines, logs};
use crate::survey::Failure;

pub(super) use read::{NativeRead, read};

/// The scripts' exit code for a unit that is not there.
const MISSING: i32 = 44;
/// And for one that is in the way.
const IN_THE_WAY: i32 = 45;
/// Where a service manager says more.
const MORE: &str = "systemctl status and journalctl on the host may say more; on a Mac, launchctl print and Library/Logs/homelab";
/// No line of a log is kept longer.
const LONGEST_LINE: u64 = 64 << 10;

/// One unit on a host: its file goes by its inode, which it keeps when it is set aside, so that nobody takes another
/// one of that name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: String,
    inode: u64,
}

impl Unit {
    /// The unit that goes by this id; none for a container's, which is hexadecimal.
    pub(super) fn of(id: &str) -> Option<Self> {
        let (inode, name) = id.strip_prefix("unit:")?.split_once(':')?;
        Some(Self { name: name.to_owned(), inode: inode.parse().ok()? })
    }

    /// What plans call it.
    fn id(&self) -> String {
        format!("unit:{}:{}", self.inode, self.name)
    }
}

/// What is done to a unit that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Start,
    Stop,
    Restart,
    SetAside,
    PutBack,
    Remove,
}

impl Deed {
    /// Its word in the script, and what failures call it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Start => ("start", "starting"),
            Self::Stop => ("stop", "stopping"),
            Self::Restart => ("restart", "restarting"),
            Self::SetAside => ("aside", "setting aside"),
            Self::PutBack => ("back", "putting back"),
            Self::Remove => ("remove", "removing"),
        }
    }
}

/// Installs a unit, which does not start it; gives its id.
pub(super) async fn create(link: &Link, name: &str, text: &[u8]) -> Result<String, Failure> {
    let step = format!("installing the unit {name}");
    let length = text.len().to_string();
    let output = link.run(scripts::CREATE, &[name, &length], text).await;
    let said = done(&step, output)?;
    let inode = said.trim().parse().map_err(|_| failure(&step, "the host did not say where it lies"))?;
    Ok(Unit { name: name.to_owned(), inode }.id())
}

/// Does something to a unit. That one is gone is no failure where it is to be removed.
pub(super) async fn act(link: &Link, unit: &Unit, deed: Deed) -> Result<(), Failure> {
    let (word, doing) = deed.words();
    let step = format!("{doing} the unit {}", unit.name);
    let output = link.run(scripts::ACT, &[&unit.name, &unit.inode.to_string(), word], &[]).await;
    match output {
        Ok(Output { code: Some(MISSING), .. }) if deed == Deed::Remove => Ok(()),
        output => done(&step, output).map(drop),
    }
}

/// What a host's service manager says of a unit now.
pub(super) async fn inspect(link: &Link, unit: &Unit) -> Result<Inspected, Failure> {
    let step = format!("inspecting the unit {}", unit.name);
    let said = done(&step, link.run(scripts::INSPECT, &[&unit.name, &unit.inode.to_string()], &[]).await)?;
    read::one(&said).ok_or_else(|| failure(&step, "the host did not tell of it"))
}

/// The id of the unit that is installed by that name; none if there is none.
pub(super) async fn by_name(link: &Link, name: &str) -> Result<Option<String>, Failure> {
    let step = format!("inspecting the unit {name}");
    match link.run(scripts::INSPECT, &[name, ""], &[]).await {
        Ok(Output { code: Some(MISSING), .. }) => Ok(None),
        output => Ok(read::one(&done(&step, output)?).map(|seen| seen.id)),
    }
}

/// The last lines of a unit's log since then, in Unix seconds.
pub(super) async fn log(link: &Link, unit: &Unit, tail: usize, since: i64) -> Result<Vec<String>, Failure> {
    let (since, tail) = (since.to_string(), tail.to_string());
    let said = done("reading the log", link.run(scripts::LOGS, &[&unit.name, &since, &tail], &[]).await)?;
    Ok(said.lines().map(|text| logs::line(text.as_bytes())).collect())
}

/// The last lines since then, in Unix seconds, and every further one.
pub(super) fn follow(link: &Link, unit: Unit, since: i64) -> BoxStream<'_, Result<String, Failure>> {
    let opened = async move {
        let ends = link.attend(scripts::FOLLOW, &[&unit.name, &since.to_string()]).await;
        let ends = match ends {
            Ok(ends) => ends,
            Err(why) => return stream::iter([Err(why)]).boxed(),
        };
        let (output, kept) = (BufReader::new(ends.output), (ends.input, ends.kept));
        let lines = stream::unfold((output, kept), |(mut output, kept)| async move {
            let mut bytes = Vec::new();
            let read = (&mut output).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await;
            match read {
                Ok(0) => None,
                Ok(_) => {
                    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                    Some((Ok(logs::line(text)), (output, kept)))
                }
                Err(error) => Some((Err(failure("reading the log", error.to_string())), (output, kept))),
            }
        });
        let marks = |line: &Result<String, Failure>| {
            future::ready(!line.as_ref().is_ok_and(|line| line.starts_with(launchd::MARK)))
        };
        lines.filter(marks).boxed()
    };
    stream::once(opened).flatten().boxed()
}

/// What a script said, if it did what it was to do.
fn done(step: &str, output: Result<Output, Failure>) -> Result<String, Failure> {
    let output = output.map_err(|why| Failure { step: step.to_owned(), ..why })?;
    let lines = last_lines(&String::from_utf8_lossy(&output.stderr), 6);
    let again = "somebody else changed this host meanwhile; run the same command again";
    match output.code {
        Some(0) => Ok(String::from_utf8_lossy(after_mark(&output.stdout)).into_owned()),
        Some(MISSING | IN_THE_WAY) => Err(hinted(step, "changed under us", again)),
        _ => Err(Failure { lines, ..hinted(step, refused(&output), MORE) }),
    }
}

/// Why the service manager did not do it.
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let known = [
        (
            "Failed to connect to",
            "the user's service manager does not run: sudo loginctl enable-linger starts it",
        ),
        (
            "Domain does not support specified action",
            "the SSH user is not logged in at the screen of this Mac",
        ),
        ("Could not find domain", "the SSH user is not logged in at the screen of this Mac"),
        ("Permission denied", "the SSH user may not do that there"),
        ("No space left", "the disk is full"),
        (
            "insufficient permissions",
            "the SSH user may not read the journal: sudo usermod -aG systemd-journal lets them",
        ),
    ];
    let found = known.iter().find(|(mark, _)| said.contains(mark));
    found
        .map_or_else(|| "the host's service manager did not do it".to_owned(), |(_, what)| (*what).to_owned())
}

#[cfg(test)]
mod on_a_mac;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_s_id_is_told_from_a_container_s() {
        let unit = Unit { name: "home-a-1".to_owned(), inode: 42 };
        assert_eq!(Unit::of(&unit.id()), Some(unit));
        for other in ["4f1c2a9e", "base:alpha", "unit:x:y", "unit:1"] {
            assert_eq!(Unit::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_the_service_manager_says_is_put_into_words() {
        let output = |code, stderr: &str| {
            Ok(Output { code: Some(code), stdout: b"#homelab\n7\n".to_vec(), stderr: stderr.into() })
        };
        assert_eq!(done("x", output(0, "")).unwrap(), "7\n");
        assert_eq!(done("x", output(44, "")).unwrap_err().what, "changed under us");
        let bus = done("x", output(1, "Failed to connect to bus: No medium found")).unwrap_err();
        assert!(bus.what.contains("enable-linger"), "{bus:?}");
        let other = done("x", output(1, "Job failed\n")).unwrap_err();
        assert_eq!(
            (other.what.as_str(), other.lines),
            ("the host's service manager did not do it", vec!["Job failed".to_owned()])
        );
    }
}
