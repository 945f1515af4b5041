//! The inventory file as Ansible reads it: groups, their children, hosts and variables.
//! It reads one tree of YAML; precedence and the files beside the inventory come later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Map, Node, Value, pattern};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::names::HostName;

/// How many groups one inventory may have.
const MAX_GROUPS: usize = 2_000;

/// Variables by name; of two in one map the later.
pub(super) type Vars = BTreeMap<String, Arc<Node>>;

/// One group of hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The hosts it names itself, in the order of the file.
    pub hosts: Vec<HostName>,
    /// The groups it names as its children, in the order of the file.
    pub children: Vec<String>,
    /// The variables the inventory file gives it.
    pub vars: BTreeMap<String, Arc<Node>>,
    /// How far it is from `all` on the longest way; the deeper group wins.
    pub depth: usize,
    /// `ansible_group_priority`: between groups of one depth the higher wins.
    pub priority: i64,
}

/// A host as the inventory file has it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) origin: Origin,
    pub(super) vars: Vars,
}

/// All groups and hosts of the inventory file.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) hosts: BTreeMap<HostName, Host>,
    /// Where a group was first named as the child of another: group, child, place.
    edges: Vec<(String, String, Origin)>,
}

/// Reads the whole file. What is wrong is added to `problems`; the rest is still read.
pub(super) fn read(root: &Node, problems: &mut Diagnostics) -> Tree {
    let mut reader = Reader { tree: Tree::default(), members: BTreeSet::new(), problems };
    reader.group_named("all");
    reader.group_named("ungrouped");
    if let Some(map) = reader.problems.take(root.as_map()) {
        for entry in &map.0 {
            if ["hosts", "vars", "children"].contains(&entry.key.as_str()) {
                reader.problems.push(
                    Diagnostic::warning(&entry.origin, format!("this makes a group named `{}`", entry.key))
                        .hint("put it under `all:` and indent it"),
                );
            }
            reader.group(&entry.key, &entry.origin, &entry.node);
        }
    }
    let mut tree = reader.tree;
    let order = tree.cut_cycles(problems);
    tree.settle(&order);
    tree
}

