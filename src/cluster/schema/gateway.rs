//! Schema of the gateway and of what stands before it.
//! It reads nothing, as the rest of the schema.

use serde_json::{Value, json};

use super::{compose_keys, key, needed, port, scalar, texts};

/// The gateway itself.
pub(super) fn keys() -> Value {
    let mut all = compose_keys();
    let count = json!({"type": "integer", "minimum": 0});
    let url = json!({"url": {"$ref": "#/definitions/secret"}});
    let database =
        json!({"type": "object", "required": ["url"], "properties": url, "additionalProperties": false});
    let names = json!({"type": "object", "additionalProperties": {"type": "array", "items": scalar()}});
    for (name, schema) in [
        ("engine", key("LiteLLM", json!({"const": crate::gateway::NAME}))),
        ("port", key("The port on its host", port())),
        ("fallbacks", key("Which names stand in for a name that fails, in order", names.clone())),
        (
            "context_window_fallbacks",
            key("Which names stand in where a request is too long, in order", names),
        ),
        (
            "default_fallbacks",
            key("Which names stand in for any other, in order", json!({"type": "array", "items": scalar()})),
        ),
        ("num_retries", key("Tries again where nothing stands in", count.clone())),
        ("timeout", key("Seconds until a request without streaming is given up", count.clone())),
        ("stream_timeout", key("Seconds a streaming request may stay silent", count.clone())),
        (
            "drop_params",
            key("Drop what a backend does not know instead of refusing", json!({"type": "boolean"})),
        ),
        ("master_key", key("The key clients show, by reference", json!({"$ref": "#/definitions/secret"}))),
        ("ready_timeout", key("Seconds it may take to answer", count)),
        ("database", key("LiteLLM's own database", database)),
        ("edge", key("What stands before it: Caddy", json!({"$ref": "#/definitions/edge"}))),
        ("server_root_path", key("The path below which your own proxy offers it", json!({"type": "string"}))),
        ("public", key("true: it may be reached from anywhere", json!({"type": "boolean"}))),
        ("metrics", key("Prometheus and Grafana beside the gateway", super::beside::switched("metrics"))),
        ("webui", key("Open WebUI beside the gateway", super::beside::switched("companion"))),
        ("litellm", key("Sections of LiteLLM's config in its own words", json!({"type": "object"}))),
    ] {
        all.insert(name.into(), schema);
    }
    json!({"type": "object", "required": ["engine"], "properties": all, "additionalProperties": false})
}

/// What stands before the gateway.
pub(super) fn edge() -> Value {
    let secret = json!({"$ref": "#/definitions/secret"});
    let off = json!({"enum": ["acme", "internal", "off", false]});
    let size = json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]});
    let all = json!({
        "domain": key("The names clients go by", texts()),
        "tls": key("Where certificates come from", json!({"anyOf": [off, {"$ref": "#/definitions/certificate"}]})),
        "email": key("Whom the ACME authority writes to", json!({"type": "string"})),
        "acme_ca": key("The ACME authority's directory URL", json!({"type": "string"})),
        "acme_ca_root": key("The root certificate of an ACME authority of your own", secret),
        "allow": key("The networks that may come in, or private_ranges", texts()),
        "max_size": key("The longest request body", size),
        "http_port": key("The port for plain HTTP, which leads to HTTPS", port()),
        "image": key("Its image", scalar()),
    });
    json!({"type": "object", "properties": all, "additionalProperties": false})
}

/// Files of the user's for TLS.
pub(super) fn certificate() -> Value {
    let secret = json!({"$ref": "#/definitions/secret"});
    let all = json!({
        "cert": needed("The certificate, and those that lead to its root", secret.clone()),
        "key": needed("Its private key", secret),
    });
    json!({"type": "object", "required": ["cert", "key"], "properties": all, "additionalProperties": false})
}
