//! Groups, hosts and the variables inventories give them, as Ansible builds them up: source by source,
//! in the order of the files, which also decides what is listed first. It reads nothing itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Node, Value, pattern};
use crate::diagnostic::{Diagnostic, Origin};
use crate::names::HostName;

/// How many groups one inventory may have.
const MAX_GROUPS: usize = 2_000;
const SPLIT: &str = "make two inventories of it";
/// How often groups may be children of groups.
const MAX_CHILDREN: usize = 5_000;

/// Variables by name; of two in one map the later.
pub(super) type Vars = BTreeMap<String, Arc<Node>>;

/// One group of hosts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// The hosts it names itself, in the order of the files.
    pub hosts: Vec<HostName>,
    /// The groups it names as its children, in the order of the files.
    pub children: Vec<String>,
    /// The variables that inventories give it, not those of `group_vars/`.
    pub vars: BTreeMap<String, Arc<Node>>,
    /// How far it is from `all` on the longest way; the deeper group wins.
    pub depth: usize,
    /// `ansible_group_priority`: between groups of one depth the higher wins.
    pub priority: i64,
}

/// A host as the inventories have it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) origin: Origin,
    pub(super) vars: Vars,
    /// The source that names it first.
    pub(super) file: Arc<str>,
}

/// All groups and hosts of the inventories.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) hosts: BTreeMap<HostName, Host>,
    /// The names of all groups in the order in which they came up.
    pub(super) group_order: Vec<String>,
    /// The names of all hosts in the order in which they came up.
    pub(super) host_order: Vec<HostName>,
    members: BTreeSet<(String, HostName)>,
    /// How often a group was made the child of another, and a host named.
    children: usize,
    named: usize,
    /// How much was read so far.
    pub(super) weight: usize,
    /// The source that is being read, as `inventory_file` has it.
    pub(super) file: Arc<str>,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self {
            groups: BTreeMap::new(),
            hosts: BTreeMap::new(),
            group_order: Vec::new(),
            host_order: Vec::new(),
            members: BTreeSet::new(),
            children: 0,
            named: 0,
            weight: 0,
            file: Arc::from(""),
        };
        tree.group_named("all").children.push("ungrouped".to_owned());
        tree.group_named("ungrouped");
        tree
    }
}

impl Tree {
    fn group_named(&mut self, name: &str) -> &mut Group {
        if !self.groups.contains_key(name) {
            self.group_order.push(name.to_owned());
        }
        self.groups.entry(name.to_owned()).or_insert_with(|| Group { priority: 1, ..Group::default() })
    }

    /// Makes a group that is not there yet.
    ///
    /// # Errors
    /// When it has no name, or there are too many.
    pub(super) fn add_group(&mut self, name: &str, origin: &Origin) -> Result<(), Diagnostic> {
        if name.is_empty() {
            return Err(Diagnostic::error(origin, "a group must have a name").hint("write it before the `:`"));
        }
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(name) {
            return Err(Diagnostic::error(origin, format!("more than {MAX_GROUPS} groups")).hint(SPLIT));
        }
        self.group_named(name);
        Ok(())
    }

    /// Makes a group the child of another; both are there.
    ///
    /// # Errors
    /// When a group would contain itself.
    pub(super) fn add_child(&mut self, group: &str, child: &str, origin: &Origin) -> Result<(), Diagnostic> {
        if child == "all" {
            let message = "`all` holds every group and cannot be the child of one";
            return Err(Diagnostic::error(origin, message).hint("leave it out: every group is below `all`"));
        }
        if self.groups.get(group).is_some_and(|g| g.children.iter().any(|c| c == child)) {
            return Ok(());
        }
        if let Some(way) = self.way(child, group) {
            let message = format!("the group `{child}` contains itself: {} → {child}", way.join(" → "));
            return Err(
                Diagnostic::error(origin, message).hint("take one of them out of the other's children")
            );
        }
        self.children += 1;
        if self.children > MAX_CHILDREN {
            return Err(Diagnostic::error(origin, format!("more than {MAX_CHILDREN} children of groups")));
        }
        self.group_named(group).children.push(child.to_owned());
        Ok(())
    }

    /// Makes room for hosts that are about to be named.
    ///
    /// # Errors
    /// When there were too many already.
    pub(super) fn names(&mut self, hosts: usize, origin: &Origin) -> Result<(), Diagnostic> {
        self.named = self.named.saturating_add(hosts);
        if self.named <= pattern::MAX_NAMED {
            return Ok(());
        }
        Err(Diagnostic::error(origin, format!("more than {} hosts are named", pattern::MAX_NAMED))
            .hint("a host counts once for each group and range that names it"))
    }

