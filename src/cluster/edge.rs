//! What stands before the gateway, and how clients reach the two: by which address, port and scheme.
//! It reads the spec; what the edge itself needs is the gateway module's.

use std::collections::BTreeMap;

use crate::engine::Gpus;
use crate::gateway::{self, Edge, Tls};
use crate::names::{HostName, ServiceName};
use crate::secret::SecretRef;
use crate::service::label;

use super::check::is_loopback;
use super::gateway_spec::GatewaySpec;
use super::spec::{HostSpec, Spec};
use super::{Before, Role, Unit, check};

/// Where Caddy keeps the root certificate of its own authority (`/data` is its image's XDG_DATA_HOME).
const ROOT: &str = "/data/caddy/pki/authorities/local/root.crt";
/// How long Caddy may take, in seconds: an ACME authority may want to look more than once.
const READY_TIMEOUT: u64 = 120;

/// How clients reach the gateway's host. `asked` is what ssh says its address is.
pub(super) fn address(host: &HostSpec, gateway: &GatewaySpec, asked: Option<&String>) -> String {
    match gateway.overlay.host_ip.as_deref().unwrap_or("0.0.0.0") {
        // Who publishes it on this machine alone means clients of this machine.
        ip if is_loopback(ip) => ip.to_owned(),
        _ if host.connection.local && host.address.is_none() => "localhost".to_owned(),
        _ => check::address_text(host, asked),
    }
}

/// The gateway's base URL for clients, without a slash at its end.
pub(super) fn url(host: &HostSpec, gateway: &GatewaySpec, asked: Option<&String>) -> String {
    let options = &gateway.options;
    let https = options.edge.as_ref().is_some_and(Edge::is_https);
    let domain = options.edge.as_ref().and_then(|edge| edge.domain.first());
    let name = domain.map_or_else(|| address(host, gateway, asked), |(name, _)| name.clone());
    let (scheme, default) = if https { ("https", 443) } else { ("http", 80) };
    let port = options.port.get();
    // Without an edge the port has always been told, and clients' files have it.
    let port = if options.edge.is_some() && port == default { String::new() } else { format!(":{port}") };
    let path = options.server_root_path.as_deref().unwrap_or_default();
    format!("{scheme}://{}{port}{path}", gateway::bracketed(&name))
}

/// How to get the root certificate of Caddy's own authority, where that certifies the gateway.
pub(super) fn authority(spec: &Spec, host: &HostName, gateway: &GatewaySpec) -> Option<String> {
    gateway.options.edge.as_ref().filter(|edge| edge.tls == Tls::Internal)?;
    let container = format!("{}-{}-1", spec.project, ServiceName::edge());
    Some(format!("on {host}: docker exec {container} cat {ROOT}"))
}

/// The unit of the edge, if there is one.
pub(super) fn unit(
    (name, host): (&HostName, &HostSpec),
    spec: &GatewaySpec,
    asked: Option<&String>,
    master_key: &SecretRef,
) -> Option<Unit> {
    let edge = spec.options.edge.as_ref()?;
    let host_ip = spec.overlay.host_ip.as_deref().unwrap_or("0.0.0.0");
    let mut service = gateway::edge_service(edge, spec.options.port, host_ip);
    service.labels = [
        (label::ROLE, "edge"),
        (label::ENGINE, gateway::EDGE),
        (label::HEALTH, gateway::EDGE_HEALTH),
        (label::GPUS, "none"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    service.pull_policy.clone_from(&spec.overlay.service.pull_policy);
    let names = edge.names(&[&address(host, spec, asked), name.as_str()]);
    Some(Unit {
        name: ServiceName::edge(),
        service,
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        role: Role::Edge(Before { url: url(host, spec, asked), names, master_key: master_key.clone() }),
        gpus: Gpus::None,
        port: Some(spec.options.port),
        ready_timeout: READY_TIMEOUT,
        weights: vec![],
        repositories: vec![],
        open: None,
    })
}
