//! Which value counts: Ansible's precedence, and a warning where only the alphabet decides.
//! It reads no file and evaluates nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Node;
use super::groups::{Tree, Vars};
use crate::diagnostic::Diagnostic;
use crate::names::HostName;

/// The variables from the files beside the inventory.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) groups: BTreeMap<String, Vars>,
    pub(super) hosts: BTreeMap<HostName, Vars>,
}

/// Variables of one host while the layers are laid over one another.
struct Layers<'a> {
    values: BTreeMap<&'a str, Laid<'a>>,
}

struct Laid<'a> {
    node: &'a Arc<Node>,
    /// The layer and the rank of the group in it; what only the host has, has none.
    level: Option<(usize, usize, i64)>,
    group: &'a str,
    /// A group of the same level that wanted another value.
    beaten: Option<(&'a str, &'a Arc<Node>)>,
}

impl<'a> Layers<'a> {
    fn lay(&mut self, vars: &'a Vars, group: &'a str, level: Option<(usize, usize, i64)>) {
        for (name, node) in vars {
            let before = self.values.get(name.as_str());
            let beaten = before
                .filter(|b| level.is_some() && b.level == level && !b.node.same(node))
                .map(|b| (b.group, b.node));
            self.values.insert(name, Laid { node, level, group, beaten });
        }
    }
}

/// The variables of a host that is in these groups (`all` first, the one that wins last).
///
/// In Ansible's order: `all` and the groups in the inventory file, then their files in group_vars/, then
/// the host in the inventory file, then its files in host_vars/. A later value replaces an earlier one whole.
pub(super) fn merge(
    tree: &Tree,
    beside: &Beside,
    host: &HostName,
    groups: &[&str],
    warnings: &mut Warnings,
) -> Vars {
    let mut layers = Layers { values: BTreeMap::new() };
    for layer in 0..2 {
        for name in groups {
            let Some(group) = tree.groups.get(*name) else { continue };
            let vars = if layer == 0 { Some(&group.vars) } else { beside.groups.get(*name) };
            if let Some(vars) = vars {
                layers.lay(vars, name, Some((layer, group.depth, group.priority)));
            }
        }
    }
    if let Some(host) = tree.hosts.get(host) {
        layers.lay(&host.vars, "", None);
    }
    if let Some(vars) = beside.hosts.get(host) {
        layers.lay(vars, "", None);
    }
    for (name, laid) in &layers.values {
        if let Some(beaten) = laid.beaten {
            warnings.add(host, name, (laid.group, laid.node), beaten);
        }
    }
    layers.values.into_iter().map(|(name, laid)| (name.to_owned(), Arc::clone(laid.node))).collect()
}

/// Warnings about values that only the alphabet decides, each pair of places once.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    seen: BTreeSet<(String, String)>,
    pub(super) found: Vec<Diagnostic>,
}

impl Warnings {
    fn add(&mut self, host: &HostName, name: &str, wins: (&str, &Arc<Node>), loses: (&str, &Arc<Node>)) {
        let (winner, loser) = (&wins.1.origin, &loses.1.origin);
        if !self.seen.insert((winner.to_string(), loser.to_string())) {
            return;
        }
        let message = format!(
            "`{name}` of {host}: the groups `{}` and `{}` disagree, and `{}` wins only by its name",
            loses.0, wins.0, wins.0
        );
        let hint = format!(
            "`{}` sets it at {loser}; set it for the host, or give one group a higher ansible_group_priority",
            loses.0
        );
        self.found.push(Diagnostic::warning(winner, message).hint(hint));
    }
}
