//! From files to an `Inventory`: reads them all, reports every mistake of all of them at once.
//! It decides nothing itself: shape, precedence and evaluation have modules of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::groups::{self, Tree, Vars};
use super::host::{HostVars, Inventory, Peer, World};
use super::layers::{self, Beside};
use super::{Node, Value, files, yaml};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source, did_you_mean};

/// Reads an inventory and the variables beside it. `env` is what `lookup('env', …)` may see.
///
/// # Errors
/// All mistakes in all files, with the warnings that came up on the way.
pub fn load(path: &Path, env: BTreeMap<String, String>) -> Result<Inventory, Diagnostics> {
    let mut problems = Diagnostics::default();
    let tree = problems.take(inventory_file(path)).map(|root| tree(&root, &mut problems));
    let Some(tree) = tree else { return Err(problems) };
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let beside = beside(&tree, &dir, &mut problems);
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = absolute.display().to_string();
    let parent = absolute.parent().map(|p| p.display().to_string()).unwrap_or_default();
    assemble(tree, &beside, Surroundings { dir, absolute_dir: parent, absolute_file: file, env }, problems)
}

/// Reads an inventory from a text instead of a file, with nothing beside it.
///
/// # Errors
/// As `load`.
pub fn parse(name: &str, text: &str, env: BTreeMap<String, String>) -> Result<Inventory, Diagnostics> {
    let mut problems = Diagnostics::default();
    let source = Arc::new(Source { name: name.into(), text: text.into() });
    let tree = tree(&shaped(&source)?, &mut problems);
    let dir = PathBuf::from(".");
    let surroundings = Surroundings { dir, absolute_dir: ".".into(), absolute_file: name.into(), env };
    assemble(tree, &Beside::default(), surroundings, problems)
}

/// Where the inventory stands.
struct Surroundings {
    dir: PathBuf,
    absolute_dir: String,
    absolute_file: String,
    env: BTreeMap<String, String>,
}

fn inventory_file(path: &Path) -> Result<Node, Diagnostic> {
    let name = files::shown(path);
    if path.is_dir() {
        return Err(Diagnostic::everywhere(format!("the inventory {name} is a directory"))
            .hint("homelab reads one YAML file: give it with -i, as in -i inventory.yml"));
    }
    if !path.exists() {
        return Err(Diagnostic::everywhere(format!("there is no inventory at {name}")).hint(
            "give one with -i PATH or HOMELAB_INVENTORY, or copy inventory.example.yml to inventory.yml",
        ));
    }
    shaped(&files::read(path)?)
}

/// The tree of an inventory, or why it is none.
fn shaped(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let start = yaml::start(source);
    let mut lines = source.text.lines().enumerate().map(|(i, l)| (i + 1, l));
    let first = lines.find(|(_, l)| !l.trim().is_empty() && !l.trim_start().starts_with(['#', ';']));
    let Some((line, text)) = first else {
        return Err(Diagnostic::everywhere(format!("the inventory {} is empty", source.name))
            .hint("inventory.example.yml shows what goes into one"));
    };
    let mut origin = start.clone();
    (origin.line, origin.length) = (line, text.trim_end().chars().count().max(1));
    if source.text.starts_with("#!") {
        return Err(Diagnostic::error(&start, "this inventory is a script")
            .hint("homelab runs no inventory scripts: `ansible-inventory -i THIS --list --yaml --export` makes a file of it"));
    }
    let ini = |origin| {
        Diagnostic::error(origin, "this looks like an INI inventory, and homelab reads YAML")
            .hint("`ansible-inventory -i THIS --list --yaml --export` writes it as YAML")
    };
    if is_section(text) {
        return Err(ini(&origin));
    }
    let root = yaml::parse(source)
        .map_err(|e| if source.text.lines().any(is_section) { ini(&origin) } else { e })?;
    match &root.value {
        Value::Map(map) => match map.get("plugin") {
            Some(entry) => Err(Diagnostic::error(&entry.origin, "this configures an inventory plugin of Ansible")
                .hint("homelab runs no plugins: `ansible-inventory -i THIS --list --yaml --export` makes a file of it")),
            None => Ok(root),
        },
        Value::Str(_) => Err(ini(&origin)),
        _ => Err(root.expected("a map of groups, `all:` first")),
    }
}

/// `[web]` or `[web:children]`.
fn is_section(line: &str) -> bool {
    line.starts_with('[') && line.trim_end().ends_with(']') && !line.contains([',', '"', '\''])
}

fn tree(root: &Node, problems: &mut Diagnostics) -> Tree {
    warn_of_duplicates(root, problems);
    groups::read(root, problems)
}

/// A key that stands twice: Ansible takes the later one, and so do we, but nobody means it.
fn warn_of_duplicates(root: &Node, problems: &mut Diagnostics) {
    for (first, again) in root.duplicates() {
        let message = format!("`{}` stands twice in one map, and only this one counts", again.key);
        let warning = Diagnostic::warning(&again.origin, message)
            .hint(format!("the first is at {}: remove one", first.origin));
        // A map that an alias repeats would repeat its warning.
        if !problems.0.contains(&warning) {
            problems.push(warning);
        }
    }
}

