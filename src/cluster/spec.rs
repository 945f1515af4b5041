//! The inventory as typed keys: what the user said, host by host, before any host was seen.
//! It applies no default that depends on another host or on a survey; [`super::resolve`] does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bootstrap::Packages;
use crate::connection::Connection;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::engine::{Engine, Gpus, Kind, Load, Serve, Several};
use crate::gateway::Words;
use crate::inventory::{Fields, HostVars, Inventory, Node, parsed};
use crate::lock::Pins;
use crate::names::{HostName, ModelName, Port, ProjectName};
use crate::secret::{Login, SecretRef};
use crate::service::Runtime;

use super::absent::{self, WakeSpec};
use super::access::Access;
use super::gateway_spec::{self, GatewaySpec};
use super::gpus::{self, TypedGpu};
use super::overlay::{LocalFile, Overlay, secret};
use super::place::Origins;
use super::server::MemberSpec;
use super::{External, catalogue, check, connect, model_spec, native};

/// Everything the user said that homelab understands.
#[derive(Debug)]
pub struct Spec {
    /// The project all of it belongs to.
    pub project: ProjectName,
    /// The hosts.
    pub hosts: BTreeMap<HostName, HostSpec>,
    /// What `homelab.lock` pins.
    pub pins: Pins,
    /// What works, but perhaps not as the user thinks.
    pub warnings: Diagnostics,
}

/// What the user said of a host.
#[derive(Debug)]
pub struct HostSpec {
    /// Where the inventory names it.
    pub origin: Origin,
    /// How to get there.
    pub connection: Connection,
    /// How it is woken when it sleeps, if it can be.
    pub wake: Option<WakeSpec>,
    /// Where Docker's packages come from, should it be missing.
    pub docker_packages: Packages,
    /// Whether launchd runs its own services, as far as the inventory says; what a look finds counts more.
    pub(super) launchd: bool,
    /// Where homelab's files lie on it; may start with `~/`.
    pub dir: String,
    /// How other hosts reach it, where the user said so.
    pub address: Option<String>,
    /// The Hugging Face cache on it; may start with `~/`.
    pub hf_home: String,
    /// The Hugging Face token for its models.
    pub hf_token: Option<SecretRef>,
    /// How to log in to registries, by their names.
    pub registry_auth: BTreeMap<String, Login>,
    /// The GPUs that it is said to have.
    pub gpus: Vec<TypedGpu>,
    /// Its models.
    pub models: Vec<ModelSpec>,
    /// What its variables say of endpoints that somebody else runs. Which host they stand at means nothing.
    pub externals: Vec<External>,
    /// The gateway, if it runs here.
    pub gateway: Option<GatewaySpec>,
    /// Where its variables stand.
    pub(super) origins: Origins,
    /// All its variables, for templates of the user's.
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// What the user said of a model.
#[derive(Clone)]
pub struct ModelSpec {
    /// Where it is named.
    pub origin: Origin,
    /// Where each of its keys is typed, and where the value is.
    pub places: BTreeMap<String, (Origin, Origin)>,
    /// Whether all of its keys could be read: what is not typed right is no default either.
    pub sound: bool,
    /// Its public name.
    pub name: ModelName,
    /// Further public names, and where each stands.
    pub aliases: Vec<(ModelName, Origin)>,
    /// What serves it.
    pub engine: &'static dyn Engine,
    /// What it is for.
    pub kind: Kind,
    /// The repo id or file.
    pub model: Option<String>,
    /// The port on the host, and where it stands.
    pub port: Port,
    /// Where the port is typed.
    pub port_origin: Origin,
    /// Where it runs.
    pub gpus: Gpus,
    /// The way to its GPUs, where the user said so.
    pub(super) gpu_access: Option<Access>,
    /// What runs it.
    pub runtime: Runtime,
    /// The program that the host itself runs, and words that come before its arguments; empty in a container.
    pub command: Vec<String>,
    /// Its image: the model's own, else the host variable's, else the engine's.
    pub image: String,
    /// Where that is typed; none where the engine chose.
    pub image_origin: Option<Origin>,
    /// The engine's options.
    pub options: BTreeMap<String, serde_json::Value>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Whether clients must show a key.
    pub api_key: bool,
    /// How long it may take to answer, in seconds.
    pub ready_timeout: u64,
    /// Whether its weights are downloaded before it starts.
    pub prefetch: bool,
    /// The commits that `homelab.lock` pins; all models share them.
    pub revisions: Arc<BTreeMap<String, String>>,
    /// The models behind it, if it is a server of several.
    pub members: Vec<MemberSpec>,
    /// How many of them it keeps loaded.
    pub models_max: Option<u64>,
    /// Whether a deploy is refused when its weights are known not to fit.
    pub check_fit: bool,
    /// Whether it may be reached from anywhere.
    pub public: bool,
    /// What is said of it to LiteLLM.
    pub words: Words,
    /// The same of those of its aliases that have parameters of their own.
    pub variants: BTreeMap<ModelName, Words>,
    /// Compose's keys.
    pub overlay: Overlay,
}

impl ModelSpec {
    /// One of its models, as its engine sees it.
    #[must_use]
    pub fn serve_member<'a>(&'a self, member: &'a MemberSpec, hf_home: &'a str) -> Serve<'a> {
        Serve {
            name: &member.name,
            model: member.model.as_deref(),
            kind: member.kind,
            options: &member.options,
            member: true,
            load: member.load,
            ttl: member.ttl,
            ..self.alone(hf_home)
        }
    }

    /// As its engine sees it on a host with this cache.
    #[must_use]
    pub fn serve<'a>(&'a self, hf_home: &'a str) -> Serve<'a> {
        let members = || self.members.iter().map(|member| self.serve_member(member, hf_home)).collect();
        let several = self.models_max.map(|models_max| Several { models_max, members: members() });
        Serve { several, ..self.alone(hf_home) }
    }

    /// The same without the models behind it.
    fn alone<'a>(&'a self, hf_home: &'a str) -> Serve<'a> {
        Serve {
            name: &self.name,
            model: self.model.as_deref(),
            kind: self.kind,
            options: &self.options,
            args: &self.args,
            gpus: &self.gpus,
            image: &self.image,
            api_key: self.api_key,
            member: false,
            load: Load::Startup,
            ttl: None,
            several: None,
            hf_home,
            revisions: native::pins(self),
            native: native::started(self),
        }
    }

    /// Where a key is typed, or the model where it is not.
    #[must_use]
    pub fn place(&self, key: &str) -> &Origin {
        self.places.get(key).map_or(&self.origin, |(key, _)| key)
    }

    /// The same for the value of the key.
    #[must_use]
    pub fn value_place(&self, key: &str) -> &Origin {
        self.places.get(key).map_or(&self.origin, |(_, value)| value)
    }
}

