//! One host: what must happen there, before it is put in order with the others.
//! It decides what; [`super::order`] decides when.

use std::collections::BTreeSet;

use crate::cluster::Role;
use crate::desired::{Desired, DesiredHost, DesiredService};
use crate::engine::Gpus;
use crate::names::{HostName, ModelName, ServiceName};
use crate::service::{Service, label};
use crate::survey::{Container, Failure, Health, RootKey, Seen, Survey};

use super::service::{Now, is_running};
use super::{Action, Blocked, Cause, Step, Task};
use super::{container_name, files, network_name, previous_name, probe, service};

/// What is to be done on one host, before it is put in order.
pub(super) struct Work<'a> {
    pub(super) host: &'a HostName,
    pub(super) prepare: Vec<Task>,
    pub(super) models: Vec<ModelWork<'a>>,
    pub(super) gateway: Option<Task>,
    pub(super) tidy: Vec<Task>,
    /// Models that the gateway will reach in another way than now.
    pub(super) moving: Vec<ServiceName>,
}

impl<'a> Work<'a> {
    fn nothing(host: &'a HostName) -> Self {
        Self { host, prepare: vec![], models: vec![], gateway: None, tidy: vec![], moving: vec![] }
    }
}

/// A model's task and what its order depends on.
pub(super) struct ModelWork<'a> {
    /// What it must not share with a task that runs at the same time.
    pub(super) needs: Needs,
    /// The model that should run; none if one only leaves.
    pub(super) model: Option<&'a ModelName>,
    pub(super) task: Task,
}

impl ModelWork<'_> {
    pub(super) fn interrupts(&self) -> bool {
        self.task.ahead.iter().any(|step| step.interrupts)
    }
}

/// What two services cannot have at the same time.
#[derive(Clone)]
pub(super) struct Needs {
    gpus: Gpus,
    ports: BTreeSet<u16>,
}

impl Needs {
    /// Whether two services would be in each other's way.
    pub(super) fn meet(&self, other: &Self) -> bool {
        let gpus = match (&self.gpus, &other.gpus) {
            (Gpus::None, _) | (_, Gpus::None) => false,
            (Gpus::All, _) | (_, Gpus::All) => true,
            (Gpus::Some(a), Gpus::Some(b)) => !a.is_disjoint(b),
        };
        gpus || !self.ports.is_disjoint(&other.ports)
    }

    /// What a container has now.
    fn of(container: &Container) -> Self {
        let gpus = match container.labels.get(label::GPUS).map(String::as_str) {
            None | Some("none") => Gpus::None,
            Some("all") => Gpus::All,
            Some(list) => Gpus::Some(list.split(',').filter_map(|i| i.parse().ok()).collect()),
        };
        let ports = container.service.as_ref().map(host_ports).unwrap_or_default();
        Self { gpus, ports }
    }
}

/// The ports of the host that a service publishes.
fn host_ports(service: &Service) -> BTreeSet<u16> {
    service.published().map(|port| port.host).collect()
}

/// Whether a model that runs now will be reached in another way: by another port, or with a key
/// where none was asked for.
fn moves(now: &Now<'_>) -> bool {
    let way = |service: &Service| (host_ports(service), service.env_file.is_empty());
    let old = now.current.or(now.previous).and_then(|container| container.service.as_ref().ok());
    let is_model = matches!(now.desired.role, Role::Model(_));
    is_model && old.is_some_and(|old| way(old) != way(&now.desired.service))
}

/// A host, what it should have, and what it has.
pub(super) struct Site<'a> {
    pub(super) desired: &'a Desired,
    pub(super) survey: &'a Survey,
    pub(super) name: &'a HostName,
    pub(super) host: &'a DesiredHost,
    pub(super) seen: &'a Seen,
}

