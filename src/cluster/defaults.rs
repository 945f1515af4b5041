//! Keys of a model that stand in several places: an engine's defaults, the model itself, where it is served.
//! It lays them over one another, each with its own place; what they mean is read elsewhere.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::engine::{self, Engine};
use crate::inventory::{Entry, HostVars, Map, Node, Value};
use crate::service::Service;

/// Keys that models do not share, and why.
pub(super) const NOT_SHARED: [(&str, &str); 5] = [
    ("engine", "the defaults are for one engine already"),
    ("model", "further names for one model are its `aliases`"),
    ("port", "every model on a host has a port of its own"),
    ("aliases", "a public name leads to one model"),
    ("variants", "a public name leads to one model"),
];

/// Whether the models of an engine share what others do not: those that have one server have one port.
pub(super) fn may_share(engine: &dyn Engine, key: &str) -> bool {
    key == "port" && engine.shared_port().is_some()
}

/// What all models of an engine have in common, as the host's variables say it.
pub(super) fn read(engine: &dyn Engine, vars: &HostVars, problems: &mut Diagnostics) -> Option<Entry> {
    let name = engine.defaults_variable();
    let node = vars.value_noting(&name, problems)?;
    let mut map = match node.value {
        Value::Map(map) => map,
        Value::Null => return None,
        _ => {
            problems.push(
                node.expected(&format!("`{name}` to be a map of keys for every model of {}", engine.name())),
            );
            return None;
        }
    };
    for (key, why) in NOT_SHARED.into_iter().filter(|(key, _)| !may_share(engine, key)) {
        if let Some(entry) = map.get(key) {
            let set = Diagnostic::error(&entry.origin, format!("`{key}` cannot be set in `{name}`"));
            problems.push(set.hint(why));
            map.0.retain(|entry| entry.key != key);
        }
    }
    let origin = node.origin;
    Some(Entry {
        key: name,
        text: true,
        origin: origin.clone(),
        node: Node { origin, value: Value::Map(map) },
    })
}

/// The engine of a model, where it names one that there is.
pub(super) fn engine_of(model: &Entry) -> Option<&'static dyn Engine> {
    let Value::Map(map) = &model.node.value else { return None };
    engine::by_name(&map.get("engine")?.node.as_text().ok()?)
}

/// A model with `over` laid over its keys.
pub(super) fn laid_over(over: &Map, model: &Entry) -> Entry {
    with(model, |keys| laid(over, keys))
}

/// A model with `under` laid under its keys.
pub(super) fn laid_under(under: &Map, model: &Entry) -> Entry {
    with(model, |keys| laid(keys, under))
}

fn with(model: &Entry, change: impl FnOnce(&Map) -> Map) -> Entry {
    let mut model = model.clone();
    if let Value::Map(keys) = &model.node.value {
        model.node.value = Value::Map(change(keys));
    }
    model
}

/// The keys of both. A key that both have adds up if it does so with homelab's own value, too; else the upper one
/// counts. A `null` takes away what is under it.
fn laid(over: &Map, under: &Map) -> Map {
    let mut laid = over.clone();
    for lower in &under.0 {
        let adds_up = ["args", "configs", "litellm_params", "model_info"].contains(&lower.key.as_str())
            || Service::adds_up(&lower.key);
        match laid.0[..over.0.len()].iter_mut().rev().find(|upper| upper.key == lower.key) {
            Some(upper) if adds_up => upper.node.value = sum(&upper.node, &lower.node),
            Some(_) => {}
            None => laid.0.push(lower.clone()),
        }
    }
    laid
}

/// Maps merge by key and lists add up, in which one text counts as a list of one.
fn sum(upper: &Node, lower: &Node) -> Value {
    match (&upper.value, &lower.value) {
        (Value::Null, _) | (_, Value::Null) => upper.value.clone(),
        (Value::Map(upper), Value::Map(lower)) => {
            let more = lower.0.iter().filter(|entry| upper.get(&entry.key).is_none());
            Value::Map(Map(upper.0.iter().chain(more).cloned().collect()))
        }
        (Value::Map(_), _) | (_, Value::Map(_)) => upper.value.clone(),
        _ => Value::Seq([items(lower), items(upper)].concat()),
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Seq(items) => items,
        _ => std::slice::from_ref(node),
    }
}
