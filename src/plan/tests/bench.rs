//! A bench for tests of the plan: what should be and what is, in a few words, and the plan as an
//! outline of its stages, waves, lanes and ways back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cluster::{Before, Model, Role, Served};
use crate::desired::{Desired, DesiredHost, DesiredService};
use crate::engine::{Gpus, Kind, Load};
use crate::gateway::{CADDYFILE, UPSTREAM_DIRECTORY};
use crate::image;
use crate::names::{HostName, ModelName, Port, ProjectName, ServiceName};
use crate::secret::{Content, SecretRef};
use crate::service::{Service, label};
use crate::survey::{Container, Failure, Gpu, Health, Look, RootKey, Seen, State, Survey};

use crate::plan::files::file_seen;
use crate::plan::{Action, Plan, Step, Task, container_name, plan, previous_name, text, upstream_file};

/// What should be and what is. Hosts have every file, image and network they need.
pub(super) struct Bench {
    pub(super) desired: Desired,
    pub(super) survey: Survey,
}

pub(super) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub(super) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

fn gpus(list: &str) -> Gpus {
    match list {
        "none" => Gpus::None,
        "all" => Gpus::All,
        list => Gpus::Some(list.split(',').map(|i| i.parse().unwrap()).collect()),
    }
}

/// A model's service: its version shows in its image and its longest context.
pub(super) fn model(name: &str, gpus: &str, port: u16, version: u16) -> Service {
    let labels = [("model", label::ROLE), ("vllm", label::ENGINE), ("chat", label::KIND)];
    let labels = labels.into_iter().chain([(gpus, label::GPUS), (name, label::MODEL)]);
    Service {
        image: format!("vllm:v{version}"),
        command: Some(vec![name.into(), "--max-model-len".into(), format!("{version}000")]),
        ports: vec![format!("0.0.0.0:{port}:8000")],
        labels: labels.map(|(value, key)| (key.to_owned(), value.to_owned())).collect(),
        ..Service::default()
    }
}

