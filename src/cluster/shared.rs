//! Models of an engine of which one server serves all that a host has: nobody types such a server, its models do. What is
//! to be said of it stands in the engine's defaults or in any of them, and is the same in all that say it.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::engine::Engine;
use crate::inventory::{Entry, HostVars, Map, Node, Value};

use super::defaults;
use super::model_spec::{self, stand_in};
use super::server::{self, OF_MODELS};
use super::spec::ModelSpec;

/// The server of these models of a host; none if none of them is to be served.
pub(super) fn read(
    engine: &'static dyn Engine,
    entries: &[Entry],
    vars: &HostVars,
    problems: &mut Diagnostics,
) -> Option<ModelSpec> {
    let under = model_spec::defaults_of(engine, vars, problems);
    let (of_models, of_server): (Vec<Entry>, Vec<Entry>) =
        under.0.into_iter().partition(|entry| is_model_s(engine, &entry.key));
    let first = entries.iter().find(|entry| is_enabled(entry))?;
    let mut keys = stand_in("engine", Value::Str(engine.name().to_owned()), first);
    for entry in entries.iter().filter(|entry| is_enabled(entry)) {
        add(&mut keys, engine, entry, problems);
    }
    let map = Node { origin: first.origin.clone(), value: Value::Map(keys) };
    let own = Entry { key: engine.name().to_owned(), node: map, ..first.clone() };
    let port = stand_in("port", Value::Int(engine.shared_port().unwrap_or_default().into()), first);
    let own = defaults::laid_under(&port, &defaults::laid_under(&Map(of_server), &own));
    let what = format!("the server of all models of {}", engine.name());
    let server = model_spec::read_keys(&own, what, vars, problems)?;
    let mut server = ModelSpec { models_max: Some(server::told_by_options(&server)), ..server };
    let of_models = Map(of_models);
    let member = |entry: &Entry| {
        let mut own = defaults::laid_under(&of_models, entry);
        if let Value::Map(map) = &mut own.node.value {
            map.0.retain(|entry| is_model_s(engine, &entry.key));
        }
        server::member(&own, &server, problems)
    };
    server.members = entries.iter().filter_map(member).collect();
    (!server.members.is_empty()).then_some(server)
}

/// Whether a key says something of one model, and not of the server of all.
fn is_model_s(engine: &dyn Engine, key: &str) -> bool {
    let is_option = |name: &str| engine.options().iter().any(|option| option.name == name);
    ["enabled", "engine", "server"].contains(&key)
        || OF_MODELS.contains(&key)
        || (is_option(key) && engine.is_of_model(key))
}

fn is_enabled(entry: &Entry) -> bool {
    let Value::Map(map) = &entry.node.value else { return true };
    map.get("enabled").is_none_or(|entry| entry.node.value != Value::Bool(false))
}

/// Adds what a model says of the server, which must be what others have said of it.
fn add(keys: &mut Map, engine: &dyn Engine, entry: &Entry, problems: &mut Diagnostics) {
    let Value::Map(map) = &entry.node.value else { return };
    let typed = |entry: &&Entry| entry.node.value != Value::Null && !is_model_s(engine, &entry.key);
    for typed in map.0.iter().filter(typed) {
        let Some(other) = keys.get(&typed.key) else {
            keys.0.push(typed.clone());
            continue;
        };
        if other.node.to_json().ok() != typed.node.to_json().ok() {
            let both = format!("`{}` is another one for the same server", typed.key);
            let hint = format!(
                "one server has all models of {} on a host: say it once, or in {}; the other is at {}. Two of them stand in `servers`",
                engine.name(),
                engine.defaults_variable(),
                other.node.origin
            );
            problems.push(Diagnostic::error(&typed.node.origin, both).hint(hint));
        }
    }
}
