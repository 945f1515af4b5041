//! Which value counts: Ansible's precedence, and where two groups of a host want different values.
//! It reads no file and evaluates nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Node;
use super::beside::Beside;
use super::tree::{Tree, Vars};
use crate::diagnostic::Diagnostic;
use crate::names::HostName;

/// Two groups of a host, neither of which contains the other, give a variable different values.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// The variable.
    pub name: String,
    /// The group whose value counts, and the value.
    pub winner: (String, Arc<Node>),
    /// The other group, and its value.
    pub loser: (String, Arc<Node>),
    /// Whether nothing but the alphabet decides.
    pub by_name: bool,
}

/// One after the other: each layer beats those before it.
struct Layers<'a> {
    values: BTreeMap<&'a str, Laid<'a>>,
}

struct Laid<'a> {
    node: &'a Arc<Node>,
    /// The group that has it; what only the host has, has none.
    group: Option<Rank<'a>>,
    /// What groups wanted before.
    beaten: Vec<(Rank<'a>, &'a Arc<Node>)>,
}

#[derive(Clone, Copy)]
struct Rank<'a> {
    group: &'a str,
    /// The layer, and the rank of the group in it.
    level: (usize, usize, i64),
}

impl<'a> Layers<'a> {
    fn lay(&mut self, vars: &'a Vars, group: Option<Rank<'a>>) {
        for (name, node) in vars {
            let mut laid = Laid { node, group, beaten: Vec::new() };
            if let (Some(_), Some(before)) = (group, self.values.remove(name.as_str())) {
                laid.beaten = before.beaten;
                laid.beaten.extend(before.group.map(|rank| (rank, before.node)));
            }
            self.values.insert(name, laid);
        }
    }
}

/// What the variables of every host are made of.
pub(super) struct Merger<'a> {
    tree: &'a Tree,
    beside: &'a Beside,
    /// The variables of `-e`.
    extra: &'a Vars,
    /// Whether one of two groups contains the other, as far as it was asked.
    related: BTreeMap<(&'a str, &'a str), bool>,
}

impl<'a> Merger<'a> {
    pub(super) fn new(tree: &'a Tree, beside: &'a Beside, extra: &'a Vars) -> Self {
        Self { tree, beside, extra, related: BTreeMap::new() }
    }

    /// The variables of a host that is in these groups (`all` first, the one that wins last) and has these
    /// variables of its own in the inventories.
    ///
    /// In Ansible's order: `all` and the groups in the inventories; the files of `all` beside the inventories
    /// and in the working directory; those of the groups, source by source; then the host in the inventories and
    /// in its files; then `-e`. A later value replaces an earlier one whole.
    pub(super) fn merge(&mut self, host: &HostName, own: &'a Vars, groups: &[&str]) -> (Vars, Vec<Contest>) {
        let mut layers = Layers { values: BTreeMap::new() };
        let tree = self.tree;
        let files = || self.beside.sources().chain(self.beside.cwd());
        let rank = |layer: usize, name: &str| {
            let (group, found) = tree.groups.get_key_value(name)?;
            Some(Rank { group, level: (layer, found.depth, found.priority) })
        };
        for name in groups {
            if let Some(group) = tree.groups.get(*name) {
                layers.lay(&group.vars, rank(0, name));
            }
        }
        let (all, others): (Vec<&str>, Vec<&str>) = groups.iter().partition(|name| **name == "all");
        let in_turn =
            [all, others].into_iter().flat_map(|some| files().map(move |files| (some.clone(), files)));
        for (layer, (some, files)) in in_turn.enumerate() {
            for name in some {
                if let Some(vars) = files.groups.get(name) {
                    layers.lay(vars, rank(layer + 1, name));
                }
            }
        }
        let theirs = files().filter_map(|files| files.hosts.get(host));
        for vars in std::iter::once(own).chain(theirs).chain([self.extra]) {
            layers.lay(vars, None);
        }
        let contests = layers.values.iter().flat_map(|(name, laid)| self.contests(name, laid)).collect();
        let vars = layers.values.into_iter().map(|(name, laid)| (name.to_owned(), Arc::clone(laid.node)));
        (vars.collect(), contests)
    }

    fn contests(&mut self, name: &str, laid: &Laid<'a>) -> Vec<Contest> {
        let Some(winner) = laid.group else { return Vec::new() };
        let mut found = Vec::new();
        for (loser, node) in &laid.beaten {
            if !self.related(winner.group, loser.group) && !laid.node.same(node) {
                found.push(Contest {
                    name: name.to_owned(),
                    winner: (winner.group.to_owned(), Arc::clone(laid.node)),
                    loser: (loser.group.to_owned(), Arc::clone(node)),
                    by_name: loser.level == winner.level,
                });
            }
        }
        found
    }

    /// Whether one of two groups contains the other, or they are the same.
    fn related(&mut self, one: &'a str, other: &'a str) -> bool {
        let tree = self.tree;
        let within = |outer, inner| tree.way(outer, inner).is_some();
        let related = || one == "all" || other == "all" || within(one, other) || within(other, one);
        *self.related.entry((one, other)).or_insert_with(related)
    }
}

/// Warnings about values that only the alphabet decides, each pair of places once.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    seen: BTreeSet<(String, String)>,
    pub(super) found: Vec<Diagnostic>,
}

impl Warnings {
    pub(super) fn add(&mut self, host: &HostName, contest: &Contest) {
        let (Contest { name, .. }, (wins, winner), (loses, loser)) =
            (contest, &contest.winner, &contest.loser);
        let (winner, loser) = (&winner.origin, &loser.origin);
        if !contest.by_name || !self.seen.insert((winner.to_string(), loser.to_string())) {
            return;
        }
        let message = format!(
            "`{name}` of {host}: the groups `{loses}` and `{wins}` disagree, and `{wins}` wins only by its name"
        );
        let hint = format!(
            "`{loses}` sets it at {loser}; set it for the host, or give one group a higher ansible_group_priority"
        );
        self.found.push(Diagnostic::warning(winner, message).hint(hint));
    }
}
