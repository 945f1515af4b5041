//! The inventory as typed keys: what the user said, host by host, before any host was seen.
//! It applies no default that depends on another host or on a survey; [`super::resolve`] does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bootstrap::Packages;
use crate::connection::Connection;
use crate::diagnostic::{Diagnostics, Origin};
use crate::engine::{Engine, Gpus, Kind, Load, Native, Serve, Several};
use crate::gateway::Words;
use crate::lock::Pins;
use crate::names::{HostName, ModelName, Port, ProjectName};
use crate::secret::{Login, SecretRef};
use crate::service::Runtime;

use super::absent::WakeSpec;
use super::access::Access;
use super::external::External;
use super::gateway_spec::GatewaySpec;
use super::gpus::TypedGpu;
use super::keys::{Origins, Places};
use super::overlay::{LocalFile, Overlay};

/// Everything the user said that homelab understands.
#[derive(Debug)]
pub struct Spec {
    /// The project all of it belongs to.
    pub project: ProjectName,
    /// The hosts.
    pub hosts: BTreeMap<HostName, HostSpec>,
    /// What `homelab.lock` pins.
    pub pins: Pins,
    /// What works, but perhaps not as the user thinks.
    pub warnings: Diagnostics,
}

/// What the user said of a host.
#[derive(Debug)]
pub struct HostSpec {
    /// Where the inventory names it.
    pub origin: Origin,
    /// How to get there.
    pub connection: Connection,
    /// How it is woken when it sleeps, if it can be.
    pub wake: Option<WakeSpec>,
    /// Where Docker's packages come from, should it be missing.
    pub docker_packages: Packages,
    /// Whether launchd runs its own services, as far as the inventory says; what a look finds counts more.
    pub(super) launchd: bool,
    /// Where homelab's files lie on it; may start with `~/`.
    pub dir: String,
    /// How other hosts reach it, where the user said so.
    pub address: Option<String>,
    /// The Hugging Face cache on it; may start with `~/`.
    pub hf_home: String,
    /// The Hugging Face token for its models.
    pub hf_token: Option<SecretRef>,
    /// How to log in to registries, by their names.
    pub registry_auth: BTreeMap<String, Login>,
    /// The GPUs that it is said to have.
    pub gpus: Vec<TypedGpu>,
    /// Its models.
    pub models: Vec<ModelSpec>,
    /// What its variables say of endpoints that somebody else runs. Which host they stand at means nothing.
    pub externals: Vec<External>,
    /// The gateway, if it runs here.
    pub gateway: Option<GatewaySpec>,
    /// Where its variables stand.
    pub(super) origins: Origins,
    /// All its variables, for templates of the user's.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// What the user said of a model.
#[derive(Clone)]
pub struct ModelSpec {
    /// Where it is named.
    pub origin: Origin,
    /// Where each of its keys is typed, and where the value is.
    pub places: Places,
    /// Whether all of its keys could be read: what is not typed right is no default either.
    pub sound: bool,
    /// Its public name.
    pub name: ModelName,
    /// Further public names, and where each stands.
    pub aliases: Vec<(ModelName, Origin)>,
    /// What serves it.
    pub engine: &'static dyn Engine,
    /// What it is for.
    pub kind: Kind,
    /// The repo id or file.
    pub model: Option<String>,
    /// The port on the host, and where it stands.
    pub port: Port,
    /// Where the port is typed.
    pub port_origin: Origin,
    /// Where it runs.
    pub gpus: Gpus,
    /// The way to its GPUs, where the user said so.
    pub(super) gpu_access: Option<Access>,
    /// What runs it.
    pub runtime: Runtime,
    /// The program that the host itself runs, and words that come before its arguments; empty in a container.
    pub command: Vec<String>,
    /// Its image: the model's own, else the host variable's, else the engine's.
    pub image: String,
    /// Where that is typed; none where the engine chose.
    pub image_origin: Option<Origin>,
    /// The engine's options.
    pub options: BTreeMap<String, serde_json::Value>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Whether clients must show a key.
    pub api_key: bool,
    /// How long it may take to answer, in seconds.
    pub ready_timeout: u64,
    /// Whether its weights are downloaded before it starts.
    pub prefetch: bool,
    /// The commits that `homelab.lock` pins; all models share them.
    pub revisions: Arc<BTreeMap<String, String>>,
    /// The models behind it, if it is a server of several.
    pub members: Vec<MemberSpec>,
    /// How many of them it keeps loaded.
    pub models_max: Option<u64>,
    /// Whether a deploy is refused when its weights are known not to fit.
    pub check_fit: bool,
    /// Whether it may be reached from anywhere.
    pub public: bool,
    /// What is said of it to LiteLLM.
    pub words: Words,
    /// The same of those of its aliases that have parameters of their own.
    pub variants: BTreeMap<ModelName, Words>,
    /// Compose's keys.
    pub overlay: Overlay,
}

impl ModelSpec {
    /// One of its models, as its engine sees it.
    #[must_use]
    pub fn serve_member<'a>(&'a self, member: &'a MemberSpec, hf_home: &'a str) -> Serve<'a> {
        Serve {
            name: &member.name,
            model: member.model.as_deref(),
            kind: member.kind,
            options: &member.options,
            member: true,
            load: member.load,
            ttl: member.ttl,
            ..self.alone(hf_home)
        }
    }

    /// As its engine sees it on a host with this cache.
    #[must_use]
    pub fn serve<'a>(&'a self, hf_home: &'a str) -> Serve<'a> {
        let members = || self.members.iter().map(|member| self.serve_member(member, hf_home)).collect();
        let several = self.models_max.map(|models_max| Several { models_max, members: members() });
        Serve { several, ..self.alone(hf_home) }
    }

    /// The same without the models behind it.
    fn alone<'a>(&'a self, hf_home: &'a str) -> Serve<'a> {
        Serve {
            name: &self.name,
            model: self.model.as_deref(),
            kind: self.kind,
            options: &self.options,
            args: &self.args,
            gpus: &self.gpus,
            image: &self.image,
            api_key: self.api_key,
            member: false,
            load: Load::Startup,
            ttl: None,
            several: None,
            hf_home,
            revisions: self.pins(),
            native: self.started(),
        }
    }

    /// How it is started where no container runs it.
    fn started(&self) -> Option<Native<'_>> {
        (self.runtime == Runtime::Native).then(|| Native {
            program: &self.command,
            host: self.overlay.host_ip.as_deref().unwrap_or("0.0.0.0"),
            port: self.port.get(),
        })
    }

    /// The commits that it is pinned to: for a program of the host's own a pin would be another command line, and
    /// nothing is fetched for it ahead.
    fn pins(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        if self.runtime == Runtime::Native { &NONE } else { &self.revisions }
    }

    /// Where a key is typed, or the model where it is not.
    #[must_use]
    pub fn place(&self, key: &str) -> &Origin {
        self.places.get(key).map_or(&self.origin, |(key, _)| key)
    }

    /// The same for the value of the key.
    #[must_use]
    pub fn value_place(&self, key: &str) -> &Origin {
        self.places.get(key).map_or(&self.origin, |(_, value)| value)
    }
}

