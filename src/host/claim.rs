//! The claim on a host: while one homelab changes a project there, no other does.
//! It cannot outlive its holder: the host gives it up when the holder's beats stop, whatever the reason.

use std::time::Duration;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::link::{Ends, Link};
use super::look::Look;
use super::{failure, hinted, private};
use crate::claim::Holder;
use crate::diagnostic::clean;
use crate::names::{HostName, ProjectName};
use crate::survey::Failure;

const STEP: &str = "taking the lock";

/// How often the holder shows that it is there.
const BEAT: Duration = Duration::from_secs(5);
/// How long after the last beat that arrived the holder may still act. The host gives the lock to others
/// after [`SCRIPT`]'s 30 s, so both agree that it is gone before anybody else can have it.
const TRUST: Duration = Duration::from_secs(25);
/// Time for the host to say whether the lock is free, without a wait.
const ANSWER: Duration = Duration::from_secs(20);
/// Time for the host to give the lock up when it is told to.
const RELEASE: Duration = Duration::from_secs(5);
/// No line of the script's is longer.
const LONGEST_LINE: u64 = 4096;

/// Where the lock of `$project` lies: on a file that every SSH user of the host meets, in /run/lock where all may
/// write, else in /tmp. Users may not write each other's files there, so who holds it stands in one file per user.
macro_rules! lock_file {
    () => {
        r#"
locks=/run/lock
{ [ -d $locks ] && [ -k $locks ] && [ -w $locks ]; } || locks=/tmp
lock=$locks/homelab-$project.lock
holders() {
  for file in "$lock".*; do
    said=
    if [ -f "$file" ] && [ -r "$file" ]; then IFS= read -r said <"$file" || :; fi
    [ -z "$said" ] || printf 'by %s\n' "$said"
  done
}
"#
    };
}
pub(super) use lock_file;

/// `$1` is the project, `$2` how many seconds to wait, `$3` what to write down of the holder. A holder that was
/// killed may need a moment to be gone: that is waited for in any case.
const SCRIPT: &str = concat!(
    "project=$1",
    lock_file!(),
    r#"
umask 022
echo '#homelab'
for tool in flock timeout; do
  if command -v $tool >/dev/null 2>&1; then continue; fi
  command -v perl >/dev/null 2>&1 || { echo "lacks $tool"; exit 0; }
  # macOS has neither, but perl. What it locks is the file that this shell has open, as flock does.
  case $tool in
    flock) flock() { perl -e 'open my $f, "<&=", $ARGV[2] or exit 1; alarm $ARGV[1]; exit !flock $f, 2' -- "$@"; } ;;
    timeout) timeout() { perl -e 'alarm $ARGV[0]; exit 1 unless sysread STDIN, my $beat, 1; print $beat' -- "$@"; } ;;
  esac
done
[ -e "$lock" ] || : 2>/dev/null >>"$lock" || :
[ -r "$lock" ] || { echo "unreadable $lock"; exit 0; }
exec 9<"$lock"
if ! flock -w 1 9; then
  holders
  echo "busy $(date +%s)"
  { [ "$2" -gt 0 ] && flock -w "$2" 9; } || { echo late; exit 0; }
  echo free
fi
holders
me="$(date +%s) $3"
by=$lock.$(id -u)
if { [ ! -e "$by" ] || [ -w "$by" ]; }; then echo "at-work $me" >"$by"; fi
echo held
while beat=$(timeout 30 head -c 1 9<&-) && [ -n "$beat" ]; do printf .; done
if [ -w "$by" ]; then echo "done $me" >"$by"; fi
"#
);

/// The right to change a project on a host. Dropped without [`Claim::release`] it ends a moment later.
pub struct Claim {
    host: HostName,
    lost: watch::Receiver<bool>,
    release: oneshot::Sender<()>,
    beating: JoinHandle<()>,
    /// Who held it before, for comparison with what a survey saw.
    pub before: Vec<Holder>,
    /// Whether it was waited for.
    pub waited: bool,
}

/// Turns true once a claim is lost.
pub(super) type Lost = watch::Receiver<bool>;

/// What came of asking for the lock.
pub enum Claimed {
    /// We have it.
    Held(Claim),
    /// Another homelab has it: who, as far as it is known, and for how many seconds.
    Busy(Option<Holder>, Option<u64>),
}

impl Claim {
    /// Takes the lock, waiting for it for as many seconds if somebody else has it; `on_busy` is told who
    /// that is.
    ///
    /// # Errors
    /// When the host cannot lock, or does not answer.
    pub async fn take(
        look: &Look,
        (project, me): (&ProjectName, &Holder),
        wait: u32,
        on_busy: impl FnOnce(Option<&Holder>),
    ) -> Result<Claimed, Failure> {
        Self::by(look.link(), (project, me), wait, on_busy).await
    }

