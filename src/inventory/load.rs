//! From sources to an `Inventory`: reads them all, reports every mistake of all of them at once.
//! It decides nothing itself: shape, precedence and evaluation have modules of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::beside::{self, Beside, LOCALHOST};
use super::host::{HostVars, Inventory};
use super::layers::{self, Merger};
use super::tree::{Tree, Vars, hosts_of};
use super::vault::Keyring;
use super::world::{Peer, World};
use super::{Node, Value, extra, sources};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::names::HostName;

/// How many variables all hosts may have together, those of their groups counted for every one.
const MAX_VARS: usize = 1_000_000;

/// What the user gave.
#[derive(Clone, Debug)]
pub struct Given {
    /// Files and directories of inventories, or lists of hosts (`box,nas,`): a later one adds to an earlier one.
    pub inventories: Vec<PathBuf>,
    /// Every `-e`: `KEY=VALUE`, `@FILE` or `{JSON}`.
    pub extra_vars: Vec<String>,
    /// The working directory, whose `group_vars/` and `host_vars/` count as well.
    pub cwd: PathBuf,
    /// What `lookup('env', …)` may see.
    pub env: BTreeMap<String, String>,
    /// The passwords of Ansible Vault.
    pub keys: Arc<Keyring>,
}

/// Reads the inventories and the variables beside them.
///
/// # Errors
/// All mistakes in all files, with the warnings that came up on the way.
pub fn load(given: &Given) -> Result<Inventory, Diagnostics> {
    whole(load_all(given))
}

/// An inventory in which nothing is wrong.
fn whole((inventory, problems): (Inventory, Diagnostics)) -> Result<Inventory, Diagnostics> {
    if problems.has_errors() { Err(problems) } else { Ok(Inventory { warnings: problems.0, ..inventory }) }
}

/// The same as far as it can be read, and all mistakes and warnings: it holds not all that the user typed if there is
/// an error among them.
#[must_use]
pub fn load_all(given: &Given) -> (Inventory, Diagnostics) {
    let mut problems = Diagnostics::default();
    let mut tree = Tree::default();
    let dirs = sources::read(&given.inventories, &given.keys, &mut tree, &mut problems);
    tree.settle();
    let beside = beside::read(&tree, (&dirs, &given.cwd), &given.keys, &mut problems);
    let extra = extra::read(&given.extra_vars, &given.env, &given.keys, &mut problems);
    let dir = dirs.into_iter().next().unwrap_or_else(|| given.cwd.clone());
    assemble(tree, (&beside, &extra), (dir, given.env.clone(), Arc::clone(&given.keys)), problems)
}

/// Reads an inventory from a text instead of a file, with nothing beside it.
///
/// # Errors
/// As `load`.
pub fn parse(name: &str, text: &str, env: BTreeMap<String, String>) -> Result<Inventory, Diagnostics> {
    let mut problems = Diagnostics::default();
    let source = Arc::new(Source { name: name.into(), text: text.into() });
    let mut tree = Tree::default();
    tree.file = Arc::from(name);
    let keys = Arc::new(Keyring::default());
    sources::text(&source, "yml", (&keys, &mut tree), &mut problems);
    tree.settle();
    whole(assemble(tree, (&Beside::default(), &Vars::new()), (PathBuf::from("."), env, keys), problems))
}

/// Puts everything together once it is read.
fn assemble(
    tree: Tree,
    (beside, extra): (&Beside, &Vars),
    (dir, env, keys): (PathBuf, BTreeMap<String, String>, Arc<Keyring>),
    mut problems: Diagnostics,
) -> (Inventory, Diagnostics) {
    for (name, host) in tree.hosts.iter().filter(|(name, _)| tree.groups.contains_key(name.as_str())) {
        problems.push(
            Diagnostic::warning(&host.origin, format!("`{name}` is a host and a group"))
                .hint("rename one of them: patterns such as --limit cannot tell them apart"),
        );
    }
    let origin = implicit();
    let node = Node { origin: origin.clone(), value: Value::Str("local".into()) };
    let local = Vars::from([("ansible_connection".to_owned(), Arc::new(node))]);
    let mut merger = Merger::new(&tree, beside, extra);
    let mut warnings = layers::Warnings::default();
    let (mut peers, mut contests) = (BTreeMap::new(), BTreeMap::new());
    let mut count = 0;
    for (name, groups) in tree.groups_of_hosts() {
        let Some(host) = tree.hosts.get(name) else { continue };
        let (raw, contested) = merger.merge(name, &host.vars, &groups);
        count += raw.len();
        if count > MAX_VARS {
            let message = format!("all hosts together have more than {MAX_VARS} variables");
            let hint = "a variable of a group counts for every host in it";
            problems.push(Diagnostic::everywhere(message).hint(hint));
            break;
        }
        contested.iter().for_each(|contest| warnings.add(name, contest));
        contests.insert(name.clone(), contested);
        let groups = groups.into_iter().map(str::to_owned).collect();
        peers.insert(name.clone(), Peer { groups, raw: Arc::new(raw), file: Arc::clone(&host.file) });
    }
    problems.0.extend(warnings.found);
    let named = |name: &HostName| tree.hosts.contains_key(name);
    let local = HostName::new(LOCALHOST).ok().filter(|name| !named(name)).map(|name| {
        let raw = Arc::new(merger.merge(&name, &local, &["all"]).0);
        (name, Peer { groups: vec!["all".to_owned()], raw, file: Arc::from("") })
    });
    let members = |name: &String| hosts_of(&tree.groups, name).into_iter().cloned().collect();
    let world = Arc::new(World {
        hosts: peers,
        localhost: local.clone(),
        groups: tree.groups.keys().map(|name| (name.clone(), members(name))).collect(),
        env,
        keys,
    });
    let mut host = |name: &HostName, origin: &Origin| {
        let peer = world.peer(name)?;
        Some(HostVars {
            name: name.clone(),
            origin: origin.clone(),
            groups: peer.groups.clone(),
            contests: contests.remove(name).unwrap_or_default(),
            raw: Arc::clone(&peer.raw),
            world: Arc::clone(&world),
        })
    };
    let localhost = local.and_then(|(name, _)| host(&name, &origin));
    let hosts =
        tree.hosts.iter().filter_map(|(name, h)| Some((name.clone(), host(name, &h.origin)?))).collect();
    let group_vars = tree.groups.keys().map(|name| (name.clone(), group_vars(&tree, beside, name))).collect();
    let Tree { groups, group_order, host_order, .. } = tree;
    let warnings = Vec::new();
    (Inventory { dir, hosts, groups, warnings, localhost, group_vars, group_order, host_order }, problems)
}

/// Where the host is named that no inventory names: Ansible takes `localhost` for a host in no group whose
/// connection is local.
fn implicit() -> Origin {
    let source = Arc::new(Source { name: "implicit localhost".into(), text: String::new() });
    Origin { source, line: 1, column: 1, length: 1 }
}

/// The variables of a group in the inventories and beside them.
fn group_vars(tree: &Tree, beside: &Beside, name: &str) -> Vars {
    let own = tree.groups.get(name).map(|group| &group.vars);
    let files = beside.sources().filter_map(|files| files.groups.get(name));
    own.into_iter().chain(files).flatten().map(|(name, node)| (name.clone(), Arc::clone(node))).collect()
}
