//! What the inventory means: hosts, what runs on each, and the gateway's routes.
//! Plain data without places; no `Option` stands for a default any more, and nothing here does I/O.

mod catalogue;
mod check;
mod connect;
mod contest;
mod defaults;
mod fallbacks;
mod image;
mod memory;
mod model_spec;
mod overlay;
mod place;
mod pool;
mod resolve;
pub mod schema;
mod spec;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeMap;

use crate::engine::{Gpus, Kind};
use crate::gateway;
use crate::names::{HostName, ModelName, Port, ProjectName, ServiceName};
use crate::secret::{Content, SecretRef};
use crate::service::Service;

pub use memory::headroom;
pub use overlay::LocalFile;
pub use resolve::{LocalFiles, expanded, resolve};
pub use spec::{HostSpec, ModelSpec, Spec, mistakes, read};

/// The cluster as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The Compose project on every host.
    pub project: ProjectName,
    /// The hosts, those without a service too.
    pub hosts: BTreeMap<HostName, Host>,
    /// Where the gateway runs.
    pub gateway: HostName,
    /// The gateway's own options.
    pub options: gateway::Options,
    /// Every public name and backend, in the order of the gateway's config.
    pub routes: Vec<gateway::Route>,
}

impl Cluster {
    /// Every secret that something needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.hosts.values().flat_map(|h| &h.units).flat_map(|u| u.secrets.values())
    }
}

/// A host as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Where homelab's files lie: absolute where the host was seen, else perhaps with `~/`.
    pub dir: String,
    /// What runs there.
    pub units: Vec<Unit>,
    /// The host's variables, for templates.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// A service that should run.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Its name in Compose.
    pub name: ServiceName,
    /// Its Compose keys, still without the files that rendering adds.
    pub service: Service,
    /// Environment variables whose values are secrets.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Files to mount, by path in the container.
    pub configs: BTreeMap<String, Config>,
    /// What it does.
    pub role: Role,
    /// The GPUs it may use.
    pub gpus: Gpus,
    /// The port on its host.
    pub port: Port,
    /// How long it may take until it answers, in seconds.
    pub ready_timeout: u64,
    /// What is downloaded before it starts.
    pub weights: Option<Weights>,
}

/// What a server needs of Hugging Face, and how a container of its image downloads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// What is downloaded, as people call it.
    pub what: String,
    /// Equal for equal downloads to the same place on a host, with whatever image: 16 hexadecimal digits.
    pub key: String,
    /// The container's entrypoint.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Where the hub's files lie in the container.
    pub cache: String,
    /// The same directory on the host.
    pub on_host: String,
}

/// A file that a container mounts.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Its name; what it is called on the host is made from this and its content.
    pub name: String,
    /// What is in it.
    pub content: Content,
}

/// What a service does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves a model.
    Model(Served),
    /// It is the gateway.
    Gateway {
        /// The key clients show.
        master_key: SecretRef,
        /// Every public name, and what each is for.
        names: BTreeMap<ModelName, Kind>,
    },
}

/// How a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its public name, which its server answers to.
    pub model: ModelName,
    /// Further public names that lead to it.
    pub aliases: Vec<ModelName>,
    /// The engine's name in the inventory.
    pub engine: &'static str,
    /// What "it answers" means.
    pub kind: Kind,
    /// The key its server asks for.
    pub api_key: Option<SecretRef>,
    /// How the gateway's host reaches it; none when that is its own host.
    pub address: Option<String>,
}

impl Served {
    /// The key its server asks for if it asks for one: a server that wants none ignores it.
    #[must_use]
    pub fn key(&self) -> SecretRef {
        SecretRef::model(&self.model)
    }
}
