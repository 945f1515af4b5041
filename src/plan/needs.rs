//! What a service has of its host that no other can have at the same time: GPUs and ports.
//! It compares; it gives nothing to anybody.

use std::collections::BTreeSet;

use crate::engine::Gpus;
use crate::service::{Service, label};
use crate::survey::Container;

/// What two services cannot have at the same time.
#[derive(Clone)]
pub(super) struct Needs {
    pub(super) gpus: Gpus,
    pub(super) ports: BTreeSet<u16>,
    /// Whether it may have more than that: nobody can read what `docker compose` made.
    pub(super) unknown: bool,
}

impl Needs {
    /// Whether two services would be in each other's way.
    pub(super) fn meet(&self, other: &Self) -> bool {
        self.gpus.meet(&other.gpus) || !self.ports.is_disjoint(&other.ports) || self.unknown || other.unknown
    }

    /// What a container has now.
    pub(super) fn of(container: &Container) -> Self {
        let gpus = container.labels.get(label::GPUS).map_or(Gpus::All, |text| Gpus::from_label(text));
        let ports = container.service.as_ref().map(host_ports).unwrap_or_default();
        Self { gpus, ports, unknown: container.service.is_err() }
    }

    /// The same with what another one needs, if there is one.
    pub(super) fn joined(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => self.and(other),
            None => self,
        }
    }

    /// What it needs and what the other does.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.gpus = match (self.gpus, other.gpus) {
            (Gpus::None, gpus) | (gpus, Gpus::None) => gpus,
            (Gpus::All, _) | (_, Gpus::All) => Gpus::All,
            (Gpus::Some(a), Gpus::Some(b)) => Gpus::Some(a.union(&b).copied().collect()),
            (Gpus::Named(a), Gpus::Named(b)) => Gpus::Named(a.union(&b).cloned().collect()),
            (Gpus::Some(_), Gpus::Named(_)) | (Gpus::Named(_), Gpus::Some(_)) => Gpus::All,
        };
        self.ports.extend(other.ports);
        self.unknown |= other.unknown;
        self
    }
}

/// The ports of the host that a service publishes.
pub(super) fn host_ports(service: &Service) -> BTreeSet<u16> {
    service.published().map(|port| port.host).filter(|port| *port != 0).collect()
}
