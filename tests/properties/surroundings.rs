//! Random surveys of a random cluster: each service in any condition, leftovers, strangers, files.

use std::collections::{BTreeMap, BTreeSet};

use homelab::desired::{Desired, DesiredHost};
use homelab::engine::Gpus;
use homelab::names::{HostName, ServiceName};
use homelab::plan::{container_name, fetch_marker, network_name, previous_name};
use homelab::service::{Service, label};
use homelab::survey::{Container, Failure, FileSeen, Gpu, Health, Look, RootKey, Seen, State, Survey};
use sha2::{Digest as _, Sha256};

use crate::arbitrary::{
    self, Mood, PIN, companion_service, gateway_service, model_service, service_name, unasked,
};
use crate::dice::Dice;
use crate::edge;

/// What should be, what is, and what no survey can see.
pub(crate) struct Scenario {
    pub(crate) desired: Desired,
    pub(crate) survey: Survey,
    /// What each container really has, by its id: `docker compose` writes no label about it.
    pub(crate) truth: BTreeMap<String, Truth>,
}

/// What a container has while it runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Truth {
    pub(crate) gpus: Gpus,
    pub(crate) ports: BTreeSet<u16>,
}

impl Truth {
    pub(crate) fn of(service: &Service) -> Self {
        let gpus = service.labels.get(label::GPUS).map_or(Gpus::None, |text| Gpus::from_label(text));
        Self { gpus, ports: service.published().map(|p| p.host).filter(|port| *port != 0).collect() }
    }
}

impl Scenario {
    pub(crate) fn new(bytes: &[u8], mood: Mood) -> Self {
        let mut dice = Dice::new(bytes);
        let desired = arbitrary::desired(&mut dice);
        let mut truth = BTreeMap::new();
        let mut hosts = BTreeMap::new();
        for (name, host) in &desired.hosts {
            let mut around = Around { dice: &mut dice, mood, desired: &desired, name, truth: &mut truth };
            hosts.insert(name.clone(), around.look(host));
        }
        let mut survey = Survey { hosts, ..Survey::default() };
        survey.root_key = root_key(&desired, &survey);
        Self { desired, survey, truth }
    }
}

/// What the root key's file tells.
pub(crate) fn root_key(desired: &Desired, survey: &Survey) -> RootKey {
    match desired.gateway.as_ref().and_then(|host| survey.seen(host)) {
        None => RootKey::Unknown,
        Some(seen) if seen.files.contains_key(homelab::plan::ROOT_KEY_FILE) => RootKey::Present,
        Some(_) => RootKey::Absent,
    }
}

/// Whether Docker keeps it running.
pub(crate) fn runs(container: &Container) -> bool {
    matches!(container.state, State::Running | State::Restarting | State::Paused)
}

pub(crate) fn failure(what: &str) -> Failure {
    Failure { step: "connecting".into(), what: what.into(), lines: vec![], hint: None, finding: None }
}

/// How a file looks that holds this.
pub(crate) fn file(content: &homelab::secret::Content) -> FileSeen {
    let bytes = content.as_plain().unwrap_or_else(|| b"secret".to_vec());
    let sha256 = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    FileSeen { sha256, mode: content.mode() }
}

struct Around<'a, 'd> {
    dice: &'a mut Dice<'d>,
    mood: Mood,
    desired: &'a Desired,
    name: &'a HostName,
    truth: &'a mut BTreeMap<String, Truth>,
}

impl Around<'_, '_> {
    fn look(&mut self, host: &DesiredHost) -> Look {
        if self.mood == Mood::Any && self.dice.once_in(12) {
            let why = failure("no route to host");
            return if self.dice.coin() { Look::Failed(why) } else { Look::Away(why) };
        }
        let mut seen = Seen::default();
        seen.facts.home = "/home/me".into();
        seen.facts.gpus = self.gpus();
        self.strangers(host, &mut seen);
        for (name, wanted) in &host.services {
            self.wanted(name, &wanted.service, &mut seen);
        }
        for name in ["x", "y", "litellm", "caddy", "web"] {
            if !host.services.contains_key(&service_name(name)) && self.dice.once_in(3) {
                self.leftover(&service_name(name), &mut seen);
            }
        }
        self.rest(host, &mut seen);
        Look::Seen(Box::new(seen))
    }

    /// Two GPUs with memory of their own, or with the system's, or nobody could ask for them.
    fn gpus(&mut self) -> Vec<Gpu> {
        let memory = match self.dice.below(4) {
            2 => None,
            3 => return vec![],
            _ => Some(24_000),
        };
        let one = |index| Gpu { index, name: "GPU".into(), memory_total: memory, memory_used: memory };
        vec![one(0), one(1)]
    }

