//! What cannot be meant, across models and hosts: clashes of ports and names, unknown fallbacks,
//! hosts that the gateway cannot reach. It finds; it changes nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::engine::Gpus;
use crate::names::{HostName, ModelName, Port, ServiceName};
use crate::service::Runtime;
use crate::survey::Facts;

use super::access::Access;
use super::companion_spec::{CompanionSpec, MetricsSpec};
use super::gateway_spec::GatewaySpec;
use super::public::Public;
use super::spec::{HostSpec, ModelSpec, Spec};
use super::{External, exposed, fallbacks, floating, memory, server, woken};

/// Everything that can be seen without a host.
pub(super) fn all(spec: &Spec) -> Diagnostics {
    let mut problems = Diagnostics::default();
    let metrics = gateway(spec).and_then(|(_, gateway)| gateway.metrics.as_ref());
    for (name, host) in &spec.hosts {
        let companions = companions(host, metrics);
        ports(name, host, &companions, &mut problems);
        service_names(name, host, &companions, &mut problems);
        engines(host, &mut problems);
        memory::check(name, host, &mut problems);
    }
    floating::check(spec, &mut problems);
    exposed::check(spec, &mut problems);
    public_names(spec, &mut problems);
    woken::check(spec, &mut problems);
    endpoints(spec, &mut problems);
    one_gateway(spec, &mut problems);
    problems
}

/// What stands beside the gateway, of that what may run on this host.
fn companions<'a>(host: &'a HostSpec, metrics: Option<&'a MetricsSpec>) -> Vec<&'a CompanionSpec> {
    let own = host.gateway.iter().flat_map(GatewaySpec::beside);
    let used = host.uses_docker();
    let with_gpus = host.models.iter().any(|model| model.gpus != Gpus::None);
    let node = metrics.and_then(|m| m.node_exporter.as_ref()).filter(|_| used);
    own.chain(node)
        .chain(metrics.and_then(|m| m.gpu_exporter.as_ref()).filter(|_| used && with_gpus))
        .collect()
}

fn ports(name: &HostName, host: &HostSpec, companions: &[&CompanionSpec], problems: &mut Diagnostics) {
    let mut taken: BTreeMap<Port, (String, &Origin)> = BTreeMap::new();
    if let Some(gateway) = &host.gateway {
        taken.insert(gateway.options.port, ("the gateway".to_owned(), &gateway.origin));
        if let Some(http) = gateway.options.edge.as_ref().and_then(|edge| edge.http_port) {
            if http == gateway.options.port {
                let clash =
                    format!("the gateway and plain HTTP of its edge both ask for port {http} on {name}");
                let hint = "port: 443 for the gateway, or another http_port for its edge";
                problems.push(Diagnostic::error(&gateway.origin, clash).hint(hint));
            }
            taken.entry(http).or_insert(("the gateway's edge".to_owned(), &gateway.origin));
        }
    }
    for companion in companions {
        let who = format!("`{}`", companion.kind.name);
        if let Some((other, at)) = taken.get(&companion.port) {
            let clash = format!("{who} and {other} both ask for port {} on {name}", companion.port);
            let hint = format!("give one of them another `port`; {other} is at {at}");
            problems.push(Diagnostic::error(&companion.origin, clash).hint(hint));
        }
        taken.entry(companion.port).or_insert((who, &companion.origin));
    }
    for model in &host.models {
        let who = format!("`{}`", model.name);
        if let Some((other, at)) = taken.get(&model.port) {
            let clash = format!("{who} and {other} both ask for port {} on {name}", model.port);
            let hint = format!("give one of them another port; {other} is at {at}");
            problems.push(Diagnostic::error(&model.port_origin, clash).hint(hint));
        }
        taken.entry(model.port).or_insert((who, &model.port_origin));
    }
}

