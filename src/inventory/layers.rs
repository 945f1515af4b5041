//! Which value counts: Ansible's precedence, and where two groups of a host want different values.
//! It reads no file and evaluates nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::beside::Beside;
use super::tree::{Tree, Vars};
use super::{Node, Value};
use crate::diagnostic::Diagnostic;
use crate::names::HostName;

/// A variable that a group of a host wants to be different from what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// The variable.
    pub name: String,
    /// The group whose value counts, none if it is the host's own, and the value.
    pub winner: (Option<String>, Arc<Node>),
    /// The group whose value does not count, and its value.
    pub loser: (String, Arc<Node>),
    /// What decides.
    pub why: Why,
}

/// What decides between two values of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing but the alphabet, between two groups neither of which contains the other.
    Name,
    /// Depth, priority or where they stand, between two such groups.
    Rank,
    /// The winner is the host, or a group within the other. It is what precedence is for, so it is noted only of
    /// a map that replaces another one: whoever expects the two to be merged loses keys.
    Within,
}

/// One after the other: each layer beats those before it.
struct Layers<'a> {
    values: BTreeMap<&'a str, Laid<'a>>,
}

struct Laid<'a> {
    node: &'a Arc<Node>,
    whose: Whose<'a>,
    /// What groups wanted before.
    beaten: Vec<(Rank<'a>, &'a Arc<Node>)>,
}

/// Who gives a value.
#[derive(Clone, Copy)]
enum Whose<'a> {
    Group(Rank<'a>),
    Host,
    /// The command line. Whoever types that knows that it wins.
    Extra,
}

#[derive(Clone, Copy)]
struct Rank<'a> {
    group: &'a str,
    /// The layer, and the rank of the group in it.
    level: (usize, usize, i64),
}

impl<'a> Layers<'a> {
    fn lay(&mut self, vars: &'a Vars, whose: Whose<'a>) {
        for (name, node) in vars {
            match self.values.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(Laid { node, whose, beaten: Vec::new() });
                }
                Entry::Occupied(mut entry) => {
                    let laid = entry.get_mut();
                    match (laid.whose, whose) {
                        (_, Whose::Extra) => laid.beaten.clear(),
                        (Whose::Group(rank), _) => laid.beaten.push((rank, laid.node)),
                        _ => {}
                    }
                    (laid.node, laid.whose) = (node, whose);
                }
            }
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
            Some(Whose::Group(Rank { group, level: (layer, found.depth, found.priority) }))
        };
        for name in groups {
            if let (Some(group), Some(whose)) = (tree.groups.get(*name), rank(0, name)) {
                layers.lay(&group.vars, whose);
            }
        }
        let (all, others): (Vec<&str>, Vec<&str>) = groups.iter().partition(|name| **name == "all");
        let in_turn =
            [all, others].into_iter().flat_map(|some| files().map(move |files| (some.clone(), files)));
        for (layer, (some, files)) in in_turn.enumerate() {
            for name in some {
                if let (Some(vars), Some(whose)) = (files.groups.get(name), rank(layer + 1, name)) {
                    layers.lay(vars, whose);
                }
            }
        }
        let theirs = files().filter_map(|files| files.hosts.get(host));
        for vars in std::iter::once(own).chain(theirs) {
            layers.lay(vars, Whose::Host);
        }
        layers.lay(self.extra, Whose::Extra);
        let contests = layers.values.iter().flat_map(|(name, laid)| self.contests(name, laid)).collect();
        let vars = layers.values.into_iter().map(|(name, laid)| (name.to_owned(), Arc::clone(laid.node)));
        (vars.collect(), contests)
    }

    fn contests(&mut self, name: &str, laid: &Laid<'a>) -> Vec<Contest> {
        let mut found = Vec::new();
        for (loser, node) in &laid.beaten {
            let (group, why) = match laid.whose {
                Whose::Group(rank) if self.related(rank.group, loser.group) => {
                    (Some(rank.group), Why::Within)
                }
                Whose::Group(rank) if rank.level == loser.level => (Some(rank.group), Why::Name),
                Whose::Group(rank) => (Some(rank.group), Why::Rank),
                Whose::Host | Whose::Extra => (None, Why::Within),
            };
            let maps = matches!((&laid.node.value, &node.value), (Value::Map(_), Value::Map(_)));
            if (maps || why != Why::Within) && !laid.node.same(node) {
                found.push(Contest {
                    name: name.to_owned(),
                    winner: (group.map(str::to_owned), Arc::clone(laid.node)),
                    loser: (loser.group.to_owned(), Arc::clone(node)),
                    why,
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
        let Contest { name, winner: (Some(wins), winner), loser: (loses, loser), why: Why::Name } = contest
        else {
            return;
        };
        let (winner, loser) = (&winner.origin, &loser.origin);
        if !self.seen.insert((winner.to_string(), loser.to_string())) {
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
