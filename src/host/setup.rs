//! A host before it has Docker: looked at, and set up as root, command by command.
//! It decides nothing: what is missing and what makes it so is `crate::bootstrap`'s.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::link::{Ends, Link};
use super::native::scripts::find_program;
use super::{after_mark, doctor, failure, hinted, last_lines};
use crate::bootstrap::{Command, Ground, Root, Seen, Step, ground};
use crate::connection::Connection;
use crate::diagnostic::clean;
use crate::event::{Event, Happened, Sender};
use crate::survey::{Failure, Unreached};

const LOOKING: &str = "reading what the host has";
/// For a script that only looks; systemd may be slow while a machine boots.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much of what a command says is kept for whoever has to find out why it failed.
const KEPT: usize = 40;
const SHOWN: usize = 8;
/// Before how a command ended; what it says itself cannot pass for it, since the last such line counts.
const ENDED: &str = "#homelab ended ";

/// `$1` is Docker's socket, all further arguments are programs of services of the host's own. `dpkg --audit` would need root, its status is there for all to read. `sudo -k` with a command takes no password that was typed a moment ago for an answer.
const GROUND: &str = concat!(
    find_program!(),
    r#"
echo '#homelab'
cd / || exit 1
has() { command -v "$1" >/dev/null 2>&1; }
PATH=$PATH:/usr/sbin:/sbin
echo "kernel $(uname -s)"
if [ -r /etc/os-release ]; then while IFS= read -r line; do printf 'os %s\n' "$line"; done </etc/os-release; fi
if [ "$(id -u)" = 0 ]; then echo 'root is'
elif ! has sudo; then echo 'root no'
elif sudo -k -n true >/dev/null 2>&1 </dev/null; then echo 'root sudo'
else echo 'root password'
fi
echo "groups $(id -nG "$(id -un)")"
echo "session $(id -nG)"
for tool in curl dockerd; do if has $tool; then echo "has $tool"; fi; done
if [ -S "$1" ] && [ -r "$1" ] && [ -w "$1" ]; then echo open; fi
if [ -d /run/systemd/system ]; then
  echo systemd
  echo "uid $(id -u)"
  if [ -e "/var/lib/systemd/linger/$(id -un)" ]; then echo lingers; fi
  if [ -S "/run/user/$(id -u)/systemd/private" ]; then echo 'has manager'; fi
  for module in /usr/lib/security /usr/lib64/security /usr/lib/*/security /lib/*/security; do
    if [ -e "$module/pam_systemd.so" ]; then echo 'has pam_systemd'; break; fi
  done
  if systemctl cat docker.service >/dev/null 2>&1; then echo 'has docker.service'; fi
  echo "enabled $(systemctl is-enabled docker.service 2>/dev/null)"
  echo "active $(systemctl is-active docker.service 2>/dev/null)"
fi
if { docker info --format '{{json .Runtimes}}' 2>/dev/null; cat /etc/docker/daemon.json 2>/dev/null; } |
  grep -q '"nvidia"'; then echo runtime; fi
if grep -qE '^Status: .* (unpacked|half-configured|half-installed)$' /var/lib/dpkg/status 2>/dev/null; then echo half; fi
if [ -e /run/reboot-required ]; then echo reboot; fi
if [ -x /bin/launchctl ]; then
  if launchctl print "gui/$(id -u)" >/dev/null 2>&1; then echo 'has manager'; fi
  if [ "$(defaults read /Library/Preferences/com.apple.loginwindow autoLoginUser 2>/dev/null)" = "$(id -un)" ]
  then echo lingers; fi
  pmset -g 2>/dev/null | awk '$1 == "sleep" { print "sleep " $2 }'
fi
shift
for program; do
  find_program "$program"
  if [ -z "$found" ]; then printf 'lacks %s\n' "$program"; fi
done
echo end
"#
);

/// `$1` says how to become root, the rest is the command. Root's shell skips all of its input up to the mark:
/// sudo has read the password there, or has not, and no command may ever get it.
const AS_ROOT: &str = r##"
exec 2>&1
cd / || exit 1
how=$1
shift
inner='while IFS= read -r line; do if [ "$line" = "#homelab" ]; then break; fi; done
PATH=$PATH:/usr/sbin:/sbin
exec "$@"'
case $how in
  is) sh -c "$inner" homelab "$@" ;;
  sudo) sudo -k -n -- sh -c "$inner" homelab "$@" ;;
  *) sudo -k -S -p '' -- sh -c "$inner" homelab "$@" ;;
esac
printf '\n#homelab ended %s\n' $?
"##;

/// A host that is to be set up.
pub struct Setup {
    link: Link,
}

impl Setup {
    /// Connects to a host, with or without Docker.
    ///
    /// # Errors
    /// Why the login failed.
    pub async fn open(connection: &Connection) -> Result<Self, Unreached> {
        Ok(Self { link: Link::reach(connection).await? })
    }

    /// Looks at what is there, and which of these programs are not; reads only.
    ///
    /// # Errors
    /// What kept it from looking.
    pub async fn look(&self, programs: &[String]) -> Result<Seen, Failure> {
        let socket = self.link.connection().docker_socket.as_str();
        let (machine, ground) =
            tokio::join!(doctor::machine(&self.link, "/", None), self.ground(socket, programs));
        Ok(Seen { machine: machine?, ground: ground? })
    }