fn service_names(
    name: &HostName,
    host: &HostSpec,
    companions: &[&CompanionSpec],
    problems: &mut Diagnostics,
) {
    let mut taken: BTreeMap<ServiceName, String> = BTreeMap::new();
    if host.gateway.is_some() {
        taken.insert(ServiceName::gateway(), "the gateway".to_owned());
        taken.insert(ServiceName::edge(), "the gateway's edge".to_owned());
    }
    let names = companions.iter().filter_map(|one| ServiceName::new(one.kind.name).ok());
    taken.extend(names.map(|name| (name.clone(), format!("what stands beside the gateway as {name}"))));
    for model in &host.models {
        let service = ServiceName::of_model(&model.name);
        if let Some(other) = taken.get(&service) {
            let clash =
                format!("`{}` and {other} would both be the service `{service}` on {name}", model.name);
            problems.push(Diagnostic::error(&model.origin, clash).hint("rename one of them"));
        }
        taken.insert(service, format!("`{}`", model.name));
    }
}

/// A public name means one model, of one kind, wherever it is served.
fn public_names(spec: &Spec, problems: &mut Diagnostics) {
    let mut meaning: BTreeMap<&ModelName, Public<'_>> = BTreeMap::new();
    for this in spec.public() {
        let Some(other) = meaning.get(this.name) else {
            meaning.insert(this.name, this);
            continue;
        };
        let (public, at) = (this.name, other.origin);
        let (both, hint) = if other.external != this.external {
            let both =
                format!("`{public}` would be both a model of homelab's and one that somebody else runs");
            (
                both,
                format!(
                    "give one of them another name, and let it stand in by `fallbacks`; the other is at {at}"
                ),
            )
        } else if other.leads_to != this.leads_to {
            let both = format!("`{public}` would mean both `{}` and `{}`", other.leads_to, this.leads_to);
            (both, format!("a public name leads to one model: rename one; the other is at {at}"))
        } else if other.kind != this.kind {
            let (this, other) = (this.kind.word(), other.kind.word());
            let both = format!("`{public}` is for {this} here and for {other} on another host");
            (both, format!("give it the same `kind` everywhere; the other is at {at}"))
        } else {
            continue;
        };
        problems.push(Diagnostic::error(this.origin, both).hint(hint));
    }
}

/// A name means one endpoint, however many hosts it is typed for.
fn endpoints(spec: &Spec, problems: &mut Diagnostics) {
    let mut known: BTreeMap<&ModelName, &External> = BTreeMap::new();
    for (_, this) in spec.externals() {
        let other = *known.entry(&this.name).or_insert(this);
        if other != this {
            let both = format!("`{}` would be two endpoints", this.name);
            let hint = format!(
                "rename one; the other is at {}. Endpoints that share a public name in `models` take turns",
                other.origin
            );
            problems.push(Diagnostic::error(&this.origin, both).hint(hint));
        }
    }
}

/// The one gateway, if there is one.
pub(super) fn gateway(spec: &Spec) -> Option<(&HostName, &GatewaySpec)> {
    let mut all = spec.hosts.iter().filter_map(|(name, host)| Some((name, host.gateway.as_ref()?)));
    all.next().filter(|_| all.next().is_none())
}

fn one_gateway(spec: &Spec, problems: &mut Diagnostics) {
    let mut all = spec.hosts.iter().filter_map(|(name, host)| Some((name, host.gateway.as_ref()?)));
    match (all.next(), all.next()) {
        (None, _) => problems.push(
            Diagnostic::everywhere("no host has a `gateway`")
                .hint("give one host, or a group with one host, gateway: {engine: litellm}")
                .of_absence(),
        ),
        (Some((_, gateway)), None) => fallbacks::check(spec, gateway, problems),
        (Some((host, first)), Some((second, gateway))) => {
            let both = format!("both {host} and {second} are to run the gateway");
            let hint = match first.origin == gateway.origin {
                true => {
                    "there is one gateway: define `gateway` for a host or a group with one host".to_owned()
                }
                false => format!("there is one gateway: keep this one or that at {}", first.origin),
            };
            problems.push(Diagnostic::error(&gateway.origin, both).hint(hint));
        }
    }
}

/// What the engine refuses, at the key it is about.
fn engines(host: &HostSpec, problems: &mut Diagnostics) {
    for model in &host.models {
        for (key, why) in model.engine.advice(&model.serve(&host.hf_home)) {
            let advice = Diagnostic::warning(model.value_place(key), format!("`{key}`: {why}"));
            problems.push(advice.hint("with another one calls of tools and thoughts arrive as plain text; leave it if you know better"));
        }
        problems.0.extend(open_to_all(model));
        if model.models_max.is_some() {
            server::check(model, &host.hf_home, problems);
            continue;
        }
        if let Err((key, why)) = model.engine.check(&model.serve(&host.hf_home)) {
            let wrong = Diagnostic::because(model.value_place(key), &why);
            let next = match model.places.contains_key(key) {
                true => format!("change `{key}`, or take it away"),
                false => format!("add `{key}`"),
            };
            let hint = wrong.hint.clone().unwrap_or(next);
            problems.push(Diagnostic { message: format!("`{key}`: {}", wrong.message), ..wrong }.hint(hint));
        }
    }
}