pub(super) fn gateway(version: u16) -> Service {
    Service {
        image: format!("litellm:v{version}"),
        ports: vec!["0.0.0.0:4000:4000".into()],
        labels: [(label::GPUS, "none"), (label::ROLE, "gateway")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..Service::default()
    }
}

/// What stands beside the gateway: its version shows in its image.
pub(super) fn companion(port: u16, version: u16) -> Service {
    let labels = [(label::ROLE, label::COMPANION), (label::ENGINE, "web"), (label::GPUS, "none")];
    Service {
        image: format!("web:v{version}"),
        ports: vec![format!("127.0.0.1:{port}:80")],
        labels: labels
            .into_iter()
            .chain([(label::HEALTH, "/ready")])
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        ..Service::default()
    }
}

pub(super) fn running(service: Service) -> Container {
    Container {
        id: String::new(),
        image: String::new(),
        labels: service.labels.clone(),
        service: Ok(service),
        state: State::Running,
        restarts: 0,
        started_at: None,
        health: Health::Ready,
        lost_gpu: false,
        drift: vec![],
    }
}

pub(super) fn stopped(service: Service) -> Container {
    let state = State::Exited { code: 0, oom: false };
    Container { state, health: Health::NotAsked, ..running(service) }
}

/// A gateway that only its edge and the host itself reach.
pub(super) fn unpublished(version: u16) -> Service {
    Service { ports: vec!["127.0.0.1::4000".into()], ..gateway(version) }
}

pub(super) fn edge(version: u16) -> Service {
    let labels = [(label::GPUS, "none"), (label::ROLE, "edge")];
    Service {
        image: format!("caddy:v{version}"),
        ports: vec!["0.0.0.0:4000:443".into(), "127.0.0.1::2080".into()],
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Service::default()
    }
}

impl Bench {
    /// Hosts, the gateway on the last of them, where it runs as it should.
    pub(super) fn new(hosts: &[&str]) -> Self {
        let empty = |name: &&str| {
            let dir = "/home/me/homelab/homelab".to_owned();
            let (files, services) = (BTreeMap::new(), BTreeMap::new());
            (
                host(name),
                DesiredHost { dir, files, services, external_networks: vec![], logins: BTreeMap::new() },
            )
        };
        let edge = host(hosts[hosts.len() - 1]);
        let hosts: BTreeMap<HostName, DesiredHost> = hosts.iter().map(empty).collect();
        let mut survey = Survey { root_key: RootKey::Present, ..Survey::default() };
        for name in hosts.keys() {
            let networks = [("homelab_default".to_owned(), true)].into();
            let images =
                ["vllm:v1", "vllm:v2", "litellm:v1", "litellm:v2", "web:v1", "web:v2"].into_iter().collect();
            let seen = Seen { networks, images, ..Seen::default() };
            survey.hosts.insert(name.clone(), Look::Seen(Box::new(seen)));
        }
        let project = ProjectName::homelab();
        let mut bench = Self {
            desired: Desired {
                project,
                gateway: Some(edge.clone()),
                hosts,
                externals: vec![],
                stands_in: BTreeMap::new(),
            },
            survey,
        };
        let role = Role::Gateway {
            master_key: SecretRef::gateway(),
            names: BTreeMap::new(),
            drain: None,
            around: None,
        };
        bench.want(edge.as_str(), ServiceName::gateway().as_str(), (gateway(2), role, Gpus::None, 4000));
        bench.has(edge.as_str(), "litellm", running(gateway(2)))
    }

    fn want(&mut self, at: &str, name: &str, (wanted, role, gpus, port): (Service, Role, Gpus, u16)) {
        let port = Some(Port::new(i64::from(port)).unwrap());
        let wanted = DesiredService {
            service: wanted,
            digest: None,
            role,
            gpus,
            port,
            ready_timeout: 60,
            weights: vec![],
            repositories: vec![],
        };
        self.desired.hosts.get_mut(&host(at)).unwrap().services.insert(service(name), wanted);
    }

    /// Version 2 of a model should run.
    pub(super) fn wants(mut self, at: &str, name: &str, on: &str, port: u16) -> Self {
        let public = ModelName::new(name).unwrap();
        let served = Served {
            name: public.clone(),
            models: vec![Model {
                name: public.clone(),
                aliases: vec![],
                upstream: name.to_owned(),
                kind: Kind::Chat,
                load: Load::Startup,
                loading: None,
            }],
            engine: "vllm",
            api_key: None,
            address: None,
        };
        self.want(at, name, (model(name, on, port, 2), Role::Model(served), gpus(on), port));
        for host in self.desired.hosts.values_mut() {
            if let Some(DesiredService { role: Role::Gateway { names, .. }, .. }) =
                host.services.get_mut(&ServiceName::gateway())
            {
                names.insert(public.clone(), (Kind::Chat, Load::Startup));
            }
        }
        self
    }

    /// Version 2 of something beside the gateway should run.
    pub(super) fn wants_beside(mut self, at: &str, name: &str, port: u16) -> Self {
        self.want(at, name, (companion(port, 2), Role::Companion, Gpus::None, port));
        self
    }

    pub(super) fn seen(&mut self, at: &str) -> &mut Seen {
        match self.survey.hosts.get_mut(&host(at)) {
            Some(Look::Seen(seen)) => seen,
            other => panic!("{at}: {other:?}"),
        }
    }

    /// An edge stands before the gateway, and leads to it.
    pub(super) fn behind_edge(mut self, at: &str) -> Self {
        let file = Content::plain("caddyfile");
        let before =
            Before { url: "https://box".into(), names: vec!["box".into()], master_key: SecretRef::gateway() };
        self.want(at, "caddy", (edge(2), Role::Edge(before), Gpus::None, 4000));
        let wanted = self.desired.hosts.get_mut(&host(at)).unwrap();
        wanted.files.insert(CADDYFILE.to_owned(), file.clone());
        let gateway = wanted.services.get_mut(&ServiceName::gateway()).unwrap();
        (gateway.service, gateway.port) = (unpublished(2), None);
        if let Role::Gateway { drain, .. } = &mut gateway.role {
            *drain = Some(600);
        }
        let seen = self.seen(at);
        seen.images.0.extend(["caddy:v1", "caddy:v2"].map(|name| (name.to_owned(), name.to_owned())));
        seen.files.insert(CADDYFILE.to_owned(), file_seen(&file));
        self.leads_to(at, &["#litellm-1"]).has(at, "litellm", running(unpublished(2))).has(
            at,
            "caddy",
            running(edge(2)),
        )
    }

    /// The gateway is to lead requests around servers, and does so already.
    pub(super) fn leads_around(mut self, at: &str) -> Self {
        let heeds = |service: &mut Service| service.volumes.push("./around:/etc/litellm/around:ro".into());
        let wanted = self.desired.hosts.get_mut(&host(at)).unwrap();
        let gateway = wanted.services.get_mut(&ServiceName::gateway()).unwrap();
        heeds(&mut gateway.service);
        if let Role::Gateway { around, .. } = &mut gateway.role {
            *around = Some(600);
        }
        let running = gateway.service.clone();
        self.has(at, "litellm", self::running(running))
    }

    /// The edge leads to these containers.
    pub(super) fn leads_to(mut self, at: &str, ids: &[&str]) -> Self {
        let empty = file_seen(&Content::plain(""));
        let seen = self.seen(at);
        seen.files.retain(|path, _| !path.starts_with(UPSTREAM_DIRECTORY));
        seen.files.extend(ids.iter().map(|id| (upstream_file(id), empty.clone())));
        self
    }

    fn put(mut self, at: &str, (container, name): (String, &str), found: Container) -> Self {
        let mut labels = found.labels.clone();
        labels.insert(label::COMPOSE_SERVICE.into(), name.into());
        let id = format!("#{}", container.trim_start_matches("homelab-"));
        self.seen(at).containers.insert(container, Container { id, labels, ..found });
        self
    }

    /// A host has GPUs with so many MiB used; none where their memory is the system's.
    pub(super) fn gpus(mut self, at: &str, used: &[Option<u64>]) -> Self {
        let gpu = |(index, used): (u32, &Option<u64>)| Gpu {
            index,
            name: "GPU".into(),
            memory_total: used.map(|_| 24_564),
            memory_used: *used,
        };
        self.seen(at).facts.gpus = (0..).zip(used).map(gpu).collect();
        self
    }

    /// A service has this container.
    pub(super) fn has(self, at: &str, name: &str, found: Container) -> Self {
        let container = container_name(&self.desired, &service(name));
        self.put(at, (container, name), found)
    }

    /// A service has this container set aside.
    pub(super) fn had(self, at: &str, name: &str, found: Container) -> Self {
        let container = previous_name(&self.desired, &service(name));
        self.put(at, (container, name), found)
    }

    pub(super) fn down(mut self, at: &str) -> Self {
        let what = "no route to host".to_owned();
        let why = Failure { step: "connecting".into(), what, lines: vec![], hint: None, finding: None };
        self.survey.hosts.insert(host(at), Look::Failed(why));
        self
    }

    /// It is optional, and does not answer.
    pub(super) fn away(mut self, at: &str) -> Self {
        self = self.down(at);
        let Some(Look::Failed(why)) = self.survey.hosts.remove(&host(at)) else { panic!("{at} is up") };
        self.survey.hosts.insert(host(at), Look::Away(why));
        self
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.desired, &self.survey)
    }

    pub(super) fn outline(&self) -> String {
        outline(&self.plan())
    }

    pub(super) fn text(&self) -> String {
        text(&self.plan(), self.desired.hosts.len())
    }
}

