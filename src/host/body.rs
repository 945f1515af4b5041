//! A service as the Docker Engine's API wants it: what Compose would have asked for.
//! Pure; it asks no host and adds nothing that the service does not say.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointSettings, HostConfig, NetworkingConfig,
    PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use sha2::{Digest as _, Sha256};

use crate::names::{ProjectName, Seconds, Secret, ServiceName};
use crate::service::{Published, Service, label};

/// A service and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// The Compose project.
    pub project: &'a ProjectName,
    /// The Compose service.
    pub name: &'a ServiceName,
    /// What runs.
    pub service: &'a Service,
    /// The directory of the Compose file on the host, absolute.
    pub dir: &'a str,
}

impl Placed<'_> {
    /// `PROJECT-SERVICE-1`, as Compose calls it.
    #[must_use]
    pub fn container_name(&self) -> String {
        format!("{}-{}-1", self.project, self.name)
    }
}

/// The project's own network, as Compose calls it.
#[must_use]
pub fn default_network(project: &ProjectName) -> String {
    format!("{project}_default")
}

/// Compose's labels for the project's own network.
#[must_use]
pub fn network_labels(project: &ProjectName) -> BTreeMap<String, String> {
    [(label::PROJECT, project.as_str()), (label::NETWORK, "default")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

/// What to create for a service. `secrets` are the variables of its `env_file`s.
///
/// # Errors
/// Names the value that is not of Compose's form.
pub fn container_body(
    placed: &Placed<'_>,
    secrets: &[(String, Secret)],
) -> Result<ContainerCreateBody, String> {
    let service = placed.service;
    let plain = service.environment.iter().map(|(k, v)| format!("{k}={v}"));
    let hidden = secrets.iter().map(|(k, v)| format!("{k}={}", v.reveal()));
    let published: Vec<Published> = service.ports.iter().map(|p| published(p)).collect::<Result<_, _>>()?;
    Ok(ContainerCreateBody {
        image: Some(service.image.clone()),
        entrypoint: service.entrypoint.clone(),
        cmd: service.command.clone(),
        env: Some(plain.chain(hidden).collect()),
        user: service.user.clone(),
        labels: Some(labels(placed)?),
        stop_timeout: grace(service.stop_grace_period)?,
        exposed_ports: Some(published.iter().map(tcp).collect()),
        host_config: Some(host_config(placed, published)?),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints(placed)) }),
        ..ContainerCreateBody::default()
    })
}

fn grace(period: Option<Seconds>) -> Result<Option<i64>, String> {
    // A container's is 32 bits wide, whatever its JSON allows.
    let fits =
        |Seconds(n): Seconds| i32::try_from(n).map_err(|_| format!("{n} s is more than Docker can wait"));
    Ok(period.map(fits).transpose()?.map(i64::from))
}

fn published(text: &str) -> Result<Published, String> {
    Published::parse(text).ok_or_else(|| format!("`{text}` is not a port as in 0.0.0.0:8000:8000"))
}

/// A port in a container, in the Engine's words.
fn tcp(port: &Published) -> String {
    format!("{}/tcp", port.container)
}

