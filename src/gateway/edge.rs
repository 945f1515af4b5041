//! What stands before the gateway: Caddy, its options, its container and its Caddyfile.
//! Facts about Caddy are those of runs of 2.6 and 2.11, and of its documentation.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::inventory::{Fields, Node, Value, parsed, texts};
use crate::names::{ByteSize, Port};
use crate::secret::SecretRef;
use crate::service::Service;

use super::route::{CONTAINER_PORT, published};

/// Its name in labels and as a service.
pub const EDGE: &str = "caddy";
/// The directory below the project's that it mounts: files that appear there need no other container.
pub const EDGE_DIRECTORY: &str = "edge";
/// Its config below the project's directory.
pub const CADDYFILE: &str = "edge/Caddyfile";
/// Where one file names the container that answers: by Docker's short id, which is a name in the network.
pub const UPSTREAM_DIRECTORY: &str = "edge/upstream";
/// Answers 200 while Caddy runs, whatever is behind it; only on the host itself.
pub const EDGE_HEALTH: &str = "/homelab/health";
/// What reloads its config: the admin endpoint is a socket in the container, which no other container reaches.
pub const ADMIN: &str = "unix//run/caddy-admin.sock";
/// Where it sees its directory.
const MOUNTED: &str = "/etc/caddy";
const DEFAULT_IMAGE: &str = "caddy:2.11.7";
const HTTPS: u16 = 443;
const HTTP: u16 = 80;
/// Where it listens for the host itself, without TLS and without `allow`.
const OWN: u16 = 2080;
/// What Caddy calls `private_ranges` (modules/caddyhttp, `PrivateRangesCIDR`).
const PRIVATE_RANGES: [&str; 6] =
    ["192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.1/8", "fd00::/8", "::1"];

/// What the user may say of it, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The names it has certificates for, each with its place; none where clients go by the host's address.
    pub domain: Vec<(String, Origin)>,
    /// Where its certificates come from.
    pub tls: Tls,
    /// Whom an ACME authority writes to.
    pub email: Option<String>,
    /// The directory URL of an ACME authority; Caddy's own choice without it.
    pub acme_ca: Option<String>,
    /// The root certificate of an ACME authority that nobody else trusts.
    pub acme_ca_root: Option<SecretRef>,
    /// The networks that may come in; all where it is empty.
    pub allow: Vec<String>,
    /// The longest request body.
    pub max_size: ByteSize,
    /// The port for plain HTTP: redirects, and answers to ACME's challenges.
    pub http_port: Option<Port>,
    /// Its image.
    pub image: String,
    /// Where that is typed.
    pub image_origin: Option<Origin>,
}

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None: plain HTTP.
    Off,
    /// An authority that checks who has the domain.
    Acme,
    /// Caddy's own authority, which clients must be told to trust.
    Internal,
    /// Files of the user's, in PEM.
    Files {
        /// The certificate with those that lead to its root.
        cert: SecretRef,
        /// Its private key.
        key: SecretRef,
    },
}