/// A plan as text: `stage`, a line per lane, `ahead | task; task` and the ways back in brackets.
pub(super) fn outline(plan: &Plan) -> String {
    let mut out = String::new();
    for blocked in &plan.blocked {
        let service = blocked.service.as_ref().map_or("-", |service| service.as_str());
        let _ = writeln!(out, "blocked {} {service}: {}", blocked.host, blocked.why.what);
    }
    for stage in &plan.stages {
        for (i, wave) in stage.waves.iter().enumerate() {
            let number = if stage.waves.len() > 1 { format!(" {}", i + 1) } else { String::new() };
            let _ = writeln!(out, "{}{number}", format!("{:?}", stage.name).to_lowercase());
            for lane in wave {
                let ahead: Vec<String> = lane.tasks.iter().flat_map(|t| &t.ahead).map(step).collect();
                let ahead = if ahead.is_empty() { String::new() } else { format!("{} | ", ahead.join(", ")) };
                let tasks: Vec<String> = lane.tasks.iter().map(task).filter(|t| !t.is_empty()).collect();
                let line = format!("  {}: {ahead}{}", lane.host, tasks.join("; "));
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
    }
    out
}

fn task(task: &Task) -> String {
    let steps: Vec<String> = task.steps.iter().map(step).collect();
    let back: Vec<String> = task.way_back.iter().map(step).collect();
    let of = |(host, service): &(HostName, ServiceName)| format!("{host}/{service}");
    let host = task.after_host.iter().map(ToString::to_string);
    let after: Vec<String> = host.chain(task.after.iter().map(of)).collect();
    let back = if back.is_empty() { String::new() } else { format!(" [{}]", back.join(", ")) };
    let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(" ")) };
    format!("{}{back}{after}", steps.join(", ")).trim_start().to_owned()
}

