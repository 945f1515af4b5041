//! What stands beside the gateway, resolved: which of it runs where, whom Prometheus asks, and with which keys.
//! Pure, as all of [`super::resolve`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::companion::{self, Draft, NODE_EXPORTER, Source, Target};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::engine::{Chip, Gpus};
use crate::gateway;
use crate::names::{HostName, ModelName, ServiceName};
use crate::secret::SecretRef;
use crate::service::{Runtime, Service, label};
use crate::survey::Survey;

use super::access::Access;
use super::companion_spec::{CompanionSpec, MetricsSpec};
use super::gateway_spec::GatewaySpec;
use super::spec::{HostSpec, ModelSpec, Spec};
use super::unit::{Home, LocalFiles, configs, finish, labels};
use super::{Config, Host, Role, Unit, check, program};

/// How long a companion may take until it answers, in seconds: Open WebUI downloads a model for searching at its first
/// start.
const READY_TIMEOUT: u64 = 600;

/// The cluster so far, and where its gateway is.
pub(super) struct Beside<'a> {
    pub(super) spec: &'a Spec,
    pub(super) survey: &'a Survey,
    pub(super) files: &'a LocalFiles,
    pub(super) gateway: (&'a HostName, &'a GatewaySpec),
}

impl Beside<'_> {
    /// Adds every companion to the host it runs on.
    pub(super) fn add(&self, hosts: &mut BTreeMap<HostName, Host>, problems: &mut Diagnostics) {
        let (at, gateway) = self.gateway;
        if let Some(metrics) = &gateway.metrics {
            let mut targets = self.targets(hosts);
            for (spec, draft, host) in self.exporters(metrics) {
                targets.insert(self.exporter(spec, &draft, host));
                self.put(hosts, (host, spec, draft), problems);
            }
            let local = local(hosts);
            let mut draft = companion::prometheus(&targets, &metrics.retention, metrics.price, &local);
            if let Some(host) = hosts.get(at) {
                program::reach(&host.units, &mut draft.service);
            }
            let url = format!("http://{}:{}", draft.name, draft.container_port);
            self.put(hosts, (at, &metrics.prometheus, draft), problems);
            if let Some(spec) = &metrics.grafana {
                let draft = companion::grafana(&url, &metrics.retention.interval, metrics.price.is_some());
                self.put(hosts, (at, spec, draft), problems);
            }
        }
        if let Some(spec) = &gateway.webui {
            let draft = companion::webui(&format!("{}/v1", self.gateway_url()), &master_key(gateway));
            self.put(hosts, (at, spec, draft), problems);
        }
    }

    /// How containers beside the gateway reach it.
    fn gateway_url(&self) -> String {
        format!("http://{}", gateway::inside())
    }

    /// The gateway, and every server of models that tells numbers. A server of several would load a model to tell them.
    fn targets(&self, hosts: &BTreeMap<HostName, Host>) -> BTreeSet<Target> {
        let (at, gateway) = self.gateway;
        let of_gateway = Target {
            source: Source::Gateway,
            host: at.clone(),
            model: None,
            address: gateway::inside(),
            key: Some(master_key(gateway)),
        };
        let units = hosts.iter().flat_map(|(name, host)| host.units.iter().map(move |unit| (name, unit)));
        let of_models = units.filter_map(|(name, unit)| {
            let Role::Model(served) = &unit.role else { return None };
            let source = match served.engine {
                "vllm" => Source::Vllm,
                "llama_cpp" if tells(&unit.service) => Source::LlamaCpp,
                _ => return None,
            };
            let published = unit.service.published().next()?;
            let address = match &served.address {
                Some(address) => format!("{}:{}", gateway::bracketed(address), published.host),
                None if unit.service.runtime() == Runtime::Native => {
                    format!("{}:{}", program::OWN_HOST, published.host)
                }
                None => format!("{}:{}", unit.name, published.container),
            };
            // vLLM's numbers are for everybody.
            let key = served.api_key.clone().filter(|_| source == Source::LlamaCpp);
            Some(Target { source, host: name.clone(), model: Some(served.name.clone()), address, key })
        });
        of_models.chain([of_gateway]).collect()
    }

    /// The exporters and their hosts: those where something of homelab's runs in Docker.
    fn exporters<'a>(&'a self, metrics: &'a MetricsSpec) -> Vec<(&'a CompanionSpec, Draft, &'a HostName)> {
        let mut all = Vec::new();
        for (name, host) in &self.spec.hosts {
            if !host.uses_docker() {
                continue;
            }
            if let Some(spec) = &metrics.node_exporter {
                all.push((spec, companion::node_exporter(), name));
            }
            let Some(access) = self.nvidia(name, host) else { continue };
            if let Some(spec) = &metrics.gpu_exporter {
                let mut draft = companion::gpu_exporter();
                let facts = self.survey.seen(name).map(|seen| &seen.facts);
                access.give(&Gpus::All, facts, &mut draft.service);
                draft.service.ulimits.clear();
                all.push((spec, draft, name));
            }
        }
        all
    }

    /// The way to a host's GPUs, if a model uses some of NVIDIA's there.
    fn nvidia(&self, name: &HostName, host: &HostSpec) -> Option<Access> {
        let facts = self.survey.seen(name).map(|seen| &seen.facts);
        let mut with_gpus = host.models.iter().filter(|model| model.gpus != Gpus::None);
        let access = check::access(with_gpus.next()?, name, facts).ok()?;
        (access.chip() == Chip::Nvidia).then_some(access)
    }

    fn exporter(&self, spec: &CompanionSpec, draft: &Draft, host: &HostName) -> Target {
        let source = if draft.name == NODE_EXPORTER.name { Source::Node } else { Source::Gpu };
        let address = match self.spec.hosts.get(host).filter(|_| host != self.gateway.0) {
            Some(there) => check::address_text(there, self.survey.address(host)),
            None => draft.name.to_owned(),
        };
        let port = if host == self.gateway.0 { draft.container_port } else { spec.port.get() };
        let address = format!("{}:{port}", gateway::bracketed(&address));
        Target { source, host: host.clone(), model: None, address, key: None }
    }

    fn put(
        &self,
        hosts: &mut BTreeMap<HostName, Host>,
        (at, spec, draft): (&HostName, &CompanionSpec, Draft),
        problems: &mut Diagnostics,
    ) {
        let here = at == self.gateway.0;
        let home = Home(self.survey.seen(at).map_or("~", |seen| seen.facts.home.as_str()));
        let unit = problems.take(self.unit((spec, draft), here, home));
        if let (Some(unit), Some(host)) = (unit, hosts.get_mut(at)) {
            host.units.push(unit);
        }
    }

    fn unit(
        &self,
        (spec, draft): (&CompanionSpec, Draft),
        here: bool,
        home: Home<'_>,
    ) -> Result<Unit, Diagnostic> {
        let name = ServiceName::new(draft.name).map_err(|why| Diagnostic::because(&spec.origin, &why))?;
        let other = if here { spec.kind.host_ip } else { "0.0.0.0" };
        let host_ip = spec.overlay.host_ip.as_deref().unwrap_or(other);
        let mut base = Service {
            ports: vec![gateway::published(host_ip, spec.port, draft.container_port)],
            networks: vec!["default".to_owned()],
            restart: Some("unless-stopped".to_owned()),
            labels: labels(label::COMPANION, draft.name, draft.health, &Gpus::None),
            ..draft.service
        };
        let target = |volume: &str| volume.split(':').nth(1).unwrap_or_default().to_owned();
        let own = |path: &str| spec.overlay.service.volumes.iter().any(|volume| target(volume) == path);
        if let Some(path) = draft.data.filter(|path| !own(path)) {
            base.volumes.push(format!("{}:{path}", draft.name));
        }
        let mut secrets: BTreeMap<String, SecretRef> = draft.secrets;
        secrets.retain(|name, _| !spec.overlay.service.environment.contains_key(name));
        secrets.extend(spec.overlay.secrets.clone());
        let made = draft.files.into_iter().map(|(path, (name, content))| (path, Config { name, content }));
        let mut all: BTreeMap<String, Config> = made.collect();
        all.extend(configs(&spec.overlay, self.files)?);
        Ok(Unit {
            name,
            service: finish(base, &spec.overlay, home),
            secrets,
            configs: all,
            role: Role::Companion,
            gpus: Gpus::None,
            port: Some(spec.port),
            ready_timeout: READY_TIMEOUT,
            weights: vec![],
            repositories: vec![],
            open: None,
        })
    }
}

