//! `homelab.lock`, beside the inventory: the hosts where homelab made something and how to get there, so that one that
//! leaves the inventory is not forgotten, and which bytes the names of images and of repositories stand for.
//! Text in, text out; it holds no secret.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::connection::{Connection, DOCKER_SOCKET};
use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::fit::{Extra, ModelFacts};
use crate::image;
use crate::names::{HostName, Port, ProjectName};

/// What the file is called.
pub const LOCK_FILE: &str = "homelab.lock";

/// The version this homelab writes.
const VERSION: u32 = 3;

/// The first version, which it reads too: hosts and nothing else.
const OLDEST: u32 = 1;

const HEAD: &str = "\
# Written by `homelab deploy`, `homelab down` and `homelab update`: the hosts where homelab made something, which bytes
# the names of images and of repositories stand for, and what is known of models. Commit it with the inventory. A host
# that is gone for good leaves it by hand; so does a line that nothing uses any more.
";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The hosts by name.
    pub hosts: BTreeMap<HostName, LockedHost>,
    /// What does not move by itself.
    #[serde(default, skip_serializing_if = "Pins::is_empty")]
    pub pins: Pins,
    /// What is known of models, by the names that engines have for them: what tells whether they fit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "lines")]
    pub models: BTreeMap<String, LockedModel>,
}

/// What is known of a model without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedModel {
    /// The commit that it is of.
    pub commit: String,
    /// Whether it is for llama.cpp.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gguf: bool,
    /// What loads besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<Extra>,
    /// The rest.
    pub facts: ModelFacts,
}

/// A line of JSON for each model, so that two branches merge.
mod lines {
    use std::collections::BTreeMap;

    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::{Error as _, Serializer};

    use crate::lock::LockedModel;

    pub(super) fn serialize<S: Serializer>(
        all: &BTreeMap<String, LockedModel>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut lines = BTreeMap::new();
        for (name, model) in all {
            lines.insert(name, serde_json::to_string(model).map_err(S::Error::custom)?);
        }
        to.collect_map(lines)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<String, LockedModel>, D::Error> {
        let lines = BTreeMap::<String, String>::deserialize(from)?;
        let model = |(name, line): (String, String)| match serde_json::from_str(&line) {
            Ok(model) => Ok((name, model)),
            Err(e) => {
                Err(D::Error::custom(format!("what it says of {} is no model: {e}", name.escape_debug())))
            }
        };
        lines.into_iter().map(model).collect()
    }
}

/// What does not move by itself: one line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pins {
    /// The digest of each image, by its name as the inventory has it. Registries give one digest for all processors
    /// that an image is made for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// The commit of each repository of Hugging Face's hub, by its name, or as `NAME@BRANCH` where a branch or tag is
    /// typed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, String>,
}

/// Whether a text is a commit of the hub's: 40 hexadecimal digits.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Pins {
    /// A pin that cannot be one, with its name and what it should be.
    fn unlike(&self) -> Option<(&String, &String, &'static str)> {
        let images = self.images.iter().filter(|(_, digest)| !image::is_digest(digest));
        let revisions = self.revisions.iter().filter(|(_, commit)| !is_commit(commit));
        let digests = images.map(|(name, pin)| (name, pin, "digest (sha256:…)"));
        digests.chain(revisions.map(|(name, pin)| (name, pin, "commit (40 hexadecimal digits)"))).next()
    }

    /// Whether nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.revisions.is_empty()
    }
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
        Self::new(BTreeMap::new(), Pins::default())
    }
}

impl Lock {
    /// What is to be written of these hosts and pins.
    #[must_use]
    pub fn new(hosts: BTreeMap<HostName, LockedHost>, pins: Pins) -> Self {
        Self { version: VERSION, hosts, pins, models: BTreeMap::new() }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.pins.is_empty() && self.models.is_empty()
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
        if !(OLDEST..=VERSION).contains(&lock.version) {
            let message = format!("its version is {}, and this homelab knows {VERSION}", lock.version);
            return Err(wrong(1, 1, message));
        }
        if let Some((name, pin, what)) = lock.pins.unlike() {
            // A merge that was not finished, or a slip of the hand.
            let line =
                source.text.lines().position(|line| line.contains(pin.as_str())).map_or(1, |at| at + 1);
            let (name, pin) = (name.escape_debug(), pin.escape_debug());
            return Err(wrong(line, 1, format!("`{pin}` is not the {what} of {name}")));
        }
        Ok(Self { version: VERSION, ..lock })
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
            optional: _,
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
        Connection {
            address,
            port,
            user,
            identity,
            ssh_options,
            accept_new,
            local,
            docker_socket,
            ..Connection::new(name.clone())
        }
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
            let lock = Lock::new([(name.clone(), host)].into(), Pins::default());
            let back = parsed(&lock.text().unwrap()).unwrap();
            assert_eq!(back, lock);
            assert_eq!(back.hosts[&name].connection(&name), connection);
        }
    }

    #[test]
    fn what_another_homelab_wrote_is_named() {
        let newer = parsed("version: 4\nhosts: {}\n").unwrap_err();
        assert!(newer.contains("its version is 4, and this homelab knows 3"), "{newer}");
        let unknown = parsed("version: 2\nhosts: {}\nweather: {}\n").unwrap_err();
        assert!(
            unknown.contains("unknown field `weather`") && unknown.contains("--> homelab.lock:3:"),
            "{unknown}"
        );
    }

    #[test]
    fn what_an_older_homelab_wrote_is_read_and_has_no_pins() {
        assert_eq!(parsed("version: 1\nhosts: {}\n"), Ok(Lock::default()));
    }

    #[test]
    fn a_pin_is_a_line_and_comes_back() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let pins = Pins {
            images: [("vllm/vllm-openai:v1".into(), digest.clone()), ("a.b:5/c".into(), digest.clone())]
                .into(),
            revisions: [("Qwen/Qwen3-4B-AWQ@v1".into(), "0b".repeat(20))].into(),
        };
        let lock = Lock::new(BTreeMap::new(), pins);
        let text = lock.text().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("    ")).collect();
        let commit = format!("    Qwen/Qwen3-4B-AWQ@v1: {}", "0b".repeat(20));
        let expected =
            [format!("    a.b:5/c: {digest}"), format!("    vllm/vllm-openai:v1: {digest}"), commit];
        assert_eq!(lines, expected);
        assert_eq!(parsed(&text), Ok(lock));
    }

    #[test]
    fn a_pin_that_cannot_be_one_is_an_error_at_its_line() {
        let images = parsed("version: 2\nhosts: {}\npins:\n  images:\n    a:v1: sha256:0\n").unwrap_err();
        assert!(
            images.contains("`sha256:0` is not the digest") && images.contains("homelab.lock:5:"),
            "{images}"
        );
        let commit = parsed("version: 3\nhosts: {}\npins:\n  revisions:\n    a/b: main\n").unwrap_err();
        assert!(commit.contains("`main` is not the commit (40 hexadecimal digits) of a/b"), "{commit}");
    }
}
