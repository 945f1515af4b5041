//! One host: what must happen there, before it is put in order with the others.
//! It decides what; [`super::order`] decides when.

use std::collections::BTreeSet;

use crate::cluster::{Model, Role, Served};
use crate::desired::{Desired, DesiredHost, DesiredService};
use crate::names::{HostName, ModelName, ServiceName};
use crate::service::Runtime;
use crate::survey::{Container, Failure, RootKey, Seen, Survey};

use super::around::{self, Round};
use super::away::Backends;
use super::edge;
use super::needs::{Needs, host_ports};
use super::now::{Behind, Now, is_running};
use super::{Action, Blocked, Cause, Step, Task};
use super::{container_name, fetch, files, native, network_name, previous_name, probe, service};

/// What is to be done on one host, before it is put in order.
pub(super) struct Work<'a> {
    pub(super) host: &'a HostName,
    /// What is there.
    pub(super) seen: &'a Seen,
    /// Makes the root key, on the gateway's host.
    pub(super) root_key: Option<Task>,
    pub(super) prepare: Vec<Task>,
    /// What is downloaded once the images are there.
    pub(super) fetches: Vec<Vec<Task>>,
    pub(super) models: Vec<ModelWork<'a>>,
    pub(super) gateway: Option<Task>,
    /// What stands before the gateway.
    pub(super) edge: Option<Task>,
    /// What the gateway and its edge need if they are made or replaced.
    pub(super) gateway_needs: Option<Needs>,
    /// Tasks that only make room for the gateway.
    pub(super) room: Vec<ModelWork<'a>>,
    /// What stands beside the gateway, and what only makes room for it.
    pub(super) companions: Vec<ModelWork<'a>>,
    pub(super) tidy: Vec<Task>,
    /// Models that the gateway will reach in another way than now.
    pub(super) moving: Vec<ServiceName>,
}

impl<'a> Work<'a> {
    fn new(host: &'a HostName, seen: &'a Seen) -> Self {
        Self {
            host,
            seen,
            root_key: None,
            prepare: vec![],
            fetches: vec![],
            models: vec![],
            gateway: None,
            edge: None,
            gateway_needs: None,
            room: vec![],
            companions: vec![],
            tidy: vec![],
            moving: vec![],
        }
    }
}

impl Work<'_> {
    /// A companion that has a port which a model or the gateway is about to take leaves it before they come, and comes
    /// back if they fail. Its successor comes in its own turn.
    fn companions_that_give_way(&mut self) {
        for companion in &mut self.companions {
            let meets = |needs: &Needs| needs.meet(&companion.needs);
            let earlier = if self.models.iter().any(|model| meets(&model.needs)) {
                &mut self.models
            } else if self.gateway_needs.as_ref().is_some_and(meets) {
                &mut self.room
            } else {
                continue;
            };
            let task = Task { steps: vec![], ..companion.task.clone() };
            if !task.ahead.is_empty() {
                (companion.task.ahead, companion.task.gave_way) = (vec![], true);
                earlier.push(ModelWork { needs: companion.needs.clone(), model: None, task });
            }
        }
    }

    /// Lets the gateway be as it is, unless others have made room for it.
    pub(super) fn leave_gateway(&mut self) {
        if self.room.is_empty() {
            let both = [ServiceName::gateway(), ServiceName::edge()];
            (self.gateway, self.edge) = (None, None);
            self.tidy.retain(|task| !task.services.iter().any(|service| both.contains(service)));
        }
    }
}

/// A model's task, or a companion's, and what its order depends on.
pub(super) struct ModelWork<'a> {
    /// What it must not share with a task that runs at the same time.
    pub(super) needs: Needs,
    /// What should be served; none if one only leaves, or if it serves none.
    pub(super) model: Option<&'a Served>,
    pub(super) task: Task,
}

impl<'a> ModelWork<'a> {
    /// Whether it runs already and is only waited for.
    pub(super) fn only_waits(&self) -> bool {
        self.task.steps.first().is_some_and(|step| matches!(step.action, Action::AwaitModel { .. }))
    }