/// A server that asks for no key, while nobody said that this is meant or where it may be reached.
fn open_to_all(model: &ModelSpec) -> Option<Diagnostic> {
    if model.engine.checks_keys() || !model.api_key || model.overlay.host_ip.is_some() {
        return None;
    }
    let (engine, port) = (model.engine.name(), model.port);
    let open = format!(
        "{engine} asks for no key: whoever reaches port {port} of its host can use and delete its models"
    );
    let way = match model.runtime {
        Runtime::Docker => {
            "`host_ip` publishes it on one address only, 127.0.0.1 where the gateway is on the same host"
        }
        Runtime::Native => "`host_ip` has it listen on one address only",
    };
    Some(Diagnostic::warning(&model.origin, open).hint(format!("{way}; `api_key: none` says that you know")))
}

/// The way to the model's GPUs: as the user says, else as the host offers; NVIDIA's runtime where nobody looked.
pub(super) fn access(
    model: &ModelSpec,
    host: &HostName,
    facts: Option<&Facts>,
) -> Result<Access, Diagnostic> {
    let offered = facts.map_or(Some(Access::Nvidia), Access::offered);
    let chosen = model.gpu_access.or(offered);
    if model.gpus == Gpus::None {
        return Ok(chosen.unwrap_or(Access::Nvidia));
    }
    chosen.ok_or_else(|| {
        let missing = format!(
            "`{}` wants a GPU, but {host} offers none: Docker has neither NVIDIA's runtime, nor its CDI devices, nor its hook, and there is no /dev/dri",
            model.name
        );
        Diagnostic::error(&model.origin, missing).hint(
            "install the NVIDIA Container Toolkit there, or say `gpu: none` to run it on the CPU; `gpu_access` says which way if you know better",
        )
    })
}

/// How other hosts reach a host: as the user says, else what ssh connects to.
pub(super) fn address_text(host: &HostSpec, asked: Option<&String>) -> String {
    host.address.as_ref().or(asked).unwrap_or(&host.connection.address).clone()
}

/// How the gateway reaches a model: the address, or nothing on its own host, where the Compose
/// network leads to it.
pub(super) fn address(
    (name, host): (&HostName, &HostSpec),
    asked: Option<&String>,
    gateway_host: &HostName,
    model: &ModelSpec,
) -> Result<Option<String>, Diagnostic> {
    let ip = model.overlay.host_ip.as_deref().unwrap_or("0.0.0.0");
    if name == gateway_host {
        if model.runtime == Runtime::Native && is_loopback(ip) {
            let apart =
                format!("`{}` listens on {ip}, which the gateway's container cannot reach", model.name);
            let hint = "a container reaches its host by Docker's bridge: host_ip: 172.17.0.1 as a rule (ip addr show docker0), or 0.0.0.0";
            return Err(Diagnostic::error(model.value_place("host_ip"), apart).hint(hint));
        }
        return Ok(None);
    }
    let address = address_text(host, asked);
    if is_loopback(ip) {
        return Err(Diagnostic::error(
            &model.origin,
            format!(
                "`{}` is published on {ip}, where the gateway on {gateway_host} cannot reach it",
                model.name
            ),
        )
        .hint("publish it on an address of its network, or run the gateway on the same host"));
    }
    if is_loopback(&address) || host.connection.local {
        let typed = host.address.is_some() && !is_loopback(&address);
        if !typed {
            return Err(Diagnostic::error(
                &host.origin,
                format!(
                    "{name} is known only as `{address}`, where the gateway on {gateway_host} cannot reach it"
                ),
            )
            .hint("set homelab_address to the address other hosts reach it by"));
        }
    }
    Ok(Some(address))
}

/// Whether an address reaches only the machine that uses it.
pub(super) fn is_loopback(address: &str) -> bool {
    address == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