/// A model behind a server of several.
#[derive(Clone)]
pub struct MemberSpec {
    /// Where it is named.
    pub origin: Origin,
    /// Where each of its keys is typed, and where the value is.
    pub(super) places: Places,
    /// Its public name.
    pub name: ModelName,
    /// Further public names, and where each stands.
    pub aliases: Vec<(ModelName, Origin)>,
    /// What it is for.
    pub kind: Kind,
    /// The repo id or file.
    pub model: Option<String>,
    /// The engine's options, its own over those of its server.
    pub options: BTreeMap<String, serde_json::Value>,
    /// When it is loaded.
    pub load: Load,
    /// After how many idle seconds it is unloaded.
    pub ttl: Option<u64>,
    /// What is said of it to LiteLLM.
    pub words: Words,
    /// The same of those of its aliases that have parameters of their own.
    pub variants: BTreeMap<ModelName, Words>,
}

impl MemberSpec {
    /// Where the value of a key is typed, or the model where it is not.
    #[must_use]
    pub fn value_place(&self, key: &str) -> &Origin {
        self.places.get(key).map_or(&self.origin, |(_, value)| value)
    }
}

impl std::fmt::Debug for ModelSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelSpec({} by {} at {})", self.name, self.engine.name(), self.origin)
    }
}

impl Spec {
    /// Takes these pins.
    pub fn pin(&mut self, pins: Pins) {
        let revisions = Arc::new(pins.revisions.clone());
        for model in self.hosts.values_mut().flat_map(|host| &mut host.models) {
            model.revisions = Arc::clone(&revisions);
        }
        self.pins = pins;
    }

    /// Every file of the user's that something mounts.
    pub fn local_files(&self) -> impl Iterator<Item = &LocalFile> {
        let models = self.hosts.values().flat_map(|h| &h.models).map(|m| &m.overlay);
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        models.flat_map(|o| o.configs.values()).chain(gateways.flat_map(GatewaySpec::local_files))
    }

    /// Every secret whose value the user holds.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let models = self.hosts.values().flat_map(|h| &h.models).flat_map(|m| m.overlay.secrets.values());
        let tokens = self.hosts.values().filter_map(|h| h.hf_token.as_ref());
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        let theirs = gateways.flat_map(|g| {
            let edge = g.options.edge.iter().flat_map(crate::gateway::Edge::secrets);
            g.overlay.secrets.values().chain(&g.options.master_key).chain(&g.options.database).chain(edge)
        });
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        let beside = gateways.flat_map(GatewaySpec::companions).flat_map(|one| one.overlay.secrets.values());
        let endpoints = self.externals().filter_map(|(_, one)| one.api_key.as_ref());
        models.chain(tokens).chain(theirs).chain(beside).chain(endpoints)
    }
}
