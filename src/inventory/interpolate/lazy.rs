//! Variables as the template engine sees them: evaluated when they are touched, not before.
//! It only hands out values; evaluating is the session's business.

use std::fmt;
use std::sync::{Arc, Weak};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Jinja};

use super::Inner;
use crate::inventory::{Node, Value};
use crate::names::HostName;

/// A node of a host's variables: the variable and the way into it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) host: HostName,
    root: Arc<Node>,
    path: Vec<usize>,
    /// How an expression would call it: `models.small.port`.
    pub(super) label: String,
}

impl Place {
    pub(super) fn variable(host: &HostName, name: &str, root: &Arc<Node>) -> Self {
        Self { host: host.clone(), root: Arc::clone(root), path: Vec::new(), label: name.to_owned() }
    }

    pub(super) fn child(&self, index: usize) -> Self {
        let label = match &self.node().value {
            Value::Map(map) => map.0.get(index).map(|e| format!("{}.{}", self.label, e.key)),
            _ => Some(format!("{}[{index}]", self.label)),
        };
        let mut path = self.path.clone();
        path.push(index);
        Self { path, label: label.unwrap_or_default(), ..self.clone() }
    }

    pub(super) fn node(&self) -> &Node {
        self.path.iter().fold(&self.root, |node, index| {
            let inner = match &node.value {
                Value::Seq(seq) => seq.get(*index),
                Value::Map(map) => map.0.get(*index).map(|e| &e.node),
                _ => None,
            };
            inner.unwrap_or(node)
        })
    }

    /// What this node is told apart by: the same node of another host may come to another value.
    pub(super) fn spot(&self) -> (HostName, usize) {
        (self.host.clone(), std::ptr::from_ref(self.node()).addr())
    }
}

/// A list or map of the inventory.
pub(super) struct Lazy {
    pub(super) session: Weak<Inner>,
    pub(super) place: Place,
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.label)
    }
}

impl Object for Lazy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.place.node().value {
            Value::Seq(_) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let index = match &self.place.node().value {
            Value::Seq(seq) => key.as_usize().filter(|i| *i < seq.len())?,
            Value::Map(map) => {
                let key = key_of(key)?;
                map.0.iter().rposition(|e| e.key == key)?
            }
            _ => return None,
        };
        self.session.upgrade()?.touch(self.place.child(index))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.place.node().value {
            Value::Seq(seq) => Enumerator::Seq(seq.len()),
            Value::Map(map) => {
                let mut seen = std::collections::BTreeSet::new();
                let keys = map.0.iter().map(|e| e.key.as_str()).filter(|key| seen.insert(*key));
                Enumerator::Values(keys.map(Jinja::from).collect())
            }
            _ => Enumerator::Empty,
        }
    }
}

/// Keys are text here, whatever they were in the file: `ports[8000]` finds the key `8000`.
fn key_of(key: &Jinja) -> Option<String> {
    match key.as_str() {
        Some(text) => Some(text.to_owned()),
        None => key.as_i64().map(|number| number.to_string()),
    }
}

/// All variables of one host, Ansible's own included.
pub(super) struct Scope {
    pub(super) session: Weak<Inner>,
    pub(super) host: HostName,
}

/// What every host knows without being told.
pub(super) const MAGIC: [&str; 8] = [
    "inventory_hostname",
    "inventory_hostname_short",
    "group_names",
    "groups",
    "hostvars",
    "vars",
    "inventory_dir",
    "inventory_file",
];

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hostvars['{}']", self.host)
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let session = self.session.upgrade()?;
        let world = &session.world;
        let host = self.host.as_str();
        let peer = world.peer(&self.host)?;
        Some(match key.as_str()? {
            "inventory_hostname" => host.into(),
            // An address has no short form.
            "inventory_hostname_short" if host.parse::<std::net::IpAddr>().is_ok() => host.into(),
            "inventory_hostname_short" => host.split('.').next().unwrap_or(host).into(),
            "group_names" => {
                let mut names: Vec<&String> = peer.groups.iter().filter(|g| *g != "all").collect();
                names.sort();
                names.into_iter().map(|n| Jinja::from(n.as_str())).collect()
            }
            "groups" => Jinja::from_pairs(world.groups.iter().map(|(name, hosts)| {
                let hosts: Vec<Jinja> = hosts.iter().map(|h| Jinja::from(h.as_str())).collect();
                (name.as_str(), Jinja::from(hosts))
            })),
            "hostvars" => Jinja::from_object(Hosts { session: self.session.clone() }),
            "vars" => Jinja::from_dyn_object(Arc::clone(self)),
            "inventory_dir" => peer.file.rsplit_once('/').map_or("", |(dir, _)| dir).into(),
            "inventory_file" => (&*peer.file).into(),
            name => session.touch(Place::variable(&self.host, name, peer.raw.get(name)?))?,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let session = self.session.upgrade();
        let peer = session.as_ref().and_then(|s| s.world.peer(&self.host));
        let names = peer.into_iter().flat_map(|p| p.raw.keys());
        Enumerator::Values(names.map(|n| Jinja::from(n.as_str())).collect())
    }
}

/// `hostvars`: the variables of every host.
struct Hosts {
    session: Weak<Inner>,
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hostvars")
    }
}

impl Object for Hosts {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let host = HostName::new(key.as_str()?).ok()?;
        self.session
            .upgrade()?
            .world
            .peer(&host)
            .is_some()
            .then(|| Jinja::from_object(Scope { session: self.session.clone(), host }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let session = self.session.upgrade();
        let hosts = session.iter().flat_map(|s| s.world.hosts.keys());
        Enumerator::Values(hosts.map(|h| Jinja::from(h.as_str())).collect())
    }
}
