//! JSON Schema of what an inventory may say to homelab, for editors: made from the same tables of
//! options and keys that the reader goes by. It reads nothing; what it lets pass is still checked.

use serde_json::{Map, Value, json};

use crate::engine::{self, Engine, Kind, Opt, Takes};
use crate::service::Runtime;

use super::access::Access;
use super::defaults::{NOT_SHARED, may_share};
use super::external;
use compose::compose_keys;

mod beside;
mod compose;
mod gateway;

/// Schema of an inventory: groups of hosts with variables.
#[must_use]
pub fn inventory() -> Value {
    let groups = json!({"type": ["object", "null"], "additionalProperties": {"$ref": "#/definitions/group"}});
    let hosts = json!({"type": ["object", "null"], "additionalProperties": {"$ref": "#/definitions/vars"}});
    let mut schema = root(
        "An inventory for homelab",
        json!({"type": "object", "additionalProperties": {"$ref": "#/definitions/group"}}),
    );
    schema["definitions"]["group"] = json!({
        "type": ["object", "null"],
        "properties": {"hosts": hosts, "children": groups, "vars": {"$ref": "#/definitions/vars"}},
    });
    schema
}

/// Schema of a file in group_vars or host_vars.
#[must_use]
pub fn vars() -> Value {
    root("Variables for homelab", json!({"$ref": "#/definitions/vars"}))
}

fn root(title: &str, what: Value) -> Value {
    let mut definitions = Map::new();
    definitions.insert("vars".into(), variables());
    definitions.insert("gateway".into(), gateway::keys());
    definitions.insert("edge".into(), gateway::edge());
    definitions.insert("certificate".into(), gateway::certificate());
    definitions.insert("metrics".into(), beside::metrics());
    definitions.insert("companion".into(), beside::companion());
    definitions.insert("model".into(), model());
    definitions.insert("serve".into(), serve());
    definitions.insert(external::NAME.into(), beside::external());
    definitions.insert("gpu".into(), beside::gpu());
    definitions.insert("server".into(), beside::server());
    definitions.insert("behind".into(), beside::behind());
    for engine in engine::ALL {
        definitions.insert(engine.name().into(), engine_keys(*engine));
    }
    // An expression may stand for any value.
    definitions.insert("expression".into(), json!({"type": "string", "pattern": "\\{[{%]"}));
    definitions.insert("scalar".into(), scalar());
    definitions.insert("texts".into(), json!({"anyOf": [scalar(), {"type": "array", "items": scalar()}]}));
    definitions.insert("secret".into(), secret());
    definitions.insert("login".into(), beside::login(&json!({"$ref": "#/definitions/secret"})));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "allOf": [what],
        "definitions": definitions,
    })
}

/// One key: its type, an expression that gives it, or nothing, as if it were not there.
fn key(description: &str, value: Value) -> Value {
    json!({"description": description, "anyOf": [value, {"$ref": "#/definitions/expression"}, {"type": "null"}]})
}

/// A key that must be there.
fn needed(description: &str, value: Value) -> Value {
    json!({"description": description, "anyOf": [value, {"$ref": "#/definitions/expression"}]})
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn texts() -> Value {
    json!({"$ref": "#/definitions/texts"})
}

fn secret() -> Value {
    let one = |name: &str, value: Value| json!({"type": "object", "required": [name], "properties": {name: value}, "additionalProperties": false});
    let command = json!({"type": "array", "items": scalar()});
    let vault = json!({"type": "string", "pattern": "^\\$ANSIBLE_VAULT;"});
    json!({"anyOf": [one("env", scalar()), one("file", scalar()), one("command", command), vault]})
}

/// What a public name of a model looks like.
const PUBLIC_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_./:@+-]{0,127}$";

