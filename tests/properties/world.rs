//! A small model of hosts: what each action does to them, and what they refuse.
//! It also watches: what loads on which GPU, and what is in its way there.

use std::collections::{BTreeMap, BTreeSet};

use homelab::cluster::{Model, Role, Weights};
use homelab::desired::{Desired, DesiredService};
use homelab::engine::Gpus;
use homelab::names::{HostName, ServiceName};
use homelab::plan::{
    Action, Plan, ROOT_KEY_FILE, around_file, container_name, fetch_marker, fetch_name, previous_name,
    upstream_file,
};
use homelab::service::label;
use homelab::survey::{Container, FileSeen, Health, Look, Seen, State, Survey};

use crate::arbitrary::{mentioned, unasked};
use crate::edge;
use crate::surroundings::{Scenario, Truth, file, root_key, runs};

const STOPPED: State = State::Exited { code: 0, oom: false };

/// The hosts while a plan is carried out.
pub(crate) struct World {
    pub(crate) desired: Desired,
    pub(crate) survey: Survey,
    pub(crate) truth: BTreeMap<String, Truth>,
    /// The containers that were made, by service.
    made: BTreeMap<(HostName, ServiceName), String>,
    /// Containers that were started and did not answer yet, by id.
    loading: BTreeMap<String, HostName>,
    /// GPUs whose memory something that was stopped may still hold, as far as the host tells of it.
    held: BTreeSet<(HostName, u32)>,
    /// Containers that the plan takes away.
    leaving: BTreeSet<String>,
    count: usize,
    /// What happened that must not.
    pub(crate) wrong: Vec<String>,
    /// The host whose edge must lead to a gateway that answers, all the time.
    edge: Option<HostName>,
    /// What was done when it did not.
    pub(crate) unserved: Vec<String>,
}

impl World {
    pub(crate) fn new(scenario: Scenario, plan: &Plan) -> Self {
        let Scenario { desired, survey, truth } = scenario;
        let mut world = Self {
            desired,
            survey,
            truth,
            made: BTreeMap::new(),
            loading: BTreeMap::new(),
            held: BTreeSet::new(),
            leaving: BTreeSet::new(),
            count: 0,
            wrong: vec![],
            edge: None,
            unserved: vec![],
        };
        world.begin(plan);
        world
    }

    /// Gets ready for a plan: what takes memory already counts as loading until it answers.
    pub(crate) fn begin(&mut self, plan: &Plan) {
        self.made.clear();
        self.loading.clear();
        self.held.clear();
        self.leaving = leaving(plan);
        for (host, look) in &self.survey.hosts {
            let Look::Seen(seen) = look else { continue };
            let loads = |c: &&Container| {
                let loads = matches!(c.state, State::Restarting)
                    || (c.state == State::Running && matches!(c.health, Health::NotReady(_)));
                // What has lost its GPU loads nothing there.
                loads && !c.lost_gpu && waits_for(plan, host, c)
            };
            self.loading.extend(seen.containers.values().filter(loads).map(|c| (c.id.clone(), host.clone())));
        }
    }

    /// Watches only what the plan itself starts, and nothing but that it loads alone.
    pub(crate) fn only_what_is_started(&mut self) {
        self.loading.clear();
        self.leaving.clear();
    }

    /// What a new survey would see besides.
    pub(crate) fn look_again(&mut self) {
        self.survey.root_key = root_key(&self.desired, &self.survey);
    }

    fn seen(&mut self, host: &HostName) -> &mut Seen {
        match self.survey.hosts.get_mut(host) {
            Some(Look::Seen(seen)) => seen,
            _ => panic!("a step on {host}, which nobody reached"),
        }
    }

    /// Watches from now on whether the edge of that host leads to a gateway that answers.
    pub(crate) fn watch_edge(&mut self, host: HostName) {
        self.edge = Some(host);
    }