/// Whether a server of llama.cpp's was told to tell numbers; the user may have switched that off.
fn tells(service: &Service) -> bool {
    service.command.iter().flatten().any(|word| word == "--metrics")
}

/// The model with its server's numbers switched on, where they are off unless somebody says so.
pub(super) fn counting(model: Cow<'_, ModelSpec>, metrics: bool) -> Cow<'_, ModelSpec> {
    let counts = model.engine.options().iter().any(|option| option.name == COUNTS);
    if !metrics || !counts || model.models_max.is_some() || model.options.contains_key(COUNTS) {
        return model;
    }
    let mut counting = model.into_owned();
    counting.options.insert(COUNTS.to_owned(), true.into());
    Cow::Owned(counting)
}

/// llama.cpp's option that makes its server tell numbers.
const COUNTS: &str = "metrics";

fn master_key(gateway: &GatewaySpec) -> SecretRef {
    gateway.options.master_key.clone().unwrap_or_else(SecretRef::gateway)
}

/// Every public name of a model that homelab runs.
fn local(hosts: &BTreeMap<HostName, Host>) -> BTreeSet<ModelName> {
    let units = hosts.values().flat_map(|host| &host.units);
    let models = units.flat_map(|unit| match &unit.role {
        Role::Model(served) => served.models.as_slice(),
        Role::Gateway { .. } | Role::Companion | Role::Edge(_) => &[],
    });
    models.flat_map(|model| model.public().cloned()).collect()
}
