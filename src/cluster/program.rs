//! Models that a host runs by itself: what their programs are given, and what reaches them.
//! It reads no keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Chip, Gpus};
use crate::service::{Runtime, Service};
use crate::survey::{Facts, Manager};

use super::Unit;
use super::spec::{HostSpec, ModelSpec};

/// The name by which a container reaches its own host, where `extra_hosts` says so
/// (<https://docs.docker.com/reference/cli/docker/container/run/#add-host>).
pub(super) const OWN_HOST: &str = "host.docker.internal";

impl HostSpec {
    /// The programs of the models that the host runs by itself; none where there is no such model.
    #[must_use]
    pub fn programs(&self) -> Option<Vec<String>> {
        let native: Vec<_> = self.models.iter().filter(|model| model.runtime == Runtime::Native).collect();
        let programs: BTreeSet<_> =
            native.iter().filter_map(|model| model.command.first().cloned()).collect();
        (!native.is_empty()).then(|| programs.into_iter().collect())
    }

    /// Whether something there runs in Docker.
    #[must_use]
    pub fn uses_docker(&self) -> bool {
        self.gateway.is_some() || self.models.iter().any(|model| model.runtime == Runtime::Docker)
    }
}

/// Lets a container reach what runs beside it without one, if something does.
pub(super) fn reach(beside: &[Unit], service: &mut Service) {
    let own = format!("{OWN_HOST}:host-gateway");
    let native = beside.iter().any(|unit| unit.service.runtime() == Runtime::Native);
    if native && !service.extra_hosts.contains(&own) {
        service.extra_hosts.push(own);
    }
}

/// What runs services of a host's own: root's are the system's.
pub(super) fn manager(host: &HostSpec, facts: Option<&Facts>) -> Manager {
    let root = host.connection.user.as_deref() == Some("root");
    let assumed = match (host.launchd, root) {
        (false, false) => Manager::User,
        (false, true) => Manager::System,
        (true, false) => Manager::Agent,
        (true, true) => Manager::Daemon,
    };
    facts.and_then(|facts| facts.native.manager).unwrap_or(assumed)
}

/// Makes of a container's keys those of a program: no image, no network, and its real path.
pub(super) fn settle(service: &mut Service, model: &ModelSpec, manager: Manager, facts: Option<&Facts>) {
    service.image.clear();
    service.networks.clear();
    for word in service.entrypoint.iter_mut().flatten() {
        if let Some(Some(path)) = facts.and_then(|facts| facts.native.programs.get(word)) {
            word.clone_from(path);
        }
    }
    match manager.is_launchd() {
        true => metal(model, &mut service.environment),
        false => gpus(&model.gpus, chip(model, facts), &mut service.environment),
    }
    // The system's own services are given none, and their caches lie below it.
    if let (true, Some(facts)) = (manager.is_system(), facts) {
        service.environment.entry("HOME".to_owned()).or_insert_with(|| facts.home.clone());
    }
}

/// A Mac has one GPU, which a program uses unless it is told not to.
fn metal(model: &ModelSpec, environment: &mut BTreeMap<String, String>) {
    if let (Gpus::None, Some((variable, value))) = (&model.gpus, model.engine.without_gpu()) {
        environment.entry(variable.to_owned()).or_insert_with(|| value.to_owned());
    }
}

/// Whose GPUs a program of the host's own would use.
fn chip(model: &ModelSpec, facts: Option<&Facts>) -> Chip {
    let amd = facts.is_some_and(|facts| facts.gpus.is_empty() && facts.devices.kfd);
    let seen = if amd { Chip::Amd } else { Chip::Nvidia };
    model.gpu_access.map_or(seen, super::access::Access::chip)
}

/// Lets a program see these GPUs, counted in PCI bus order, so that an index means what `nvidia-smi` shows
/// (<https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables>: an index that
/// there is not hides all that come after it).
fn gpus(gpus: &Gpus, chip: Chip, environment: &mut BTreeMap<String, String>) {
    let variable = match chip {
        Chip::Nvidia => "CUDA_VISIBLE_DEVICES",
        Chip::Amd => "ROCR_VISIBLE_DEVICES",
        Chip::Dri => "GGML_VK_VISIBLE_DEVICES",
        Chip::None => return,
    };
    let mut set = |name: &str, value: String| {
        environment.entry(name.to_owned()).or_insert(value);
    };
    match gpus {
        Gpus::All => {}
        Gpus::None if chip != Chip::Nvidia => {}
        Gpus::None => set(variable, "-1".to_owned()),
        Gpus::Some(_) | Gpus::Named(_) => {
            set(variable, gpus.to_string());
            if chip == Chip::Nvidia {
                set("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned());
            }
        }
    }
}
