//! Compose's service keys as a model or the gateway may set them in the inventory.
//! The list of keys is [`KEYS`]; this module names only those whose YAML needs a word more.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Origin, did_you_mean};
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
    let mut literal = Vec::new();
    for (key, _) in KEYS.iter().filter(|(_, who)| *who == Who::User) {
        let value = match *key {
            "environment" => fields.parse(key, |node| environment(node, &mut overlay.secrets, &mut literal)),
            "labels" => fields.parse(key, labels),
            "sysctls" => fields.parse(key, |node| Ok(json!(text_pairs(node)?))),
            "restart" => fields.parse(key, restart),
            "ipc" => fields.parse(key, |node| word(node, &IPC)),
            "pull_policy" => fields.parse(key, |node| word(node, &PULL_POLICY)),
            "volumes" => fields.parse(key, volumes),
            "networks" | "devices" | "group_add" | "cap_add" | "security_opt" | "entrypoint"
            | "extra_hosts" => {
                fields.parse(key, |node| crate::inventory::texts(node).map(|list| json!(list)))
            }
            _ => fields.parse(key, |node| node.to_json()),
        };
        if let Some(value) = value {
            lay(fields, &mut overlay.service, key, value);
        }
    }
    fields.problems.0.extend(literal);
    if overlay.service.ipc.as_deref() == Some("host")
        && overlay.service.shm_size.is_some()
        && let Some(origin) = fields.origin("shm_size")
    {
        fields.problems.push(
            Diagnostic::error(origin, "`shm_size` says nothing beside `ipc: host`: the memory is the host's")
                .hint("remove `shm_size`, or `ipc` to have a size of its own"),
        );
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
                let why = why.to_string().replacen(", expected ", ": ", 1);
                let why = why.replacen("invalid type: ", "found a ", 1);
                let mut problem = Diagnostic::because(&node.origin, &why);
                problem.message = format!("`{key}`: {}", problem.message);
                fields.problems.push(problem);
            }
        }
    }
}

/// Variables; those that are secrets go apart, and those that look like secrets are told of.
fn environment(
    node: &Node,
    secrets: &mut BTreeMap<String, SecretRef>,
    literal: &mut Vec<Diagnostic>,
) -> Result<Json, Diagnostic> {
    let mut plain = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        if entry.key.is_empty() || entry.key.contains(['=', '\0', '\n', ' ']) {
            return Err(Diagnostic::error(
                &entry.origin,
                format!("`{}` cannot name a variable", entry.key.escape_debug()),
            )
            .hint("a name without blanks, line breaks and `=`"));
        }
        match &entry.node.value {
            Value::Map(_) | Value::Vault(_) => {
                secrets.insert(entry.key.clone(), secret(&entry.node)?);
            }
            value => {
                if matches!(value, Value::Str(text) | Value::Unsafe(text) if is_secret(&entry.key, text)) {
                    literal.push(in_plain_text(&entry.origin, &entry.key));
                }
                plain.insert(entry.key.clone(), entry.node.as_text()?);
            }
        }
    }
    Ok(json!(plain))
}

/// Whether a variable of this name holds a secret: not a file's path, and none of the words that stand for no key.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let named = ["_KEY", "_TOKEN", "_SECRET", "PASSWORD", "PASSWD"].iter().any(|end| name.ends_with(end));
    let nothing = ["", "none", "empty", "dummy", "no-key", "not-needed"];
    named && !value.starts_with('/') && !nothing.contains(&value.to_ascii_lowercase().as_str())
}

fn in_plain_text(origin: &Origin, name: &str) -> Diagnostic {
    Diagnostic::warning(origin, format!("`{name}` looks like a secret in plain text"))
        .hint(format!("{name}: {{env: {name}}}, {{file: PATH}} or {{command: [PROGRAM, …]}} keeps it out of files, plans and labels"))
}

/// Tells of keys among arguments, which every process list shows.
pub(super) fn secret_arguments(fields: &mut Fields<'_>, args: &[String]) {
    let Some(origin) = fields.origin("args") else { return };
    for flag in ["--api-key", "--hf-token"] {
        if args.iter().any(|arg| arg == flag || arg.starts_with(&format!("{flag}="))) {
            fields.problems.push(
                Diagnostic::warning(origin, format!("`{flag}` puts a secret where every process list shows it"))
                    .hint("homelab gives servers a key by itself; `environment: {NAME: {env: NAME}}` hands over others"),
            );
        }
    }
}

fn labels(node: &Node) -> Result<Json, Diagnostic> {
    let map = node.as_map()?;
    if let Some(entry) =
        map.0.iter().find(|e| e.key.starts_with("dev.homelab.") || e.key.starts_with("com.docker.compose."))
    {
        let own = Diagnostic::error(&entry.origin, format!("the label `{}` is homelab's own", entry.key));
        return Err(own.hint("labels of yours begin with a name of yours, as in com.example.team"));
    }
    Ok(json!(text_pairs(node)?))
}

fn text_pairs(node: &Node) -> Result<BTreeMap<String, String>, Diagnostic> {
    node.as_map()?.0.iter().map(|e| Ok((e.key.clone(), e.node.as_text()?))).collect()
}

/// What Compose's `ipc` may be here; `service:NAME` and `container:NAME` would lead to what homelab replaces.
pub(super) const IPC: [&str; 4] = ["host", "private", "shareable", "none"];

/// What Compose's `pull_policy` may be here: homelab builds nothing, and goes by no calendar.
pub(super) const PULL_POLICY: [&str; 3] = ["missing", "always", "never"];

/// One of these words.
fn word(node: &Node, words: &[&str]) -> Result<Json, Diagnostic> {
    let text = node.as_text()?;
    if words.contains(&text.as_str()) {
        return Ok(json!(text));
    }
    let wrong =
        Diagnostic::error(&node.origin, format!("`{}` is none of {}", text.escape_debug(), words.join(", ")));
    Err(wrong.meant(did_you_mean(&text, words.iter().copied()), format!("one of {}", words.join(", "))))
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
            )
            .hint("/PATH/IN/CONTAINER: FILE, the file beside the inventory"));
        }
        let file = LocalFile { path: entry.node.as_text()?, origin: entry.node.origin.clone() };
        files.insert(entry.key.clone(), file);
    }
    Ok(files)
}

fn host_ip(text: &str) -> Result<String, String> {
    match text.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!(
            "`{text}` is not an IP address: an address of the host, such as 127.0.0.1 or 0.0.0.0"
        )),
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
        "file" => {
            let typed_in = Path::new(&entry.node.origin.source.name);
            let from = typed_in.parent().unwrap_or(Path::new("")).to_owned();
            Ok(SecretRef::File { path: entry.node.as_text()?, from })
        }
        "command" => {
            Ok(SecretRef::Command(entry.node.as_seq()?.iter().map(Node::as_text).collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}
