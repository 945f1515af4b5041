//! What pins of the hub's revisions make of a service, and the same service without them.
//! What was made before there were pins runs as it is until something else replaces it: a pin is no reason to.

use std::collections::BTreeSet;

use crate::engine::Repository;
use crate::names::{HostName, ServiceName};
use crate::service::{Service, label};

use super::{Cluster, Unit, Weights};

/// A service as it is where nothing pins the revisions it loads.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Its Compose keys.
    pub service: Service,
    /// What is downloaded before it starts.
    pub weights: Vec<Weights>,
}

/// The services that run as they were made before there were pins.
pub type Opened = BTreeSet<(HostName, ServiceName)>;

/// Writes down in a service which commits it was made to load.
pub(super) fn mark(service: &mut Service, repositories: &[Repository]) {
    let one = |repository: &Repository| Some(format!("{}@{}", repository.id, repository.commit.as_ref()?));
    let all: Vec<String> = repositories.iter().filter_map(one).collect();
    if !all.is_empty() {
        service.labels.insert(label::REVISIONS.to_owned(), all.join(","));
    }
}

/// Tells what is downloaded which commits it has, and by which name the same came without pins.
pub(super) fn tell(unit: &mut Unit, open: &[Weights]) {
    let pins = |repository: &Repository| Some((repository.id.clone(), repository.commit.clone()?));
    let pins: Vec<(String, String)> = unit.repositories.iter().filter_map(pins).collect();
    for (weights, open) in unit.weights.iter_mut().zip(open) {
        weights.commits = pins.iter().filter(|(id, _)| weights.repositories.contains(id)).cloned().collect();
        weights.open_key = Some(open.key.clone());
    }
}

impl Cluster {
    /// The same with these services as they are without pins.
    #[must_use]
    pub fn opened(mut self, opened: &Opened) -> Self {
        for (host, at) in &mut self.hosts {
            for unit in &mut at.units {
                if opened.contains(&(host.clone(), unit.name.clone()))
                    && let Some(open) = unit.open.take()
                {
                    (unit.service, unit.weights) = (open.service, open.weights);
                }
            }
        }
        self
    }
}
