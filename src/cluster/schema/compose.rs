//! Compose's service keys as the schema has them. The list of keys is the reader's.

use serde_json::{Map, Value, json};

use crate::service::{KEYS, Who};

use super::super::overlay;
use super::{duration, key, scalar, texts};

/// Compose's keys as models and the gateway take them, and what goes with them.
pub(super) fn compose_keys() -> Map<String, Value> {
    let mut all = Map::new();
    for (name, _) in KEYS.iter().filter(|(_, who)| *who == Who::User) {
        all.insert((*name).into(), key(&format!("Compose's `{name}`"), compose_value(name)));
    }
    let files =
        json!({"type": "object", "propertyNames": {"pattern": "^/[^:]*$"}, "additionalProperties": scalar()});
    all.insert("configs".into(), key("Small files of yours, by path in the container", files));
    all.insert(
        "host_ip".into(),
        key("The address of the host to publish the port on", json!({"type": "string"})),
    );
    all
}

fn compose_value(name: &str) -> Value {
    let by_name = |value: Value| json!({"type": "object", "additionalProperties": value});
    let limit = json!({"anyOf": [
        {"type": "integer"},
        {
            "type": "object",
            "required": ["soft", "hard"],
            "properties": {"soft": {"type": "integer"}, "hard": {"type": "integer"}},
            "additionalProperties": false,
        },
    ]});
    match name {
        "environment" => {
            let names = json!({"pattern": "^[^=\\u0000\\n ]+$"});
            let value = json!({"anyOf": [scalar(), {"$ref": "#/definitions/secret"}]});
            json!({"type": "object", "propertyNames": names, "additionalProperties": value})
        }
        "labels" => {
            let names = json!({"not": {"pattern": "^(dev\\.homelab|com\\.docker\\.compose)\\."}});
            json!({"type": "object", "propertyNames": names, "additionalProperties": scalar()})
        }
        "ipc" => json!({"enum": overlay::IPC}),
        "pull_policy" => json!({"enum": overlay::PULL_POLICY}),
        "restart" => {
            json!({"anyOf": [{"const": false}, {"pattern": "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$", "type": "string"}]})
        }
        "volumes" => {
            let mount = json!({"type": "string", "pattern": "^(/[^:]*|~(/[^:]*)?):/[^:]*(:(ro|rw|z|Z))?$"});
            json!({"type": "array", "items": {"anyOf": [mount, {"$ref": "#/definitions/expression"}]}})
        }
        "ulimits" => by_name(limit),
        "sysctls" => by_name(scalar()),
        "shm_size" | "mem_limit" => json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}),
        "stop_grace_period" => duration(0),
        "entrypoint" | "networks" | "devices" | "group_add" | "cap_add" | "security_opt" | "extra_hosts" => {
            texts()
        }
        _ => json!({"type": "string"}),
    }
}
