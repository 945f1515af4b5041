//! From the cluster to files and services: templates rendered, read back, and compared.
//! Pure: the user's templates come in as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cluster::{Cluster, Config, Host, Role, Unit};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::gateway::{self, Edge, EdgeFiles, Tls};
use crate::inventory;
use crate::names::{HostName, ModelName, ServiceName};
use crate::secret::{Content, SecretRef, Versions};
use crate::service::{Runtime, Service};

use super::compose::{ComposeFile, ReadBackError, read_back};
use super::kept::{RENDERED, kept};
use super::native;
use super::templates::{self, Dollar, Overrides};
use super::{Desired, DesiredHost, DesiredService};

/// The Compose file's name on a host.
pub const COMPOSE_FILE: &str = "compose.yml";
/// Where files lie that are nothing but a secret.
pub const KEYS: &str = "keys/";
const COMPOSE_TEMPLATE: &str = "compose.yml.tera";
const CONFIG_TEMPLATE: &str = "litellm.yml.tera";

#[derive(Serialize)]
struct ComposeContext<'a> {
    host: &'a HostName,
    project: String,
    services: Vec<ServiceContext<'a>>,
    networks: &'a [String],
    /// Volumes of the project's own, which Docker makes.
    volumes: &'a [String],
    vars: &'a BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize)]
struct ServiceContext<'a> {
    name: &'a ServiceName,
    keys: &'a Service,
}

/// Renders every host's files and reads its services back from them.
///
/// # Errors
/// What is wrong with a template or with what it rendered.
pub fn render(cluster: &Cluster, versions: &Versions, overrides: &Overrides) -> Result<Desired, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut hosts = BTreeMap::new();
    for (name, host) in &cluster.hosts {
        if let Some(desired) = problems.take(render_host(cluster, (name, host), versions, overrides)) {
            hosts.insert(name.clone(), desired);
        }
    }
    if problems.has_errors() {
        // The same template fails on every host in the same way.
        problems.0.dedup();
        return Err(problems);
    }
    Ok(Desired {
        project: cluster.project.clone(),
        gateway: Some(cluster.gateway.clone()),
        hosts,
        externals: cluster.externals.clone(),
        stands_in: stands_in(cluster),
    })
}

/// What takes over from each public name: its own fallbacks, else those of all.
fn stands_in(cluster: &Cluster) -> BTreeMap<ModelName, Vec<ModelName>> {
    let options = &cluster.options;
    let of = |name: &ModelName| {
        let own = options.fallbacks.get(name.as_str()).map(|(_, to)| to);
        let names = own.unwrap_or(&options.default_fallbacks).iter();
        let names = names.filter_map(|(other, _)| ModelName::new(other.as_str()).ok());
        (name.clone(), names.filter(|other| other != name).collect::<Vec<_>>())
    };
    cluster.routes.iter().map(|route| of(&route.public)).filter(|(_, names)| !names.is_empty()).collect()
}

fn render_host(
    cluster: &Cluster,
    (name, host): (&HostName, &Host),
    versions: &Versions,
    overrides: &Overrides,
) -> Result<DesiredHost, Diagnostic> {
    let mut files = BTreeMap::new();
    let mut services = Vec::new();
    let mut natives = BTreeMap::new();
    for unit in &host.units {
        let mut service = unit.service.clone();
        let is_native = service.runtime() == Runtime::Native;
        if let Role::Gateway { around, .. } = unit.role {
            let config = gateway_config(cluster, overrides)?;
            mount(&mut service, &mut files, (gateway::CONFIG_PATH, &config), "litellm", versions);
            if around.is_some() {
                leads_around(&mut service, &mut files, versions);
            }
        }
        if let (Role::Edge(before), Some(edge)) = (&unit.role, &cluster.options.edge) {
            files.extend(edge_files(cluster, edge, &before.names, versions));
        }
        for (target, config) in &unit.configs {
            let around = if config.content.is_secret() { KEYS } else { "configs/" };
            let directory = format!("{around}{}", unit.name);
            if is_native {
                place(&mut service, &mut files, (target, config), (&host.dir, &directory), versions);
                continue;
            }
            mount(&mut service, &mut files, (target, config), &directory, versions);
        }
        if !unit.secrets.is_empty() {
            let content = Content::env_file(&unit.secrets);
            let path = content_name("env", &format!("{}.env", unit.name), &content, versions);
            service.env_file = vec![format!("./{path}")];
            files.insert(path, content);
        }
        if is_native {
            let (file, content, service) =
                native::render((cluster, overrides), (name, host), (unit, &service))?;
            files.insert(file, content);
            natives.insert(unit.name.clone(), desired_service(unit, service));
            continue;
        }
        services.push((unit, service));
    }
    let mut desired = DesiredHost {
        dir: host.dir.clone(),
        files,
        services: natives,
        external_networks: vec![],
        logins: host.logins.clone(),
    };
    if !services.is_empty() || desired.services.is_empty() {
        services.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        compose(cluster, (name, host), overrides, (&services, &mut desired))?;
    }
    Ok(desired)
}