    async fn by(
        link: &Link,
        (project, me): (&ProjectName, &Holder),
        wait: u32,
        on_busy: impl FnOnce(Option<&Holder>),
    ) -> Result<Claimed, Failure> {
        let seconds = wait.to_string();
        let ends = link.attend(SCRIPT, &[project.as_str(), &seconds, &me.to_line()]).await;
        let Ends { input, output, kept } = ends.map_err(|f| Failure { step: STEP.into(), ..f })?;
        let mut output = BufReader::new(output);
        let began = Instant::now();
        let (mut holders, mut busy, mut on_busy) = (Vec::new(), None, Some(on_busy));
        loop {
            let patience = if busy.is_some() { ANSWER + Duration::from_secs(wait.into()) } else { ANSWER };
            let line = line(&mut output, began + patience).await?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                "by" => holders.extend(Holder::parse(rest)),
                "busy" => {
                    let last = Holder::last(&holders).cloned();
                    let since =
                        last.as_ref().and_then(|last| rest.parse::<u64>().ok()?.checked_sub(last.since));
                    if let Some(on_busy) = on_busy.take() {
                        on_busy(last.as_ref());
                    }
                    busy = Some(Claimed::Busy(last, since));
                }
                "free" => holders.clear(),
                "late" => return busy.ok_or_else(|| failure(STEP, "the host gave up before it tried")),
                "held" => {
                    let (tell, lost) = watch::channel(false);
                    let (release, released) = oneshot::channel();
                    let beating = tokio::spawn(async move {
                        beat((input, output), tell, released).await;
                        drop(kept);
                    });
                    let (host, waited) = (link.connection().name.clone(), busy.is_some());
                    let claim = Self { host, lost, release, beating, before: holders, waited };
                    return Ok(Claimed::Held(claim));
                }
                "lacks" => {
                    let what = format!("the host has no `{}`", clean(rest));
                    return Err(hinted(STEP, what, "install util-linux and coreutils there"));
                }
                "unreadable" => {
                    let what = format!("{} cannot be read or made", clean(rest));
                    return Err(hinted(STEP, what, "remove that file on the host if it is nobody's"));
                }
                // What a shell's start-up files write.
                _ => {}
            }
        }
    }

    /// What this run writes down of itself.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn me(verb: &str) -> Result<Holder, Failure> {
        let run = private::random_name().map_err(|e| failure(STEP, format!("no random numbers: {e}")))?;
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        let machine = rustix::system::uname();
        let from =
            format!("{}@{}", user.as_deref().unwrap_or("somebody"), machine.nodename().to_string_lossy());
        let word = |text: &str| clean(text).replace(char::is_whitespace, "_");
        Ok(Holder {
            at_work: true,
            since: 0,
            run: word(&run),
            verb: word(verb),
            from: word(&from),
            process: std::process::id(),
        })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Turns true when the claim is lost: nothing may be changed on the host any more.
    pub(super) fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// Gives the lock up and waits until the host has done so.
    pub async fn release(self) {
        let _ = self.release.send(());
        // A host that is gone gives it up by itself.
        let _ = timeout(RELEASE, self.beating).await;
    }
}

/// One line of what the script says.
async fn line(output: &mut BufReader<impl AsyncRead + Unpin>, until: Instant) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut limited = output.take(LONGEST_LINE);
    match timeout_at(until, limited.read_until(b'\n', &mut bytes)).await {
        Ok(Ok(1..)) => Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
        Ok(_) => Err(hinted(
            STEP,
            "the connection broke off",
            "is the host still there? run the same command again",
        )),
        Err(_) => Err(failure(STEP, format!("the host did not answer within {} s", ANSWER.as_secs()))),
    }
}

