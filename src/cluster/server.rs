//! Several models behind one server: `servers`, and the models that say `server: NAME`.
//! It looks at no host; what a server's keys mean is read as for a model.

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::engine::{Engine, Kind, Load};
use crate::gateway;
use crate::inventory::{Entry, Fields, HostVars, Map, Node, Value, parsed};
use crate::names::{ModelName, Seconds};

use super::catalogue::twin;
use super::defaults;
use super::keys::{aliases, explain_reserved, kind, option, places};
use super::model_spec;
use super::spec::{MemberSpec, ModelSpec};

/// How many models a server has loaded at most when nobody says: what fits beside one another only the user knows.
const MODELS_MAX: u64 = 1;

/// Keys of a model that say nothing of a server.
pub(super) const OF_MODELS: [&str; 8] =
    ["aliases", "kind", "litellm_params", "load", "model", "model_info", "ttl", "variants"];

/// The server that a model's entry names.
pub(super) fn of(entry: &Entry) -> Option<&Node> {
    let Value::Map(map) = &entry.node.value else { return None };
    map.get("server").map(|entry| &entry.node).filter(|node| node.value != Value::Null)
}

/// The servers of a host that some of its models are behind.
pub(super) fn read(vars: &HostVars, members: &[&Entry], problems: &mut Diagnostics) -> Vec<ModelSpec> {
    let variable = twin(vars, "servers");
    let node = variable.as_ref().and_then(|name| vars.value_noting(name, problems));
    let none = Map::default();
    let map = match node.as_ref().map(|node| (node, &node.value)) {
        None | Some((_, Value::Null)) => &none,
        Some((_, Value::Map(map))) => map,
        Some((node, _)) => {
            problems.push(node.expected("`servers` to be a map from names to servers").hint(FORM));
            return vec![];
        }
    };
    let mut servers = Vec::new();
    for entry in &map.0 {
        let own: Vec<&&Entry> = members.iter().filter(|member| names(member, &entry.key)).collect();
        let Some(mut server) = server(entry, vars, problems) else { continue };
        server.members = own.iter().filter_map(|own| member(own, &server, problems)).collect();
        // One without a model would have nothing to do.
        if !server.members.is_empty() {
            servers.push(server);
        }
    }
    for node in members.iter().filter_map(|member| of(member)) {
        let Ok(name) = node.as_text() else {
            problems.push(node.expected("`server` to be a name in `servers`"));
            continue;
        };
        if map.get(&name).is_none() {
            let unknown = Diagnostic::error(&node.origin, format!("there is no server `{name}`"));
            problems.push(unknown.meant(did_you_mean(&name, map.0.iter().map(|e| e.key.as_str())), FORM));
        }
    }
    servers
}

/// How servers are typed.
const FORM: &str = "servers: {NAME: {engine: llama_cpp, port: 8080, models_max: 1}}";

fn names(member: &Entry, server: &str) -> bool {
    of(member).and_then(|node| node.as_text().ok()).is_some_and(|name| name == server)
}

/// A server as a model without the keys that only a model has.
fn server(entry: &Entry, vars: &HostVars, problems: &mut Diagnostics) -> Option<ModelSpec> {
    let mut own = entry.clone();
    let engine = defaults::engine_of(&own);
    let own_word = engine.and_then(Engine::models_max);
    let mut most = None;
    if let Value::Map(map) = &mut own.node.value {
        for typed in map.0.iter().filter(|typed| OF_MODELS.contains(&typed.key.as_str())) {
            let set = Diagnostic::error(&typed.origin, format!("`{}` cannot be set for a server", typed.key));
            problems.push(set.hint("it belongs to each of the models that say `server`"));
        }
        map.0.retain(|entry| !OF_MODELS.contains(&entry.key.as_str()));
        most = map.get("models_max").map(|entry| entry.node.clone()).filter(|node| node.value != Value::Null);
        if let (Some(word), Some(typed)) = (own_word, map.get("models_max")) {
            let set = Diagnostic::error(&typed.origin, "`models_max` cannot be set here");
            problems.push(set.hint(format!("the engine's own word for it: {word}")));
            most = None;
        }
        map.0.retain(|entry| entry.key != "models_max");
    }
    let under = engine.map(|engine| model_spec::defaults_of(engine, vars, problems));
    let own = under.map_or(own.clone(), |under| defaults::laid_under(&under, &own));
    let server = model_spec::read_keys(&own, format!("server `{}`", entry.key), vars, problems)?;
    if !server.engine.serves_several() {
        let one = format!("a server of `{}` serves one model", server.engine.name());
        problems.push(
            Diagnostic::error(&entry.origin, one).hint("engine: llama_cpp serves several, loaded on demand"),
        );
        return None;
    }
    let most = most.and_then(|node| {
        let wrong = Diagnostic::error(&node.origin, "`models_max` is 1 or more");
        let some = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
        let hint = "as many models as fit beside one another: the next one takes the place of another";
        problems.take(node.as_int().and_then(|n| some(n).ok_or_else(|| wrong.hint(hint))))
    });
    let most = if own_word.is_some() { told_by_options(&server) } else { most.unwrap_or(MODELS_MAX) };
    let places = places(entry);
    Some(ModelSpec { models_max: Some(most), places, ..server })
}