impl Edge {
    /// Every secret it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let files = match &self.tls {
            Tls::Files { cert, key } => vec![cert, key],
            _ => vec![],
        };
        files.into_iter().chain(&self.acme_ca_root)
    }

    /// Whether clients speak TLS to it.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.tls != Tls::Off
    }

    /// The names and addresses it has certificates for: the domain, else how clients reach its host.
    #[must_use]
    pub fn names(&self, addresses: &[&str]) -> Vec<String> {
        if !self.is_https() {
            return vec![];
        }
        if !self.domain.is_empty() {
            return self.domain.iter().map(|(name, _)| name.clone()).collect();
        }
        let mut names: Vec<String> = Vec::new();
        for name in addresses.iter().chain(&["localhost"]) {
            let name = name.to_ascii_lowercase();
            if is_name(&name) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// Reads the keys of `edge`. `secret` reads a secret's place.
pub(super) fn read(
    node: &Node,
    secret: impl Fn(&Node) -> Result<SecretRef, Diagnostic>,
    problems: &mut Diagnostics,
) -> Option<Edge> {
    let map = problems.take(node.as_map())?;
    let mut fields = Fields::new(map, "the gateway's edge");
    let domain = fields.parse("domain", domains).unwrap_or_default();
    let tls = fields.parse("tls", |node| tls(node, &secret));
    let fallback = if domain.is_empty() { Tls::Off } else { Tls::Acme };
    let tls = tls.unwrap_or(fallback);
    let typed = fields.node("image").map(|node| node.origin.clone());
    let port = |node: &Node| Port::new(node.as_int()?).map_err(|why| Diagnostic::because(&node.origin, &why));
    let edge = Edge {
        email: fields.parse("email", |node| parsed(node, |text| word(text, "an e-mail address", "@"))),
        acme_ca: fields.parse("acme_ca", |node| parsed(node, |text| word(text, "a URL", "https://"))),
        acme_ca_root: fields.parse("acme_ca_root", &secret),
        allow: fields.parse("allow", allow).unwrap_or_default(),
        max_size: fields.parse("max_size", |node| parsed(node, str::parse)).unwrap_or(ByteSize(100 << 20)),
        http_port: fields.parse("http_port", port).or_else(|| (tls == Tls::Acme).then_some(Port::HTTP)),
        image: fields.parse("image", Node::as_text).unwrap_or_else(|| DEFAULT_IMAGE.to_owned()),
        image_origin: typed,
        domain,
        tls,
    };
    let found = fields.finish(&[]);
    let bad = found.has_errors();
    problems.0.extend(found.0);
    if !bad {
        problems.0.extend(contradictions(&edge, node));
    }
    (!bad).then_some(edge)
}

/// What is said and means nothing.
fn contradictions(edge: &Edge, node: &Node) -> Vec<Diagnostic> {
    let at = |key: &str| {
        let map = node.as_map().ok();
        map.and_then(|map| map.get(key)).map_or(&node.origin, |entry| &entry.origin)
    };
    let mut all = Vec::new();
    if edge.tls == Tls::Acme && edge.domain.is_empty() {
        let what = "an ACME authority certifies a domain, and there is none";
        all.push(Diagnostic::error(at("tls"), what).hint("domain: llm.example.org, or tls: internal"));
    }
    for key in ["email", "acme_ca", "acme_ca_root"] {
        let given = node.as_map().is_ok_and(|map| map.get(key).is_some_and(|e| e.node.value != Value::Null));
        if given && edge.tls != Tls::Acme {
            let what = format!("`{key}` says nothing: no ACME authority is asked");
            all.push(Diagnostic::error(at(key), what).hint("tls: acme, or take it away"));
        }
    }
    if !edge.is_https() && (!edge.domain.is_empty() || edge.http_port.is_some()) {
        let key = if edge.domain.is_empty() { "http_port" } else { "domain" };
        let what = format!("`{key}` says nothing beside `tls: off`: all is plain HTTP on the gateway's port");
        all.push(Diagnostic::error(at(key), what).hint("take one of them away"));
    }
    all
}

fn tls(node: &Node, secret: impl Fn(&Node) -> Result<SecretRef, Diagnostic>) -> Result<Tls, Diagnostic> {
    let hint = "acme, internal, off, or {cert: {file: PATH}, key: {file: PATH}}";
    if let Ok(map) = node.as_map() {
        let mut fields = Fields::new(map, "`tls`");
        let cert = fields.parse("cert", &secret);
        let key = fields.parse("key", &secret);
        if let Some(first) = fields.finish(&[]).0.into_iter().next() {
            return Err(first);
        }
        let (Some(cert), Some(key)) = (cert, key) else {
            return Err(Diagnostic::error(&node.origin, "`tls` needs `cert` and `key`").hint(hint));
        };
        return Ok(Tls::Files { cert, key });
    }
    // YAML 1.1 reads a bare `off` as false.
    if node.value == Value::Bool(false) {
        return Ok(Tls::Off);
    }
    match node.as_text()?.as_str() {
        "acme" => Ok(Tls::Acme),
        "internal" => Ok(Tls::Internal),
        "off" => Ok(Tls::Off),
        other => {
            let what = format!("`{}` is no way to a certificate", other.escape_debug());
            Err(Diagnostic::error(&node.origin, what).hint(hint))
        }
    }
}

fn domains(node: &Node) -> Result<Vec<(String, Origin)>, Diagnostic> {
    let one = |node: &Node| {
        let name = node.as_text()?.to_ascii_lowercase();
        if is_name(&name) {
            return Ok((name, node.origin.clone()));
        }
        let what = format!("`{}` is not a domain", name.escape_debug());
        Err(Diagnostic::error(&node.origin, what)
            .hint("a name as in llm.example.org, without https:// and port"))
    };
    match &node.value {
        Value::Seq(items) => items.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

/// Whether it can be in a certificate: a name, a wildcard of one, or an address.
fn is_name(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.len() <= 63 && label.chars().all(plain) && !label.starts_with('-')
    };
    text.len() <= 253 && text.strip_prefix("*.").unwrap_or(text).split('.').all(label)
}

/// A word of a config that holds `mark` and nothing that ends a word there.
fn word(text: &str, what: &str, mark: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !"{}\"`\\".contains(c);
    if text.contains(mark) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!("`{}` is not {what}: one with `{mark}`", text.escape_debug()))
}

fn allow(node: &Node) -> Result<Vec<String>, Diagnostic> {
    let mut all = Vec::new();
    for text in texts(node)? {
        if text == "private_ranges" {
            all.extend(PRIVATE_RANGES.map(str::to_owned));
        } else if is_network(&text) {
            all.push(text);
        } else {
            let what = format!("`{}` is not a network", text.escape_debug());
            let hint = "an address, a network as in 192.168.0.0/16, or private_ranges";
            return Err(Diagnostic::error(&node.origin, what).hint(hint));
        }
    }
    all.dedup();
    Ok(all)
}

fn is_network(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

/// Its container. The last port is for the host itself, and Docker chooses it.
#[must_use]
pub fn edge_service(edge: &Edge, port: Port, host_ip: &str) -> Service {
    let to = if edge.is_https() { HTTPS } else { HTTP };
    let mut ports = vec![published(host_ip, port, to)];
    ports.extend(edge.http_port.map(|http| published(host_ip, http, HTTP)));
    ports.push(format!("127.0.0.1::{OWN}"));
    let words = ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"];
    Service {
        image: edge.image.clone(),
        command: Some(words.map(str::to_owned).to_vec()),
        ports,
        // Certificates and the authority's key outlive the container.
        volumes: vec![format!("./{EDGE_DIRECTORY}:{MOUNTED}:ro"), "edge:/data".to_owned()],
        networks: vec!["default".to_owned()],
        mem_limit: Some(ByteSize(256 << 20)),
        restart: Some("unless-stopped".to_owned()),
        ..Service::default()
    }
}

/// The files that its Caddyfile names, by their names in its directory.
#[derive(Clone, Debug, Default)]
pub struct EdgeFiles {
    /// The certificate and its key.
    pub tls: Option<(String, String)>,
    /// The root certificate of the ACME authority.
    pub acme_ca_root: Option<String>,
}

/// Its config. Which container answers is looked up for each request: a file in a directory names it, so that a
/// switch is a file, and no request ever reaches a container that comes up or goes.
#[must_use]
pub fn caddyfile(edge: &Edge, names: &[String], port: Port, files: &EdgeFiles) -> String {
    let mut out = String::from("# Written by homelab; a deploy writes it again.\n{\n");
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("\tadmin {ADMIN}"));
    line("\tauto_https disable_redirects".to_owned());
    // In a container nobody but Caddy would trust it.
    line("\tskip_install_trust".to_owned());
    for (name, value) in [("email", &edge.email), ("acme_ca", &edge.acme_ca)] {
        if let Some(value) = value {
            line(format!("\t{name} {value}"));
        }
    }
    if let Some(root) = &files.acme_ca_root {
        line(format!("\tacme_ca_root {MOUNTED}/{root}"));
    }
    if let Some(name) = names.first() {
        // Who goes by an address names nobody when it asks for a certificate.
        line(format!("\tdefault_sni {name}"));
    }
    // HTTP/3 would need a port of UDP's.
    line("\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n".to_owned());
    line(format!("(gateway) {{\n{}}}\n", gateway_block(edge)));
    let all = names.iter().map(|name| format!("https://{}", super::bracketed(name))).collect::<Vec<_>>();
    let sites = if edge.is_https() { all.join(", ") } else { format!("http://:{HTTP}") };
    line(format!("{sites} {{"));
    match (&edge.tls, &files.tls) {
        (Tls::Internal, _) => line("\ttls internal".to_owned()),
        (Tls::Files { .. }, Some((cert, key))) => line(format!("\ttls {MOUNTED}/{cert} {MOUNTED}/{key}")),
        _ => {}
    }
    if !edge.allow.is_empty() {
        line(format!("\t@others not remote_ip {}", edge.allow.join(" ")));
        line("\thandle @others {\n\t\trespond \"this network may not come in\" 403\n\t}".to_owned());
    }
    line("\timport gateway\n}\n".to_owned());
    if edge.is_https() && edge.http_port.is_some() {
        let there = if port.get() == HTTPS { String::new() } else { format!(":{port}") };
        line(format!("http://:{HTTP} {{\n\tredir https://{{host}}{there}{{uri}} 308\n}}\n"));
    }
    line(format!("http://:{OWN} {{\n\thandle {EDGE_HEALTH} {{\n\t\trespond 200\n\t}}\n\timport gateway\n}}"));
    out
}

fn gateway_block(edge: &Edge) -> String {
    format!(
        "\trequest_body {{
\t\tmax_size {}
\t}}
\t@serving file {{
\t\troot {MOUNTED}/upstream
\t\ttry_files /*
\t}}
\thandle @serving {{
\t\treverse_proxy {{http.matchers.file.relative}}:{CONTAINER_PORT} {{
\t\t\tflush_interval -1
\t\t\ttransport http {{
\t\t\t\tdial_timeout 3s
\t\t\t\tkeepalive off
\t\t\t}}
\t\t}}
\t}}
\thandle {{
\t\trespond \"no gateway is up yet\" 503
\t}}
",
        edge.max_size.0
    )
}