struct Reader<'a> {
    tree: Tree,
    members: BTreeSet<(String, HostName)>,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn group_named(&mut self, name: &str) -> &mut Group {
        self.tree.groups.entry(name.to_owned()).or_insert_with(|| Group {
            hosts: Vec::new(),
            children: Vec::new(),
            vars: Vars::new(),
            depth: 0,
            priority: 1,
        })
    }

    fn group(&mut self, name: &str, origin: &Origin, node: &Node) {
        if name.is_empty() {
            return self.problems.push(Diagnostic::error(origin, "a group must have a name"));
        }
        if self.tree.groups.len() >= MAX_GROUPS && !self.tree.groups.contains_key(name) {
            return self.once(origin, format!("more than {MAX_GROUPS} groups"));
        }
        self.group_named(name);
        let map = match &node.value {
            Value::Null => return,
            Value::Map(map) => map,
            _ => {
                let what = format!("the group `{name}` to be a map of hosts, children and vars");
                return self.problems.push(node.expected(&what));
            }
        };
        for entry in &map.0 {
            match entry.key.as_str() {
                "hosts" => self.section(&entry.node, name, Self::hosts),
                "children" => self.section(&entry.node, name, Self::children),
                "vars" => self.section(&entry.node, name, Self::vars),
                key => {
                    let hint = match did_you_mean(key, ["hosts", "children", "vars"]) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "a group takes `hosts`, `children` and `vars`".into(),
                    };
                    let message = format!("`{key}` is ignored here, in the group `{name}`");
                    self.problems.push(Diagnostic::warning(&entry.origin, message).hint(hint));
                }
            }
        }
    }

    /// An error of which one is enough, not one for each host.
    fn once(&mut self, origin: &Origin, message: String) {
        if !self.problems.0.iter().any(|d| d.message == message) {
            self.problems.push(Diagnostic::error(origin, message));
        }
    }

    /// Reads a section that must be a map; a single name counts as a map of that name, as in Ansible.
    fn section(&mut self, node: &Node, group: &str, read: fn(&mut Self, &str, &Map)) {
        match &node.value {
            Value::Null => {}
            Value::Map(map) => read(self, group, map),
            Value::Str(name) => {
                let value = Node { origin: node.origin.clone(), value: Value::Null };
                let entry = super::Entry { key: name.clone(), origin: node.origin.clone(), node: value };
                read(self, group, &Map(vec![entry]));
            }
            Value::Seq(_) => self.problems.push(
                node.expected("a map").hint("write each name as a key, `name:`, without the `-` before it"),
            ),
            _ => self.problems.push(node.expected("a map")),
        }
    }

    fn children(&mut self, group: &str, map: &Map) {
        for entry in &map.0 {
            if entry.key == "all" {
                let message = "`all` holds every group and cannot be the child of one";
                self.problems.push(Diagnostic::error(&entry.origin, message));
                continue;
            }
            self.group(&entry.key, &entry.origin, &entry.node);
            let known = self.tree.groups.contains_key(&entry.key);
            let children = &mut self.group_named(group).children;
            if known && !children.contains(&entry.key) {
                children.push(entry.key.clone());
                self.tree.edges.push((group.to_owned(), entry.key.clone(), entry.origin.clone()));
            }
        }
    }

    fn vars(&mut self, group: &str, map: &Map) {
        for entry in &map.0 {
            if entry.key == "ansible_group_priority" {
                let number = match &entry.node.value {
                    Value::Str(text) => {
                        text.trim().parse().map_err(|_| entry.node.expected("a whole number"))
                    }
                    _ => entry.node.as_int(),
                };
                if let Some(priority) = self.problems.take(number) {
                    self.group_named(group).priority = priority;
                }
                continue;
            }
            let node = Arc::new(entry.node.clone());
            self.group_named(group).vars.insert(entry.key.clone(), node);
        }
    }

    fn hosts(&mut self, group: &str, map: &Map) {
        for entry in &map.0 {
            let (names, port) = match pattern::expand(&entry.key) {
                Ok(expanded) => expanded,
                Err(why) => {
                    self.problems.push(Diagnostic::error(&entry.origin, why));
                    continue;
                }
            };
            let vars: Vars = match &entry.node.value {
                Value::Null => Vars::new(),
                Value::Map(map) => map.0.iter().map(|e| (e.key.clone(), Arc::new(e.node.clone()))).collect(),
                _ => {
                    let what = format!("variables of the host `{}`", entry.key);
                    self.problems.push(entry.node.expected(&what));
                    continue;
                }
            };
            for name in names {
                match HostName::new(name) {
                    Ok(name) => self.host(group, name, &entry.origin, (port, &vars)),
                    Err(why) => {
                        self.problems.push(Diagnostic::error(&entry.origin, why));
                        break;
                    }
                }
            }
        }
    }

    fn host(&mut self, group: &str, name: HostName, origin: &Origin, (port, vars): (Option<u16>, &Vars)) {
        if self.tree.hosts.len() >= pattern::MAX_HOSTS && !self.tree.hosts.contains_key(&name) {
            return self.once(origin, format!("more than {} hosts", pattern::MAX_HOSTS));
        }
        let host = self.tree.hosts.entry(name.clone()).or_insert_with(|| {
            // The port counts where the host is first named, as in Ansible.
            let node = |port| Arc::new(Node { origin: origin.clone(), value: Value::Int(port) });
            let port = port.map(|port| ("ansible_port".to_owned(), node(i64::from(port))));
            Host { origin: origin.clone(), vars: port.into_iter().collect() }
        });
        host.vars.extend(vars.iter().map(|(k, v)| (k.clone(), Arc::clone(v))));
        if self.members.insert((group.to_owned(), name.clone())) {
            self.group_named(group).hosts.push(name);
        }
    }
}