    async fn ground(&self, socket: &str, programs: &[String]) -> Result<Ground, Failure> {
        let args: Vec<&str> = std::iter::once(socket).chain(programs.iter().map(String::as_str)).collect();
        let ran = timeout(PATIENCE, self.link.run(GROUND, &args, &[])).await;
        let output = ran.map_err(|_| failure(LOOKING, "the host did not answer in time"))??;
        let said = String::from_utf8_lossy(after_mark(&output.stdout)).into_owned();
        ground(&said).ok_or_else(|| Failure {
            lines: last_lines(&String::from_utf8_lossy(&output.stderr), 5),
            ..failure(LOOKING, "the host's shell did not answer as a POSIX shell does")
        })
    }

    /// Whether root can be become with this password, before anything is done.
    ///
    /// # Errors
    /// That it is not so.
    pub async fn check(&self, root: Root, password: &Zeroizing<String>) -> Result<(), Failure> {
        let step = "becoming root";
        let nothing = Command { argv: vec!["true".to_owned()], stdin: String::new() };
        let (code, lines) = self.run(step, &nothing, (root, password), |_| {}).await?;
        if code == Some(0) {
            return Ok(());
        }
        Err(Failure {
            lines: last(&lines),
            ..hinted(
                step,
                "sudo refuses",
                "is the password right, and may this user use sudo there (sudo -l)?",
            )
        })
    }

    /// Carries steps out until one fails, or until the user wants to stop: between two commands, never in one.
    ///
    /// # Errors
    /// Which step failed, and the last lines of what it said.
    pub async fn carry_out(
        &self,
        steps: &[Step],
        (root, password): (Root, &Zeroizing<String>),
        (events, stop): (&Sender, &watch::Receiver<bool>),
    ) -> Result<(), Failure> {
        for step in steps {
            self.tell(events, step, Happened::Began);
            for command in &step.commands {
                if *stop.borrow() {
                    let why = hinted(&step.what, "interrupted", "the same command goes on from here");
                    self.tell(events, step, Happened::Failed(why.clone()));
                    return Err(why);
                }
                let goes = |line: &str| {
                    let what = clean(line).chars().take(120).collect();
                    self.tell(events, step, Happened::Goes { what, of: None });
                };
                let ran = self.run(&step.what, command, (root, password), goes).await;
                let failed = match ran {
                    Ok((Some(0), _)) => continue,
                    Ok((code, lines)) => refused(step, command, code, &lines),
                    Err(why) => why,
                };
                self.tell(events, step, Happened::Failed(failed.clone()));
                return Err(failed);
            }
            self.tell(events, step, Happened::Done);
        }
        Ok(())
    }

    fn tell(&self, events: &Sender, step: &Step, happened: Happened) {
        let host = self.link.connection().name.clone();
        // Nobody listens any more once the terminal is gone.
        let _ = events.send(Event { host, service: None, step: step.what.clone(), happened });
    }

    /// Runs one command as root; gives its exit code, if it told one, and the last lines it said.
    async fn run(
        &self,
        step: &str,
        command: &Command,
        (root, password): (Root, &Zeroizing<String>),
        mut goes: impl FnMut(&str),
    ) -> Result<(Option<i32>, Vec<String>), Failure> {
        let how = match root {
            Root::Is => "is",
            Root::Sudo => "sudo",
            Root::Password | Root::No => "password",
        };
        let argv: Vec<&str> = std::iter::once(how).chain(command.argv.iter().map(String::as_str)).collect();
        let Ends { mut input, output, kept } = self.link.attend(AS_ROOT, &argv).await?;
        let mut text = Zeroizing::new(String::new());
        if how == "password" {
            text.push_str(password);
            text.push('\n');
        }
        text.push_str("#homelab\n");
        text.push_str(&command.stdin);
        // A command that ends without reading all of it has its reasons: its exit code tells.
        let _ = input.write_all(text.as_bytes()).await;
        let _ = input.shutdown().await;
        drop(input);
        let (mut code, mut kept_lines) = (None, Vec::new());
        let mut lines = BufReader::new(output).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            // A bar of dnf's or curl's writes over itself.
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let line = line.rsplit('\r').next().unwrap_or_default();
            if let Some(ended) = line.strip_prefix(ENDED) {
                code = ended.parse().ok();
            } else if !line.trim().is_empty() {
                goes(line);
                kept_lines.push(clean(line));
                if kept_lines.len() > KEPT {
                    kept_lines.remove(0);
                }
            }
        }
        drop(kept);
        match code {
            None => Err(Failure {
                lines: last(&kept_lines),
                ..hinted(
                    step,
                    "the connection broke off",
                    "is the host still there? the same command goes on from here",
                )
            }),
            code => Ok((code, kept_lines)),
        }
    }

    /// Closes the connection; `anew`: so that the next one is a new login, which sees new groups.
    pub async fn close(&self, anew: bool) {
        self.link.close().await;
        if anew {
            self.link.end_master().await;
        }
    }
}

fn refused(step: &Step, command: &Command, code: Option<i32>, lines: &[String]) -> Failure {
    let program = command.argv.iter().find(|word| *word != "env" && !word.contains('='));
    let program = program.map_or("it", String::as_str);
    let code = code.map_or_else(String::new, |code| format!(" with {code}"));
    let hint = match program {
        "apt-get" => "run sudo apt-get update and the same installation on the host: is its mirror in reach?",
        "pacman" => "its database may be old: sudo pacman -Syu on the host, then the same command again",
        "curl" => "is the web in reach from the host? behind a proxy, curl needs https_proxy there",
        _ => "after the fix, the same command goes on from here",
    };
    Failure { lines: last(lines), ..hinted(&step.what, format!("{program} ended{code}"), hint) }
}

fn last(lines: &[String]) -> Vec<String> {
    lines[lines.len().saturating_sub(SHOWN)..].to_vec()
}
