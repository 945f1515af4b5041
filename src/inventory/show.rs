//! An inventory as `ansible-inventory` of ansible-core 2.19 prints it: `--list`, `--host`, `--graph`.
//! It makes text and prints nothing. Values of Ansible Vault are left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Group, HostVars, Inventory, Node, Value, python};
use crate::names::HostName;

/// How many bytes may be shown: variables of all stand below every host, and a group below every group it is in.
const MAX_TEXT: usize = 60 << 20;

/// How many bytes of a host's lines are kept for the next group it is in.
const MAX_KEPT: usize = 4 << 10;

/// What Ansible sets itself and leaves out where it prints variables.
const INTERNAL: [&str; 33] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];

/// Whether expressions are shown as they were typed or as what they come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As typed, which is what `ansible-inventory` prints.
    Raw,
    /// Evaluated; what cannot be evaluated stays as it was typed.
    Resolved,
}

type Shown = BTreeMap<String, Arc<Node>>;

/// What is shown of a host's variables.
fn shown(host: &HostVars, form: Form) -> Cow<'_, Shown> {
    match form {
        Form::Raw => Cow::Borrowed(&*host.raw),
        Form::Resolved => {
            Cow::Owned(host.evaluated().into_iter().map(|(name, node)| (name, Arc::new(node))).collect())
        }
    }
}

/// Variables without those that Ansible sets itself.
fn own(vars: &Shown) -> impl Iterator<Item = (&String, &Arc<Node>)> {
    // Both are sorted.
    let mut internal = INTERNAL.into_iter().peekable();
    vars.iter().filter(move |(name, _)| {
        while internal.next_if(|theirs| *theirs < name.as_str()).is_some() {}
        internal.peek() != Some(&name.as_str())
    })
}

impl Inventory {
    /// All groups, and the variables of these hosts, as JSON: `ansible-inventory --list`.
    ///
    /// # Errors
    /// When it is more than anybody can use.
    pub fn list(&self, within: &BTreeSet<HostName>, form: Form) -> Result<String, String> {
        let mut json = Json::default();
        json.open('{');
        // Sorted by name, among which `_meta` is one.
        for name in self.groups.keys().map(String::as_str).chain(["_meta"]).collect::<BTreeSet<_>>() {
            match self.groups.get(name).filter(|_| name != "_meta") {
                Some(group) => json.group(name, group, within),
                None => self.meta(&mut json, within, form),
            }
        }
        json.close('}');
        bounded(json.out)
    }

    fn meta(&self, json: &mut Json, within: &BTreeSet<HostName>, form: Form) {
        json.key("_meta");
        json.open('{');
        json.key("hostvars");
        json.open('{');
        for host in self.hosts.values().filter(|host| within.contains(&host.name)) {
            if json.out.len() > MAX_TEXT {
                break;
            }
            let vars = shown(host, form);
            if own(&vars).next().is_some() {
                json.key(host.name.as_str());
                json.vars(&vars, true);
            }
        }
        json.close('}');
        json.key("profile");
        json.text("inventory_legacy");
        json.close('}');
    }

    /// The variables of one host as JSON: `ansible-inventory --host`.
    #[must_use]
    pub fn host_json(&self, host: &HostVars, form: Form) -> String {
        let mut json = Json::default();
        json.vars(&shown(host, form), false);
        json.out
    }

    /// The groups below one and their hosts as a tree, with their variables if asked for:
    /// `ansible-inventory --graph`. Nothing when there is no such group.
    ///
    /// # Errors
    /// When it is more than anybody can use.
    pub fn graph(&self, group: &str, vars: Option<Form>) -> Option<Result<String, String>> {
        let (name, _) = self.groups.get_key_value(group)?;
        let mut graph = Graph { inventory: self, vars, text: String::new(), shown: BTreeMap::new() };
        graph.group(name, 0);
        Some(bounded(graph.text))
    }
}

/// What is to be shown, unless it is more than anybody can use.
fn bounded(text: String) -> Result<String, String> {
    let limit = MAX_TEXT >> 20;
    match text.len() > MAX_TEXT {
        true => {
            Err(format!("this comes to more than {limit} MiB: ask for less with --limit, --host or a group"))
        }
        false => Ok(text),
    }
}

struct Graph<'a> {
    inventory: &'a Inventory,
    vars: Option<Form>,
    text: String,
    /// The lines of hosts that came up already.
    shown: BTreeMap<&'a HostName, Vec<String>>,
}

