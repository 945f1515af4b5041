//! From what the user said to what it means: every default, every address, every route.
//! Pure: the same spec, files and survey always give the same cluster.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::engine::{Draft, Gpus, Kind, Load, Serve};
use crate::gateway;
use crate::names::{HostName, ModelName, ServiceName};
use crate::secret::{Content, SecretRef};
use crate::service::{Runtime, Service, label};
use crate::survey::{Facts, Survey};

use super::access::Access;
use super::companions::{Beside, counting};
use super::gateway_spec::GatewaySpec;
use super::pinned::{self, Open, mark};
use super::pool::Pool;
use super::routes::{Keys, routes_of, routes_to};
use super::spec::{HostSpec, ModelSpec, Spec};
use super::unit::{Home, LocalFiles, configs, finish, labels};
use super::{Cluster, Config, Host, Model, Role, Served, Unit, check, edge, program, weights};

/// Resolves everything.
///
/// # Errors
/// Everything that cannot be meant.
pub fn resolve(spec: &Spec, files: &LocalFiles, survey: &Survey) -> Result<Cluster, Diagnostics> {
    let mut problems = check::all(spec);
    // Its warnings came with the spec.
    problems.0.retain(|d| d.severity == Severity::Error);
    let Some((gateway_host, gateway)) = check::gateway(spec) else {
        problems.settle();
        return Err(problems);
    };
    let mut hosts = BTreeMap::new();
    let mut routes = Vec::new();
    let mut keys = BTreeMap::new();
    for (name, host) in &spec.hosts {
        let facts = survey.seen(name).map(|seen| &seen.facts);
        let home = Home(facts.map_or("~", |f| f.home.as_str()));
        let pool = Pool::of(survey.seen(name));
        let mut units = Vec::new();
        for model in &host.models {
            let asked = survey.address(name);
            let metrics = gateway.metrics.is_some();
            let there = Place { host, facts, pool, metrics, asked, home, gateway_host, name };
            let Some(unit) = problems.take(model_unit(model, &there, files)) else { continue };
            let address = problems.take(check::address((name, host), asked, gateway_host, model));
            routes.extend(
                address.iter().flat_map(|a| routes_of((host, model), &unit, a.as_deref(), &mut keys)),
            );
            units.push(unit);
        }
        hosts.insert(name.clone(), resolved(host, home, facts, units));
    }
    let names = routes.iter().map(|route| (route.public.clone(), (route.kind, route.load))).collect();
    let externals: BTreeMap<_, _> = spec.externals().map(|(_, one)| (&one.name, one)).collect();
    routes.extend(externals.values().flat_map(|one| routes_to(one, &mut keys)));
    routes.sort_by(|a, b| (&a.public, &a.api_base, &a.model).cmp(&(&b.public, &b.api_base, &b.model)));
    let home = Home(survey.seen(gateway_host).map_or("~", |seen| seen.facts.home.as_str()));
    let around = gateway::leads_around(&routes).then_some(gateway.options.timeout);
    let unit = problems.take(gateway_unit((gateway, home), (names, around), keys, files));
    let before = unit.as_ref().and_then(|unit| edge_before(unit, spec, survey));
    problems.settle();
    let (Some(mut unit), false) = (unit, problems.has_errors()) else { return Err(problems) };
    if let Some(host) = hosts.get_mut(gateway_host) {
        program::reach(&host.units, &mut unit.service);
        host.units.push(unit);
        host.units.extend(before);
    }
    Beside { spec, survey, files, gateway: (gateway_host, gateway) }.add(&mut hosts, &mut problems);
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(Cluster {
        project: spec.project.clone(),
        hosts,
        gateway: gateway_host.clone(),
        options: gateway.options.clone(),
        externals: externals.into_values().cloned().collect(),
        routes,
    })
}

/// A host with what is to run there, beside which nothing stands yet.
fn resolved(host: &HostSpec, home: Home<'_>, facts: Option<&Facts>, units: Vec<Unit>) -> Host {
    Host {
        dir: home.expand(&host.dir),
        home: home.0.to_owned(),
        units,
        logins: host.registry_auth.clone(),
        manager: program::manager(host, facts),
        vars: host.vars.clone(),
    }
}

