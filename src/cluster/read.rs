//! From the inventory to what the user said: every host's variables, key by key, then what is wrong across them.

use std::collections::BTreeMap;

use crate::bootstrap::Packages;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Severity};
use crate::inventory::{Fields, HostVars, Inventory, Node, parsed};
use crate::lock::Pins;
use crate::names::ProjectName;
use crate::secret::Login;

use super::keys::variable;
use super::overlay::secret;
use super::spec::{HostSpec, Spec};
use super::{absent, catalogue, check, connect, gateway_spec, gpus, models};

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
    let (models, externals) = models::read_all(vars, problems);
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
