//! Random clusters and what is there of them: what should run, what does, what is in the way.
//! Only what can be: two running containers never hold one port of a host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use homelab::cluster::{External, Model, Role, Served, Weights};
use homelab::desired::{Desired, DesiredHost, DesiredService};
use homelab::diagnostic::{Origin, Source};
use homelab::engine::{Gpus, Kind, Load};
use homelab::gateway::{AROUND_DIRECTORY, AROUND_MOUNTED, CADDYFILE};
use homelab::names::{HostName, ModelName, Port, ProjectName, ServiceName};
use homelab::secret::{Content, SecretRef};
use homelab::service::{Service, label};

use crate::dice::Dice;
use crate::edge;

pub(crate) const MODELS: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(crate) const COMPANIONS: [&str; 2] = ["watch", "web"];

/// Whether anything may be in the way of a deploy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Every host is up and everything can be done.
    Clear,
    /// Hosts are down, ports taken, images missing.
    Any,
}

/// What an image is pinned to, if it is.
pub(crate) const PIN: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";

pub(crate) fn host_name(index: usize) -> HostName {
    HostName::new(format!("h{index}")).unwrap()
}

pub(crate) fn service_name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub(crate) fn gpus(dice: &mut Dice<'_>) -> Gpus {
    match dice.below(6) {
        5 => Gpus::Named(BTreeSet::from(["GPU-3f1c2a9e".to_owned()])),
        0 => Gpus::Some(BTreeSet::from([0])),
        1 => Gpus::None,
        2 => Gpus::Some(BTreeSet::from([1])),
        3 => Gpus::Some(BTreeSet::from([0, 1])),
        _ => Gpus::All,
    }
}