impl<'a> Site<'a> {
    pub(super) fn work(&self, blocked: &mut Vec<Blocked>) -> Work<'a> {
        let mut work = Work::nothing(self.name);
        let mut busy = BTreeSet::new();
        for (name, service) in &self.host.services {
            let now = self.now(name, service);
            if moves(&now) {
                work.moving.push(name.clone());
            }
            match self.may_take(name, service).and_then(|()| service::task(&now)) {
                Err(why) => blocked.push(self.refuse(name, why)),
                Ok(task) => {
                    work.tidy.extend(self.previous(&now, task.as_ref()));
                    let Some(task) = task else { continue };
                    busy.insert(name);
                    match &service.role {
                        Role::Gateway { .. } => work.gateway = Some(task),
                        Role::Model(served) => {
                            let needs = self.needs(&now);
                            work.models.push(ModelWork { needs, model: Some(&served.model), task });
                        }
                    }
                }
            }
        }
        let (pulls, refused) = files::pulls(self.host, self.seen, &busy);
        for (service, why) in refused {
            let is_other = |task: &Task| !task.services.contains(&service);
            work.models.retain(|m| is_other(&m.task));
            work.gateway = work.gateway.filter(is_other);
            work.tidy.retain(is_other);
            blocked.push(self.refuse(&service, why));
        }
        self.leftovers(&mut work);
        self.stale(&mut work.tidy);
        work.prepare = self.host_files().into_iter().chain(pulls).collect();
        work
    }

    fn refuse(&self, service: &ServiceName, why: Failure) -> Blocked {
        Blocked { host: self.name.clone(), service: Some(service.clone()), why }
    }

    /// What a model needs, before and after.
    fn needs(&self, now: &Now<'_>) -> Needs {
        let mut ports = host_ports(&now.desired.service);
        ports.extend(now.current.iter().flat_map(|c| Needs::of(c).ports));
        Needs { gpus: now.desired.gpus.clone(), ports }
    }

    fn now<'b>(&'b self, name: &'b ServiceName, service: &'b DesiredService) -> Now<'b> {
        let wait = match probe(service) {
            Some(probe) => {
                let first = Action::AwaitModel { service: name.clone(), probe };
                [first].into_iter().chain(self.reach(name, service)).collect()
            }
            // The gateway's wait is known once all hosts were looked at.
            None => vec![],
        };
        let container = |name: &str| self.seen.containers.get(name);
        Now {
            name,
            desired: service,
            current: container(&container_name(self.desired, name)),
            previous: container(&previous_name(self.desired, name)),
            wait,
        }
    }

    /// Asks the gateway's host whether it reaches the model, if that is another host and up.
    fn reach(&self, name: &ServiceName, service: &DesiredService) -> Option<Action> {
        let Role::Model(served) = &service.role else { return None };
        let from = self.desired.gateway.clone()?;
        self.survey.seen(&from)?;
        let address = served.address.clone()?;
        Some(Action::Reach { service: name.clone(), from, address, port: service.port })
    }

    /// Whether its name, port and networks are free for it.
    fn may_take(&self, name: &ServiceName, service: &DesiredService) -> Result<(), Failure> {
        let failure = |what: String, hint: String| Failure {
            step: format!("looking for a place for {name}"),
            what,
            lines: vec![],
            hint: Some(hint),
        };
        let container = container_name(self.desired, name);
        if self.seen.strangers.contains(&container) {
            let hint = format!("remove it (docker rm -f {container}), or choose another homelab_project");
            return Err(failure(
                format!("a container {container} is there, and homelab did not make it"),
                hint,
            ));
        }
        if let Some(who) = self.seen.taken.get(&service.port.get()) {
            let hint = format!("stop it, or give {name} another `port`");
            return Err(failure(format!("port {} is taken by {who}", service.port), hint));
        }
        let absent =
            service.service.networks.iter().find(|n| *n != "default" && !self.seen.networks.contains_key(*n));
        if let (Some(network), true) = (absent, self.survey.seen(self.name).is_some()) {
            let hint = format!("make it (docker network create {network}), or drop it from `networks`");
            return Err(failure(format!("there is no network {network}"), hint));
        }
        Ok(())
    }

    /// The root key, the network and the files, in this order: what containers need to start.
    fn host_files(&self) -> Option<Task> {
        let mut steps = Vec::new();
        let step = |action, because| Step { action, because, interrupts: false };
        if Some(self.name) == self.desired.gateway.as_ref() && self.survey.root_key == RootKey::Absent {
            steps.push(step(Action::WriteRootKey, Cause::Missing));
        }
        let network = network_name(self.desired);
        if !self.host.services.is_empty() && !self.seen.networks.contains_key(&network) {
            steps.push(step(Action::CreateNetwork { name: network }, Cause::Missing));
        }
        steps.extend(files::missing_files(self.host, self.seen));
        (!steps.is_empty()).then(|| Task { steps, ..Task::default() })
    }

    /// Containers of services that should not be there. Where a model is about to need their GPU
    /// or port they are set aside before it loads and come back if it fails; everywhere else
    /// they go last, when the gateway asks them no more.
    fn leftovers(&self, work: &mut Work<'a>) {
        for container in self.seen.containers.values() {
            let Some(service) = service_of(container) else { continue };
            if self.host.services.contains_key(&service) {
                continue;
            }
            let needs = Needs::of(container);
            let next: Vec<_> = work
                .models
                .iter()
                .filter(|m| m.model.is_some() && m.needs.meet(&needs))
                .flat_map(|m| m.task.services.clone())
                .map(|s| (self.name.clone(), s))
                .collect();
            let id = container.id.clone();
            let ready = is_running(container) && container.health == Health::Ready;
            let step = |action, interrupts| Step { action, because: Cause::NotInInventory, interrupts };
            let remove = Action::Remove { service: service.clone(), id: id.clone() };
            if next.is_empty() {
                let steps = vec![step(remove, ready)];
                work.tidy.push(Task { services: vec![service], steps, ..Task::default() });
                continue;
            }
            let aside = Action::SetAside { service: service.clone(), id };
            work.models.push(ModelWork {
                needs,
                model: None,
                task: Task {
                    services: vec![service.clone()],
                    ahead: vec![step(aside, ready)],
                    way_back: service::come_back(&service, container),
                    ..Task::default()
                },
            });
            let steps = vec![step(remove, false)];
            work.tidy.push(Task { services: vec![service], after: next, steps, ..Task::default() });
        }
    }

    /// Removes the container that was set aside, once its successor answers.
    fn previous(&self, now: &Now<'_>, task: Option<&Task>) -> Option<Task> {
        let aside = task.iter().flat_map(|t| &t.ahead).find_map(|step| match &step.action {
            Action::SetAside { id, .. } => Some(id.clone()),
            _ => None,
        });
        let comes_back =
            task.iter().flat_map(|t| &t.steps).any(|s| matches!(s.action, Action::PutBack { .. }));
        let id = aside.or_else(|| now.previous.filter(|_| !comes_back).map(|p| p.id.clone()))?;
        let action = Action::Remove { service: now.name.clone(), id };
        Some(Task {
            services: vec![now.name.clone()],
            after: vec![(self.name.clone(), now.name.clone())],
            steps: vec![Step { action, because: Cause::NotNeeded, interrupts: false }],
            ..Task::default()
        })
    }

    /// Files and the network, once every service of the host is as it should be.
    fn stale(&self, tidy: &mut Vec<Task>) {
        let mut steps = files::stale_files(self.host, self.seen);
        let network = network_name(self.desired);
        if self.host.services.is_empty() && self.seen.networks.get(&network) == Some(&true) {
            let action = Action::RemoveNetwork { name: network };
            steps.push(Step { action, because: Cause::NotNeeded, interrupts: false });
        }
        if steps.is_empty() {
            return;
        }
        let leaving = tidy.iter().flat_map(|t: &Task| t.services.clone());
        let services = self.host.services.keys().cloned().chain(leaving);
        let after = services.map(|service| (self.name.clone(), service)).collect();
        tidy.push(Task { after, steps, ..Task::default() });
    }
}

fn service_of(container: &Container) -> Option<ServiceName> {
    container.labels.get(label::COMPOSE_SERVICE).and_then(|name| ServiceName::new(name.as_str()).ok())
}