/// How many models a server has loaded at most whose engine has a word of its own for that; without it, its memory
/// decides.
pub(super) fn told_by_options(server: &ModelSpec) -> u64 {
    let typed = server.engine.models_max().and_then(|word| server.options.get(word)?.as_u64());
    typed.filter(|most| *most > 0).unwrap_or(u64::MAX)
}

pub(super) fn member(entry: &Entry, server: &ModelSpec, problems: &mut Diagnostics) -> Option<MemberSpec> {
    let name = ModelName::new(entry.key.as_str()).map_err(|why| Diagnostic::because(&entry.origin, &why));
    let name = problems.take(name)?;
    let map = problems.take(entry.node.as_map())?;
    let mut fields = Fields::new(map, format!("model `{name}`, which is behind server `{}`,", server.name));
    let enabled = fields.parse("enabled", Node::as_bool) != Some(false);
    fields.node("server");
    if let Some(node) = fields.node("engine")
        && node.as_text().ok().as_deref() != Some(server.engine.name())
    {
        let other = format!("server `{}` is of the engine {}", server.name, server.engine.name());
        fields
            .problems
            .push(Diagnostic::error(&node.origin, other).hint("leave out `engine`: the server has it"));
    }
    let mut options = server.options.clone();
    for known in server.engine.options() {
        if let Some(value) = fields.parse(known.name, |node| option(known, node)) {
            options.insert(known.name.to_owned(), value);
        }
        if let Some(origin) = fields.origin(known.name).filter(|_| !server.engine.is_of_model(known.name)) {
            let set = Diagnostic::error(origin, format!("`{}` cannot be set here", known.name));
            let hint = format!("it is for all models of server `{}`: set it there", server.name);
            fields.problems.push(set.hint(hint));
        }
    }
    explain_reserved(map, server.engine, &mut fields);
    let words = gateway::words(&mut fields);
    let variants = gateway::variants(&mut fields, &words);
    let mut aliases = fields.parse("aliases", aliases).unwrap_or_default();
    aliases.extend(variants.iter().map(|(name, origin, _)| (name.clone(), origin.clone())));
    let member = MemberSpec {
        origin: entry.origin.clone(),
        // What its server says of it is mended there.
        places: server.places.clone().into_iter().chain(places(entry)).collect(),
        aliases,
        kind: fields.parse("kind", |node| parsed(node, kind)).unwrap_or(Kind::Chat),
        model: fields.parse("model", Node::as_text),
        load: fields.parse("load", |node| parsed(node, load)).unwrap_or(Load::OnDemand),
        ttl: fields.parse("ttl", |node| parsed(node, ttl)),
        options,
        words,
        variants: variants.into_iter().map(|(name, _, words)| (name, words)).collect(),
        name,
    };
    let known: Vec<&str> = server.engine.options().iter().map(|o| o.name).collect();
    problems.0.extend(fields.finish(&known).0);
    enabled.then_some(member)
}

fn load(text: &str) -> Result<Load, String> {
    let found = Load::ALL.into_iter().find(|load| load.word() == text);
    found.ok_or_else(|| format!("`{text}` is no time to load a model: startup or on_demand"))
}

fn ttl(text: &str) -> Result<u64, String> {
    match text.parse::<Seconds>()? {
        Seconds(0) => Err("`0` would unload it at once: seconds, or a time such as 15m".to_owned()),
        Seconds(some) => Ok(some),
    }
}

/// What cannot work of a server's models, each at its own key.
pub(super) fn check(server: &ModelSpec, hf_home: &str, problems: &mut Diagnostics) {
    for member in &server.members {
        if let Err((key, why)) = server.engine.check(&server.serve_member(member, hf_home)) {
            let wrong = Diagnostic::because(member.value_place(key), &why);
            let hint = wrong.hint.clone().unwrap_or_else(|| format!("change `{key}`"));
            problems.push(Diagnostic { message: format!("`{key}`: {}", wrong.message), ..wrong }.hint(hint));
        }
    }
    for (i, member) in server.members.iter().enumerate() {
        let called = |member| server.engine.upstream(&server.serve_member(member, hf_home));
        if let Some(other) = server.members[..i].iter().find(|other| called(other) == called(member)) {
            let both = format!(
                "server `{}` would call both `{}` and `{}` the same",
                server.name, other.name, member.name
            );
            problems.push(Diagnostic::error(&member.origin, both).hint("rename one of them"));
        }
    }
    let startup: Vec<&MemberSpec> = server.members.iter().filter(|m| m.load == Load::Startup).collect();
    let most = server.models_max.unwrap_or(MODELS_MAX);
    if startup.len() as u64 > most
        && let Some(last) = startup.last()
    {
        let message = format!(
            "{} models of server `{}` are to be loaded when it starts, and it keeps {most}",
            startup.len(),
            server.name
        );
        problems.push(Diagnostic::error(last.value_place("load"), message).hint(format!(
            "raise `{}`, or let some of them be loaded on_demand",
            server.engine.models_max().unwrap_or("models_max")
        )));
    }
}