    /// The groups on a way from one down to another, both included.
    pub(super) fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        let mut queue = VecDeque::from([(from, None)]);
        while let Some((name, before)) = queue.pop_front() {
            let Some((name, group)) = self.groups.get_key_value(name) else { continue };
            if came_from.contains_key(name.as_str()) {
                continue;
            }
            came_from.insert(name, before);
            if name == to {
                let steps = std::iter::successors(Some(name.as_str()), |at| *came_from.get(at)?);
                let mut way: Vec<String> = steps.map(str::to_owned).collect();
                way.reverse();
                return Some(way);
            }
            queue.extend(group.children.iter().map(|child| (child.as_str(), Some(name.as_str()))));
        }
        None
    }

    /// Makes a host that is not there yet a member of a group. The port counts where the host is first named.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn add_host(
        &mut self,
        group: &str,
        name: &HostName,
        port: Option<u16>,
        origin: &Origin,
    ) -> Result<(), Diagnostic> {
        if !self.hosts.contains_key(name) {
            if self.hosts.len() >= pattern::MAX_HOSTS {
                let many = format!("more than {} hosts", pattern::MAX_HOSTS);
                return Err(Diagnostic::error(origin, many).hint(SPLIT));
            }
            let node = |port| Arc::new(Node { origin: origin.clone(), value: Value::Int(i64::from(port)) });
            let port = port.filter(|port| *port > 0).map(|port| ("ansible_port".to_owned(), node(port)));
            let vars = port.into_iter().collect();
            let host = Host { origin: origin.clone(), vars, file: Arc::clone(&self.file) };
            self.hosts.insert(name.clone(), host);
            self.host_order.push(name.clone());
        }
        if self.members.insert((group.to_owned(), name.clone())) {
            self.group_named(group).hosts.push(name.clone());
        }
        Ok(())
    }

    /// Whether there was no room for hosts.
    pub(super) fn is_full(&self) -> bool {
        self.named > pattern::MAX_NAMED
    }

    /// Sets a variable of a group. `ansible_group_priority` is none: it says which group wins.
    ///
    /// # Errors
    /// When the priority is no number.
    pub(super) fn set_group_var(
        &mut self,
        group: &str,
        name: &str,
        node: &Arc<Node>,
    ) -> Result<(), Diagnostic> {
        if name != "ansible_group_priority" {
            self.group_named(group).vars.insert(name.to_owned(), Arc::clone(node));
            return Ok(());
        }
        self.group_named(group).priority = match &node.value {
            Value::Str(text) => text.trim().parse().map_err(|_| node.expected("a whole number"))?,
            Value::Bool(flag) => i64::from(*flag),
            _ => node.as_int()?,
        };
        Ok(())
    }

    /// Sets a variable of a host. As in Ansible, a group of the same name gets it instead.
    ///
    /// # Errors
    /// As for a group.
    pub(super) fn set_host_var(
        &mut self,
        host: &HostName,
        name: &str,
        node: &Arc<Node>,
    ) -> Result<(), Diagnostic> {
        if self.groups.contains_key(host.as_str()) {
            return self.set_group_var(host.as_str(), name, node);
        }
        if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(name.to_owned(), Arc::clone(node));
        }
        Ok(())
    }

    /// Ansible's last steps, once all sources are read: every group is under `all`, hosts in no other
    /// group are in `ungrouped`, and every group gets its depth.
    pub(super) fn settle(&mut self) {
        let named: BTreeSet<&String> = self.groups.values().flat_map(|g| &g.children).collect();
        let is_top = |name: &&String| *name != "all" && !named.contains(name);
        let tops: Vec<String> = self.group_order.iter().filter(is_top).cloned().collect();
        self.group_named("all").children.extend(tops);

        let proper = self.groups.iter().filter(|(name, _)| *name != "all" && *name != "ungrouped");
        let grouped: BTreeSet<&HostName> = proper.flat_map(|(_, g)| &g.hosts).collect();
        let named = self.groups.get("ungrouped").map(|g| g.hosts.as_slice()).unwrap_or_default();
        let already: BTreeSet<&HostName> = named.iter().collect();
        let others = self.host_order.iter().filter(|name| !already.contains(name));
        let ungrouped = named.iter().chain(others).filter(|name| !grouped.contains(name)).cloned().collect();
        self.group_named("ungrouped").hosts = ungrouped;

        let mut parents: BTreeMap<String, usize> = BTreeMap::new();
        for child in self.groups.values().flat_map(|g| &g.children) {
            *parents.entry(child.clone()).or_default() += 1;
        }
        // Every group after all that contain it: its depth is final when its turn comes.
        let mut ready = VecDeque::from(["all".to_owned()]);
        while let Some(name) = ready.pop_front() {
            let Some(group) = self.groups.get(&name) else { continue };
            let (below, children) = (group.depth + 1, group.children.clone());
            for child in children {
                let Some(group) = self.groups.get_mut(&child) else { continue };
                group.depth = group.depth.max(below);
                let left = parents.entry(child.clone()).or_default();
                *left -= 1;
                if *left == 0 {
                    ready.push_back(child);
                }
            }
        }
    }

    /// The groups of every host, `all` first and the one that wins last: by depth, priority and name.
    pub(super) fn groups_of_hosts(&self) -> BTreeMap<&HostName, Vec<&str>> {
        let mut of: BTreeMap<&HostName, Vec<&str>> = self.hosts.keys().map(|h| (h, Vec::new())).collect();
        let mut ordered: Vec<(&String, &Group)> = self.groups.iter().collect();
        ordered.sort_by_key(|(name, group)| (group.depth, group.priority, *name));
        for (name, _) in ordered {
            if name == "all" {
                of.values_mut().for_each(|groups| groups.push(name));
                continue;
            }
            for host in hosts_of(&self.groups, name) {
                if let Some(groups) = of.get_mut(host) {
                    groups.push(name);
                }
            }
        }
        of
    }
}

/// The hosts of a group and of all groups in it, each once, the group's own first.
pub(super) fn hosts_of<'a>(groups: &'a BTreeMap<String, Group>, group: &str) -> Vec<&'a HostName> {
    let mut hosts = Vec::new();
    let mut seen_hosts = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([group]);
    while let Some(name) = queue.pop_front() {
        let Some((name, group)) = groups.get_key_value(name) else { continue };
        if seen.insert(name.as_str()) {
            hosts.extend(group.hosts.iter().filter(|h| seen_hosts.insert(*h)));
            queue.extend(group.children.iter().map(String::as_str));
        }
    }
    hosts
}