/// What stands before the gateway, if anything does.
fn edge_before(unit: &Unit, spec: &Spec, survey: &Survey) -> Option<Unit> {
    let (name, gateway) = check::gateway(spec)?;
    let Role::Gateway { master_key, .. } = &unit.role else { return None };
    edge::unit((name, spec.hosts.get(name)?), gateway, survey.address(name), master_key)
}

/// Where a model runs.
struct Place<'a> {
    host: &'a HostSpec,
    facts: Option<&'a Facts>,
    /// The memory that its system and GPU share, if they do.
    pool: Option<Pool>,
    /// Whether somebody asks its servers for numbers.
    metrics: bool,
    /// What ssh says its address is.
    asked: Option<&'a String>,
    home: Home<'a>,
    gateway_host: &'a HostName,
    name: &'a HostName,
}

fn model_unit(model: &ModelSpec, place: &Place<'_>, files: &LocalFiles) -> Result<Unit, Diagnostic> {
    let mut unit = unit_of(model, place, files)?;
    if unit.repositories.iter().any(|repository| repository.commit.is_some()) {
        let free = ModelSpec { revisions: Arc::default(), ..model.clone() };
        let Unit { service, weights, .. } = unit_of(&free, place, files)?;
        pinned::tell(&mut unit, &weights);
        unit.open = Some(Box::new(Open { service, weights }));
    }
    Ok(unit)
}

fn unit_of(model: &ModelSpec, place: &Place<'_>, files: &LocalFiles) -> Result<Unit, Diagnostic> {
    let is_native = model.runtime == Runtime::Native;
    let access = if is_native { Access::Nvidia } else { check::access(model, place.name, place.facts)? };
    let model = &counting(on_chip(model, access), place.metrics);
    let (engine, serve) = (model.engine, model.serve(&place.host.hf_home));
    let draft = engine.draft(&serve);
    let made = draft.files.clone().into_iter().map(|(path, text)| {
        let name = path.rsplit('/').next().unwrap_or("file").to_owned();
        (path, Config { name, content: Content::plain(text.into_bytes()) })
    });
    let variable = draft.api_key_variable.clone().filter(|_| model.api_key);
    let mut base = drafted(model, draft);
    let models = models(model, &serve);
    base.labels.extend(model_labels(model, &models));
    if is_native {
        program::settle(&mut base, model, program::manager(place.host, place.facts), place.facts);
    } else {
        access.give(&model.gpus, place.facts, &mut base);
    }
    if let Some(pool) = place.pool {
        pool.defaults(&model.gpus, &mut base);
    }
    let mut secrets = secrets(model, place.host);
    let api_key = variable.map(|variable| {
        let key = SecretRef::model(&model.name);
        secrets.insert(variable, key.clone());
        key
    });
    let mut service = finish(base, &model.overlay, place.home);
    service.image.clone_from(&model.image);
    // Without a container of its image nothing else could download for it.
    let weights = if is_native { vec![] } else { weights::of(model, &serve, &mut service, &secrets) };
    let pinnable = !weights.is_empty() || (!is_native && engine.takes_revisions());
    let repositories = if pinnable { engine.repositories(&serve) } else { vec![] };
    mark(&mut service, &repositories);
    Ok(Unit {
        name: ServiceName::of_model(&model.name),
        service,
        secrets,
        configs: configs(&model.overlay, files)?.into_iter().chain(made).collect(),
        role: Role::Model(Served {
            name: model.name.clone(),
            models,
            engine: engine.name(),
            api_key,
            address: (place.name != place.gateway_host).then(|| check::address_text(place.host, place.asked)),
        }),
        gpus: model.gpus.clone(),
        port: Some(model.port),
        ready_timeout: model.ready_timeout,
        weights,
        repositories,
        open: None,
    })
}

/// What an engine asks for, in Compose's words.
fn drafted(model: &ModelSpec, draft: Draft) -> Service {
    let host_ip = model.overlay.host_ip.as_deref().unwrap_or("0.0.0.0");
    Service {
        image: model.image.clone(),
        entrypoint: Some(draft.entrypoint).filter(|words| !words.is_empty()),
        command: Some(draft.command).filter(|words| !words.is_empty()),
        environment: draft.environment,
        ports: vec![gateway::published(host_ip, model.port, draft.port)],
        volumes: draft.volumes,
        networks: vec!["default".to_owned()],
        ipc: draft.ipc_host.then(|| "host".to_owned()),
        restart: Some("unless-stopped".to_owned()),
        labels: labels("model", model.engine.name(), &draft.health, &model.gpus),
        ..Service::default()
    }
}