impl Tree {
    /// Removes every child that would make a group contain itself, and says so.
    /// What is left is returned with every group before the groups it is in.
    fn cut_cycles(&mut self, problems: &mut Diagnostics) -> Vec<String> {
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut order = Vec::new();
        for start in self.groups.keys().cloned().collect::<Vec<_>>() {
            // The way from `start` to here, and for each group on it which child comes next.
            let mut way: Vec<(String, usize)> = Vec::new();
            if !done.contains(&start) {
                way.push((start, 0));
            }
            while let Some((name, next)) = way.last_mut() {
                let name = name.clone();
                let Some(child) = self.groups.get(&name).and_then(|g| g.children.get(*next)).cloned() else {
                    way.pop();
                    done.insert(name.clone());
                    order.push(name);
                    continue;
                };
                *next += 1;
                if let Some(at) = way.iter().position(|(on_way, _)| *on_way == child) {
                    let chain: Vec<&str> = way[at..].iter().map(|(n, _)| n.as_str()).collect();
                    problems.push(self.cycle(&name, &child, &chain));
                    way.last_mut().into_iter().for_each(|(_, next)| *next -= 1);
                    self.groups.get_mut(&name).into_iter().for_each(|g| g.children.retain(|c| *c != child));
                } else if !done.contains(&child) {
                    way.push((child, 0));
                }
            }
        }
        order
    }

    fn cycle(&self, group: &str, child: &str, chain: &[&str]) -> Diagnostic {
        let message = format!("the group `{child}` contains itself: {} → {child}", chain.join(" → "));
        let diagnostic = match self.edges.iter().find(|(g, c, _)| g == group && c == child) {
            Some((_, _, origin)) => Diagnostic::error(origin, message),
            None => Diagnostic::everywhere(message),
        };
        diagnostic.hint("take one of them out of the other's children")
    }

    /// Ansible's last steps: every group is under `all`, hosts in no other group are in `ungrouped`,
    /// and every group gets its depth. `order` has every group before the groups it is in.
    fn settle(&mut self, order: &[String]) {
        let named: BTreeSet<&String> = self.groups.values().flat_map(|g| &g.children).collect();
        let tops: Vec<String> =
            self.groups.keys().filter(|n| *n != "all" && !named.contains(n)).cloned().collect();
        let proper = self.groups.iter().filter(|(name, _)| *name != "all" && *name != "ungrouped");
        let grouped: BTreeSet<&HostName> = proper.flat_map(|(_, g)| &g.hosts).collect();
        let ungrouped = self.hosts.keys().filter(|name| !grouped.contains(name)).cloned().collect();
        if let Some(all) = self.groups.get_mut("all") {
            all.children.extend(tops);
        }
        if let Some(group) = self.groups.get_mut("ungrouped") {
            group.hosts = ungrouped;
        }
        for name in order.iter().rev() {
            let Some(group) = self.groups.get_mut(name) else { continue };
            if name != "all" {
                group.depth = group.depth.max(1);
            }
            let (below, children) = (group.depth + 1, group.children.clone());
            for child in children {
                if let Some(child) = self.groups.get_mut(&child) {
                    child.depth = child.depth.max(below);
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
            for host in self.hosts_of(name) {
                if let Some(groups) = of.get_mut(host) {
                    groups.push(name);
                }
            }
        }
        of
    }

    /// The hosts of a group and of all groups in it, each once, the group's own first.
    pub(super) fn hosts_of(&self, group: &str) -> Vec<&HostName> {
        let mut hosts = Vec::new();
        let mut seen_hosts = BTreeSet::new();
        let mut seen = BTreeSet::from([group]);
        let mut queue = VecDeque::from([group]);
        while let Some(name) = queue.pop_front() {
            let Some(group) = self.groups.get(name) else { continue };
            hosts.extend(group.hosts.iter().filter(|h| seen_hosts.insert(*h)));
            queue.extend(group.children.iter().map(String::as_str).filter(|c| seen.insert(c)));
        }
        hosts
    }
}
