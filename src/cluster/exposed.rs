//! What could be reached from anywhere: that it is meant must be said, and that it asks for a key.
//! It goes by what the inventory says, and asks nobody.

use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::gateway::{Edge, Tls};
use crate::names::HostName;

use super::gateway_spec::GatewaySpec;
use super::spec::{HostSpec, Spec};

/// Names that no public authority certifies (RFC 6762, RFC 8375, and what ICANN reserved).
const PRIVATE_NAMES: [&str; 6] = [".local", ".lan", ".internal", ".home.arpa", ".test", ".localhost"];

/// Everything that is open to all and is not said to be.
pub(super) fn check(spec: &Spec, problems: &mut Diagnostics) {
    for (name, host) in &spec.hosts {
        if let Some(gateway) = &host.gateway
            && let Some(by) = gateway_by(name, host, gateway).filter(|_| !gateway.options.public)
        {
            let what = format!("the gateway could be reached from anywhere: {by}");
            let hint = "say `public: true` in it if that is meant; `edge: {allow: [private_ranges]}` or `host_ip` says who may come in";
            problems.push(Diagnostic::error(&gateway.origin, what).hint(hint));
        }
        for model in &host.models {
            let Some(by) = by(name, host, model.overlay.host_ip.as_deref()) else { continue };
            if !model.public {
                let what = format!("`{}` could be reached from anywhere: {by}", model.name);
                let hint = "`host_ip` publishes it on a private address of the host; say `public: true` in it if it is meant, and keep its key";
                problems.push(Diagnostic::error(&model.origin, what).hint(hint));
            } else if !model.api_key {
                let what = format!("anybody could use `{}`: {by}, and it asks for no key", model.name);
                let origin = model.value_place("api_key");
                problems.push(Diagnostic::error(origin, what).hint("take away `api_key: none`"));
            }
        }
    }
}

/// By what everybody reaches the gateway.
fn gateway_by(name: &HostName, host: &HostSpec, gateway: &GatewaySpec) -> Option<String> {
    let edge = gateway.options.edge.as_ref();
    if edge.is_some_and(|edge| !edge.allow.is_empty()) {
        return None;
    }
    let domain = edge.and_then(public_domain).map(|domain| format!("{domain} is a public name"));
    domain.or_else(|| by(name, host, gateway.overlay.host_ip.as_deref()))
}

/// The first domain that a public authority is to certify, for which it must be reachable.
fn public_domain(edge: &Edge) -> Option<&String> {
    let private =
        |domain: &str| !domain.contains('.') || PRIVATE_NAMES.iter().any(|end| domain.ends_with(end));
    let all = edge.domain.iter().map(|(domain, _)| domain);
    all.into_iter().find(|domain| edge.tls == Tls::Acme && edge.acme_ca.is_none() && !private(domain))
}

/// By which address everybody reaches what a host publishes there.
fn by(name: &HostName, host: &HostSpec, host_ip: Option<&str>) -> Option<String> {
    let published: Option<IpAddr> = host_ip.and_then(|ip| ip.parse().ok());
    match published {
        Some(ip) if !ip.is_unspecified() => is_public(ip).then(|| format!("it is published on {ip}")),
        _ => {
            let typed = host.address.as_ref().unwrap_or(&host.connection.address);
            let ip: IpAddr = typed.parse().ok()?;
            is_public(ip).then(|| format!("{name} has the address {ip}, and it is published on all of them"))
        }
    }
}

/// Whether an address is one of the whole Internet.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // Shared addresses of carriers and VPNs (RFC 6598), and those for benchmarks (RFC 2544).
            let shared = (a == 100 && (64..128).contains(&b)) || (a == 198 && (18..20).contains(&b));
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || ip.is_broadcast()
                || ip.is_multicast()
                || shared)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // All that is given out: 2000::/3, but for what documentation uses.
            first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_whole_internet_are_public() {
        for (text, public) in [
            ("8.8.8.8", true),
            ("192.168.1.5", false),
            ("10.0.0.1", false),
            ("100.101.102.103", false),
            ("100.128.0.1", true),
            ("203.0.113.9", false),
            ("169.254.1.1", false),
            ("2a01:4f8::1", true),
            ("2001:db8::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }
}
