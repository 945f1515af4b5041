//! Ways through an ssh session: local unix sockets, ours alone, that lead to sockets of the host.
//! It opens and closes them; what is said over them it does not see.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssh::{ForwardType, Session, Socket};
use tokio::sync::Mutex;

use super::private;

/// Where a way leads, as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A unix socket.
    Unix(String),
    /// A TCP port.
    Tcp(String, u16),
}

impl Target {
    fn socket(&self) -> Socket<'_> {
        match self {
            Self::Unix(path) => Socket::from(Path::new(path)),
            Self::Tcp(host, port) => Socket::new(host.as_str(), *port),
        }
    }
}

/// The forwards of one run through one session, each opened once.
pub(super) struct Forwards {
    session: Arc<Session>,
    /// This run's own directory: another run on the same master has another.
    dir: PathBuf,
    open: Mutex<BTreeMap<Target, PathBuf>>,
}

impl Forwards {
    /// None yet; their sockets will lie below `parent`.
    pub(super) fn new(session: Arc<Session>, parent: &Path) -> std::io::Result<Self> {
        let dir = parent.join(private::random_name()?);
        private::make_directory(&dir)?;
        Ok(Self { session, dir, open: Mutex::new(BTreeMap::new()) })
    }

    /// The local socket that leads to `target`. That it is there says nothing of the target:
    /// a dead one shows only when the socket is used.
    pub(super) async fn to(&self, target: Target) -> Result<PathBuf, openssh::Error> {
        let mut open = self.open.lock().await;
        if let Some(path) = open.get(&target) {
            return Ok(path.clone());
        }
        let path = self.dir.join(open.len().to_string());
        self.session.request_port_forward(ForwardType::Local, path.as_path(), target.socket()).await?;
        open.insert(target, path.clone());
        Ok(path)
    }

    /// Closes them all; the session goes on.
    pub(super) async fn close(&self) {
        let mut open = self.open.lock().await;
        for (target, path) in std::mem::take(&mut *open) {
            let _ =
                self.session.close_port_forward(ForwardType::Local, path.as_path(), target.socket()).await;
        }
    }
}

impl Drop for Forwards {
    fn drop(&mut self) {
        // After a Ctrl-C the master may still listen, but nobody finds the way in any more.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
