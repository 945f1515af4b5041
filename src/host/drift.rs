//! Whether a container still is what its own label says: somebody may have used `docker update`,
//! or made another one with the same labels.
//! Pure. It says nothing of what Docker or the image fills in by itself.

use std::collections::BTreeSet;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig, PortMap, RestartPolicy};

use super::body::{Placed, container_body};

/// Each difference as `field: label says A, Docker says B`.
pub(super) fn drift(placed: &Placed<'_>, seen: &ContainerInspectResponse) -> Vec<String> {
    // A label that makes no container is told elsewhere; there is nothing to compare with.
    let Ok(wanted) = container_body(placed, &[]) else { return Vec::new() };
    let none = HostConfig::default();
    let wanted_host = wanted.host_config.as_ref().unwrap_or(&none);
    let seen_host = seen.host_config.as_ref().unwrap_or(&none);
    let mut all = process(&wanted, seen);
    all.extend(limits(wanted_host, seen_host));
    all.extend(ways(wanted_host, seen_host));
    all.into_iter()
        .filter(|(_, label, docker)| label != docker)
        .map(|(field, label, docker)| format!("{field}: label says {label}, Docker says {docker}"))
        .collect()
}

type Field = (&'static str, String, String);

fn process(wanted: &ContainerCreateBody, seen: &ContainerInspectResponse) -> Vec<Field> {
    let config = seen.config.clone().unwrap_or_default();
    let mut fields = vec![("image", or_none(wanted.image.clone()), or_none(config.image))];
    if wanted.entrypoint.is_some() {
        fields.push(("entrypoint", words(wanted.entrypoint.as_deref()), words(config.entrypoint.as_deref())));
    }
    // With an entrypoint of its own a container does not get the image's arguments.
    if wanted.entrypoint.is_some() || wanted.cmd.is_some() {
        fields.push(("command", words(wanted.cmd.as_deref()), words(config.cmd.as_deref())));
    }
    // Values may be secret, and the image adds variables of its own.
    let keys = |env: Option<&Vec<String>>| -> BTreeSet<String> {
        let key = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
        env.into_iter().flatten().map(key).collect()
    };
    let (label, docker) = (keys(wanted.env.as_ref()), keys(config.env.as_ref()));
    let present: Vec<&str> = label.intersection(&docker).map(String::as_str).collect();
    let expected: Vec<&str> = label.iter().map(String::as_str).collect();
    fields.push(("environment", list(&expected), list(&present)));
    fields
}

fn limits(wanted: &HostConfig, seen: &HostConfig) -> Vec<Field> {
    let bytes = |size: Option<i64>| size.unwrap_or(0).to_string();
    let mut fields = vec![
        ("mem_limit", bytes(wanted.memory), bytes(seen.memory)),
        ("restart", restart(wanted.restart_policy.as_ref()), restart(seen.restart_policy.as_ref())),
    ];
    // Unset, the daemon's own choice stands there: private or shareable, never the host's.
    let ipc = seen.ipc_mode.clone().unwrap_or_default();
    match &wanted.ipc_mode {
        Some(mode) => fields.push(("ipc", mode.clone(), ipc)),
        None if ["host", "none"].contains(&ipc.as_str()) || ipc.starts_with("container:") => {
            fields.push(("ipc", "none given".to_owned(), ipc));
        }
        None => {}
    }
    // Unset, it is the daemon's default, which may be any.
    if let Some(runtime) = &wanted.runtime {
        fields.push(("runtime", runtime.clone(), or_none(seen.runtime.clone())));
    }
    fields
}

fn ways(wanted: &HostConfig, seen: &HostConfig) -> Vec<Field> {
    let binds = |binds: Option<&Vec<String>>| {
        let sorted: BTreeSet<&str> = binds.into_iter().flatten().map(String::as_str).collect();
        list(&sorted.into_iter().collect::<Vec<_>>())
    };
    vec![
        ("ports", ports(wanted.port_bindings.as_ref()), ports(seen.port_bindings.as_ref())),
        ("volumes", binds(wanted.binds.as_ref()), binds(seen.binds.as_ref())),
    ]
}

fn or_none(text: Option<String>) -> String {
    text.filter(|t| !t.is_empty()).unwrap_or_else(|| "none".to_owned())
}

fn words(words: Option<&[String]>) -> String {
    match words {
        None | Some([]) => "none".to_owned(),
        Some(words) => serde_json::to_string(words).unwrap_or_default(),
    }
}

fn list(items: &[&str]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn restart(policy: Option<&RestartPolicy>) -> String {
    let name = policy.and_then(|p| p.name).map(|n| n.to_string()).filter(|n| !n.is_empty());
    let name = name.unwrap_or_else(|| "no".to_owned());
    match policy.and_then(|p| p.maximum_retry_count) {
        Some(count) if count > 0 => format!("{name}:{count}"),
        _ => name,
    }
}

fn ports(map: Option<&PortMap>) -> String {
    let mut all = BTreeSet::new();
    for (container, bindings) in map.into_iter().flatten() {
        for binding in bindings.iter().flatten() {
            let ip = binding.host_ip.as_deref().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
            all.insert(format!("{ip}:{}:{container}", binding.host_port.as_deref().unwrap_or_default()));
        }
    }
    list(&all.iter().map(String::as_str).collect::<Vec<_>>())
}