fn step(step: &Step) -> String {
    let mark = if step.interrupts { "!" } else { "" };
    let text = match &step.action {
        Action::WriteRootKey => "root key".to_owned(),
        Action::WriteFile { path, .. } => format!("write {path}"),
        Action::CreateNetwork { name } => format!("network {name}"),
        Action::Pull { image, digest } => match digest {
            None => format!("pull {image}"),
            Some(digest) => format!("pull {image}@{}", image::short(digest)),
        },
        Action::Fetch { what, .. } => format!("fetch {what}"),
        Action::RemoveFetch { id } => format!("unfetch {id}"),
        Action::SetAside { id, .. } => format!("aside {id}"),
        Action::MoveAside { id, .. } => format!("beside {id}"),
        Action::Switch { service, id: None } => format!("switch to {service}"),
        Action::Switch { id: Some(id), .. } => format!("switch to {id}"),
        Action::Drain { id, .. } => format!("drain {id}"),
        Action::LeadAround { backend, .. } => format!("around {backend}"),
        Action::LeadBack { service, .. } => format!("again to {service}"),
        Action::Reload { service } => format!("reload {service}"),
        Action::ReloadBack { service } => format!("reload {service} as it was"),
        Action::AwaitEdge { service, .. } => format!("await {service}"),
        Action::Create { service } => format!("create {service}"),
        Action::Start { id, .. } => format!("start {id}"),
        Action::Restart { id, .. } => format!("restart {id}"),
        Action::PutBack { id, .. } => format!("back {id}"),
        Action::Remove { id, .. } => format!("remove {id}"),
        Action::RemoveMade { service } => format!("unmake {service}"),
        Action::AwaitMemory { gpus, .. } => format!("memory of {gpus:?}"),
        Action::AwaitModel { service, .. } => format!("await {service}"),
        Action::Reach { service, from, .. } => format!("reach {service} from {from}"),
        Action::AwaitGateway { names, .. } => {
            let names: Vec<&str> = names.iter().map(|ask| ask.name.as_str()).collect();
            format!("ask for [{}]", names.join(" "))
        }
        Action::RemoveFile { path } => format!("unlink {path}"),
        Action::RemoveNetwork { name } => format!("unnet {name}"),
    };
    format!("{mark}{text}")
}
