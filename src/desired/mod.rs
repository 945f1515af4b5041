//! The files and services each host should have, rendered from the cluster.
//! Pure: what a template renders is read back, and only what was read back runs.

mod compose;
mod installed;
mod kept;
mod native;
mod plist;
mod render;
mod templates;
mod unit;

use std::collections::BTreeMap;

use crate::cluster::{External, Role, Weights};
use crate::engine::{Gpus, Repository};
use crate::image;
use crate::names::{HostName, ModelName, Port, ProjectName, ServiceName};
use crate::secret::{Content, Login, SecretRef};
use crate::service::{Runtime, Service};

pub use compose::read_back;
pub use installed::Installed;
pub use native::{installed, project_of, to_install};
pub use render::{COMPOSE_FILE, KEYS, family, render};
pub use templates::{Overrides, TEMPLATES, render_plain};

/// What every host should have.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The Compose project.
    pub project: ProjectName,
    /// Where the gateway runs, if there is to be one.
    pub gateway: Option<HostName>,
    /// The hosts, those that should have nothing too.
    pub hosts: BTreeMap<HostName, DesiredHost>,
    /// What somebody else runs and the gateway leads to.
    pub externals: Vec<External>,
    /// Which names the gateway asks instead of one that fails, in order.
    pub stands_in: BTreeMap<ModelName, Vec<ModelName>>,
}

/// What a host should have.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredHost {
    /// Where its files lie.
    pub dir: String,
    /// The files, by path below `dir`.
    pub files: BTreeMap<String, Content>,
    /// The services.
    pub services: BTreeMap<ServiceName, DesiredService>,
    /// Networks that must exist already.
    pub external_networks: Vec<String>,
    /// How to log in to registries, by their names.
    pub logins: BTreeMap<String, Login>,
}

/// A service as the Compose file or its unit says it, and what homelab must know besides.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredService {
    /// Read back from the rendered file.
    pub service: Service,
    /// The digest that `homelab.lock` pins its image to. It is no part of the service: a container that runs this
    /// image already, under whatever name, need not be replaced.
    pub digest: Option<String>,
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
}

impl Desired {
    /// Hosts that should have nothing, by where their files lie: what `down` leads to.
    #[must_use]
    pub fn nothing(project: ProjectName, dirs: BTreeMap<HostName, String>) -> Self {
        let host = |dir| DesiredHost {
            dir,
            files: BTreeMap::new(),
            services: BTreeMap::new(),
            external_networks: vec![],
            logins: BTreeMap::new(),
        };
        Self {
            project,
            gateway: None,
            externals: vec![],
            stands_in: BTreeMap::new(),
            hosts: dirs.into_iter().map(|(name, dir)| (name, host(dir))).collect(),
        }
    }
}

impl Desired {
    /// The same with the digests of images that `homelab.lock` pins. An image that is never pulled is what its host
    /// says it is.
    #[must_use]
    pub fn pinned(mut self, images: &BTreeMap<String, String>) -> Self {
        for service in self.hosts.values_mut().flat_map(|host| host.services.values_mut()) {
            service.digest = images.get(&service.service.image).filter(|_| service.may_be_pinned()).cloned();
        }
        self
    }
}

impl DesiredService {
    /// Whether its image's name leaves open which bytes are meant, and a registry says which.
    #[must_use]
    pub fn may_be_pinned(&self) -> bool {
        self.service.runtime() == Runtime::Docker
            && !image::has_digest(&self.service.image)
            && self.service.pull_policy.as_deref() != Some("never")
    }
}

impl DesiredHost {
    /// The variables that a service's env files give it, by reference.
    ///
    /// # Errors
    /// Names an env file that the Compose file mentions but nothing renders.
    pub fn secrets_of(&self, service: &Service) -> Result<BTreeMap<String, SecretRef>, String> {
        let mut all = BTreeMap::new();
        for path in &service.env_file {
            let relative = path.strip_prefix("./").unwrap_or(path);
            let content =
                self.files.get(relative).ok_or_else(|| format!("the env file {path} is not rendered"))?;
            all.extend(content.variables());
        }
        Ok(all)
    }
}
