//! The one connection to a host: an ssh session that everything travels through, or this machine.
//! It runs fixed scripts and opens ways to sockets; what is run or asked is not its business.

use std::any::Any;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use openssh::Session;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OnceCell;

use super::forward::Forwards;
use super::login::STEP;
use super::master::{self, Master};
use super::{failure, hinted};
use crate::connection::Connection;
use crate::survey::{Failure, Unreached};

/// What a script left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// All it wrote to stderr.
    pub stderr: Vec<u8>,
}

/// A script that runs, and the ends of its pipes. It may end when `input` is closed.
pub(super) struct Ends {
    pub(super) input: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) output: Box<dyn AsyncRead + Send + Unpin>,
    /// What must be kept until then.
    pub(super) kept: Box<dyn Any + Send>,
}

/// What a link has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// SSH logins: 0 where an earlier run's master was found, else 1.
    pub logins: u32,
    /// Processes started on the host.
    pub processes: u32,
    /// Requests to Docker.
    pub requests: u32,
}

/// A connection to one host.
pub struct Link {
    connection: Connection,
    route: Route,
    processes: AtomicU32,
    requests: AtomicU32,
}

enum Route {
    Local,
    Ssh(Box<Through>),
}

struct Through {
    master: Master,
    /// For when the other, which all homelabs of this user share, has no session left.
    own: OnceCell<Master>,
    forwards: Forwards,
}

impl Link {
    /// Connects: over the master that an earlier run left, if nothing changed since, else anew.
    ///
    /// # Errors
    /// Why the login failed and what to do.
    pub async fn open(connection: &Connection) -> Result<Self, Failure> {
        Self::reach(connection).await.map_err(|unreached| unreached.why)
    }

    /// The same, with whether anybody answered.
    ///
    /// # Errors
    /// Why the login failed and what to do.
    pub async fn reach(connection: &Connection) -> Result<Self, Unreached> {
        let route = if connection.local {
            Route::Local
        } else {
            let master = master::open(connection).await?;
            let forwards = Forwards::new(Arc::clone(&master.session), &master.dir)
                .map_err(|e| failure(STEP, format!("cannot make a private directory: {e}")))?;
            Route::Ssh(Box::new(Through { master, own: OnceCell::new(), forwards }))
        };
        Ok(Self {
            connection: connection.clone(),
            route,
            processes: AtomicU32::new(0),
            requests: AtomicU32::new(0),
        })
    }

    /// How the host is reached.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What `ssh -G` says the host's address is; none on the local machine.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match &self.route {
            Route::Local => None,
            Route::Ssh(through) => Some(&through.master.address),
        }
    }

    /// What it has cost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let logins = match &self.route {
            Route::Local => 0,
            Route::Ssh(through) => u32::from(through.master.fresh) + u32::from(through.own.initialized()),
        };
        Counts {
            logins,
            processes: self.processes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }

    /// Runs a fixed script with `args` as `$1`, `$2` …, to its end.
    ///
    /// # Errors
    /// If it could not be run; a script that fails is an [`Output`] like any other.
    pub async fn run(&self, script: &'static str, args: &[&str], stdin: &[u8]) -> Result<Output, Failure> {
        self.processes.fetch_add(1, Ordering::Relaxed);
        match &self.route {
            Route::Local => run_here(script, args, stdin).await,
            Route::Ssh(through) => {
                let Through { master, own, .. } = &**through;
                let child = self.shell(master, Some(own), (script, args), openssh::Stdio::piped).await?;
                finish(child, stdin).await
            }
        }
    }

    /// Starts a fixed script that goes on beside everything else, and talks.
    ///
    /// # Errors
    /// If it could not be run.
    pub(super) async fn attend(&self, script: &'static str, args: &[&str]) -> Result<Ends, Failure> {
        self.attending(script, args, true).await
    }

    /// The same on the one connection that there is, whether or not it has a session left.
    ///
    /// # Errors
    /// If it could not be run, or has none.
    pub(super) async fn attend_shared(&self, script: &'static str, args: &[&str]) -> Result<Ends, Failure> {
        self.attending(script, args, false).await
    }

    async fn attending(&self, script: &'static str, args: &[&str], own: bool) -> Result<Ends, Failure> {
        self.processes.fetch_add(1, Ordering::Relaxed);
        match &self.route {
            Route::Local => {
                let mut child = here(script, args).stderr(Stdio::null()).spawn().map_err(|e| no_shell(&e))?;
                ends(child.stdin.take(), child.stdout.take(), child)
            }
            Route::Ssh(through) => {
                let Through { master, own: another, .. } = &**through;
                let another = Some(another).filter(|_| own);
                let mut child = self.shell(master, another, (script, args), openssh::Stdio::null).await?;
                ends(child.stdin().take(), child.stdout().take(), child)
            }
        }
    }

    /// Starts a script in a session of sshd's. sshd allows ten of them on one connection (MaxSessions): where others have
    /// taken them all, one more connection is made.
    async fn shell(
        &self,
        master: &Master,
        own: Option<&OnceCell<Master>>,
        script: (&'static str, &[&str]),
        errors: fn() -> openssh::Stdio,
    ) -> Result<Child, Failure> {
        match (begin(&master.session, script, errors()).await, own) {
            (Ok(child), _) => Ok(child),
            (Err(error), Some(own)) if is_full(&error) => {
                let login =
                    async { master::another(&self.connection).await.map_err(|unreached| unreached.why) };
                let another = own.get_or_try_init(|| login).await?;
                let begun = begin(&another.session, script, errors()).await;
                begun.map_err(|error| if is_full(&error) { full() } else { broken(&error) })
            }
            (Err(error), _) if is_full(&error) => Err(full()),
            (Err(error), _) => Err(broken(&error)),
        }
    }

    /// The ways through this link; none on the local machine, which needs none.
    pub(super) fn forwards(&self) -> Option<&Forwards> {
        match &self.route {
            Route::Local => None,
            Route::Ssh(through) => Some(&through.forwards),
        }
    }

    /// Notes that Docker is asked once more.
    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the ssh master too, so that the next run logs in anew and sees new group memberships.
    pub(super) async fn end_master(&self) {
        if let Route::Ssh(through) = &self.route {
            through.master.end().await;
        }
    }

    /// Ends the master that is for this run alone.
    async fn end_own(&self) {
        if let Route::Ssh(through) = &self.route
            && let Some(own) = through.own.get()
        {
            own.end().await;
        }
    }

    /// Closes what this run opened. The ssh master stays for the next run, for a minute.
    pub async fn close(&self) {
        if let Route::Ssh(through) = &self.route {
            through.forwards.close().await;
            self.end_own().await;
        }
    }
}

