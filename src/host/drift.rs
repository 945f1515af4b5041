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
    all.push(networks(&wanted, seen));
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
    if wanted.user.is_some() {
        fields.push(("user", or_none(wanted.user.clone()), or_none(config.user.clone())));
    }
    // Values may be secret, and the image adds variables of its own.
    let keys = |env: Option<&Vec<String>>| -> BTreeSet<String> {
        let key = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
        env.into_iter().flatten().map(key).collect()
    };
    let (label, docker) = (keys(wanted.env.as_ref()), keys(config.env.as_ref()));
    fields.push(present("environment", &label, &docker));
    fields
}

/// Somebody may have removed a network under it: then nothing reaches it, and it runs on.
fn networks(wanted: &ContainerCreateBody, seen: &ContainerInspectResponse) -> Field {
    let label = wanted.networking_config.as_ref().and_then(|config| config.endpoints_config.as_ref());
    let docker = seen.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let label = label.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let docker = docker.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    present("networks", &label, &docker)
}

/// What of the label's is there; whatever else is there is somebody's business.
fn present(field: &'static str, label: &BTreeSet<String>, docker: &BTreeSet<String>) -> Field {
    let there: Vec<&str> = label.intersection(docker).map(String::as_str).collect();
    let expected: Vec<&str> = label.iter().map(String::as_str).collect();
    (field, list(&expected), list(&there))
}

fn limits(wanted: &HostConfig, seen: &HostConfig) -> Vec<Field> {
    let bytes = |size: Option<i64>| size.unwrap_or(0).to_string();
    let mut fields = Vec::new();
    // Docker drops it where the kernel counts no memory, as on a Raspberry Pi unless told otherwise.
    if seen.memory.is_some_and(|bytes| bytes != 0) {
        fields.push(("mem_limit", bytes(wanted.memory), bytes(seen.memory)));
    }
    let policy = restart(seen.restart_policy.as_ref());
    fields.push(("restart", restart(wanted.restart_policy.as_ref()), policy));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ProjectName, ServiceName};
    use crate::service::Service;

    fn drift_of(service: &Service, change: impl Fn(&mut serde_json::Value)) -> Vec<String> {
        let (project, name) = (ProjectName::new("home").unwrap(), ServiceName::new("a").unwrap());
        let placed = Placed { project: &project, name: &name, service, dir: "/srv/home" };
        let body = container_body(&placed, &[]).unwrap();
        // What Docker fills in by itself, as an engine of 26.1 does.
        let mut env = body.env.unwrap();
        env.push("PATH=/usr/bin".to_owned());
        let mut host = serde_json::to_value(body.host_config).unwrap();
        if host.get("IpcMode").is_none() {
            host["IpcMode"] = "private".into();
        }
        if host.get("Runtime").is_none() {
            host["Runtime"] = "runc".into();
        }
        let mut seen = serde_json::json!({
            "Config": {"Image": body.image, "Entrypoint": body.entrypoint, "Cmd": body.cmd, "Env": env},
            "HostConfig": host,
            "NetworkSettings": {"Networks": body.networking_config.unwrap_or_default().endpoints_config},
        });
        change(&mut seen);
        drift(&placed, &serde_json::from_value(seen).unwrap())
    }

    fn service() -> Service {
        serde_json::from_str(
            r#"{"image": "x:1", "entrypoint": ["vllm", "serve"], "environment": {"A": "1", "B": "2"},
                "ports": ["0.0.0.0:8000:80"], "volumes": ["./x:/x:ro"], "restart": "unless-stopped"}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_docker_fills_in_is_no_drift() {
        assert_eq!(drift_of(&service(), |_| {}), Vec::<String>::new());
        assert_eq!(
            drift_of(&Service::default(), |seen| seen["Config"]["Cmd"] = ["x"].into()),
            Vec::<String>::new()
        );
        let host = Service { ipc: Some("host".into()), runtime: Some("nvidia".into()), ..service() };
        assert_eq!(drift_of(&host, |_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named() {
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str); 10] = [
            (
                |s| s["NetworkSettings"]["Networks"] = serde_json::json!({"somebodys": {}}),
                "networks: label says home_default, Docker says none",
            ),
            (|s| s["Config"]["Image"] = "x:2".into(), "image: label says x:1, Docker says x:2"),
            (
                |s| s["Config"]["Entrypoint"] = ["sh"].into(),
                r#"entrypoint: label says ["vllm","serve"], Docker says ["sh"]"#,
            ),
            (|s| s["Config"]["Cmd"] = ["x"].into(), r#"command: label says none, Docker says ["x"]"#),
            (|s| s["Config"]["Env"] = ["A=9"].into(), "environment: label says A, B, Docker says A"),
            (|s| s["HostConfig"]["Memory"] = 1024.into(), "mem_limit: label says 0, Docker says 1024"),
            (
                |s| s["HostConfig"]["RestartPolicy"]["Name"] = "no".into(),
                "restart: label says unless-stopped, Docker says no",
            ),
            (|s| s["HostConfig"]["IpcMode"] = "host".into(), "ipc: label says none given, Docker says host"),
            (
                |s| s["HostConfig"]["PortBindings"] = serde_json::json!({}),
                "ports: label says 0.0.0.0:8000:80/tcp, Docker says none",
            ),
            (
                |s| s["HostConfig"]["Binds"] = ["/y:/x"].into(),
                "volumes: label says /srv/home/x:/x:ro, Docker says /y:/x",
            ),
        ];
        for (change, said) in cases {
            assert_eq!(drift_of(&service(), change), [said]);
        }
    }
}