    /// The names that are not served here for a while: of their servers one goes after the other.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a ModelName> {
        let stops = self.task.ahead.iter().chain(&self.task.steps).any(|step| step.interrupts);
        self.model
            .filter(|_| stops)
            .into_iter()
            .flat_map(|served| served.models.iter().flat_map(Model::public))
    }
}

/// Whether a task does something to a container, on its way back too.
fn names(task: &Task, id: &str) -> bool {
    let steps = task.ahead.iter().chain(&task.steps).chain(&task.way_back);
    steps.filter_map(|step| step.action.container()).any(|other| other == id)
}

/// A host, what it should have, and what it has.
pub(super) struct Site<'a> {
    pub(super) desired: &'a Desired,
    pub(super) survey: &'a Survey,
    pub(super) name: &'a HostName,
    pub(super) host: &'a DesiredHost,
    pub(super) seen: &'a Seen,
    /// Who serves each name, on all hosts.
    pub(super) backends: &'a Backends,
}

impl<'a> Site<'a> {
    pub(super) fn work(&self, blocked: &mut Vec<Blocked>) -> Work<'a> {
        let mut work = Work::new(self.name, self.seen);
        let mut busy = BTreeSet::new();
        for (name, service) in &self.host.services {
            let now = self.now(name, service);
            if service::moves(&now) {
                work.moving.push(name.clone());
            }
            let task = self.may_take(name, service).and_then(|()| service::task(&now));
            let task = match service.role {
                Role::Edge(_) => task.map(|task| edge::with_config(&now, task, self.host, self.seen)),
                _ => task,
            };
            match task {
                Err(why) => blocked.push(self.refuse(name, why)),
                Ok(None) => work.drop_older(&now),
                Ok(Some(task)) => {
                    busy.insert(name);
                    self.take_up(&mut work, &now, (&service.role, task));
                }
            }
        }
        let (pulls, refused) = files::pulls(self.host, self.seen, &busy);
        // A host nobody looked at may well have the image.
        let refused = refused.into_iter().filter(|_| self.survey.seen(self.name).is_some());
        for (service, why) in refused {
            let is_other = |task: &Task| !task.services.contains(&service);
            work.models.retain(|m| is_other(&m.task));
            work.companions.retain(|c| is_other(&c.task));
            work.gateway = work.gateway.filter(is_other);
            work.edge = work.edge.filter(is_other);
            work.gateway_needs = work.gateway_needs.filter(|_| work.gateway.is_some() || work.edge.is_some());
            work.tidy.retain(is_other);
            blocked.push(self.refuse(&service, why));
        }
        self.gateway_needs_its_edge(&mut work, blocked);
        self.leftovers(&mut work);
        work.companions_that_give_way();
        self.downloads(&mut work);
        self.stale(&mut work.tidy);
        work.root_key = self.root_key();
        work.prepare = self.host_files().into_iter().chain(pulls).collect();
        work
    }

    /// Adds the task of a service, with what becomes of its previous version.
    fn take_up(&self, work: &mut Work<'a>, now: &Now<'_>, (role, task): (&'a Role, Task)) {
        // What somebody started has ports and GPUs that others may need, and nobody needs it.
        let in_the_way = |older: &Container| {
            is_running(older) && !edge::stands_beside(now, older) && !names(&task, &older.id)
        };
        if now.previous.is_some_and(in_the_way) {
            work.drop_older(now);
        } else {
            work.tidy.extend(self.previous(now, &task));
        }
        let needs = self.needs(now);
        match role {
            Role::Gateway { .. } => {
                work.gateway = Some(task);
                work.gateway_needs = Some(needs.joined(work.gateway_needs.take()));
            }
            Role::Edge(_) => {
                let after = vec![(self.name.clone(), ServiceName::gateway())];
                work.edge = Some(Task { after, ..task });
                work.gateway_needs = Some(needs.joined(work.gateway_needs.take()));
            }
            Role::Model(served) => {
                let Self { desired, survey, name: host, backends, .. } = *self;
                let task = around::led_around(&Round { desired, survey, host, backends }, now, task);
                work.models.push(ModelWork { needs, model: Some(served), task });
            }
            Role::Companion => work.companions.push(ModelWork { needs, model: None, task }),
        }
    }

    /// What is downloaded before anything starts, and what an earlier download left.
    fn downloads(&self, work: &mut Work<'_>) {
        let starts = |model: &&ModelWork<'_>| {
            let begins = |step: &Step| {
                matches!(step.action, Action::Create { .. } | Action::Start { .. } | Action::Restart { .. })
            };
            model.model.is_some() && model.task.steps.iter().any(begins)
        };
        let starting = work.models.iter().filter(starts).flat_map(|m| m.task.services.clone()).collect();
        work.fetches = fetch::fetches(self.desired, self.host, self.seen, &starting);
        let steps = fetch::unfinished(self.desired, self.host, self.seen, &work.fetches);
        if !steps.is_empty() {
            work.tidy.push(Task { steps, ..Task::default() });
        }
    }

    fn refuse(&self, service: &ServiceName, why: Failure) -> Blocked {
        Blocked { host: self.name.clone(), service: Some(service.clone()), why }
    }

    /// What a service needs, before, after, and if it is led back.
    fn needs(&self, now: &Now<'_>) -> Needs {
        let ports = host_ports(&now.desired.service);
        let wanted = Needs { gpus: now.desired.gpus.clone(), ports, unknown: false };
        now.current.into_iter().chain(now.previous).map(Needs::of).fold(wanted, Needs::and)
    }

    fn now<'b>(&'b self, name: &'b ServiceName, service: &'b DesiredService) -> Now<'b> {
        let wait = match probe(service) {
            Some(probe) => {
                let first = Action::AwaitModel { service: name.clone(), probe };
                [first].into_iter().chain(self.reach(name, service)).collect()
            }
            None => edge::await_edge(name, service).into_iter().collect(),
        };
        let container = |name: &str| self.seen.containers.get(name);
        Now {
            name,
            desired: service,
            dir: &self.host.dir,
            images: &self.seen.images,
            current: container(&container_name(self.desired, name)),
            previous: container(&previous_name(self.desired, name)),
            wait,
            behind: Behind::of(service, self.seen),
        }
    }

    /// Asks the gateway's host whether it reaches the model, if that is another host and up.
    fn reach(&self, name: &ServiceName, service: &DesiredService) -> Option<Action> {
        let Role::Model(served) = &service.role else { return None };
        let from = self.desired.gateway.clone()?;
        self.survey.seen(&from)?;
        let address = served.address.clone()?;
        Some(Action::Reach { service: name.clone(), from, address, port: service.port? })
    }

    /// Whether its name, port and networks are free for it.
    fn may_take(&self, name: &ServiceName, service: &DesiredService) -> Result<(), Failure> {
        let failure = |what: String, hint: String| Failure {
            step: format!("looking for a place for {name}"),
            what,
            lines: vec![],
            hint: Some(hint),
            finding: None,
        };
        let container = container_name(self.desired, name);
        let is_native = service.service.runtime() == Runtime::Native;
        if self.seen.strangers.contains(&container) {
            let (what, remove) = match is_native {
                true => ("unit", native::removal(&self.seen.facts.native)),
                false => ("container", "docker rm -f"),
            };
            let hint = format!("remove it ({remove} {container}), or choose another homelab_project");
            return Err(failure(format!("a {what} {container} is there, and homelab did not make it"), hint));
        }
        if is_native && self.survey.seen(self.name).is_some() {
            native::may_run(service, &self.seen.facts.native).map_err(|(what, hint)| failure(what, hint))?;
        }
        let taken = |port: &u16| Some((*port, self.seen.taken.get(port)?));
        if let Some((port, who)) = host_ports(&service.service).iter().find_map(taken) {
            let hint = format!("stop it, or give {name} another `port`");
            return Err(failure(format!("port {port} is taken by {who}"), hint));
        }
        let absent =
            service.service.networks.iter().find(|n| *n != "default" && !self.seen.networks.contains_key(*n));
        if let (Some(network), true) = (absent, self.survey.seen(self.name).is_some()) {
            let hint = format!("make it (docker network create {network}), or drop it from `networks`");
            return Err(failure(format!("there is no network {network}"), hint));
        }
        Ok(())
    }

    /// A gateway that only an edge makes reachable does not take the place of one that is, unless the edge can come.
    fn gateway_needs_its_edge(&self, work: &mut Work<'_>, blocked: &mut Vec<Blocked>) {
        let (edge, gateway) = (ServiceName::edge(), ServiceName::gateway());
        let stops =
            |task: &Task| task.ahead.iter().any(|step| matches!(step.action, Action::SetAside { .. }));
        let is_blocked = blocked.iter().any(|b| b.host == *self.name && b.service.as_ref() == Some(&edge));
        if !is_blocked || !work.gateway.as_ref().is_some_and(stops) {
            return;
        }
        work.gateway = None;
        work.tidy.retain(|task| !task.services.contains(&gateway));
        let why = Failure {
            step: format!("looking for a place for {gateway}"),
            what: "clients would reach it through the edge alone, which cannot come".to_owned(),
            lines: vec![],
            hint: Some("make way for the edge first".to_owned()),
            finding: None,
        };
        blocked.push(self.refuse(&gateway, why));
    }

    /// The root key, before anything on any host is derived from it.
    fn root_key(&self) -> Option<Task> {
        let here = Some(self.name) == self.desired.gateway.as_ref();
        let because = match self.survey.root_key {
            RootKey::Absent => Cause::Missing,
            RootKey::Outdated => Cause::Follows("a key is replaced".to_owned()),
            RootKey::Unknown | RootKey::Present => return None,
        };
        let step = Step { action: Action::WriteRootKey, because, interrupts: false };
        here.then(|| Task { steps: vec![step], ..Task::default() })
    }

    /// The network and the files, in this order: what containers need to start.
    fn host_files(&self) -> Option<Task> {
        let mut steps = Vec::new();
        let step = |action, because| Step { action, because, interrupts: false };
        let network = network_name(self.desired);
        let in_docker = |service: &DesiredService| service.service.runtime() == Runtime::Docker;
        if self.host.services.values().any(in_docker) && !self.seen.networks.contains_key(&network) {
            steps.push(step(Action::CreateNetwork { name: network }, Cause::Missing));
        }
        let edge = self.seen.containers.get(&container_name(self.desired, &ServiceName::edge()));
        let reloads = edge::reloads(self.host, self.seen, edge);
        steps.extend(files::forgotten(self.seen));
        steps.extend(files::missing_files(self.host, self.seen, reloads));
        (!steps.is_empty()).then(|| Task { steps, ..Task::default() })
    }

    /// Removes the container that was set aside, once its successor answers.
    fn previous(&self, now: &Now<'_>, task: &Task) -> Option<Task> {
        let aside = task.ahead.iter().find_map(|step| match &step.action {
            Action::SetAside { id, .. } => Some(edge::retire(now, id, false)),
            Action::MoveAside { id, .. } => Some(edge::retire(now, id, true)),
            _ => None,
        });
        let comes_back = task.steps.iter().any(|s| matches!(s.action, Action::PutBack { .. }));
        let older = || now.previous.filter(|_| !comes_back).map(|older| service::remove_older(now, older));
        Some(Task {
            services: vec![now.name.clone()],
            after: vec![(self.name.clone(), now.name.clone())],
            steps: aside.or_else(older)?,
            ..Task::default()
        })
    }

    /// Files and the network, once every service of the host is as it should be.
    fn stale(&self, tidy: &mut Vec<Task>) {
        let mut steps = files::stale_files(self.host, self.seen);
        let network = network_name(self.desired);
        let in_docker = |service: &DesiredService| service.service.runtime() == Runtime::Docker;
        if !self.host.services.values().any(in_docker) && self.seen.networks.get(&network) == Some(&true) {
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
