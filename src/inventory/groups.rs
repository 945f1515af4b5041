//! An inventory in YAML as Ansible reads it: groups with hosts, children and vars.
//! It reads one document into the tree; precedence and the files beside inventories come later.

use std::sync::Arc;

use super::tree::Tree;
use super::{Entry, Map, Node, Value, pattern};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::names::HostName;

/// Reads a whole file. What is wrong is added to `problems`; the rest is still read.
pub(super) fn read(root: &Map, tree: &mut Tree, problems: &mut Diagnostics) {
    let mut reader = Reader { tree, problems };
    for entry in root.effective() {
        if ["hosts", "vars", "children"].contains(&entry.key.as_str()) {
            reader.problems.push(
                Diagnostic::warning(&entry.origin, format!("this makes a group named `{}`", entry.key))
                    .hint("put it under `all:` and indent it"),
            );
        }
        reader.group(entry);
    }
}

struct Reader<'a> {
    tree: &'a mut Tree,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Reads a group; whether there is one now.
    fn group(&mut self, entry: &Entry) -> bool {
        let name = entry.key.as_str();
        let map = match &entry.node.value {
            Value::Null => &Map::default(),
            Value::Map(map) => map,
            _ => {
                let what = format!("the group `{name}` to be a map of hosts, children and vars");
                self.problems.push(entry.node.expected(&what));
                return false;
            }
        };
        if !self.is_text(entry, "group") {
            return false;
        }
        let added = self.tree.add_group(name, &entry.origin);
        if !self.took(added) {
            return false;
        }
        for part in map.effective() {
            match part.key.as_str() {
                "hosts" => self.section(&part.node, name, Self::hosts),
                "children" => self.section(&part.node, name, Self::children),
                "vars" => self.section(&part.node, name, Self::vars),
                key => {
                    let hint = match did_you_mean(key, ["hosts", "children", "vars"]) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "a group takes `hosts`, `children` and `vars`".into(),
                    };
                    let message = format!("`{key}` is ignored here, in the group `{name}`");
                    self.problems.push(Diagnostic::warning(&part.origin, message).hint(hint));
                }
            }
        }
        true
    }

    /// Ansible takes no `5:` or `yes:` for a name.
    fn is_text(&mut self, entry: &Entry, what: &str) -> bool {
        if !entry.text {
            let message = format!("`{}` is no text, so it cannot be the name of a {what}", entry.key);
            self.problems.push(Diagnostic::error(&entry.origin, message).hint("put it in quotes"));
        }
        entry.text
    }

    /// Notes what went wrong; of errors that may come for each host one is enough.
    fn took(&mut self, result: Result<(), Diagnostic>) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                if !error.message.starts_with("more than")
                    || self.problems.0.iter().all(|d| d.message != error.message)
                {
                    self.problems.push(error);
                }
                false
            }
        }
    }

    /// Reads a section that must be a map; a single name counts as a map of that name, as in Ansible.
    fn section(&mut self, node: &Node, group: &str, read: fn(&mut Self, &str, &Map)) {
        match &node.value {
            Value::Null => {}
            Value::Map(map) => read(self, group, map),
            Value::Str(name) => {
                let value = Node { origin: node.origin.clone(), value: Value::Null };
                let entry = Entry { key: name.clone(), text: true, origin: node.origin.clone(), node: value };
                read(self, group, &Map(vec![entry]));
            }
            Value::Seq(_) => self.problems.push(
                node.expected("a map").hint("write each name as a key, `name:`, without the `-` before it"),
            ),
            _ => self.problems.push(node.expected("a map")),
        }
    }

    fn children(&mut self, group: &str, map: &Map) {
        for entry in map.effective() {
            if self.group(entry) {
                let added = self.tree.add_child(group, &entry.key, &entry.origin);
                self.took(added);
            }
        }
    }

    fn vars(&mut self, group: &str, map: &Map) {
        for entry in map.effective() {
            let set = self.tree.set_group_var(group, &entry.key, &Arc::new(entry.node.clone()));
            self.took(set);
        }
    }

    fn hosts(&mut self, group: &str, map: &Map) {
        for entry in map.effective() {
            if self.tree.is_full() {
                return;
            }
            if !self.is_text(entry, "host") {
                continue;
            }
            let vars: Vec<(&str, Arc<Node>)> = match &entry.node.value {
                value if value.is_falsy() => Vec::new(),
                Value::Map(map) => {
                    map.effective().into_iter().map(|e| (e.key.as_str(), Arc::new(e.node.clone()))).collect()
                }
                _ => {
                    let what = format!("variables of the host `{}`", entry.key);
                    self.problems.push(entry.node.expected(&what));
                    continue;
                }
            };
            let Some((names, port)) = self.problems.take(expand(&entry.key, &entry.origin)) else { continue };
            let room = self.tree.names(names.len(), &entry.origin);
            if !self.took(room) {
                return;
            }
            for name in names {
                let added = self.tree.add_host(group, &name, port, &entry.origin);
                if !self.took(added) {
                    break;
                }
                for (key, node) in &vars {
                    let set = self.tree.set_host_var(&name, key, node);
                    self.took(set);
                }
            }
        }
    }
}

/// The hosts a pattern such as `web[1:3]:2222` stands for, and their port.
///
/// # Errors
/// A bad range, or a name no host may have.
pub(super) fn expand(text: &str, origin: &Origin) -> Result<(Vec<HostName>, Option<u16>), Diagnostic> {
    let wrong = |why: String| Diagnostic::because(origin, &why);
    let (names, port) = pattern::expand(text).map_err(wrong)?;
    let names: Result<_, _> = names.into_iter().map(HostName::new).collect();
    Ok((names.map_err(wrong)?, port))
}
