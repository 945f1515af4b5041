//! Schema of what stands beside models of one server each: endpoints of others, servers of several.
//! It reads nothing, as the rest of the schema.

use serde_json::{Map, Value, json};

use crate::cluster::external::NAME;
use crate::cluster::server::OF_MODELS;
use crate::engine::{self, Engine, Kind, Load, Opt};

use super::{
    INFO, PARAMS, PUBLIC_NAME, aliases, compose_keys, duration, engine_keys, key, needed, option_value,
    own_keys, port, scalar, variants,
};

/// Hosts that come and go. Where the short names mean something else, they are the user's own.
pub(super) fn absent() -> [(&'static str, Value); 4] {
    let any = |of: &str, if_: &str| json!({"description": format!("The same as {of}, if it is {if_}")});
    let optional = key("true: that it does not answer is no failure", json!({"type": "boolean"}));
    [
        ("homelab_optional", optional),
        ("homelab_wake", key("How it is woken when it sleeps", wake())),
        ("optional", any("homelab_optional", "true or false")),
        ("wake", any("homelab_wake", "a map with mac")),
    ]
}

/// How a host is woken.
fn wake() -> Value {
    let all = Map::from_iter([
        ("mac".to_owned(), needed("The address of its network card", json!({"type": "string"}))),
        ("broadcast".to_owned(), key("Where the packet goes", json!({"type": "string"}))),
        ("port".to_owned(), key("The UDP port of the packet", port())),
        ("timeout".to_owned(), key("How long it may take to answer: 120, 2m", duration(1))),
        ("via".to_owned(), key("The host that sends the packet, if not this machine", scalar())),
    ]);
    json!({"type": "object", "required": ["mac"], "properties": all, "additionalProperties": false})
}

/// An endpoint that somebody else runs.
pub(super) fn external() -> Value {
    let names = json!({
        "type": "object",
        "propertyNames": {"pattern": PUBLIC_NAME},
        "additionalProperties": scalar(),
    });
    let secret = json!({"anyOf": [{"const": "none"}, {"$ref": "#/definitions/secret"}]});
    let all = Map::from_iter([
        ("engine".to_owned(), needed("Somebody else runs it", json!({"const": NAME}))),
        (
            "enabled".to_owned(),
            key("false leaves it out, as if it were not here", json!({"type": "boolean"})),
        ),
        (
            "api_base".to_owned(),
            key("Its base URL, with /v1 where OpenAI's protocol is below it", json!({"type": "string"})),
        ),
        (
            "litellm_provider".to_owned(),
            key("How LiteLLM speaks to it", json!({"type": ["string", "boolean"]})),
        ),
        ("api_key".to_owned(), key("The key it asks for, by reference", secret)),
        ("kind".to_owned(), key("What its models are for", json!({"enum": Kind::ALL.map(Kind::word)}))),
        ("model".to_owned(), key("What it calls the model, if not by its public name", scalar())),
        ("models".to_owned(), key("Public names, and what it calls each", names)),
        ("aliases".to_owned(), key("Further public names", aliases())),
        ("litellm_params".to_owned(), key(PARAMS, json!({"type": "object"}))),
        ("model_info".to_owned(), key(INFO, json!({"type": "object"}))),
        ("variants".to_owned(), key("Further public names with parameters of their own", variants())),
    ]);
    json!({"type": "object", "properties": all, "additionalProperties": false})
}

/// A login at a registry.
pub(super) fn login(password: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["username", "password"],
        "properties": {"username": scalar(), "password": password},
        "additionalProperties": false,
    })
}

/// The engines of which one server serves several models.
fn several() -> impl Iterator<Item = &'static &'static dyn Engine> {
    engine::ALL.iter().filter(|engine| engine.serves_several())
}

/// A server of several models.
pub(super) fn server() -> Value {
    let names: Vec<&str> = several().map(|engine| engine.name()).collect();
    let keys = |engine: &&'static dyn Engine| {
        let mut all = engine_keys(*engine);
        if let Some(keys) = all["properties"].as_object_mut() {
            keys.retain(|name, _| !OF_MODELS.contains(&name.as_str()));
            let most = json!({"type": "integer", "minimum": 1});
            if engine.models_max().is_none() {
                keys.insert("models_max".into(), key("How many are loaded at the same time at most", most));
            }
            keys.insert("engine".into(), needed("What serves them", json!({"enum": names})));
        }
        all
    };
    json!({"allOf": [{"required": ["engine"]}, {"anyOf": several().map(keys).collect::<Vec<_>>()}]})
}