/// The variables of a host that homelab knows; every other one is the user's own.
fn variables() -> Value {
    let models = key(
        "Models by public name: what clients put into \"model\"",
        json!({
            "type": "object",
            "propertyNames": {"pattern": PUBLIC_NAME},
            "additionalProperties": {"$ref": "#/definitions/model"},
        }),
    );
    let serve = key("Which of `models` this host serves", json!({"$ref": "#/definitions/serve"}));
    let servers = key(
        "Servers of several models, by name",
        json!({
            "type": "object",
            "propertyNames": {"pattern": PUBLIC_NAME},
            "additionalProperties": {"$ref": "#/definitions/server"},
        }),
    );
    let gateway = key("The gateway, on one host", json!({"$ref": "#/definitions/gateway"}));
    let secret = json!({"$ref": "#/definitions/secret"});
    let names = json!({"pattern": "^([^/]*[.:][^/]*|localhost)$"});
    let logins = json!({
        "type": "object",
        "propertyNames": names,
        "additionalProperties": {"$ref": "#/definitions/login"},
    });
    let checking = json!({"enum": ["strict", "accept-new"]});
    let packages = json!({"enum": ["distribution", "upstream"]});
    let mut all = Map::from_iter(beside::connection().map(|(name, schema)| (name.to_owned(), schema)));
    for (name, schema) in [
        ("models", models.clone()),
        ("homelab_models", models),
        ("serve", serve.clone()),
        ("homelab_serve", serve),
        ("servers", servers.clone()),
        ("homelab_servers", servers),
        ("gateway", gateway.clone()),
        ("homelab_gateway", gateway),
        ("homelab_project", key("The Compose project on every host", scalar())),
        ("homelab_dir", key("Where homelab's files lie on a host", scalar())),
        ("homelab_address", key("How other hosts reach this one", scalar())),
        ("homelab_host_key_checking", key("accept-new trusts a key that is seen first", checking)),
        ("homelab_docker_socket", key("Docker's socket on the host", scalar())),
        ("homelab_docker_packages", key("Where homelab bootstrap gets Docker", packages)),
        ("ansible_service_mgr", key("launchd on a Mac, where nobody looks", scalar())),
        ("gpus", key("The host's GPUs, for judging what fits where nobody looks", beside::gpus())),
        ("hf_home", key("The Hugging Face cache on the hosts", scalar())),
        ("hf_token", key("The Hugging Face token, by reference", secret)),
        ("registry_auth", key("Logins by registry, as in ghcr.io", logins)),
        ("litellm_image", key("The gateway's image", scalar())),
    ] {
        all.insert(name.into(), schema);
    }
    for engine in engine::ALL {
        let description = format!("The image of all models of {}", engine.name());
        all.insert(engine.image_variable().into(), key(&description, scalar()));
        let description = format!("What all models of {} have in common", engine.name());
        all.insert(engine.defaults_variable(), key(&description, shared_keys(*engine)));
    }
    json!({"type": ["object", "null"], "properties": all})
}

/// A model: the engine decides which keys there are.
fn model() -> Value {
    let names: Vec<&str> = engine::ALL.iter().map(|engine| engine.name()).chain([external::NAME]).collect();
    let branch = |name: &&str| {
        let is = json!({"properties": {"engine": {"const": name}}, "required": ["engine"]});
        json!({"if": is, "then": {"$ref": format!("#/definitions/{name}")}})
    };
    let own = json!({
        "type": "object",
        "required": ["engine"],
        "properties": {"engine": needed("What serves it", json!({"enum": names}))},
        "allOf": names.iter().map(branch).collect::<Vec<_>>(),
    });
    let of_server = json!({"required": ["server"], "properties": {"server": {"not": {"type": "null"}}}});
    json!({"if": of_server, "then": {"$ref": "#/definitions/behind"}, "else": own})
}

/// Names of models, or one name with keys that are different where it is served.
fn serve() -> Value {
    let names = engine::ALL.iter().map(|engine| engine.name()).chain([external::NAME]);
    let keys = names.map(|name| json!({"$ref": format!("#/definitions/{name}")}));
    let different: Vec<Value> = keys.chain([json!({"type": "null"})]).collect();
    let one = json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"anyOf": different},
    });
    let items = json!({"anyOf": [scalar(), one]});
    json!({"anyOf": [scalar(), {"type": "array", "items": items}]})
}

/// The keys of a model without those that are every model's own.
fn shared_keys(engine: &dyn Engine) -> Value {
    let own = NOT_SHARED.into_iter().filter(|(key, _)| !may_share(engine, key));
    let own = own.map(|(key, _)| (key.to_owned(), json!(false)));
    let reference = json!({"$ref": format!("#/definitions/{}", engine.name())});
    json!({"allOf": [reference, {"properties": Map::from_iter(own)}]})
}

fn engine_keys(engine: &dyn Engine) -> Value {
    let mut all = compose_keys();
    // `command` is the engine's own word where it has one.
    let has = |name: &str| engine.options().iter().any(|option| option.name == name);
    for (name, schema) in own_keys(engine).into_iter().filter(|(name, _)| *name != "command" || !has(name)) {
        all.insert(name.into(), schema);
    }
    for option in engine.options() {
        // As in the reader, a key of homelab's own comes before an option of the same name.
        let description = beside::option_words(engine, option);
        all.entry(option.name).or_insert_with(|| key(&description, option_value(option)));
    }
    if engine.shared_port().is_some() {
        all.extend(beside::when_loaded(engine));
    }
    // Every model has a port, but it may stand where the model is served.
    json!({"type": "object", "properties": all, "additionalProperties": false})
}