    /// What is not homelab's.
    fn strangers(&mut self, host: &DesiredHost, seen: &mut Seen) {
        seen.strangers.insert("grafana".into());
        seen.taken.insert(3000, "container grafana".into());
        if self.mood == Mood::Clear || !self.dice.once_in(6) {
            return;
        }
        let Some(name) = host.services.keys().next() else { return };
        if self.dice.coin() {
            seen.strangers.insert(container_name(self.desired, name));
        } else {
            let port = host.services[name].port.map_or(1, homelab::names::Port::get);
            seen.taken.insert(port, "a process".into());
        }
    }

    /// The containers of a service that should run.
    fn wanted(&mut self, name: &ServiceName, wanted: &Service, seen: &mut Seen) {
        let current = container_name(self.desired, name);
        if !seen.strangers.contains(&current) {
            // Behind an edge the gateway is mostly just to be replaced.
            let kind = if edge::is_before(self.desired) && *name == ServiceName::gateway() { 9 } else { 5 };
            match self.dice.below(kind) {
                5..9 => {
                    self.put(current, name, Ok(gateway_service(0, 1)), seen);
                }
                0 | 1 => self.put(current, name, Ok(wanted.clone()), seen),
                2 => {}
                3 => {
                    let older = self.older(name, wanted);
                    self.put(current, name, Ok(older), seen);
                }
                _ => {
                    let odd = self.odd(name, wanted);
                    self.put(current, name, odd, seen);
                }
            }
        }
        if self.dice.once_in(4) {
            let older = if self.dice.coin() { self.older(name, wanted) } else { wanted.clone() };
            self.put(previous_name(self.desired, name), name, Ok(older), seen);
        }
    }

    fn leftover(&mut self, name: &ServiceName, seen: &mut Seen) {
        let service = self.older(name, &Service::default());
        let service = if self.dice.once_in(6) { self.odd(name, &service) } else { Ok(service) };
        match self.dice.below(6) {
            4 => self.put(previous_name(self.desired, name), name, service, seen),
            5 => {
                self.put(container_name(self.desired, name), name, service.clone(), seen);
                self.put(previous_name(self.desired, name), name, service, seen);
            }
            _ => self.put(container_name(self.desired, name), name, service, seen),
        }
    }

    /// The same name with another image, port or GPU.
    fn older(&mut self, name: &ServiceName, wanted: &Service) -> Service {
        if *name == ServiceName::gateway() {
            let behind = edge::is_before(self.desired) != self.dice.once_in(4);
            let port = if behind { 0 } else { 4000 + u16::from(self.dice.once_in(4)) };
            return gateway_service(port, 1 + usize::from(behind && self.dice.once_in(8)));
        }
        if *name == ServiceName::edge() {
            return edge::service(4000 + u16::from(self.dice.once_in(4)), 1);
        }
        if arbitrary::COMPANIONS.contains(&name.as_str()) {
            let port = arbitrary::companion_port(self.dice);
            return companion_service(port, self.dice.coin(), 1);
        }
        let truth = Truth::of(wanted);
        let port = truth.ports.first().copied().filter(|_| !self.dice.once_in(3));
        let port = port.unwrap_or_else(|| match self.dice.below(7) {
            6 if wanted.image.is_empty() => 4000,
            other => 8000 + u16::try_from(other).unwrap(),
        });
        let gpus = if self.dice.once_in(3) { truth.gpus } else { arbitrary::gpus(self.dice) };
        model_service(name.as_str(), &gpus, port, 1)
    }

    /// One whose label tells nothing: made by Compose, or, where that may be, by who knows whom.
    fn odd(&mut self, name: &ServiceName, wanted: &Service) -> Result<Service, Box<(Service, bool)>> {
        let service = self.older(name, wanted);
        let unreadable = self.mood == Mood::Any && self.dice.coin();
        Err(Box::new((service, unreadable)))
    }

    fn put(
        &mut self,
        container: String,
        name: &ServiceName,
        service: Result<Service, Box<(Service, bool)>>,
        seen: &mut Seen,
    ) {
        let is_previous = container.ends_with(".previous");
        let id = format!("{:04}/{}/{container}", self.truth.len(), self.name);
        let (state, health) = self.condition(is_previous);
        let real = service.as_ref().unwrap_or_else(|odd| &odd.0);
        let truth = Truth::of(real);
        let mut labels = BTreeMap::from([(label::COMPOSE_SERVICE.to_owned(), name.to_string())]);
        labels.extend(real.labels.clone());
        if service.as_ref().map_or_else(|odd| odd.1, |_| true) {
            labels.insert(label::SERVICE.to_owned(), "{}".into());
        }
        let drift =
            if self.dice.once_in(12) { vec!["image: label says A, Docker says B".into()] } else { vec![] };
        let image = [PIN, PIN, "", "other"][self.dice.below(4)].to_owned();
        let lost_gpu = state == State::Running && truth.gpus != Gpus::None && self.dice.once_in(12);
        let mut made = Container {
            id: id.clone(),
            image,
            service: service.map_err(|_| "unknown field".to_owned()),
            labels,
            state,
            restarts: 0,
            started_at: None,
            health,
            lost_gpu,
            drift,
        };
        // A port has one holder; the later of two could not start.
        let holds = |c: &Container| runs(c) && !self.truth[&c.id].ports.is_disjoint(&truth.ports);
        if seen.containers.values().any(holds) || truth.ports.iter().any(|p| seen.taken.contains_key(p)) {
            (made.state, made.health) = (State::Exited { code: 1, oom: false }, Health::NotAsked);
        }
        // Without its label nobody knows where to ask it, and some have nothing to be asked.
        if made.service.as_ref().map_or(true, unasked) {
            made.health = Health::NotAsked;
        }
        self.truth.insert(id, truth);
        seen.containers.insert(container, made);
    }