/// Renders the Compose file, and adds it and what it says to what its host should have.
fn compose(
    cluster: &Cluster,
    (name, host): (&HostName, &Host),
    overrides: &Overrides,
    (services, desired): (&[(&Unit, Service)], &mut DesiredHost),
) -> Result<(), Diagnostic> {
    let networks = external_networks(services);
    let volumes = own_volumes(services);
    let context = ComposeContext {
        host: name,
        project: cluster.project.to_string(),
        services: services.iter().map(|(unit, keys)| ServiceContext { name: &unit.name, keys }).collect(),
        networks: &networks,
        volumes: &volumes,
        vars: &host.vars,
    };
    let text = templates::render(COMPOSE_TEMPLATE, overrides, Dollar::Doubled, &context)?;
    let rendered = Arc::new(Source { name: format!("{name}: rendered {COMPOSE_FILE}"), text });
    // In our own template every value is quoted; only the user's can have what grows when it is read.
    if overrides.contains_key(COMPOSE_TEMPLATE) {
        readable(&rendered)?;
    }
    let file = read_back(&rendered.text).map_err(|e| read_back_diagnostic(&rendered, e))?;
    desired.services.extend(matched(&rendered, file, services, cluster)?);
    desired.files.insert(COMPOSE_FILE.to_owned(), Content::plain(rendered.text.as_bytes()));
    desired.external_networks = networks;
    Ok(())
}

/// The edge's config and the files it names. They lie in a directory that the edge mounts, so that none of them
/// needs another container.
fn edge_files(
    cluster: &Cluster,
    edge: &Edge,
    names: &[String],
    versions: &Versions,
) -> BTreeMap<String, Content> {
    let mut files = BTreeMap::new();
    let mut put = |name: &str, secret: &SecretRef| {
        let content = Content::secret(secret.clone());
        let path = content_name(gateway::EDGE_DIRECTORY, name, &content, versions);
        let there = path.rsplit('/').next().unwrap_or_default().to_owned();
        files.insert(path, content);
        there
    };
    let tls = match &edge.tls {
        Tls::Files { cert, key } => Some((put("tls.crt", cert), put("tls.key", key))),
        Tls::Off | Tls::Acme | Tls::Internal => None,
    };
    let acme_ca_root = edge.acme_ca_root.as_ref().map(|root| put("acme.pem", root));
    let text = gateway::caddyfile(edge, names, cluster.options.port, &EdgeFiles { tls, acme_ca_root });
    files.insert(gateway::CADDYFILE.to_owned(), Content::plain(text));
    files
}

fn gateway_config(cluster: &Cluster, overrides: &Overrides) -> Result<Config, Diagnostic> {
    let context = gateway::config(&cluster.options, &cluster.routes);
    let text = templates::render(CONFIG_TEMPLATE, overrides, Dollar::Plain, &context)?;
    let rendered = Arc::new(Source { name: "rendered litellm.yml".to_owned(), text });
    readable(&rendered)?;
    if let Err(e) = serde_yaml::from_str::<serde_yaml::Value>(&rendered.text) {
        let place = e.location().map(|l| (l.line(), l.column()));
        return Err(read_back_diagnostic(&rendered, ReadBackError { message: e.to_string(), place }));
    }
    Ok(Config { name: "config.yml".to_owned(), content: Content::plain(rendered.text.as_bytes()) })
}

/// Whether what a template rendered is YAML within the limits of files: the strict reader has none of its own.
fn readable(rendered: &Arc<Source>) -> Result<(), Diagnostic> {
    inventory::within_limits(rendered).map_err(|wrong| wrong.hint(RENDERED))
}

/// Adds a file to the host and mounts it into the service.
fn mount(
    service: &mut Service,
    files: &mut BTreeMap<String, Content>,
    (target, config): (&str, &Config),
    directory: &str,
    versions: &Versions,
) {
    let path = content_name(directory, &config.name, &config.content, versions);
    service.volumes.push(format!("./{path}:{target}:ro"));
    files.insert(path, config.content.clone());
}