fn own_keys(engine: &dyn Engine) -> [(&'static str, Value); 19] {
    let index = json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": u32::MAX}, {"$ref": "#/definitions/expression"}]});
    let uuid = json!({"type": "string", "pattern": "^(GPU|MIG)-[0-9a-fA-F-]{8,}$"});
    let list = |items: &Value| json!({"type": "array", "minItems": 1, "items": items});
    let gpu = json!({"anyOf": [{"enum": ["none", "all"]}, index, uuid, list(&index), list(&uuid)]});
    let shares = engine.shared_port().is_some();
    [
        ("engine", needed("What serves it", json!({"const": engine.name()}))),
        ("enabled", key("false leaves it out, as if it were not here", json!({"type": "boolean"}))),
        ("kind", key("What \"it answers\" means", json!({"enum": Kind::ALL.map(Kind::word)}))),
        ("model", key("A repo id, or a path in the container", scalar())),
        ("port", if shares { key(PORT, port()) } else { needed(PORT, port()) }),
        ("gpu", key("none, all, an index or a UUID, or a list of either", gpu)),
        (
            "gpu_access",
            key("How its container gets at the GPUs", json!({"enum": Access::ALL.map(Access::word)})),
        ),
        (
            "runtime",
            key(
                "What runs it: Docker, or its host without it",
                json!({"enum": Runtime::ALL.map(Runtime::word)}),
            ),
        ),
        ("command", key("The program that its host runs, and words before its arguments", program())),
        ("aliases", key("Further public names", aliases())),
        ("api_key", key("none: its server asks for no key", json!({"const": "none"}))),
        ("ready_timeout", key("How long it may take to answer: 90s, 30m, 2h", duration(1))),
        (
            "check_fit",
            key("false deploys it even if its weights are known not to fit", json!({"type": "boolean"})),
        ),
        ("public", key("true: it may be reached from anywhere", json!({"type": "boolean"}))),
        ("prefetch", key("false leaves downloading to the server", json!({"type": "boolean"}))),
        ("args", key("Arguments passed through last", texts())),
        ("litellm_params", key(PARAMS, json!({"type": "object"}))),
        ("model_info", key(INFO, json!({"type": "object"}))),
        ("variants", key("Further public names with parameters of their own", variants())),
    ]
}

const PORT: &str = "The port on its host";
const PARAMS: &str = "LiteLLM's litellm_params of its public names";
const INFO: &str = "LiteLLM's model_info of its public names";

fn variants() -> Value {
    let words = json!({
        "litellm_params": key(PARAMS, json!({"type": "object"})),
        "model_info": key(INFO, json!({"type": "object"})),
    });
    json!({
        "type": "object",
        "propertyNames": {"pattern": PUBLIC_NAME},
        "additionalProperties": {"type": "object", "properties": words, "additionalProperties": false},
    })
}

fn aliases() -> Value {
    let name = json!({"anyOf": [
        {"type": "string", "pattern": PUBLIC_NAME},
        {"type": "number", "minimum": 0},
        {"type": "boolean"},
        {"$ref": "#/definitions/expression"},
    ]});
    json!({"anyOf": [name, {"type": "array", "items": name}]})
}

fn program() -> Value {
    let one = json!({"type": "string", "pattern": "^(/|~/|[^-/][^/]*$)"});
    let list = json!({"type": "array", "minItems": 1, "items": scalar()});
    json!({"anyOf": [one, list, {"$ref": "#/definitions/expression"}]})
}

fn port() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 65535})
}

fn duration(least: u64) -> Value {
    json!({"anyOf": [{"type": "integer", "minimum": least}, {"type": "string", "pattern": "^([0-9]+|([0-9]+[smh])+)$"}]})
}

fn option_value(option: &Opt) -> Value {
    match option.takes {
        Takes::Flag | Takes::Switch => json!({"type": "boolean"}),
        Takes::Int => json!({"type": "integer"}),
        Takes::Size => json!({"type": ["integer", "string"]}),
        Takes::Number => json!({"type": "number"}),
        Takes::Text => scalar(),
        Takes::Many | Takes::Each | Takes::Commas => json!({"not": {"type": "object"}}),
        Takes::Json => json!({}),
    }
}