const RUNNING: &str = "running a command";

/// A fixed script on this machine, its input and output piped.
fn here(script: &'static str, args: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", script, "homelab"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    // A Ctrl-C at the terminal is for homelab alone; it must not end a script half way.
    command.kill_on_drop(true).process_group(0);
    command
}

fn no_shell(error: &std::io::Error) -> Failure {
    failure(RUNNING, format!("`sh` did not run: {error}"))
}

fn ends(
    input: Option<impl AsyncWrite + Send + Unpin + 'static>,
    output: Option<impl AsyncRead + Send + Unpin + 'static>,
    kept: impl Any + Send,
) -> Result<Ends, Failure> {
    match (input, output) {
        (Some(input), Some(output)) => {
            Ok(Ends { input: Box::new(input), output: Box::new(output), kept: Box::new(kept) })
        }
        _ => Err(failure(RUNNING, "the script has no pipes")),
    }
}

async fn run_here(script: &'static str, args: &[&str], stdin: &[u8]) -> Result<Output, Failure> {
    let mut child = here(script, args).stderr(Stdio::piped()).spawn().map_err(|e| no_shell(&e))?;
    let input = child.stdin.take();
    let (_, output) = tokio::join!(feed(input, stdin), child.wait_with_output());
    let output = output.map_err(|e| no_shell(&e))?;
    Ok(Output { code: output.status.code(), stdout: output.stdout, stderr: output.stderr })
}

/// A script that runs on a host.
type Child = openssh::Child<Arc<Session>>;

async fn begin(
    session: &Arc<Session>,
    (script, args): (&'static str, &[&str]),
    stderr: openssh::Stdio,
) -> Result<Child, openssh::Error> {
    let mut command = Arc::clone(session).arc_command("sh");
    command.args(["-c", script, "homelab"]).args(args);
    command.stdin(openssh::Stdio::piped()).stdout(openssh::Stdio::piped()).stderr(stderr);
    command.spawn().await
}

/// Whether the host's sshd gives no further session on this connection. ssh's own words for it (mux.c).
fn is_full(error: &openssh::Error) -> bool {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.is_some_and(|words| words.contains("Session open refused by peer"))
}

fn full() -> Failure {
    hinted(
        RUNNING,
        "the host's sshd gives no further session on this connection",
        "raise MaxSessions in the host's sshd_config (10 unless set), then sudo systemctl reload ssh",
    )
}

async fn finish(mut child: Child, stdin: &[u8]) -> Result<Output, Failure> {
    let input = child.stdin().take();
    let (_, output) = tokio::join!(feed(input, stdin), child.wait_with_output());
    match output {
        Ok(output) => Ok(Output { code: output.status.code(), stdout: output.stdout, stderr: output.stderr }),
        // 127 is the exit code of a shell that did not find the command.
        Err(openssh::Error::Remote(_)) => {
            Err(failure(RUNNING, "the host has no `sh`, or the script met a command it lacks"))
        }
        Err(error) => Err(broken(&error)),
    }
}

/// Hands over stdin and closes it. A script that ends without reading all of it has its reasons:
/// its exit code tells.
async fn feed(input: Option<impl AsyncWrite + Unpin>, bytes: &[u8]) {
    if let Some(mut input) = input {
        let _ = input.write_all(bytes).await;
        let _ = input.shutdown().await;
    }
}

fn broken(error: &openssh::Error) -> Failure {
    match error {
        openssh::Error::Disconnected | openssh::Error::RemoteProcessTerminated => hinted(
            RUNNING,
            "the ssh connection broke off",
            "is the host still there? run the same command again: homelab goes on where it stopped",
        ),
        other => {
            let cause = std::error::Error::source(other).map(|s| format!(": {s}")).unwrap_or_default();
            failure(RUNNING, format!("{other}{cause}"))
        }
    }
}
