//! The ssh master of a host: found again from an earlier run, or logged in anew.
//! It knows nothing of what travels through it.

use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};

use super::login::STEP;
use super::private::short_hash;
use super::ssh_config::{self, effective, said};
use super::{failure, hinted, home_relative, login, private};
use crate::connection::Connection;
use crate::survey::{Failure, Unreached};

/// How many seconds a master outlives its last user: a minute.
const IDLE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(59);
/// Time for the whole login, a touch on a hardware key included. ssh's own limit is for the network.
const LOGIN: Duration = Duration::from_secs(60);
/// For a host that is often off to answer through a connection that is there already.
const AWAKE: Duration = Duration::from_secs(3);

/// A running ssh master.
pub(super) struct Master {
    /// What talks to it. It does not own it: the master outlives this run.
    pub(super) session: Arc<Session>,
    /// Its directory, ours alone.
    pub(super) dir: PathBuf,
    /// Whether this run logged in.
    pub(super) fresh: bool,
    /// What `ssh -G` says the host's address is.
    pub(super) address: String,
    /// Keeps it from ending while this run waits: ways that nobody uses do not count as use, and a
    /// model loads for minutes in which the gateway's host has nothing to do.
    _held: Option<UnixStream>,
}

/// What `ssh -G` says a host's address is, without connecting to it.
pub async fn address(connection: &Connection) -> Option<String> {
    let connection = &at_home(connection);
    if connection.local || check(connection).is_err() {
        return None;
    }
    let (base, config) = config_file(connection).ok()?;
    said(&effective(connection, &base, &config).await.ok()?, "hostname").map(ToOwned::to_owned)
}

/// Our private directory, and in it the configuration file for ssh.
fn config_file(connection: &Connection) -> Result<(PathBuf, PathBuf), Failure> {
    let base = private::directory().map_err(|e| {
        let what = format!("there is no private directory for ssh's sockets: {e}");
        hinted(STEP, what, "set XDG_RUNTIME_DIR to a directory that is yours alone and has a short path")
    })?;
    let text = ssh_config::config(connection);
    let config = private::write(&base, &format!("config-{}", short_hash(&[text.as_bytes()])), &text)
        .map_err(|e| failure(STEP, format!("cannot write ssh's configuration to {}: {e}", base.display())))?;
    Ok((base, config))
}

/// Finds the master of an earlier run with exactly this configuration, or logs in.
pub(super) async fn open(connection: &Connection) -> Result<Master, Unreached> {
    let connection = &at_home(connection);
    check(connection)?;
    let (base, config) = config_file(connection)?;
    let effective = effective(connection, &base, &config).await?;
    let name = format!("to-{}", key(connection, &effective));
    let address = said(&effective, "hostname").unwrap_or(&connection.address).to_owned();
    if let Ok(dir) = std::fs::read_link(base.join(&name)) {
        let socket = dir.join("master");
        let held = UnixStream::connect(&socket).ok();
        let session = Session::resume_mux(socket.into(), None);
        if session.check().await.is_ok() && (!connection.optional || is_awake(&session).await) {
            return Ok(Master { session: Arc::new(session), dir, fresh: false, address, _held: held });
        }
    }
    private::tidy(&base);
    let master = anew(connection, (&base, &config), address).await?;
    // Two runs that log in at the same moment: each uses its own, the later one is found again,
    // the other ends by itself when it is idle.
    if let Err(e) = private::point(&base, &name, &master.dir) {
        return Err(failure(STEP, format!("cannot keep ssh's socket in {}: {e}", base.display())).into());
    }
    Ok(master)
}

/// Logs in once more, for this run alone: nobody finds this one again, and it ends by itself when it is idle.
pub(super) async fn another(connection: &Connection) -> Result<Master, Unreached> {
    let connection = &at_home(connection);
    let (base, config) = config_file(connection)?;
    anew(connection, (&base, &config), connection.address.clone()).await
}

async fn anew(
    connection: &Connection,
    (base, config): (&Path, &Path),
    address: String,
) -> Result<Master, Unreached> {
    let session = log_in(connection, base, config).await?;
    // Detached at once: whatever ends this run, the master stays usable for the next.
    let (socket, _) = session.detach();
    let dir = socket.parent().unwrap_or(base).to_path_buf();
    let held = UnixStream::connect(&socket).ok();
    let session = Arc::new(Session::resume_mux(socket, None));
    Ok(Master { session, dir, fresh: true, address, _held: held })
}

impl Master {
    /// Ends the master, so that the next run logs in anew.
    pub(super) async fn end(&self) {
        let _ = Session::resume_mux(self.dir.join("master").into(), None).close().await;
    }
}