pub(crate) fn gpus_word(gpus: &Gpus) -> String {
    match gpus {
        Gpus::None => "none".into(),
        Gpus::All => "all".into(),
        Gpus::Some(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        Gpus::Named(named) => named.iter().cloned().collect::<Vec<_>>().join(","),
    }
}

/// What a model's container is made from.
pub(crate) fn model_service(name: &str, gpus: &Gpus, port: u16, version: usize) -> Service {
    let labels = [
        (label::ROLE, "model".to_owned()),
        (label::ENGINE, "vllm".to_owned()),
        (label::HEALTH, "/health".to_owned()),
        (label::GPUS, gpus_word(gpus)),
        (label::MODEL, name.to_owned()),
        (label::KIND, "chat".to_owned()),
    ];
    Service {
        image: format!("vllm/vllm-openai:v{version}"),
        command: Some(vec![name.to_owned(), "--max-model-len".into(), format!("{version}000")]),
        env_file: vec![format!("./env/{name}-{version}.env")],
        ports: vec![format!("0.0.0.0:{port}:8000")],
        networks: vec!["default".into()],
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..Service::default()
    }
}

/// Port 0 is one that only its edge and the host itself reach.
pub(crate) fn gateway_service(port: u16, version: usize) -> Service {
    let labels = [(label::ROLE, "gateway"), (label::ENGINE, "litellm"), (label::GPUS, "none")];
    Service {
        image: "ghcr.io/berriai/litellm:v1".into(),
        volumes: vec![
            format!("./litellm/config-{version}.yml:/etc/litellm/config.yml:ro"),
            format!("./{AROUND_DIRECTORY}:{AROUND_MOUNTED}:ro"),
        ],
        ports: vec![match port {
            0 => "127.0.0.1::4000".to_owned(),
            port => format!("0.0.0.0:{port}:4000"),
        }],
        networks: vec!["default".into()],
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Service::default()
    }
}

/// A port of a companion's: now and then one that a model or the gateway may have, too.
pub(crate) fn companion_port(dice: &mut Dice<'_>) -> u16 {
    [9090, 9091, 9092, 8001, 8002, 4001][dice.below(6)]
}

/// What stands beside the gateway; not every one can be asked how it is.
pub(crate) fn companion_service(port: u16, asked: bool, version: usize) -> Service {
    let mut labels =
        BTreeMap::from([(label::ROLE, label::COMPANION), (label::ENGINE, "web"), (label::GPUS, "none")]);
    if asked {
        labels.insert(label::HEALTH, "/ready");
    }
    Service {
        image: format!("web:v{version}"),
        ports: vec![format!("0.0.0.0:{port}:80")],
        networks: vec!["default".into()],
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..Service::default()
    }
}

/// Whether it is something that nobody can ask how it is.
pub(crate) fn unasked(service: &Service) -> bool {
    let companion = service.labels.get(label::ROLE).is_some_and(|role| role == label::COMPANION);
    companion && !service.labels.contains_key(label::HEALTH)
}

/// The companions of a host, on ports that no other service of it is to have.
fn companions(dice: &mut Dice<'_>, host: &mut DesiredHost, taken: u16) {
    for name in COMPANIONS {
        if dice.coin() {
            continue;
        }
        let port = companion_port(dice);
        let has = |service: &DesiredService| service.port.is_some_and(|other| other.get() == port);
        if port != taken && !host.services.values().any(has) {
            let service = companion_service(port, !dice.once_in(4), 2);
            add(host, service_name(name), desired_service(service, Role::Companion, (Gpus::None, port)));
        }
    }
}

/// What every host should have. Version 2 of everything is wanted.
pub(crate) fn desired(dice: &mut Dice<'_>) -> Desired {
    let count = 1 + dice.below(4);
    let gateway = host_name(dice.below(count));
    let mut hosts: BTreeMap<HostName, DesiredHost> =
        (0..count).map(|i| (host_name(i), host(dice, host_name(i) != gateway))).collect();
    let served = hosts.values().flat_map(|host| host.services.values());
    let names = served.flat_map(|service| match &service.role {
        Role::Model(served) => served.models.as_slice(),
        Role::Gateway { .. } | Role::Edge(_) | Role::Companion => &[],
    });
    let names = names.map(|model| (model.name.clone(), (model.kind, model.load)));
    let names = names.collect();
    let drain = dice.coin().then_some(600);
    let around = dice.coin().then_some(600);
    let role = Role::Gateway { master_key: SecretRef::gateway(), names, drain, around };
    if let Some(host) = hosts.get_mut(&gateway) {
        let published = if drain.is_some() { 0 } else { 4000 };
        let mut service = desired_service(gateway_service(published, 2), role, (Gpus::None, 4000));
        if drain.is_some() {
            service.port = None;
            edge::stand_before(host);
        }
        add(host, ServiceName::gateway(), service);
    }
    for host in hosts.values_mut() {
        if dice.coin() {
            companions(dice, host, 4000);
        }
        files(host);
    }
    let all = Desired {
        project: ProjectName::homelab(),
        gateway: Some(gateway),
        hosts,
        externals: if dice.once_in(4) { vec![external()] } else { vec![] },
        stands_in: BTreeMap::new(),
    };
    let images = ["vllm/vllm-openai:v2", "ghcr.io/berriai/litellm:v1"];
    let pins = images.into_iter().filter(|_| dice.coin()).map(|i| (i.to_owned(), PIN.to_owned()));
    all.pinned(&pins.collect())
}

/// A provider's endpoint, which is never asked.
fn external() -> External {
    let source = Arc::new(Source { name: "inventory.yml".to_owned(), text: String::new() });
    let origin = Origin { source, line: 1, column: 1, length: 1 };
    let name = ModelName::new("paid").unwrap();
    External {
        models: vec![(name.clone(), origin.clone(), "model-1".to_owned())],
        origin,
        name,
        kind: Kind::Chat,
        provider: "anthropic".to_owned(),
        api_base: None,
        api_key: Some(SecretRef::Env("PAID".to_owned())),
        words: homelab::gateway::Words::default(),
        variants: BTreeMap::new(),
    }
}

fn host(dice: &mut Dice<'_>, remote: bool) -> DesiredHost {
    let mut host = DesiredHost {
        dir: "/home/me/homelab/homelab".into(),
        files: BTreeMap::new(),
        services: BTreeMap::new(),
        external_networks: vec![],
        logins: BTreeMap::new(),
    };
    let shift = dice.below(3);
    for (i, name) in MODELS.iter().enumerate().take(1 + dice.below(5)) {
        if dice.once_in(3) {
            continue;
        }
        let gpus = gpus(dice);
        let port = 8000 + u16::try_from((i + shift) % MODELS.len()).unwrap();
        let mut service = model_service(name, &gpus, port, 2);
        match dice.below(12) {
            10 => service.pull_policy = Some("always".into()),
            11 => service.pull_policy = Some("never".into()),
            _ => {}
        }
        if dice.once_in(10) {
            service.networks.push("backend".into());
            host.external_networks = vec!["backend".into()];
        }
        let model = ModelName::new(*name).unwrap();
        let one = |name: &str, load| Model {
            name: ModelName::new(name).unwrap(),
            aliases: vec![],
            upstream: name.to_owned(),
            kind: Kind::Chat,
            load,
            loading: None,
        };
        let mut models = vec![one(name, Load::Startup)];
        if dice.once_in(5) {
            models.push(one(&format!("{name}-{}", host.services.len()), Load::OnDemand));
            service.labels.remove(label::KIND);
        }
        let served = Served {
            models,
            engine: "vllm",
            api_key: Some(SecretRef::model(&model)),
            name: model,
            address: remote.then(|| "192.0.2.1".to_owned()),
        };
        let wanted = desired_service(service, Role::Model(served), (gpus, port));
        let wanted = DesiredService { weights: weights(dice, name), ..wanted };
        add(&mut host, service_name(name), wanted);
    }
    host
}

pub(crate) fn desired_service(service: Service, role: Role, (gpus, port): (Gpus, u16)) -> DesiredService {
    let port = Some(port).filter(|port| *port > 0).map(|port| Port::new(i64::from(port)).unwrap());
    DesiredService {
        service,
        digest: None,
        role,
        gpus,
        port,
        ready_timeout: 60,
        weights: vec![],
        repositories: vec![],
    }
}

/// What a server downloads: nothing, its own, what others of its host may need too, or both.
fn weights(dice: &mut Dice<'_>, name: &str) -> Vec<Weights> {
    let of = |what: String| Weights {
        key: format!("key-of-{}", what.rsplit('/').next().unwrap_or_default()),
        repositories: vec![what.clone()],
        what,
        entrypoint: vec![],
        command: vec![],
        cache: "/hub".into(),
        on_host: "/srv/hub".into(),
        commits: [].into(),
        open_key: None,
        moved_by: "hf_home",
    };
    let (own, shared) = (of(format!("lab/{name}")), of("lab/shared".to_owned()));
    match dice.below(5) {
        0 | 1 => vec![],
        2 => vec![shared],
        3 => vec![own],
        _ => vec![own, shared],
    }
}

pub(crate) fn add(host: &mut DesiredHost, name: ServiceName, service: DesiredService) {
    host.services.insert(name, service);
}

/// The Compose file, and what its services mention.
fn files(host: &mut DesiredHost) {
    let text =
        serde_json::to_string(&host.services.values().map(|s| &s.service).collect::<Vec<_>>()).unwrap();
    host.files.insert("compose.yml".into(), Content::plain(text));
    if host.services.contains_key(&ServiceName::edge()) {
        host.files.insert(CADDYFILE.to_owned(), Content::plain("caddyfile"));
    }
    for service in host.services.values() {
        for path in mentioned(&service.service) {
            let secret = BTreeMap::from([("KEY".to_owned(), SecretRef::gateway())]);
            let content = if path.ends_with(".env") {
                Content::env_file(&secret)
            } else {
                Content::plain(path.clone())
            };
            host.files.insert(path, content);
        }
    }
}

/// The files beside the Compose file that a service mentions.
pub(crate) fn mentioned(service: &Service) -> Vec<String> {
    let mounts = service.volumes.iter().filter_map(|v| v.split(':').next());
    let all = service.env_file.iter().map(String::as_str).chain(mounts);
    let all = all.filter_map(|path| path.strip_prefix("./"));
    all.filter(|path| *path != AROUND_DIRECTORY).map(str::to_owned).collect()
}