    /// Does an action, or the first half of it, and looks whether the edge is left without a gateway.
    pub(crate) fn act(&mut self, host: &HostName, action: &Action, half: bool) -> Result<(), String> {
        let done = self.effect(host, action, half);
        if let Some(at) = self.edge.clone()
            && !edge::serves(self.seen(&at))
        {
            self.unserved.push(format!("{action:?}"));
        }
        done
    }

    fn effect(&mut self, host: &HostName, action: &Action, half: bool) -> Result<(), String> {
        match action {
            Action::SetAside { service, id } => {
                self.stop(host, id)?;
                let name = previous_name(&self.desired, service);
                if half { Ok(()) } else { self.rename(host, id, name) }
            }
            Action::PutBack { service, id } => {
                let name = container_name(&self.desired, service);
                self.rename(host, id, name)?;
                if half || self.container(host, id)?.state == State::Running {
                    return Ok(());
                }
                self.start(host, id)
            }
            Action::Remove { id, .. } => {
                self.stop(host, id)?;
                if half { Ok(()) } else { self.remove(host, id) }
            }
            Action::RemoveMade { service } => {
                match self.made.get(&(host.clone(), service.clone())).cloned() {
                    Some(id) => {
                        self.seen(host).files.remove(&upstream_file(&id));
                        self.stop(host, &id)?;
                        self.remove(host, &id)
                    }
                    None => Ok(()),
                }
            }
            Action::Switch { .. } => self.edge_or_gateway(host, action, half),
            _ if half => Ok(()),
            Action::MoveAside { .. } | Action::Drain { .. } | Action::AwaitEdge { .. } => {
                self.edge_or_gateway(host, action, half)
            }
            Action::Create { service } => self.create(host, service),
            Action::Start { id, .. } => self.start(host, id),
            Action::Restart { id, .. } => {
                // Docker does both at once: what it holds itself nobody can wait for in between.
                let held = self.held.clone();
                self.stop(host, id)?;
                self.held = held;
                self.start(host, id)
            }
            Action::AwaitMemory { gpus, .. } => {
                self.held.retain(|(at, gpu)| at != host || !gpus.contains(gpu));
                Ok(())
            }
            Action::AwaitModel { service, .. } | Action::AwaitGateway { service, .. } => {
                self.answer(host, service)
            }
            Action::Reach { .. } => Ok(()),
            Action::LeadAround { .. } | Action::LeadBack { .. } => {
                self.lead(host, action);
                Ok(())
            }
            Action::RemoveFetch { id } => self.remove(host, id),
            other => self.around(host, other),
        }
    }

