//! The files and services each host should have, rendered from the cluster.
//! Pure: what a template renders is read back, and only what was read back runs.

mod compose;
mod render;
mod templates;

use std::collections::BTreeMap;

use crate::cluster::{Role, Weights};
use crate::engine::Gpus;
use crate::names::{HostName, Port, ProjectName, ServiceName};
use crate::secret::{Content, SecretRef};
use crate::service::Service;

pub use compose::read_back;
pub use render::{COMPOSE_FILE, family, render};
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
}

/// A service as the Compose file says it, and what homelab must know besides.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredService {
    /// Read back from the rendered file.
    pub service: Service,
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

impl Desired {
    /// Hosts that should have nothing, by where their files lie: what `down` leads to.
    #[must_use]
    pub fn nothing(project: ProjectName, dirs: BTreeMap<HostName, String>) -> Self {
        let host = |dir| DesiredHost {
            dir,
            files: BTreeMap::new(),
            services: BTreeMap::new(),
            external_networks: vec![],
        };
        Self {
            project,
            gateway: None,
            hosts: dirs.into_iter().map(|(name, dir)| (name, host(dir))).collect(),
        }
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
