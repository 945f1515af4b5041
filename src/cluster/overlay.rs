//! Compose's service keys as a model or the gateway may set them in the inventory.
//! The list of keys is [`KEYS`]; this module names only those whose YAML needs a word more.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Origin};
use crate::inventory::{Fields, Node, Value, parsed};
use crate::secret::SecretRef;
use crate::service::{KEYS, Service, Who};

/// What the user typed of Compose's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// The keys as Compose's own types.
    pub service: Service,
    /// Environment variables whose values are secrets.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Files of the user's to mount, by path in the container.
    pub configs: BTreeMap<String, LocalFile>,
    /// The address of the host to publish the port on (Compose's `host_ip`).
    pub host_ip: Option<String>,
}

/// A file beside the inventory.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalFile {
    /// Its path, relative to the inventory's directory.
    pub path: String,
    /// Where it is named.
    pub origin: Origin,
}

/// Reads Compose's keys out of a model or gateway.
pub(super) fn read(fields: &mut Fields<'_>) -> Overlay {
    let mut overlay = Overlay::default();
    for (key, _) in KEYS.iter().filter(|(_, who)| *who == Who::User) {
        let value = match *key {
            "environment" => fields.parse(key, |node| environment(node, &mut overlay.secrets)),
            "labels" => fields.parse(key, labels),
            "restart" => fields.parse(key, restart),
            "volumes" => fields.parse(key, volumes),
            "networks" | "devices" | "group_add" | "cap_add" | "security_opt" | "entrypoint" => {
                fields.parse(key, |node| crate::inventory::texts(node).map(|list| json!(list)))
            }
            _ => fields.parse(key, |node| node.to_json()),
        };
        if let Some(value) = value {
            lay(fields, &mut overlay.service, key, value);
        }
    }
    overlay.configs = fields.parse("configs", configs).unwrap_or_default();
    overlay.host_ip = fields.parse("host_ip", |node| parsed(node, host_ip));
    overlay
}

/// Lets Compose's own type read one key.
fn lay(fields: &mut Fields<'_>, service: &mut Service, key: &str, value: Json) {
    match serde_json::from_value::<Service>(Json::Object([(key.to_owned(), value)].into_iter().collect())) {
        Ok(one) => *service = one.laid_over(std::mem::take(service)),
        Err(why) => {
            if let Some(node) = fields.node(key) {
                fields.problems.push(Diagnostic::error(&node.origin, format!("`{key}`: {why}")));
            }
        }
    }
}

fn environment(node: &Node, secrets: &mut BTreeMap<String, SecretRef>) -> Result<Json, Diagnostic> {
    let mut plain = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        if entry.key.is_empty() || entry.key.contains(['=', '\0', '\n', ' ']) {
            return Err(Diagnostic::error(
                &entry.origin,
                format!("`{}` cannot name a variable", entry.key.escape_debug()),
            ));
        }
        match &entry.node.value {
            Value::Map(_) | Value::Vault(_) => {
                secrets.insert(entry.key.clone(), secret(&entry.node)?);
            }
            _ => {
                plain.insert(entry.key.clone(), entry.node.as_text()?);
            }
        }
    }
    Ok(json!(plain))
}

fn labels(node: &Node) -> Result<Json, Diagnostic> {
    let map = node.as_map()?;
    if let Some(entry) =
        map.0.iter().find(|e| e.key.starts_with("dev.homelab.") || e.key.starts_with("com.docker.compose."))
    {
        return Err(Diagnostic::error(&entry.origin, format!("the label `{}` is homelab's own", entry.key)));
    }
    let pairs: Result<BTreeMap<_, _>, Diagnostic> =
        map.0.iter().map(|e| Ok((e.key.clone(), e.node.as_text()?))).collect();
    Ok(json!(pairs?))
}

/// YAML 1.1 reads a bare `no` as false.
fn restart(node: &Node) -> Result<Json, Diagnostic> {
    let text = match node.value {
        Value::Bool(false) => "no".to_owned(),
        _ => node.as_text()?,
    };
    let tries = text.strip_prefix("on-failure:").is_some_and(|n| n.parse::<u32>().is_ok());
    if tries || ["no", "always", "unless-stopped", "on-failure"].contains(&text.as_str()) {
        return Ok(json!(text));
    }
    Err(Diagnostic::error(&node.origin, format!("`{text}` is not a restart policy"))
        .hint("no, always, unless-stopped, on-failure or on-failure:N"))
}

fn volumes(node: &Node) -> Result<Json, Diagnostic> {
    for item in node.as_seq()? {
        let text = item.as_text()?;
        let parts: Vec<&str> = text.split(':').collect();
        let absolute = |path: &str| path.starts_with('/') || path == "~" || path.starts_with("~/");
        let good = (parts.len() == 2 || (parts.len() == 3 && ["ro", "rw", "z", "Z"].contains(&parts[2])))
            && absolute(parts[0])
            && parts[1].starts_with('/');
        if !good {
            return Err(Diagnostic::error(&item.origin, format!("`{text}` is not a mount"))
                .hint("/PATH/ON/HOST:/PATH/IN/CONTAINER, and :ro if it is only read; ~/ is the SSH user's home on the host"));
        }
    }
    crate::inventory::texts(node).map(|list| json!(list))
}

fn configs(node: &Node) -> Result<BTreeMap<String, LocalFile>, Diagnostic> {
    let mut files = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        if !entry.key.starts_with('/') || entry.key.contains(':') {
            return Err(Diagnostic::error(
                &entry.origin,
                format!("`{}` is not an absolute path in the container", entry.key),
            ));
        }
        let file = LocalFile { path: entry.node.as_text()?, origin: entry.node.origin.clone() };
        files.insert(entry.key.clone(), file);
    }
    Ok(files)
}

fn host_ip(text: &str) -> Result<String, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("`{text}` is not an IP address")),
    }
}

/// A secret: where its value comes from.
pub(super) fn secret(node: &Node) -> Result<SecretRef, Diagnostic> {
    if let Some(vaulted) = node.as_vaulted()? {
        return Ok(vaulted);
    }
    let wrong = || {
        Diagnostic::error(&node.origin, "a secret says where its value comes from")
            .hint("{env: NAME}, {file: PATH}, {command: [PROGRAM, ARGUMENT, …]}, or a value of Ansible Vault")
    };
    let Ok(map) = node.as_map() else { return Err(wrong()) };
    let [entry] = map.0.as_slice() else { return Err(wrong()) };
    match entry.key.as_str() {
        "env" => Ok(SecretRef::Env(entry.node.as_text()?)),
        "file" => Ok(SecretRef::File(entry.node.as_text()?)),
        "command" => {
            Ok(SecretRef::Command(entry.node.as_seq()?.iter().map(Node::as_text).collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}