    /// What is done to the edge, or to a gateway behind it.
    fn edge_or_gateway(&mut self, host: &HostName, action: &Action, half: bool) -> Result<(), String> {
        match action {
            Action::Switch { service, id } => {
                let name = container_name(&self.desired, service);
                let named = self.seen(host).containers.get(&name).map(|c| c.id.clone());
                let id = id.clone().or(named).ok_or("no container")?;
                edge::lead(self.seen(host), &id, half);
                Ok(())
            }
            Action::MoveAside { service, id } => {
                let name = previous_name(&self.desired, service);
                self.rename(host, id, name)
            }
            Action::Drain { id, .. } => self.stop(host, id),
            Action::AwaitEdge { service, .. } => {
                if !edge::serves(self.seen(host)) {
                    return Err("no gateway answers through the edge".into());
                }
                self.answer(host, service)
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Leads requests around a server, and sees that others get them; or back to it.
    fn lead(&mut self, host: &HostName, action: &Action) {
        match action {
            Action::LeadAround { service, gateway, .. } => {
                if !self.others_answer(host, service, gateway) {
                    self.wrong.push(format!("nobody else serves what {host}/{service} does"));
                }
                let file = FileSeen { sha256: "6".into(), mode: 0o644 };
                self.seen(gateway).files.insert(around_file(host, service), file);
            }
            Action::LeadBack { service, gateway } => {
                self.seen(gateway).files.remove(&around_file(host, service));
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Whether each name of a server has another one that answers and gets requests.
    fn others_answer(&mut self, host: &HostName, service: &ServiceName, gateway: &HostName) -> bool {
        let around = self.seen(gateway).files.clone();
        let names = |service: &DesiredService| match &service.role {
            Role::Model(served) => served.models.iter().flat_map(Model::public).cloned().collect(),
            _ => vec![],
        };
        let answers = |at: &HostName, other: &ServiceName| {
            let container = container_name(&self.desired, other);
            let seen = self.survey.seen(at).and_then(|seen| seen.containers.get(&container));
            let serves =
                seen.is_some_and(|c| runs(c) && !matches!(c.health, Health::NotReady(_) | Health::Hung(_)));
            (at, other) != (host, service) && serves && !around.contains_key(&around_file(at, other))
        };
        names(&self.desired.hosts[host].services[service]).iter().all(|name| {
            self.desired.hosts.iter().any(|(at, wanted)| {
                let serves = |(other, desired): (&ServiceName, &DesiredService)| {
                    names(desired).contains(name) && answers(at, other)
                };
                wanted.services.iter().any(serves)
            })
        })
    }

    fn around(&mut self, host: &HostName, action: &Action) -> Result<(), String> {
        let mounted = self.mounted(host);
        let wanted = self.desired.hosts[host].services.clone();
        let fetcher = match action {
            Action::Fetch { service, marker, .. } => {
                let mut all = wanted[service].weights.iter();
                all.find(|w| fetch_marker(w) == *marker).map(|w| fetch_name(&self.desired, w))
            }
            _ => None,
        };
        let fetcher = fetcher.unwrap_or_default();
        let edge = container_name(&self.desired, &ServiceName::edge());
        let seen = self.seen(host);
        match action {
            Action::WriteRootKey => {
                seen.files.insert(ROOT_KEY_FILE.into(), FileSeen { sha256: "3".into(), mode: 0o600 });
            }
            Action::WriteFile { path, content } => drop(seen.files.insert(path.clone(), file(content))),
            Action::Reload { .. } | Action::ReloadBack { .. } => {
                if !seen.containers.get(&edge).is_some_and(|c| c.state == State::Running) {
                    return Err("no edge runs that could reload".into());
                }
            }
            Action::CreateNetwork { name } => drop(seen.networks.insert(name.clone(), true)),
            Action::Pull { image, digest } => {
                let id = digest.clone().unwrap_or_else(|| "pulled".to_owned());
                seen.images.0.insert(image.clone(), id);
            }
            Action::Fetch { service, what, marker } => {
                let wanted = &wanted[service];
                if !seen.images.contains(&wanted.service.image) {
                    return Err(format!("there is no image {}", wanted.service.image));
                }
                let is = |w: &Weights| w.what == *what && fetch_marker(w) == *marker;
                if !wanted.weights.iter().any(is) {
                    return Err(format!("{service} does not need {what}"));
                }
                // What was left of an earlier try gives way.
                seen.containers.retain(|name, _| *name != fetcher);
                seen.files.insert(marker.clone(), FileSeen { sha256: "4".into(), mode: 0o644 });
            }
            Action::RemoveFile { path } => {
                if mounted.contains(path) {
                    return Err(format!("{path} is still mounted"));
                }
                seen.files.remove(path);
            }
            Action::RemoveNetwork { name } => {
                if !seen.containers.is_empty() {
                    return Err("the network is in use".into());
                }
                seen.networks.remove(name);
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    fn mounted(&mut self, host: &HostName) -> BTreeSet<String> {
        let containers = self.seen(host).containers.values();
        containers.flat_map(|c| c.service.iter().flat_map(mentioned)).collect()
    }

    fn named(&mut self, host: &HostName, id: &str) -> Result<String, String> {
        let containers = &self.seen(host).containers;
        let found = containers.iter().find(|(_, c)| c.id == id).map(|(name, _)| name.clone());
        found.ok_or_else(|| format!("no container {id}"))
    }

    fn container(&mut self, host: &HostName, id: &str) -> Result<&mut Container, String> {
        let name = self.named(host, id)?;
        self.seen(host).containers.get_mut(&name).ok_or(name)
    }

    fn stop(&mut self, host: &HostName, id: &str) -> Result<(), String> {
        if runs(self.container(host, id)?) {
            let own = self.measured(host, id);
            self.held.extend(own);
        }
        let container = self.container(host, id)?;
        (container.state, container.health) = (STOPPED, Health::NotAsked);
        self.loading.remove(id);
        Ok(())
    }

    fn remove(&mut self, host: &HostName, id: &str) -> Result<(), String> {
        let name = self.named(host, id)?;
        self.seen(host).containers.remove(&name);
        self.loading.remove(id);
        Ok(())
    }

    fn rename(&mut self, host: &HostName, id: &str, to: String) -> Result<(), String> {
        let name = self.named(host, id)?;
        let seen = self.seen(host);
        if name == to {
            return Ok(());
        }
        if seen.containers.contains_key(&to) || seen.strangers.contains(&to) {
            return Err(format!("the name {to} is taken"));
        }
        let container = seen.containers.remove(&name).ok_or(name)?;
        seen.containers.insert(to, container);
        Ok(())
    }

    fn create(&mut self, host: &HostName, service: &ServiceName) -> Result<(), String> {
        let wanted = &self.desired.hosts[host].services[service];
        let digest = wanted.digest.clone();
        let (wanted, weights) = (wanted.service.clone(), wanted.weights.clone());
        let name = container_name(&self.desired, service);
        self.count += 1;
        let id = format!("new{}/{host}/{name}", self.count);
        let seen = self.seen(host);
        if seen.containers.contains_key(&name) || seen.strangers.contains(&name) {
            return Err(format!("the name {name} is taken"));
        }
        if !seen.images.contains(&wanted.image) {
            return Err(format!("there is no image {}", wanted.image));
        }
        let image = seen.images.id(&wanted.image).cloned().unwrap_or_default();
        if digest.is_some_and(|digest| !seen.images.is(&image, &wanted.image, &digest)) {
            return Err(format!("{} is not what is pinned", wanted.image));
        }
        if let Some(path) = mentioned(&wanted).into_iter().find(|path| !seen.files.contains_key(path)) {
            return Err(format!("there is no file {path}"));
        }
        if let Some(weights) = weights.iter().find(|w| !seen.files.contains_key(&fetch_marker(w))) {
            return Err(format!("{} is not downloaded", weights.what));
        }
        let mut labels = wanted.labels.clone();
        labels.insert(label::COMPOSE_SERVICE.to_owned(), service.to_string());
        labels.insert(label::SERVICE.to_owned(), "{}".into());
        let container = Container {
            id: id.clone(),
            image,
            service: Ok(wanted.clone()),
            labels,
            state: State::Created,
            restarts: 0,
            started_at: None,
            health: Health::NotAsked,
            lost_gpu: false,
            drift: vec![],
        };
        seen.containers.insert(name, container);
        self.truth.insert(id.clone(), Truth::of(&wanted));
        if let Err(why) = self.start(host, &id) {
            self.remove(host, &id)?;
            return Err(why);
        }
        self.made.insert((host.clone(), service.clone()), id);
        Ok(())
    }

    fn start(&mut self, host: &HostName, id: &str) -> Result<(), String> {
        let own = self.truth[id].clone();
        let truth = self.truth.clone();
        let seen = self.seen(host);
        let holds = |c: &&Container| c.id != id && runs(c) && !truth[&c.id].ports.is_disjoint(&own.ports);
        if let Some(other) = seen.containers.values().find(holds) {
            return Err(format!("port is already allocated, by {}", other.id));
        }
        if let Some(port) = own.ports.iter().find(|port| seen.taken.contains_key(port)) {
            return Err(format!("port {port} is already allocated"));
        }
        let container = self.container(host, id)?;
        (container.state, container.health) = (State::Running, Health::NotReady("connection refused".into()));
        container.lost_gpu = false;
        self.watch(host, id, &own.gpus);
        // One without a label that can be read can come back, but nobody can ask whether it answers.
        let container = self.container(host, id)?;
        if container.service.as_ref().is_ok_and(unasked) {
            container.health = Health::NotAsked;
        } else if container.service.is_ok() {
            self.loading.insert(id.to_owned(), host.clone());
        }
        Ok(())
    }

    /// The GPUs of a container whose memory its host tells of.
    fn measured(&mut self, host: &HostName, id: &str) -> BTreeSet<(HostName, u32)> {
        let gpus = self.truth[id].gpus.clone();
        let told = self.seen(host).facts.gpus.iter().filter(|gpu| gpu.memory_used.is_some());
        let own = told.filter(|gpu| overlap(&gpus, &Gpus::Some([gpu.index].into())));
        own.map(|gpu| (host.clone(), gpu.index)).collect()
    }

    /// Notes what is on the GPUs that something begins to load on and must not be.
    fn watch(&mut self, host: &HostName, id: &str, gpus: &Gpus) {
        let meets = |other: &String| overlap(&self.truth[other].gpus, gpus);
        let loading =
            self.loading.iter().filter(|(other, at)| *at == host && other.as_str() != id && meets(other));
        let mut wrong: Vec<String> =
            loading.map(|(other, _)| format!("{id} loads while {other} does")).collect();
        if let Some(Look::Seen(seen)) = self.survey.hosts.get(host) {
            let stays =
                |c: &&Container| runs(c) && self.leaving.contains(&c.id) && c.id != id && meets(&c.id);
            let there = seen.containers.values().filter(stays);
            wrong.extend(there.map(|c| format!("{id} loads before {} is gone", c.id)));
        }
        let held = self.measured(host, id).into_iter().filter(|gpu| self.held.contains(gpu));
        wrong.extend(held.map(|(_, gpu)| format!("{id} loads on GPU {gpu} before its memory is free")));
        self.wrong.extend(wrong);
    }

    /// Nobody waits for it any more: its time was up.
    pub(crate) fn gave_up(&mut self, host: &HostName, service: &ServiceName) {
        let name = container_name(&self.desired, service);
        let id = self.seen(host).containers.get(&name).map(|c| c.id.clone());
        self.loading.retain(|other, _| Some(other) != id.as_ref());
    }

    fn answer(&mut self, host: &HostName, service: &ServiceName) -> Result<(), String> {
        let name = container_name(&self.desired, service);
        let container = self.seen(host).containers.get_mut(&name).ok_or(format!("no container {name}"))?;
        if !runs(container) {
            return Err(format!("{name} does not run"));
        }
        (container.state, container.health) = (State::Running, Health::Ready);
        let id = container.id.clone();
        self.loading.remove(&id);
        Ok(())
    }
}

/// Whether two services may meet on a GPU.
pub(crate) fn overlap(a: &Gpus, b: &Gpus) -> bool {
    match (a, b) {
        (Gpus::None, _) | (_, Gpus::None) => false,
        (Gpus::All, _) | (_, Gpus::All) => true,
        (Gpus::Some(a), Gpus::Some(b)) => !a.is_disjoint(b),
        (Gpus::Named(a), Gpus::Named(b)) => !a.is_disjoint(b),
        (Gpus::Some(_), Gpus::Named(_)) | (Gpus::Named(_), Gpus::Some(_)) => true,
    }
}

/// Every container that the plan stops for good.
fn leaving(plan: &Plan) -> BTreeSet<String> {
    let ids = plan.steps().filter_map(|(_, step)| match &step.action {
        Action::SetAside { id, .. } | Action::Remove { id, .. } => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

/// Whether the plan keeps this container and waits until it answers.
fn waits_for(plan: &Plan, host: &HostName, container: &Container) -> bool {
    let own = container.labels.get(label::COMPOSE_SERVICE).cloned().unwrap_or_default();
    let waits =
        |action: &Action| matches!(action, Action::AwaitModel { service, .. } if service.as_str() == own);
    plan.steps().any(|(at, step)| at == host && waits(&step.action)) && !leaving(plan).contains(&container.id)
}