impl<'a> Graph<'a> {
    fn line(&mut self, text: &str, depth: usize) {
        if self.text.len() > MAX_TEXT {
            return;
        }
        if depth > 0 {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n("  |", depth).chain(["--"]));
        }
        self.text.push_str(text);
    }

    fn group(&mut self, name: &'a str, depth: usize) {
        let Some(group) = self.inventory.groups.get(name).filter(|_| self.text.len() <= MAX_TEXT) else {
            return;
        };
        self.line(&format!("@{name}:"), depth);
        for child in &group.children {
            self.group(child, depth + 1);
        }
        for host in group.hosts.iter().filter(|_| name != "all") {
            self.line(host.as_str(), depth + 1);
            if let (Some(form), Some(vars)) = (self.vars, self.inventory.hosts.get(host)) {
                let known = self.shown.get(host).cloned();
                let lines = known.unwrap_or_else(|| lines(&shown(vars, form)));
                // What is long is soon too long, and made again rather than kept.
                if lines.iter().map(String::len).sum::<usize>() < MAX_KEPT {
                    self.shown.insert(host, lines.clone());
                }
                lines.iter().for_each(|line| self.line(line, depth + 2));
            }
        }
        if let (Some(_), Some(vars)) = (self.vars, self.inventory.group_vars.get(name)) {
            let mut vars = vars.clone();
            if group.priority != 1
                && let Some(near) = self.inventory.hosts.values().next()
            {
                let value = Value::Int(group.priority);
                let node = Node { origin: near.origin.clone(), value };
                vars.insert("ansible_group_priority".to_owned(), Arc::new(node));
            }
            lines(&vars).iter().for_each(|line| self.line(line, depth + 1));
        }
    }
}

/// Variables as a graph shows them: `{name = value}`, written as Python writes it.
fn lines(vars: &Shown) -> Vec<String> {
    own(vars).map(|(name, node)| format!("{{{name} = {}}}", python::text(node))).collect()
}

/// JSON as Python's `json.dumps(…, sort_keys=True, indent=4)` writes it.
#[derive(Default)]
struct Json {
    out: String,
    depth: usize,
    /// Whether what is open has something in it.
    filled: bool,
}

impl Json {
    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.filled = false;
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if self.filled {
            self.line();
        }
        self.out.push(bracket);
        self.filled = true;
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("    ", self.depth));
    }

    fn item(&mut self) {
        if self.filled {
            self.out.push(',');
        }
        self.filled = true;
        self.line();
    }

    fn key(&mut self, key: &str) {
        self.item();
        self.text(key);
        self.out.push_str(": ");
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        // Most texts have nothing to escape.
        if text.bytes().all(|c| (b' '..0x7f).contains(&c) && c != b'"' && c != b'\\') {
            self.out.push_str(text);
            self.out.push('"');
            return;
        }
        for c in text.chars() {
            let _ = match c {
                '"' => write!(self.out, "\\\""),
                '\\' => write!(self.out, "\\\\"),
                '\n' => write!(self.out, "\\n"),
                '\r' => write!(self.out, "\\r"),
                '\t' => write!(self.out, "\\t"),
                '\u{8}' => write!(self.out, "\\b"),
                '\u{c}' => write!(self.out, "\\f"),
                // Python leaves 7f to 9f as they are; a terminal would obey some of them.
                c if c.is_control() => write!(self.out, "\\u{:04x}", u32::from(c)),
                c => {
                    self.out.push(c);
                    Ok(())
                }
            };
        }
        self.out.push('"');
    }

    /// A group with its children and those of its hosts that are within; one that has neither is left out.
    fn group(&mut self, name: &str, group: &Group, within: &BTreeSet<HostName>) {
        let hosts = group.hosts.iter().filter(|host| name != "all" && within.contains(*host));
        let lists = [
            ("children", group.children.iter().map(String::as_str).collect::<Vec<_>>()),
            ("hosts", hosts.map(HostName::as_str).collect()),
        ];
        if lists.iter().all(|(_, list)| list.is_empty()) {
            return;
        }
        self.key(name);
        self.open('{');
        for (what, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            self.key(what);
            self.open('[');
            for name in list {
                self.item();
                self.text(name);
            }
            self.close(']');
        }
        self.close('}');
    }

    fn vars(&mut self, vars: &Shown, mark_unsafe: bool) {
        self.open('{');
        for (name, node) in own(vars) {
            self.key(name);
            self.value(&node.value, mark_unsafe);
        }
        self.close('}');
    }

    fn one(&mut self, key: &str, text: &str) {
        self.open('{');
        self.key(key);
        self.text(text);
        self.close('}');
    }

    fn value(&mut self, value: &Value, mark_unsafe: bool) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) if number.is_nan() => self.out.push_str("NaN"),
            Value::Float(number) if number.is_infinite() => {
                self.out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" });
            }
            Value::Float(number) => self.out.push_str(&python::float(*number)),
            Value::Unsafe(text) if mark_unsafe => self.one("__ansible_unsafe", text),
            Value::Str(text) | Value::Unsafe(text) => self.text(text),
            Value::Vault(_) => self.text(python::REDACTED),
            Value::Seq(seq) => {
                self.open('[');
                for node in seq {
                    self.item();
                    self.value(&node.value, mark_unsafe);
                }
                self.close(']');
            }
            Value::Map(map) => {
                let sorted: BTreeMap<&str, &Node> = map.0.iter().map(|e| (e.key.as_str(), &e.node)).collect();
                self.open('{');
                for (key, node) in sorted {
                    self.key(key);
                    self.value(&node.value, mark_unsafe);
                }
                self.close('}');
            }
        }
    }
}
