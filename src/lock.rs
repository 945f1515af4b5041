//! `homelab.lock`, beside the inventory: the hosts where homelab made something and how to get there,
//! so that one that leaves the inventory is not forgotten. Text in, text out; it holds no secret.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::connection::{Connection, DOCKER_SOCKET};
use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::names::{HostName, Port, ProjectName};

/// What the file is called.
pub const LOCK_FILE: &str = "homelab.lock";

/// The version this homelab reads and writes.
const VERSION: u32 = 1;

const HEAD: &str = "\
# Written by `homelab deploy` and `homelab down`: the hosts where homelab made something. Keep it with the
# inventory. A host that is gone for good leaves it by hand.
";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, LockedHost>,
}

/// Where homelab made something, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedHost {
    /// The Compose project.
    pub project: ProjectName,
    /// Where homelab's files lie on it; may start with `~/`.
    pub dir: String,
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ssh_options: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accept_new: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    local: bool,
    #[serde(default = "docker_socket", skip_serializing_if = "is_docker_socket")]
    docker_socket: String,
}

fn docker_socket() -> String {
    DOCKER_SOCKET.to_owned()
}

fn is_docker_socket(path: &String) -> bool {
    path == DOCKER_SOCKET
}

impl Default for Lock {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Lock {
    /// What is to be written of these hosts.
    #[must_use]
    pub fn new(hosts: BTreeMap<HostName, LockedHost>) -> Self {
        Self { version: VERSION, hosts }
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Where it is not what homelab writes, or what a newer one does.
    pub fn parse(source: &Arc<Source>) -> Result<Self, Diagnostic> {
        let wrong = |line, column, message: String| {
            let origin = Origin { source: Arc::clone(source), line, column, length: 1 };
            Diagnostic::error(&origin, format!("{LOCK_FILE} cannot be read: {message}"))
                .hint("put it back from your repository; a newer homelab may have written it")
        };
        let lock: Self = serde_yaml::from_str(&source.text).map_err(|e| {
            let (line, column) = e.location().map_or((1, 1), |at| (at.line(), at.column()));
            wrong(line, column, e.to_string())
        })?;
        match lock.version {
            VERSION => Ok(lock),
            other => Err(wrong(1, 1, format!("its version is {other}, and this homelab knows {VERSION}"))),
        }
    }

    /// The file's text; the same for the same hosts.
    ///
    /// # Errors
    /// When a path is not text.
    pub fn text(&self) -> Result<String, String> {
        let body = serde_yaml::to_string(self).map_err(|e| e.to_string())?;
        Ok(format!("{HEAD}{body}"))
    }
}

impl LockedHost {
    /// What to keep of a host.
    #[must_use]
    pub fn new(project: ProjectName, dir: String, connection: &Connection) -> Self {
        let Connection {
            name: _,
            address,
            port,
            user,
            identity,
            ssh_options,
            accept_new,
            local,
            docker_socket,
        } = connection.clone();
        Self { project, dir, address, port, user, identity, ssh_options, accept_new, local, docker_socket }
    }

    /// How to get there.
    #[must_use]
    pub fn connection(&self, name: &HostName) -> Connection {
        let Self {
            project: _,
            dir: _,
            address,
            port,
            user,
            identity,
            ssh_options,
            accept_new,
            local,
            docker_socket,
        } = self.clone();
        let name = name.clone();
        Connection { name, address, port, user, identity, ssh_options, accept_new, local, docker_socket }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Lock, String> {
        let source = Source { name: LOCK_FILE.into(), text: text.into() };
        Lock::parse(&Arc::new(source)).map_err(|e| e.to_string())
    }

    #[test]
    fn a_host_comes_back_as_it_was_kept() {
        let name = HostName::new("old-box").unwrap();
        let plain = Connection::new(name.clone());
        let every = Connection {
            address: "10.0.0.7".into(),
            port: Some(Port::new(2222).unwrap()),
            user: Some("me".into()),
            identity: Some("/home/me/.ssh/id".into()),
            ssh_options: vec![("ProxyJump".into(), "bastion: 1".into())],
            accept_new: true,
            local: true,
            docker_socket: "/run/docker.sock".into(),
            ..plain.clone()
        };
        for connection in [plain, every] {
            let host = LockedHost::new(ProjectName::homelab(), "~/homelab/x".into(), &connection);
            let lock = Lock::new([(name.clone(), host)].into());
            let back = parsed(&lock.text().unwrap()).unwrap();
            assert_eq!(back, lock);
            assert_eq!(back.hosts[&name].connection(&name), connection);
        }
    }

    #[test]
    fn what_another_homelab_wrote_is_named() {
        let newer = parsed("version: 2\nhosts: {}\n").unwrap_err();
        assert!(newer.contains("its version is 2, and this homelab knows 1"), "{newer}");
        let unknown = parsed("version: 1\nhosts: {}\nimages: {}\n").unwrap_err();
        assert!(
            unknown.contains("unknown field `images`") && unknown.contains("--> homelab.lock:3:"),
            "{unknown}"
        );
    }
}