impl std::fmt::Debug for ModelSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelSpec({} by {} at {})", self.name, self.engine.name(), self.origin)
    }
}

/// Reads what the user said, beside what is pinned.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(inventory: &Inventory, pins: Pins, with_vars: bool) -> Result<Spec, Diagnostics> {
    let (mut spec, mut problems) = typed(inventory, with_vars);
    spec.pin(pins);
    let across = check::all(&spec);
    if problems.has_errors() {
        problems.extend_but_absences(across);
        problems.settle();
        return Err(problems);
    }
    // What cannot be meant is an error only where it is to be meant: what runs can be taken down nevertheless.
    problems.0.extend(across.0.into_iter().filter(|d| d.severity == Severity::Warning));
    problems.settle();
    spec.warnings = problems;
    Ok(spec)
}

/// All that can be said to be wrong with an inventory of which a part could not be read.
#[must_use]
pub fn mistakes(inventory: &Inventory, unread: Diagnostics) -> Diagnostics {
    let (spec, typed) = typed(inventory, false);
    let mut all = unread;
    all.extend_but_absences(typed);
    all.extend_but_absences(check::all(&spec));
    all.settle();
    all
}

/// What could be read, key by key, and what is wrong with the rest.
fn typed(inventory: &Inventory, with_vars: bool) -> (Spec, Diagnostics) {
    let mut problems = Diagnostics(inventory.warnings.clone());
    let mut hosts = BTreeMap::new();
    let mut project: Option<(ProjectName, Option<Origin>)> = None;
    for (name, vars) in &inventory.hosts {
        let theirs = project_of(vars, &mut problems);
        let mine = project.get_or_insert_with(|| theirs.clone());
        if mine.0 != theirs.0
            && let Some(origin) = theirs.1.as_ref().or(mine.1.as_ref())
        {
            problems.push(
                Diagnostic::error(
                    origin,
                    format!("{name} is in project `{}`, other hosts in `{}`", theirs.0, mine.0),
                )
                .hint("set homelab_project once, in group_vars/all.yml; two projects are two inventories"),
            );
        }
        let mut host = read_host(vars, &theirs.0, &mut problems);
        if with_vars {
            // What is or holds a value of a vault is not for templates: what they render shows.
            let plain = |(name, node): (String, Node)| Some((name, node.to_json().ok()?));
            host.vars = vars.evaluated().into_iter().filter_map(plain).collect();
        }
        hosts.insert(name.clone(), host);
    }
    catalogue::astray(inventory, &mut problems);
    if project.is_none() {
        let none = Diagnostic::everywhere("the inventory names no host").hint("add one below all: hosts:");
        problems.push(none.of_absence());
    }
    let project = project.map_or_else(ProjectName::homelab, |(project, _)| project);
    (Spec { project, hosts, pins: Pins::default(), warnings: Diagnostics::default() }, problems)
}

fn project_of(vars: &HostVars, problems: &mut Diagnostics) -> (ProjectName, Option<Origin>) {
    let node = vars.value_noting("homelab_project", problems);
    let typed =
        node.as_ref().and_then(|node| problems.take(parsed(node, |text| text.parse::<ProjectName>())));
    (typed.unwrap_or_else(ProjectName::homelab), node.map(|n| n.origin))
}