/// A model behind such a server.
pub(super) fn behind() -> Value {
    let keys = |engine: &&'static dyn Engine| {
        let own = own_keys(*engine).into_iter().filter(|(name, _)| OF_MEMBERS.contains(name));
        let mut all = Map::from_iter(own.map(|(name, schema)| (name.to_owned(), schema)));
        all.insert("engine".into(), key("That of its server", json!({"const": engine.name()})));
        all.insert("server".into(), needed("Which of `servers` it is behind", scalar()));
        all.extend(when_loaded(*engine));
        for option in engine.options().iter().filter(|option| engine.is_of_model(option.name)) {
            let description = option_words(*engine, option);
            all.entry(option.name).or_insert_with(|| key(&description, option_value(option)));
        }
        json!({"type": "object", "properties": all, "additionalProperties": false})
    };
    json!({"anyOf": several().map(keys).collect::<Vec<_>>()})
}

/// An option as its engine writes it. What one server of all models can be told are no flags.
pub(super) fn option_words(engine: &dyn Engine, option: &Opt) -> String {
    match engine.shared_port() {
        Some(_) => format!("{} of {}", option.name, engine.name()),
        None => format!("--{} of {}", option.name.replace('_', "-"), engine.name()),
    }
}

/// What is said only of one of several models.
pub(super) fn when_loaded(engine: &dyn Engine) -> impl Iterator<Item = (String, Value)> {
    let all = [
        ("load", key("When it is loaded", json!({"enum": Load::ALL.map(Load::word)}))),
        ("ttl", key("After how long without a request it is unloaded: 15m", duration(1))),
    ];
    let reserved = engine.reserved();
    let free = all.into_iter().filter(move |(name, _)| reserved.iter().all(|(key, _)| key != name));
    free.map(|(name, schema)| (name.to_owned(), schema))
}

/// Keys of a model that one behind a server has, too.
const OF_MEMBERS: [&str; 7] =
    ["enabled", "kind", "model", "aliases", "litellm_params", "model_info", "variants"];

/// A GPU of a host.
pub(super) fn gpu() -> Value {
    json!({
        "type": "object",
        "required": ["memory"],
        "properties": {
            "name": key("What it is called", scalar()),
            "memory": needed("Its memory, as in 24GB", scalar()),
            "unified": key("Whether it is the system's", json!({"type": "boolean"})),
        },
        "additionalProperties": false,
    })
}

/// The size of the only GPU, or a list of them.
pub(super) fn gpus() -> Value {
    let one = json!({"anyOf": [{"type": ["string", "integer"]}, {"$ref": "#/definitions/gpu"}]});
    json!({"anyOf": [one, {"type": "array", "items": one}]})
}

/// Ansible's variables that say how a host is reached, those of them that homelab reads; and whether it always is.
pub(super) fn connection() -> impl Iterator<Item = (&'static str, Value)> {
    let kinds = json!({"enum": ["ssh", "smart", "ansible.builtin.ssh", "local", "ansible.builtin.local"]});
    let number = json!({"anyOf": [super::port(), {"type": "string", "pattern": "^[0-9]+$"}]});
    let all = [
        ("ansible_host", key("What ssh connects to, else the host's name", scalar())),
        ("ansible_port", key("The port of its sshd", number)),
        ("ansible_user", key("Whom ssh logs in as", scalar())),
        ("ansible_ssh_private_key_file", key("The key that ssh shows", scalar())),
        ("ansible_ssh_common_args", key("Further arguments of ssh", json!({"type": "string"}))),
        ("ansible_ssh_extra_args", key("Further arguments of ssh", json!({"type": "string"}))),
        ("ansible_connection", key("local: the machine homelab runs on, without ssh", kinds)),
    ];
    all.into_iter().chain(absent())
}

/// What is switched on and off, or has keys of its own.
pub(super) fn switched(definition: &str) -> Value {
    json!({"anyOf": [{"type": "boolean"}, {"$ref": format!("#/definitions/{definition}")}]})
}

/// What stands beside the gateway.
pub(super) fn companion() -> Value {
    let mut all = compose_keys();
    all.insert("port".into(), key("The port on its host", port()));
    json!({"type": "object", "properties": all, "additionalProperties": false})
}

/// Prometheus, and what goes with it.
pub(super) fn metrics() -> Value {
    let mut all = companion();
    let span = json!({"type": "string", "pattern": "^([0-9]+[ywdhms])+$"});
    let number = json!({"type": "number", "minimum": 0});
    let price = json!({
        "type": "object",
        "required": ["input", "output"],
        "properties": {"input": number, "output": number},
        "additionalProperties": false,
    });
    for (name, schema) in [
        ("retention", key("How long it keeps what it was told, as in 15d", span.clone())),
        (
            "size",
            key("The most it may take of the disk", json!({"type": ["integer", "string"], "minimum": 0})),
        ),
        ("scrape_interval", key("How often it asks, as in 15s", span)),
        ("price", key("What a million tokens cost elsewhere", price)),
        ("grafana", key("Grafana, unless it is false", switched("companion"))),
        ("node_exporter", key("What kernels count, of every host", switched("companion"))),
        ("gpu_exporter", key("What GPUs count, of every host with NVIDIA's", switched("companion"))),
    ] {
        all["properties"][name] = schema;
    }
    all
}