    /// What a run that was killed left downloading.
    fn unfinished(&mut self, host: &DesiredHost, seen: &mut Seen) {
        let all =
            host.services.iter().flat_map(|(name, wanted)| wanted.weights.iter().map(move |w| (name, w)));
        for (name, weights) in all {
            if !self.dice.once_in(6) {
                continue;
            }
            let container = homelab::plan::fetch_name(self.desired, weights);
            let id = format!("{}/{container}", self.name);
            let labels = [(label::ROLE, "fetch".to_owned()), (label::FETCH, name.to_string())];
            let state = if self.dice.coin() { State::Running } else { State::Exited { code: 0, oom: false } };
            let left = Container {
                lost_gpu: false,
                id: id.clone(),
                image: String::new(),
                service: Err("EOF while parsing".into()),
                labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
                state,
                restarts: 0,
                started_at: None,
                health: Health::NotAsked,
                drift: vec![],
            };
            self.truth.insert(id, Truth::of(&Service::default()));
            seen.containers.insert(container, left);
        }
    }

    fn condition(&mut self, is_previous: bool) -> (State, Health) {
        if is_previous {
            // Now and then somebody started it by hand, and it serves.
            let by_hand = self.dice.once_in(8);
            let lies = (State::Exited { code: 0, oom: false }, Health::NotAsked);
            return if by_hand { (State::Running, Health::Ready) } else { lies };
        }
        match self.dice.below(17) {
            8 => (State::Running, Health::NotReady("connection refused".into())),
            9 => (State::Running, Health::Hung("no answer in 5 s".into())),
            10 => (State::Exited { code: 0, oom: false }, Health::NotAsked),
            11 => (State::Exited { code: 137, oom: true }, Health::NotAsked),
            12 => (State::Restarting, Health::NotAsked),
            13 => (State::Created, Health::NotAsked),
            14 => (State::Paused, Health::NotAsked),
            15 => (State::Dead, Health::NotAsked),
            16 => (State::Running, Health::Lacks(vec!["b".into()])),
            _ => (State::Running, Health::Ready),
        }
    }

    /// Images, networks and files.
    fn rest(&mut self, host: &DesiredHost, seen: &mut Seen) {
        for wanted in host.services.values() {
            let needed = wanted.service.pull_policy.as_deref() == Some("never") && self.mood == Mood::Clear;
            if needed || !self.dice.once_in(3) {
                // Somebody may have pulled another one by that tag.
                let id = if self.dice.once_in(3) { "other" } else { PIN };
                seen.images.0.insert(wanted.service.image.clone(), id.to_owned());
            }
            for weights in wanted.weights.iter().filter(|_| self.dice.coin()) {
                seen.files.insert(fetch_marker(weights), FileSeen { sha256: "4".into(), mode: 0o644 });
            }
        }
        if !self.dice.once_in(4) {
            seen.networks.insert(network_name(self.desired), !self.dice.once_in(8));
        }
        for network in &host.external_networks {
            if self.mood == Mood::Clear || !self.dice.once_in(4) {
                seen.networks.insert(network.clone(), false);
            }
        }
        self.unfinished(host, seen);
        edge::leads(self.dice, self.desired, self.name, seen);
        for (path, content) in &host.files {
            match self.dice.below(8) {
                6 => {}
                7 => drop(seen.files.insert(path.clone(), FileSeen { sha256: "0".into(), mode: 0o644 })),
                _ => drop(seen.files.insert(path.clone(), file(content))),
            }
        }
        let mounted: Vec<String> =
            seen.containers.values().flat_map(|c| c.service.iter().flat_map(arbitrary::mentioned)).collect();
        let others =
            ["env/old.env", "litellm/config-old.yml", "edge/tls-old.key", "around/h0.a.url", "notes.txt"];
        let others = others.map(str::to_owned);
        for path in mounted.into_iter().chain(others.into_iter().filter(|_| self.dice.once_in(4))) {
            seen.files.entry(path).or_insert(FileSeen { sha256: "1".into(), mode: 0o600 });
        }
        if self.desired.gateway.as_ref() == Some(self.name) && !self.dice.once_in(4) {
            seen.files
                .insert(homelab::plan::ROOT_KEY_FILE.into(), FileSeen { sha256: "2".into(), mode: 0o600 });
        }
    }
}