/// What tells an older version's wait how it was asked. A server of several has no kind, and is asked for nothing then.
fn model_labels(spec: &ModelSpec, models: &[Model]) -> BTreeMap<String, String> {
    let mut all = vec![(label::MODEL, spec.name.to_string())];
    if spec.models_max.is_none() {
        all.push((label::KIND, spec.kind.word().to_owned()));
        let other = models.iter().map(|model| &model.upstream).find(|name| *name != spec.name.as_str());
        all.extend(other.map(|name| (label::UPSTREAM, name.clone())));
    }
    let can_vanish: Vec<&str> =
        models.iter().filter(|model| model.loading.is_some()).map(|model| model.upstream.as_str()).collect();
    if !can_vanish.is_empty() {
        all.push((label::MODELS, can_vanish.join(",")));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a server serves: its own model, or those behind it.
fn models(spec: &ModelSpec, serve: &Serve<'_>) -> Vec<Model> {
    let model = |serve: &Serve<'_>, aliases: &[(ModelName, Origin)]| Model {
        name: serve.name.clone(),
        aliases: aliases.iter().map(|(name, _)| name.clone()).collect(),
        upstream: spec.engine.upstream(serve),
        kind: serve.kind,
        load: serve.load,
        loading: spec.engine.loading(serve),
    };
    match &serve.several {
        None => vec![model(serve, &spec.aliases)],
        Some(several) => {
            let pairs = several.members.iter().zip(&spec.members);
            pairs.map(|(serve, member)| model(serve, &member.aliases)).collect()
        }
    }
}

/// The model with the engine's image for the GPUs it gets, unless the user has chosen one.
fn on_chip<'a>(model: &'a ModelSpec, access: Access) -> Cow<'a, ModelSpec> {
    let other = model
        .engine
        .default_image(access.chip())
        .filter(|_| model.image_origin.is_none() && model.gpus != Gpus::None)
        .filter(|_| model.runtime == Runtime::Docker);
    match other {
        Some(image) if image != model.image => {
            Cow::Owned(ModelSpec { image: image.to_owned(), ..model.clone() })
        }
        _ => Cow::Borrowed(model),
    }
}

/// The user's own secrets for a model, with the host's Hugging Face token unless the model has one.
fn secrets(model: &ModelSpec, host: &HostSpec) -> BTreeMap<String, SecretRef> {
    let mut secrets = model.overlay.secrets.clone();
    let plain = model.overlay.service.environment.contains_key("HF_TOKEN");
    if let Some(token) = host.hf_token.as_ref().filter(|_| !plain) {
        secrets.entry("HF_TOKEN".to_owned()).or_insert_with(|| token.clone());
    }
    secrets
}

fn gateway_unit(
    (spec, home): (&GatewaySpec, Home<'_>),
    (names, around): (BTreeMap<ModelName, (Kind, Load)>, Option<u64>),
    keys: Keys,
    files: &LocalFiles,
) -> Result<Unit, Diagnostic> {
    let host_ip = spec.overlay.host_ip.as_deref().unwrap_or("0.0.0.0");
    let mut base = gateway::service(&spec.options, host_ip);
    base.labels = labels("gateway", gateway::NAME, gateway::HEALTH, &Gpus::None);
    let grace = spec.overlay.service.stop_grace_period.map(|period| period.0);
    let drain = spec.options.edge.as_ref().map(|_| grace.unwrap_or(spec.options.timeout));
    let master_key = spec.options.master_key.clone().unwrap_or_else(SecretRef::gateway);
    let mut secrets = spec.overlay.secrets.clone();
    secrets.extend(keys);
    secrets.insert("LITELLM_MASTER_KEY".to_owned(), master_key.clone());
    let database = spec.options.database.clone();
    secrets.extend(database.map(|url| (gateway::DATABASE_VARIABLE.to_owned(), url)));
    Ok(Unit {
        name: ServiceName::gateway(),
        service: finish(base, &spec.overlay, home),
        secrets,
        configs: configs(&spec.overlay, files)?,
        role: Role::Gateway { master_key, names, drain, around },
        gpus: Gpus::None,
        // Behind an edge only the host itself reaches it.
        port: spec.options.edge.is_none().then_some(spec.options.port),
        ready_timeout: spec.options.ready_timeout,
        weights: vec![],
        repositories: vec![],
        open: None,
    })
}