fn host_config(placed: &Placed<'_>, published: Vec<Published>) -> Result<HostConfig, String> {
    let service = placed.service;
    let bytes = |size: Option<crate::names::ByteSize>| {
        size.map(|s| i64::try_from(s.0).map_err(|_| format!("{s} is more than Docker can count"))).transpose()
    };
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in published {
        let container = tcp(&port);
        // Without a number Docker chooses one.
        let number = Some(port.host).filter(|number| *number != 0).map(|number| number.to_string());
        let binding = PortBinding { host_ip: Some(port.ip), host_port: Some(number.unwrap_or_default()) };
        bindings.entry(container).or_default().get_or_insert_default().push(binding);
    }
    let ulimit = |(name, limit): (&String, &crate::service::Ulimit)| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    let (named, nodes): (Vec<_>, Vec<_>) = service.devices.iter().partition(|device| is_cdi(device));
    Ok(HostConfig {
        network_mode: Some(networks(placed).remove(0)),
        port_bindings: Some(bindings),
        binds: Some(service.volumes.iter().map(|v| bind(v, placed)).collect::<Result<_, _>>()?),
        restart_policy: Some(restart_policy(service.restart.as_deref())?),
        memory: bytes(service.mem_limit)?,
        shm_size: bytes(service.shm_size)?,
        ipc_mode: service.ipc.clone(),
        runtime: service.runtime.clone(),
        ulimits: some(service.ulimits.iter().map(ulimit).collect()),
        devices: some(nodes.iter().map(|d| device(d)).collect::<Result<_, _>>()?),
        device_requests: some(requests(service, &named)),
        group_add: some(service.group_add.clone()),
        extra_hosts: some(service.extra_hosts.clone()),
        cap_add: some(service.cap_add.clone()),
        security_opt: some(service.security_opt.clone()),
        sysctls: Some(service.sysctls.clone().into_iter().collect())
            .filter(|all: &HashMap<_, _>| !all.is_empty()),
        ..HostConfig::default()
    })
}

/// Whether a device goes by a name of CDI's, as in `nvidia.com/gpu=0`, and not by a path.
fn is_cdi(device: &str) -> bool {
    !device.starts_with('/') && device.contains('=')
}

fn requests(service: &Service, cdi: &[&String]) -> Vec<DeviceRequest> {
    let asked = service.gpus.iter().map(|gpus| DeviceRequest {
        driver: Some(gpus.driver.clone()),
        count: gpus.count.as_ref().map(|_| -1),
        device_ids: some(gpus.device_ids.clone()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    });
    let named = (!cdi.is_empty()).then(|| DeviceRequest {
        driver: Some("cdi".to_owned()),
        device_ids: Some(cdi.iter().map(|&name| name.clone()).collect()),
        ..DeviceRequest::default()
    });
    asked.chain(named).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// The service's own labels, homelab's truth, and what Compose's commands filter on.
fn labels(placed: &Placed<'_>) -> Result<HashMap<String, String>, String> {
    let truth = serde_json::to_string(placed.service).map_err(|e| e.to_string())?;
    let hash = Sha256::digest(truth.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    let mut labels: HashMap<String, String> = placed.service.labels.clone().into_iter().collect();
    labels.extend(
        [
            (label::SERVICE, truth),
            (label::PROJECT, placed.project.to_string()),
            (label::COMPOSE_SERVICE, placed.name.to_string()),
            (label::CONFIG_HASH, hash),
            (label::ONEOFF, "False".to_owned()),
            (label::CONTAINER_NUMBER, "1".to_owned()),
            (label::CONFIG_FILES, format!("{}/compose.yml", placed.dir)),
            (label::WORKING_DIR, placed.dir.to_owned()),
        ]
        .map(|(k, v)| (k.to_owned(), v)),
    );
    Ok(labels)
}

/// The networks by the names Docker knows them by; never empty.
fn networks(placed: &Placed<'_>) -> Vec<String> {
    let real = |name: &String| match name.as_str() {
        "default" => default_network(placed.project),
        other => other.to_owned(),
    };
    match placed.service.networks.as_slice() {
        [] => vec![default_network(placed.project)],
        all => all.iter().map(real).collect(),
    }
}

fn endpoints(placed: &Placed<'_>) -> HashMap<String, EndpointSettings> {
    let endpoint = |network: &str| EndpointSettings {
        // Docker's own bridge knows no names and refuses them.
        aliases: (network != "bridge").then(|| vec![placed.container_name(), placed.name.to_string()]),
        ..EndpointSettings::default()
    };
    networks(placed).into_iter().map(|name| (name.clone(), endpoint(&name))).collect()
}

/// A bind with its source made absolute: `./x` lies beside the Compose file, and a word is a volume of the project's.
fn bind(volume: &str, placed: &Placed<'_>) -> Result<String, String> {
    let word = volume.split(':').next().is_some_and(|source| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        !source.is_empty() && source.chars().all(plain)
    });
    match volume.strip_prefix("./") {
        Some(rest) => Ok(format!("{}/{rest}", placed.dir)),
        None if volume.starts_with('/') => Ok(volume.to_owned()),
        None if word => Ok(format!("{}_{volume}", placed.project)),
        None => Err(format!(
            "`{volume}` has a source that is neither absolute, nor starts with ./, nor is a volume's name"
        )),
    }
}

fn device(text: &str) -> Result<DeviceMapping, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, permissions) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, container] => (host, container, "rwm"),
        [host, container, permissions] => (host, container, permissions),
        _ => return Err(format!("`{text}` is not a device as in /dev/dri:/dev/dri:rwm")),
    };
    Ok(DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(container.to_owned()),
        cgroup_permissions: Some(permissions.to_owned()),
    })
}

