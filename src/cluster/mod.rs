//! What the inventory means: hosts, what runs on each, and the gateway's routes.
//! Plain data without places; no `Option` stands for a default any more, and nothing here does I/O.

mod absent;
mod access;
mod catalogue;
mod check;
mod companion_spec;
mod companions;
mod connect;
mod contest;
mod defaults;
mod edge;
mod exposed;
mod external;
mod fallbacks;
mod floating;
mod gateway_spec;
mod gpus;
mod image;
mod keys;
mod memory;
mod model_spec;
mod models;
mod native;
mod offer;
mod overlay;
mod pinned;
mod place;
mod pool;
mod program;
mod public;
mod read;
mod resolve;
mod routes;
pub mod schema;
mod server;
mod shared;
mod spec;
#[cfg(test)]
mod tests;
mod told;
mod unit;
mod weighed;
mod weights;
mod woken;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Gpus, Kind, Load, Loading, Repository};
use crate::gateway;
use crate::names::{HostName, ModelName, Port, ProjectName, ServiceName};
use crate::secret::{Content, Login, SecretRef};
use crate::service::Service;
use crate::survey::Manager;

pub use absent::WakeSpec;
pub use external::External;
pub use gpus::TypedGpu;
pub use memory::headroom;
pub use offer::offer;
pub use overlay::LocalFile;
pub use pinned::{Open, Opened};
pub use read::{mistakes, read};
pub use resolve::resolve;
pub use routes::api_base;
pub use spec::{HostSpec, ModelSpec, Spec};
pub use told::disagreement;
pub use unit::{LocalFiles, expanded};
pub use weighed::Weighed;

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
    /// What somebody else runs and the gateway leads to, by name.
    pub externals: Vec<External>,
}

impl Cluster {
    /// Every secret that something needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let units = self.hosts.values().flat_map(|host| &host.units);
        let units = units.flat_map(|unit| {
            let files = unit.configs.values().flat_map(|config| config.content.secrets());
            unit.secrets.values().chain(files)
        });
        units.chain(self.options.edge.iter().flat_map(gateway::Edge::secrets))
    }
}

/// A host as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Where homelab's files lie: absolute where the host was seen, else perhaps with `~/`.
    pub dir: String,
    /// The SSH user's home directory: absolute where the host was seen, else `~`.
    pub home: String,
    /// What runs there.
    pub units: Vec<Unit>,
    /// How to log in to registries, by their names.
    pub logins: BTreeMap<String, Login>,
    /// What runs services of the host's own.
    pub manager: Manager,
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
    /// The port on its host; none if only containers beside it reach it.
    pub port: Option<Port>,
    /// How long it may take until it answers, in seconds.
    pub ready_timeout: u64,
    /// What is downloaded before it starts.
    pub weights: Vec<Weights>,
    /// The repositories of the hub that it loads from and whose commit is left open, each with its pin.
    pub repositories: Vec<Repository>,
    /// What it would be without these pins, where there are any.
    pub open: Option<Box<Open>>,
}

/// What a server, or one of its models, needs of a hub or a library, and how a container of its image downloads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// What is downloaded, as people call it.
    pub what: String,
    /// The hub's repositories that it is of, by their ids.
    pub repositories: Vec<String>,
    /// Equal for equal downloads to the same place on a host, with whatever image: 16 hexadecimal digits.
    pub key: String,
    /// The container's entrypoint.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Where the files come to lie in the container.
    pub cache: String,
    /// The same directory on the host.
    pub on_host: String,
    /// Those of them that are pinned, with their commits.
    pub commits: BTreeSet<(String, String)>,
    /// The key of the same download without pins: if these commits came of that, nothing is missing.
    pub open_key: Option<String>,
    /// The key that puts it elsewhere.
    pub moved_by: &'static str,
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
    /// It serves a model, or several.
    Model(Served),
    /// It is the gateway.
    Gateway {
        /// The key clients show.
        master_key: SecretRef,
        /// Every public name of a model that homelab runs, what each is for, and when it is loaded.
        names: BTreeMap<ModelName, (Kind, Load)>,
        /// Where an edge stands before it: the seconds that a replaced one may take to end its answers. None where
        /// clients reach it directly.
        drain: Option<u64>,
        /// Where several servers serve one name, so that requests can be led around one of them: the seconds that it may
        /// take to end its answers before it is replaced.
        around: Option<u64>,
    },
    /// It serves no model and nothing depends on it: it watches the others, or is a client of theirs. It is asked by its
    /// health path alone, if it has one, and goes last.
    Companion,
    /// It stands before the gateway.
    Edge(Before),
}

/// What stands before the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The gateway's base URL for clients.
    pub url: String,
    /// The names it must have certificates for; none where it speaks plain HTTP.
    pub names: Vec<String>,
    /// The key clients show.
    pub master_key: SecretRef,
}

/// How a server of models is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its name in the inventory: the public name of its model, or that of a server of several.
    pub name: ModelName,
    /// What it serves; never empty.
    pub models: Vec<Model>,
    /// The engine's name in the inventory.
    pub engine: &'static str,
    /// The key its server asks for.
    pub api_key: Option<SecretRef>,
    /// How the gateway's host reaches it; none when that is its own host.
    pub address: Option<String>,
}

/// A model as clients and its server call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its public name.
    pub name: ModelName,
    /// Further public names that lead to it.
    pub aliases: Vec<ModelName>,
    /// What its server calls it.
    pub upstream: String,
    /// What "it answers" means.
    pub kind: Kind,
    /// When its server loads it.
    pub load: Load,
    /// How its server is told to load it, where it does not do so by itself.
    pub loading: Option<Loading>,
}

impl Model {
    /// Every public name that leads to it.
    pub fn public(&self) -> impl Iterator<Item = &ModelName> {
        [&self.name].into_iter().chain(&self.aliases)
    }
}

impl Served {
    /// The key its server asks for if it asks for one: a server that wants none ignores it.
    #[must_use]
    pub fn key(&self) -> SecretRef {
        SecretRef::model(&self.name)
    }
}
