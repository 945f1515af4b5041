//! What `-i` names: files and directories of inventories, each YAML or INI, and lists of hosts.
//! It reads them into one tree, in Ansible's order; what runs programs is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Kind};
use super::tree::Tree;
use super::vault::{self, Keyring};
use super::{Value, groups, ini, yaml};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::names::HostName;

/// The endings of files that Ansible tries as YAML before it tries INI.
const YAML: [&str; 4] = ["", "yml", "yaml", "json"];

/// Reads every source into the tree; the directories beside whose `group_vars/` they stand. What is wrong is
/// added to `problems`.
pub(super) fn read(
    given: &[PathBuf],
    keys: &Keyring,
    tree: &mut Tree,
    problems: &mut Diagnostics,
) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for path in given {
        match files::kind(path) {
            Kind::Directory => {
                dirs.push(path.clone());
                directory(path, keys, tree, problems);
            }
            Kind::File => {
                dirs.push(files::parent(path));
                file(path, given.len() == 1, (keys, &mut *tree), problems);
            }
            Kind::Missing => match path.to_str().filter(|text| text.contains(',')) {
                Some(list) => host_list(list, tree, problems),
                None => problems.push(
                    Diagnostic::everywhere(format!("there is no inventory at {}", files::shown(path))).hint(
                        "give one with -i PATH or HOMELAB_INVENTORY, or copy inventory.example.yml to inventory.yml",
                    ),
                ),
            },
        }
    }
    dirs
}

fn directory(path: &Path, keys: &Keyring, tree: &mut Tree, problems: &mut Diagnostics) {
    match files::inventories(path) {
        Ok(paths) => paths.iter().for_each(|path| file(path, false, (keys, &mut *tree), problems)),
        Err(error) => problems.push(error),
    }
}

/// `-i box,nas:2222,`: hosts in no group.
fn host_list(list: &str, tree: &mut Tree, problems: &mut Diagnostics) {
    let source = Arc::new(Source { name: "-i".into(), text: list.into() });
    let origin = yaml::start(&source);
    tree.file = Arc::from(list);
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let (name, port) = super::pattern::address(text, false);
        let name = problems.take(HostName::new(name).map_err(|why| Diagnostic::because(&origin, &why)));
        if let Some(name) = name.filter(|name| !tree.hosts.contains_key(name)) {
            problems.take(tree.add_host("ungrouped", &name, port, &origin));
        }
    }
}

fn file(path: &Path, alone: bool, (keys, tree): (&Keyring, &mut Tree), problems: &mut Diagnostics) {
    let Some(source) = problems.take(files::read(path)) else { return };
    tree.file = Arc::from(files::absolute(path).display().to_string());
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with(['#', ';']);
    if alone && source.text.lines().all(blank) {
        problems.push(
            Diagnostic::everywhere(format!("the inventory {} is empty", source.name))
                .hint("inventory.example.yml shows what goes into one"),
        );
        return;
    }
    let ending = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    text(&source, &ending, (keys, tree), problems);
}

/// Reads the text of an inventory, YAML or INI, whatever it turns out to be.
pub(super) fn text(
    source: &Arc<Source>,
    ending: &str,
    (keys, tree): (&Keyring, &mut Tree),
    problems: &mut Diagnostics,
) {
    let start = yaml::start(source);
    let export = "`ansible-inventory -i THIS --list --yaml --export` makes a file of it";
    if source.text.starts_with("#!") {
        let error = Diagnostic::error(&start, "this inventory is a script");
        return problems.push(error.hint(format!("homelab runs no inventory scripts: {export}")));
    }
    if ending == "toml" {
        let error = Diagnostic::error(&start, "this inventory is TOML, and homelab reads YAML and INI");
        return problems.push(error.hint(export));
    }
    let vaulted = vault::is_sealed(&source.text);
    let mut noted = Diagnostics::default();
    let root = (vaulted || YAML.contains(&ending)).then(|| yaml::read(source, keys, &mut noted)).flatten();
    let counted = root.as_ref().map_or(Ok(()), |root| yaml::count(root, &mut tree.weight));
    if problems.take(counted).is_none() {
        return;
    }
    if let Some(Value::Map(map)) = root.as_ref().map(|root| &root.value) {
        problems.0.extend(noted.0);
        return match map.get("plugin").filter(|entry| !entry.node.value.is_falsy()) {
            Some(entry) => problems.push(
                Diagnostic::error(&entry.origin, "this configures an inventory plugin of Ansible")
                    .hint(format!("homelab runs no plugins: {export}")),
            ),
            None => groups::read(map, tree, problems),
        };
    }
    if vaulted {
        problems.0.extend(noted.0);
        problems.0.extend(root.map(|root| root.expected("an inventory in YAML")));
        return;
    }
    // Like Ansible: what is no YAML inventory is tried as INI, whatever its name.
    match ini::parse(source, &mut tree.weight) {
        Ok(ini) => ini.read(tree, problems),
        Err(wrong) if !YAML.contains(&ending) || source.text.lines().any(ini::is_section) => {
            problems.0.extend(wrong.0);
        }
        Err(_) => match root {
            Some(root) => problems.push(root.expected("a map of groups, `all:` first")),
            None => problems.0.extend(noted.0),
        },
    }
}