fn restart_policy(text: Option<&str>) -> Result<RestartPolicy, String> {
    let (name, count) = match text {
        None | Some("no") => (RestartPolicyNameEnum::NO, None),
        Some("always") => (RestartPolicyNameEnum::ALWAYS, None),
        Some("unless-stopped") => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Some("on-failure") => (RestartPolicyNameEnum::ON_FAILURE, None),
        Some(other) => {
            let count = other.strip_prefix("on-failure:").and_then(|n| n.parse::<u32>().ok());
            let bad = || format!("`{other}` is not no, always, unless-stopped or on-failure[:N]");
            (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(count.ok_or_else(bad)?)))
        }
    };
    Ok(RestartPolicy { name: Some(name), maximum_retry_count: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn body(service: &Service) -> Result<ContainerCreateBody, String> {
        let (project, name) = (ProjectName::new("home").unwrap(), ServiceName::new("qwen3-4b").unwrap());
        let placed = Placed { project: &project, name: &name, service, dir: "/home/lab/homelab/home" };
        container_body(&placed, &[("VLLM_API_KEY".to_owned(), Secret::new("sk-1".into()))])
    }

    const FULL: &str = r#"{
        "image": "vllm/vllm-openai:v0.33.0", "entrypoint": ["vllm", "serve"], "command": ["a", "--b"],
        "environment": {"A": "1"}, "env_file": ["./qwen.env"], "ports": ["127.0.0.1:8000:80", "[::1]:8001:80"],
        "volumes": ["/srv/hf:/root/.cache/huggingface", "./x.yml:/x.yml:ro"], "ipc": "host",
        "shm_size": 1024, "ulimits": {"memlock": -1, "stack": {"soft": 1, "hard": 2}},
        "devices": ["/dev/dri", "/dev/a:/dev/b:r"], "group_add": ["video"], "cap_add": ["IPC_LOCK"],
        "security_opt": ["seccomp=unconfined"], "sysctls": {"net.ipv4.tcp_syn_retries": "1"}, "networks": ["default", "proxy"], "mem_limit": "2g",
        "stop_grace_period": "1m30s", "restart": "on-failure:3", "runtime": "nvidia", "labels": {"dev.homelab.role": "model"}
    }"#;

    #[test]
    fn a_whole_service_becomes_what_compose_would_ask_for() {
        let service: Service = serde_json::from_str(FULL).unwrap();
        let body = body(&service).unwrap();
        assert_eq!(body.env, Some(vec!["A=1".to_owned(), "VLLM_API_KEY=sk-1".to_owned()]));
        assert_eq!(body.exposed_ports, Some(vec!["80/tcp".to_owned(), "80/tcp".to_owned()]));
        assert_eq!(body.stop_timeout, Some(90));
        let host = body.host_config.unwrap();
        let said = serde_json::to_value(&host).unwrap();
        let expected = serde_json::json!({
            "NetworkMode": "home_default", "IpcMode": "host", "Runtime": "nvidia",
            "Memory": 2_147_483_648_i64, "ShmSize": 1024,
            "Binds": ["/srv/hf:/root/.cache/huggingface", "/home/lab/homelab/home/x.yml:/x.yml:ro"],
            "PortBindings": {"80/tcp": [
                {"HostIp": "127.0.0.1", "HostPort": "8000"}, {"HostIp": "::1", "HostPort": "8001"}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "Ulimits": [{"Name": "memlock", "Soft": -1, "Hard": -1}, {"Name": "stack", "Soft": 1, "Hard": 2}],
            "Devices": [
                {"PathOnHost": "/dev/dri", "PathInContainer": "/dev/dri", "CgroupPermissions": "rwm"},
                {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}],
            "GroupAdd": ["video"], "CapAdd": ["IPC_LOCK"], "SecurityOpt": ["seccomp=unconfined"],
            "Sysctls": {"net.ipv4.tcp_syn_retries": "1"}
        });
        assert_eq!(said, expected);
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        let names: BTreeSet<&str> = endpoints.keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["home_default", "proxy"]));
        let aliases = vec!["home-qwen3-4b-1".to_owned(), "qwen3-4b".to_owned()];
        assert_eq!(endpoints["home_default"].aliases, Some(aliases));
    }

    #[test]
    fn gpus_by_name_and_by_request_are_asked_for_as_docker_s_own_command_does() {
        let text = r#"{"devices": ["/dev/dri", "nvidia.com/gpu=0", "nvidia.com/gpu=2"],
            "gpus": [{"driver": "nvidia", "count": "all"}, {"driver": "nvidia", "device_ids": ["GPU-1"]}]}"#;
        let host = body(&serde_json::from_str(text).unwrap()).unwrap().host_config.unwrap();
        assert_eq!(host.devices.unwrap().len(), 1);
        let expected = serde_json::json!([
            {"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]},
            {"Driver": "nvidia", "DeviceIDs": ["GPU-1"], "Capabilities": [["gpu"]]},
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=2"]}
        ]);
        assert_eq!(serde_json::to_value(host.device_requests).unwrap(), expected);
    }

    #[test]
    fn the_labels_hold_the_truth_and_no_secret() {
        let service: Service = serde_json::from_str(FULL).unwrap();
        let labels = body(&service).unwrap().labels.unwrap();
        assert_eq!(serde_json::from_str::<Service>(&labels[label::SERVICE]).unwrap(), service);
        assert_eq!(labels["dev.homelab.role"], "model");
        assert_eq!(labels[label::CONFIG_FILES], "/home/lab/homelab/home/compose.yml");
        assert_eq!(labels[label::CONFIG_HASH].len(), 64);
        assert!(!format!("{labels:?}").contains("sk-1"));
    }

    #[test]
    fn a_value_of_another_form_is_named() {
        type Spoil = fn(&mut Service);
        let cases: [(Spoil, &str); 4] = [
            (|s| s.ports = vec!["http:80".into()], "`http:80` is not a port as in 0.0.0.0:8000:8000"),
            (
                |s| s.volumes = vec!["~/data:/data".into()],
                "`~/data:/data` has a source that is neither absolute, nor starts with ./, nor is a volume's name",
            ),
            (|s| s.devices = vec!["a:b:c:d".into()], "`a:b:c:d` is not a device as in /dev/dri:/dev/dri:rwm"),
            (
                |s| s.restart = Some("sometimes".into()),
                "`sometimes` is not no, always, unless-stopped or on-failure[:N]",
            ),
        ];
        for (spoil, error) in cases {
            let mut service = Service::default();
            spoil(&mut service);
            assert_eq!(body(&service), Err(error.to_owned()));
        }
        assert_eq!(published("8000:80/tcp").unwrap().ip, "0.0.0.0");
    }
}