/// Whether the host still answers through the master of an earlier run: one that fell asleep since does not, which ssh
/// itself would notice after three quarters of a minute.
async fn is_awake(session: &Session) -> bool {
    let mut command = session.command("true");
    // What the master was given it keeps until it notices.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    matches!(tokio::time::timeout(AWAKE, command.status()).await, Ok(Ok(_)))
}

async fn log_in(connection: &Connection, base: &Path, config: &Path) -> Result<Session, Unreached> {
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(if connection.accept_new { KnownHosts::Add } else { KnownHosts::Strict })
        .server_alive_interval(Duration::from_secs(15))
        .control_persist(ControlPersist::IdleFor(IDLE))
        .control_directory(base)
        .config_file(config);
    if let Some(user) = &connection.user {
        builder.user(user.clone());
    }
    if let Some(port) = connection.port {
        builder.port(port.get());
    }
    if let Some(identity) = &connection.identity {
        builder.keyfile(identity);
    }
    match tokio::time::timeout(LOGIN, builder.connect_mux(&connection.address)).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(login::refused(connection, &error)),
        Err(_) => Err(login::too_slow(connection, LOGIN).into()),
    }
}

/// What would reach ssh as something else than it is, or is known to be in vain.
fn check(connection: &Connection) -> Result<(), Failure> {
    let misleading = |text: &str| {
        text.is_empty()
            || text.starts_with('-')
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if misleading(&connection.address) || connection.address.contains("://") {
        return Err(hinted(
            STEP,
            format!("`{}` is not an address", connection.address.escape_debug()),
            "ansible_host is a name or an IP address; ansible_user and ansible_port have their own keys",
        ));
    }
    if let Some(user) = connection.user.as_deref().filter(|user| misleading(user)) {
        return Err(failure(STEP, format!("`{}` is not a user name", user.escape_debug())));
    }
    match &connection.identity {
        Some(path) if !path.is_file() => Err(hinted(
            STEP,
            format!("the key file {} does not exist", path.display()),
            "correct ansible_ssh_private_key_file, or leave it out to use ssh's own keys and agent",
        )),
        _ => Ok(()),
    }
}

/// What a master must agree in to be used again: the whole effective configuration, and the state
/// of every key file it names.
fn key(connection: &Connection, effective: &str) -> String {
    let mut parts = vec![effective.to_owned(), connection.accept_new.to_string()];
    parts.push(std::env::var("SSH_AUTH_SOCK").unwrap_or_default());
    parts.extend(connection.identity.as_deref().map(stamp));
    let files = effective
        .lines()
        .filter_map(|l| l.strip_prefix("identityfile ").or_else(|| l.strip_prefix("certificatefile ")));
    parts.extend(files.map(|file| stamp(&home_relative(file))));
    let bytes: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    short_hash(&bytes)
}

/// The same connection with its key file where `~` means the home of whoever runs homelab, as in
/// Ansible.
fn at_home(connection: &Connection) -> Connection {
    let identity = connection.identity.as_deref();
    let identity = identity.map(|path| path.to_str().map_or_else(|| path.to_owned(), home_relative));
    Connection { identity, ..connection.clone() }
}

/// A file by its name and what changes whenever it does.
fn stamp(path: &Path) -> String {
    format!("{} {}", path.display(), ssh_config::state(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::HostName;

    fn connection() -> Connection {
        Connection::new(HostName::new("lab1").unwrap())
    }

    #[test]
    fn a_changed_key_file_or_configuration_gives_another_master() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("id");
        std::fs::write(&file, "one").unwrap();
        let effective = format!("hostname 10.0.0.1\nidentityfile {}\n", file.display());
        let first = key(&connection(), &effective);
        assert_eq!(first, key(&connection(), &effective));
        assert_ne!(first, key(&connection(), &format!("{effective}proxyjump bastion\n")));
        std::fs::write(&file, "another").unwrap();
        assert_ne!(first, key(&connection(), &effective));
        assert_eq!(said(&effective, "hostname"), Some("10.0.0.1"));
    }

    #[test]
    fn a_key_files_tilde_is_the_users_own_home() {
        let typed = Connection { identity: Some("~/.ssh/id".into()), ..connection() };
        let home = std::env::home_dir().unwrap();
        assert_eq!(at_home(&typed).identity, Some(home.join(".ssh/id")));
        assert_eq!(at_home(&connection()).identity, None);
    }

    #[test]
    fn an_address_that_ssh_would_take_for_an_option_is_refused() {
        for address in ["-oProxyCommand=x", "", "a b", "ssh://host"] {
            let failure = check(&Connection { address: address.into(), ..connection() }).unwrap_err();
            assert_eq!(failure.what, format!("`{address}` is not an address"));
        }
        let missing = Connection { identity: Some("/nowhere/id".into()), ..connection() };
        assert_eq!(check(&missing).unwrap_err().what, "the key file /nowhere/id does not exist");
    }
}