/// A host variable read by `read`; errors are collected.
pub(super) fn variable<T>(
    vars: &HostVars,
    name: &str,
    problems: &mut Diagnostics,
    read: impl FnOnce(&Node) -> Result<T, Diagnostic>,
) -> Option<T> {
    let node = vars.value_noting(name, problems)?;
    if node.value == crate::inventory::Value::Null {
        return None;
    }
    problems.take(read(&node))
}

fn read_host(vars: &HostVars, project: &ProjectName, problems: &mut Diagnostics) -> HostSpec {
    let text = |name: &str, problems: &mut Diagnostics| variable(vars, name, problems, Node::as_text);
    let mut connection = connect::read(vars, problems);
    let packages = variable(vars, "homelab_docker_packages", problems, |node| parsed(node, Packages::typed));
    let dir = variable(vars, "homelab_dir", problems, |node| parsed(node, remote_path));
    let hf_home = variable(vars, "hf_home", problems, |node| parsed(node, remote_path));
    let address = text("homelab_address", problems);
    let hf_token = variable(vars, "hf_token", problems, secret);
    let registry_auth = variable(vars, "registry_auth", problems, logins);
    let gpus = gpus::read(vars, problems);
    let (models, externals) = model_spec::read_all(vars, problems);
    let gateway = gateway_spec::read(vars, problems);
    connection.optional = absent::optional(vars, gateway.is_some(), problems);
    HostSpec {
        origin: vars.origin.clone(),
        origins: vars.raw.iter().map(|(key, node)| (key.clone(), node.origin.clone())).collect(),
        connection,
        wake: absent::wake(vars, problems),
        docker_packages: packages.unwrap_or_default(),
        launchd: text("ansible_service_mgr", problems).as_deref() == Some("launchd"),
        dir: dir.unwrap_or_else(|| format!("~/homelab/{project}")),
        address,
        hf_home: hf_home.unwrap_or_else(|| "~/.cache/huggingface".to_owned()),
        hf_token,
        registry_auth: registry_auth.unwrap_or_default(),
        gpus,
        models,
        externals,
        gateway,
        vars: BTreeMap::new(),
    }
}

/// A directory on a host: absolute, or below the SSH user's home.
fn remote_path(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix("~/").or_else(|| text.strip_prefix('/'));
    match plain {
        Some(rest)
            if !rest.is_empty()
                && !rest.contains([':', '\n', '\0'])
                && !rest.split('/').any(|p| p == "..") =>
        {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "`{}` is not a directory on the host: an absolute path, or one that starts with ~/",
            text.escape_debug()
        )),
    }
}

/// Logins by the registries' names, as they stand in images.
fn logins(node: &Node) -> Result<BTreeMap<String, Login>, Diagnostic> {
    let mut all = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        if crate::image::registry(&format!("{}/x", entry.key)) != entry.key {
            let wrong =
                Diagnostic::error(&entry.origin, format!("`{}` is not a registry", entry.key.escape_debug()));
            return Err(wrong.hint("its name as it stands before an image's first slash, as in ghcr.io; docker.io for images without one"));
        }
        let mut fields = Fields::new(entry.node.as_map()?, format!("the login of `{}`", entry.key));
        let username = fields.parse("username", Node::as_text);
        let password = fields.parse("password", secret);
        if let Some(first) = fields.finish(&[]).0.into_iter().next() {
            return Err(first);
        }
        let (Some(username), Some(password)) = (username, password) else {
            let wrong =
                Diagnostic::error(&entry.origin, format!("the login of `{}` is not whole", entry.key));
            return Err(wrong.hint("{username: NAME, password: {env: VARIABLE}}"));
        };
        all.insert(entry.key.clone(), Login { username, password });
    }
    Ok(all)
}

impl Spec {
    /// Takes these pins.
    pub fn pin(&mut self, pins: Pins) {
        let revisions = Arc::new(pins.revisions.clone());
        for model in self.hosts.values_mut().flat_map(|host| &mut host.models) {
            model.revisions = Arc::clone(&revisions);
        }
        self.pins = pins;
    }

    /// Every file of the user's that something mounts.
    pub fn local_files(&self) -> impl Iterator<Item = &LocalFile> {
        let models = self.hosts.values().flat_map(|h| &h.models).map(|m| &m.overlay);
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        models.flat_map(|o| o.configs.values()).chain(gateways.flat_map(GatewaySpec::local_files))
    }

    /// Every secret whose value the user holds.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let models = self.hosts.values().flat_map(|h| &h.models).flat_map(|m| m.overlay.secrets.values());
        let tokens = self.hosts.values().filter_map(|h| h.hf_token.as_ref());
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        let theirs = gateways.flat_map(|g| {
            let edge = g.options.edge.iter().flat_map(crate::gateway::Edge::secrets);
            g.overlay.secrets.values().chain(&g.options.master_key).chain(&g.options.database).chain(edge)
        });
        let gateways = self.hosts.values().filter_map(|h| h.gateway.as_ref());
        let beside = gateways.flat_map(GatewaySpec::companions).flat_map(|one| one.overlay.secrets.values());
        let endpoints = self.externals().filter_map(|(_, one)| one.api_key.as_ref());
        models.chain(tokens).chain(theirs).chain(beside).chain(endpoints)
    }
}
