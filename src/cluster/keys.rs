//! Keys and variables that several readers read alike.
//! It knows no whole model and no host.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::engine::{Engine, Kind, Opt, Takes};
use crate::inventory::{Entry, Fields, HostVars, Map, Node, Value, parsed};
use crate::names::{ModelName, Port};

/// Where keys stand.
pub(super) type Origins = BTreeMap<String, Origin>;

/// Where each key of an entry is typed, and where its value is.
pub(super) type Places = BTreeMap<String, (Origin, Origin)>;

pub(super) fn places(entry: &Entry) -> Places {
    let place = |e: &Entry| (e.key.clone(), (e.origin.clone(), e.node.origin.clone()));
    entry.node.as_map().map(|map| map.0.iter().map(place).collect()).unwrap_or_default()
}

/// A host variable read by `read`; errors are collected.
pub(super) fn variable<T>(
    vars: &HostVars,
    name: &str,
    problems: &mut Diagnostics,
    read: impl FnOnce(&Node) -> Result<T, Diagnostic>,
) -> Option<T> {
    let node = vars.value_noting(name, problems)?;
    if node.value == Value::Null {
        return None;
    }
    problems.take(read(&node))
}

pub(super) fn port(number: i64, node: &Node) -> Result<Port, Diagnostic> {
    Port::new(number).map_err(|why| Diagnostic::because(&node.origin, &why))
}

pub(super) fn aliases(node: &Node) -> Result<Vec<(ModelName, Origin)>, Diagnostic> {
    let one = |n: &Node| Ok((parsed(n, |text| text.parse())?, n.origin.clone()));
    match &node.value {
        Value::Seq(items) => items.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

pub(super) fn kind(text: &str) -> Result<Kind, String> {
    let list = || Kind::ALL.map(Kind::word).join(", ");
    Kind::by_word(text).ok_or_else(|| format!("`{text}` is not a kind of model: {}", list()))
}

/// The value of an engine's option, if it is of the kind the engine takes.
pub(super) fn option(option: &Opt, node: &Node) -> Result<serde_json::Value, Diagnostic> {
    let is_list = matches!(node.value, Value::Seq(_));
    let (fits, wants) = match option.takes {
        Takes::Flag | Takes::Switch => (matches!(node.value, Value::Bool(_)), "true or false"),
        Takes::Int => (matches!(node.value, Value::Int(_)), "a whole number"),
        Takes::Size => (matches!(node.value, Value::Int(_) | Value::Str(_)), "a whole number or a string"),
        Takes::Number => (matches!(node.value, Value::Int(_) | Value::Float(_)), "a number"),
        Takes::Text => (!is_list && !matches!(node.value, Value::Map(_)), "a string"),
        Takes::Many | Takes::Each | Takes::Commas => {
            (!matches!(node.value, Value::Map(_)), "a list or a string")
        }
        Takes::Json => (true, "a map, a list or a string"),
    };
    if !fits {
        return Err(node.expected(&format!("`{}` to be {wants}", option.name)));
    }
    Ok(match option.takes {
        Takes::Text => node.as_text()?.into(),
        Takes::Many | Takes::Each | Takes::Commas if !is_list => vec![node.as_text()?].into(),
        _ => node.to_json()?,
    })
}

/// Options that homelab sets itself: says why, instead of "unknown".
pub(super) fn explain_reserved(map: &Map, engine: &'static dyn Engine, fields: &mut Fields<'_>) {
    for (key, why) in engine.reserved() {
        if let Some(entry) = map.get(key) {
            fields.node(key);
            let set = Diagnostic::error(&entry.origin, format!("`{key}` cannot be set here"));
            fields.problems.push(set.hint(*why));
        }
    }
}