/// What the gateway needs so that requests can be led around a server. The hook lies in the directory that is mounted,
/// which is there then before Docker would make it as root's.
fn leads_around(service: &mut Service, files: &mut BTreeMap<String, Content>, versions: &Versions) {
    let hook =
        Config { name: "hook.py".to_owned(), content: Content::plain(gateway::AROUND_HOOK.as_bytes()) };
    mount(service, files, (gateway::AROUND_HOOK_PATH, &hook), gateway::AROUND_DIRECTORY, versions);
    service.volumes.push(format!("./{}:{}:ro", gateway::AROUND_DIRECTORY, gateway::AROUND_MOUNTED));
}

/// Adds a file to the host, and its real path to the command line of a program of the host's own.
fn place(
    service: &mut Service,
    files: &mut BTreeMap<String, Content>,
    (target, config): (&str, &Config),
    (dir, directory): (&str, &str),
    versions: &Versions,
) {
    let path = content_name(directory, &config.name, &config.content, versions);
    let words = service.entrypoint.iter_mut().chain(&mut service.command).flatten();
    for word in words.filter(|word| *word == target) {
        *word = format!("{dir}/{path}");
    }
    files.insert(path, config.content.clone());
}

/// `litellm/config-3f2a91c0.yml`: named by content, so that a changed file is another file and
/// just the container that mounts it changes. Secrets count by their versions, not their values.
fn content_name(directory: &str, name: &str, content: &Content, versions: &Versions) -> String {
    let mut digest = Sha256::new();
    digest.update(content.redacted());
    for secret in content.secrets() {
        digest.update([0]);
        digest.update(versions.of(secret));
    }
    let digest = digest.finalize();
    let hex: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{directory}/{stem}-{hex}.{ending}"),
        _ => format!("{directory}/{name}-{hex}"),
    }
}

/// The name without what [`content_name`] adds: files of one family take each other's place.
#[must_use]
pub fn family(path: &str) -> &str {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    match stem.rsplit_once('-') {
        Some((family, hex)) if hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => family,
        _ => path,
    }
}

fn external_networks(services: &[(&Unit, Service)]) -> Vec<String> {
    let mut all: Vec<String> =
        services.iter().flat_map(|(_, s)| &s.networks).filter(|n| *n != "default").cloned().collect();
    all.sort();
    all.dedup();
    all
}

fn own_volumes(services: &[(&Unit, Service)]) -> Vec<String> {
    let source = |volume: &String| volume.split(':').next().map(str::to_owned);
    let sources = services.iter().flat_map(|(_, s)| &s.volumes).filter_map(source);
    let mut all: Vec<String> = sources.filter(|source| !source.starts_with(['/', '.', '~'])).collect();
    all.sort();
    all.dedup();
    all
}

/// The services as read back, each with what homelab knows of it besides.
fn matched(
    rendered: &Arc<Source>,
    mut file: ComposeFile,
    units: &[(&Unit, Service)],
    cluster: &Cluster,
) -> Result<BTreeMap<ServiceName, DesiredService>, Diagnostic> {
    if file.name != cluster.project {
        return Err(templates::whole(
            rendered,
            format!("the template names the project `{}`, not `{}`", file.name, cluster.project),
        )
        .hint("write `name: {{ project }}`"));
    }
    let mut services = BTreeMap::new();
    for (unit, _) in units {
        let Some(service) = file.services.remove(&unit.name) else {
            return Err(templates::whole(
                rendered,
                format!("the template leaves out the service `{}`", unit.name),
            )
            .hint(EVERY_SERVICE));
        };
        kept(unit, &service).map_err(|why| templates::whole(rendered, why).hint(EVERY_SERVICE))?;
        services.insert(unit.name.clone(), desired_service(unit, service));
    }
    match file.services.keys().next() {
        Some(extra) => Err(templates::whole(rendered, format!("the template adds a service `{extra}`"))
            .hint("homelab runs models and the gateway; other services belong in a Compose project of their own")),
        None => Ok(services),
    }
}

/// A service that was read back, with what homelab knows of it besides.
fn desired_service(unit: &Unit, service: Service) -> DesiredService {
    DesiredService {
        service,
        digest: None,
        role: unit.role.clone(),
        gpus: unit.gpus.clone(),
        port: unit.port,
        ready_timeout: unit.ready_timeout,
        weights: unit.weights.clone(),
        repositories: unit.repositories.clone(),
    }
}

/// What a template does to keep all that homelab goes by.
const EVERY_SERVICE: &str =
    "render each of `services` with all of `service.keys`, as in {{ service.keys | yaml }}";

fn read_back_diagnostic(rendered: &Arc<Source>, error: ReadBackError) -> Diagnostic {
    let (line, column) = error.place.unwrap_or((1, 1));
    let origin = Origin { source: Arc::clone(rendered), line, column, length: 1 };
    // The place is said above, with its line.
    let message = error.message.split(" at line ").next().unwrap_or_default();
    Diagnostic::error(&origin, message).hint(RENDERED)
}