/// Beats until it is released, or until the host no longer answers.
async fn beat(
    (mut input, mut output): (impl AsyncWrite + Unpin, impl AsyncRead + Unpin),
    lost: watch::Sender<bool>,
    mut released: oneshot::Receiver<()>,
) {
    let mut last = Instant::now();
    loop {
        let sent = Instant::now();
        let answered = async {
            input.write_all(b".").await?;
            input.flush().await?;
            output.read_u8().await
        };
        tokio::select! {
            answer = timeout_at(last + TRUST, answered) => match answer {
                Ok(Ok(_)) => last = sent,
                _ => {
                    let _ = lost.send(true);
                    return;
                }
            },
            _ = &mut released => break,
        }
        tokio::select! {
            () = sleep(BEAT) => {}
            _ = &mut released => break,
        }
    }
    drop(input);
    let mut rest = Vec::new();
    let _ = output.read_to_end(&mut rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::host::Link;

    /// A project whose lock is removed in the end.
    struct Lock(ProjectName);

    impl Drop for Lock {
        fn drop(&mut self) {
            let ours = format!("homelab-{}.lock", self.0);
            for dir in ["/run/lock", "/tmp"] {
                let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
                let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with(&ours));
                ours.for_each(|file| std::fs::remove_file(file.path()).unwrap());
            }
        }
    }

    /// This machine, without Docker, and a project no other test has.
    async fn here(project: &str) -> (Link, Lock, Holder) {
        let name = HostName::new("here").unwrap();
        let link = Link::open(&Connection { local: true, ..Connection::new(name) }).await.unwrap();
        let mark = private::random_name().unwrap().to_ascii_lowercase();
        let project = ProjectName::new(format!("claim-{project}-{mark}")).unwrap();
        (link, Lock(project), Claim::me("deploy").unwrap())
    }

    async fn take(link: &Link, (lock, me): (&Lock, &Holder), wait: u32) -> Claimed {
        Claim::by(link, (&lock.0, me), wait, |_| {}).await.unwrap()
    }

    fn held(claimed: Claimed) -> Claim {
        match claimed {
            Claimed::Held(claim) => claim,
            Claimed::Busy(holder, _) => panic!("{holder:?} has it"),
        }
    }

    #[tokio::test]
    async fn of_two_one_has_the_lock_and_the_other_hears_who() {
        let (link, lock, me) = here("two").await;
        let first = held(take(&link, (&lock, &me), 0).await);
        assert_eq!(first.before, []);
        let Claimed::Busy(Some(holder), Some(since)) = take(&link, (&lock, &me), 0).await else {
            panic!("it was free");
        };
        assert_eq!((&holder.run, holder.process), (&me.run, std::process::id()));
        assert!(since < 60, "{since}");
        first.release().await;
        // Whoever comes next sees who was there.
        let next = held(take(&link, (&lock, &me), 0).await);
        assert_eq!(next.before.iter().map(|h| &h.run).collect::<Vec<_>>(), [&me.run]);
        next.release().await;
    }

    #[tokio::test]
    async fn who_waits_gets_it_when_it_is_free() {
        let (link, lock, me) = here("wait").await;
        let first = held(take(&link, (&lock, &me), 0).await);
        let (told, heard) = oneshot::channel();
        let waiting = async {
            let on_busy = |_: Option<&Holder>| told.send(()).unwrap();
            held(Claim::by(&link, (&lock.0, &me), 60, on_busy).await.unwrap())
        };
        let ends = async {
            heard.await.unwrap();
            first.release().await;
        };
        let (second, ()) = tokio::join!(waiting, ends);
        second.release().await;
    }

    #[tokio::test]
    async fn where_there_is_only_perl_the_lock_is_the_same() {
        use std::io::{BufRead as _, Write as _};
        use std::process::{Child, Command, Stdio};
        let (link, lock, me) = here("perl").await;
        // As on a Mac: neither flock nor timeout.
        let tools = tempfile::tempdir().unwrap();
        for tool in ["sh", "cat", "date", "head", "id", "perl"] {
            let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            std::os::unix::fs::symlink(found.trim(), tools.path().join(tool)).unwrap();
        }
        let start = || {
            let mut command = Command::new("sh");
            command.args(["-c", SCRIPT, "homelab", lock.0.as_str(), "0", &me.to_line()]);
            command
                .env("PATH", tools.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            let mut child: Child = command.spawn().unwrap();
            let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
            (child, lines.map_while(Result::ok).filter(|line| !line.starts_with("by ")))
        };
        let (mut holder, mut said) = start();
        assert_eq!([said.next(), said.next()], [Some("#homelab".to_owned()), Some("held".to_owned())]);
        holder.stdin.as_mut().unwrap().write_all(b".").unwrap();
        assert!(matches!(take(&link, (&lock, &me), 0).await, Claimed::Busy(Some(_), _)));
        // It beats, and is gone with its last beat.
        drop(holder.stdin.take());
        assert_eq!(said.next().as_deref(), Some("."));
        holder.wait().unwrap();
        let ours = held(take(&link, (&lock, &me), 0).await);
        let (mut second, said) = start();
        let said: Vec<String> = said.collect();
        assert!(said[1].starts_with("busy ") && said[2] == "late", "{said:?}");
        second.wait().unwrap();
        ours.release().await;
    }

    #[tokio::test]
    async fn a_holder_that_is_gone_holds_nothing() {
        let (link, lock, me) = here("gone").await;
        let first = held(take(&link, (&lock, &me), 0).await);
        // As when the process is killed: nothing is said, the pipes just close.
        first.beating.abort();
        held(take(&link, (&lock, &me), 0).await).release().await;
    }
}