/// Reads the variables of all groups and hosts from the files beside the inventory.
fn beside(tree: &Tree, dir: &Path, problems: &mut Diagnostics) -> Beside {
    let mut beside = Beside::default();
    let (group_dir, host_dir) = (dir.join("group_vars"), dir.join("host_vars"));
    if group_dir.is_dir() {
        for name in tree.groups.keys() {
            beside.groups.insert(name.clone(), vars_of(&group_dir, name, problems));
        }
        near_misses(&group_dir, "group", tree.groups.keys().map(String::as_str).collect(), problems);
    }
    if host_dir.is_dir() {
        for name in tree.hosts.keys() {
            beside.hosts.insert(name.clone(), vars_of(&host_dir, name.as_str(), problems));
        }
        near_misses(&host_dir, "host", tree.hosts.keys().map(|h| h.as_str()).collect(), problems);
    }
    beside
}

/// A file for `infernce` beside a group `inference` is a slip; one for a group of another inventory is not.
fn near_misses(dir: &Path, what: &str, known: Vec<&str>, problems: &mut Diagnostics) {
    for subject in files::subjects(dir) {
        if known.contains(&subject.as_str()) {
            continue;
        }
        if let Some(near) = did_you_mean(&subject, known.iter().copied()) {
            let path = files::shown(&dir.join(&subject));
            problems.push(Diagnostic {
                severity: Severity::Warning,
                message: format!("{path} is not read: there is no {what} `{subject}`"),
                origin: None,
                hint: Some(format!("did you mean `{near}`?")),
            });
        }
    }
}

fn vars_of(dir: &Path, name: &str, problems: &mut Diagnostics) -> Vars {
    let found = files::find(dir, name);
    problems.0.extend(found.problems);
    let mut vars = Vars::new();
    for file in found.files {
        let Some(source) = problems.take(files::read(&file)) else { continue };
        if source.text.starts_with("$ANSIBLE_VAULT;") {
            problems.push(
                Diagnostic::warning(
                    &yaml::start(&source),
                    "this file is encrypted by Ansible Vault and not read",
                )
                .hint("secrets go into {env: NAME}, {file: PATH} or {command: [..]}"),
            );
            continue;
        }
        let Some(root) = problems.take(yaml::parse(&source)) else { continue };
        warn_of_duplicates(&root, problems);
        match root.value {
            Value::Null => {}
            Value::Map(map) => vars.extend(map.0.into_iter().map(|e| (e.key, Arc::new(e.node)))),
            _ => problems.push(root.expected("a map of variables")),
        }
    }
    vars
}

/// Puts everything together once it is read.
fn assemble(
    tree: Tree,
    beside: &Beside,
    surroundings: Surroundings,
    mut problems: Diagnostics,
) -> Result<Inventory, Diagnostics> {
    for name in tree.hosts.keys().filter(|h| tree.groups.contains_key(h.as_str())) {
        let Some(host) = tree.hosts.get(name) else { continue };
        problems.push(
            Diagnostic::warning(&host.origin, format!("`{name}` is a host and a group"))
                .hint("rename one of them: patterns such as --limit cannot tell them apart"),
        );
    }
    if tree.hosts.is_empty() && !problems.has_errors() {
        problems.push(
            Diagnostic::everywhere("the inventory has no hosts").hint("name at least one under `hosts:`"),
        );
    }
    if problems.has_errors() {
        return Err(problems);
    }
    let mut warnings = layers::Warnings::default();
    let mut peers = BTreeMap::new();
    for (name, groups) in tree.groups_of_hosts() {
        let raw = Arc::new(layers::merge(&tree, beside, name, &groups, &mut warnings));
        let groups = groups.into_iter().map(str::to_owned).collect();
        peers.insert(name.clone(), Peer { groups, raw });
    }
    problems.0.extend(warnings.found);
    let members = |name: &String| tree.hosts_of(name).into_iter().cloned().collect();
    let world = Arc::new(World {
        hosts: peers,
        groups: tree.groups.keys().map(|name| (name.clone(), members(name))).collect(),
        env: surroundings.env,
        dir: surroundings.absolute_dir,
        file: surroundings.absolute_file,
    });
    let hosts = tree.hosts.into_iter().filter_map(|(name, host)| {
        let peer = world.hosts.get(&name)?;
        let vars = HostVars {
            name: name.clone(),
            origin: host.origin,
            groups: peer.groups.clone(),
            raw: Arc::clone(&peer.raw),
            world: Arc::clone(&world),
        };
        Some((name, vars))
    });
    Ok(Inventory { dir: surroundings.dir, hosts: hosts.collect(), groups: tree.groups, warnings: problems.0 })
}
