//! What a survey changes in what the inventory means: homes, addresses, runtimes.

use std::collections::BTreeMap;

use crate::inventory::parse;
use crate::lock::Pins;
use crate::names::{ByteSize, HostName};
use crate::secret::SecretRef;
use crate::service::{Service, label};
use crate::survey::{Container, Devices, Facts, Failure, Gpu, Health, Look, Seen, State, Survey};

use super::{Cluster, LocalFiles, headroom, read, resolve};

const INVENTORY: &str = "
all:
  hosts:
    box:
      models:
        tiny: {engine: llama_cpp, model: /m/tiny.gguf, port: 8001, gpu: GPU, volumes: [\"~/m:/m:ro\"]}
    nas:
      gateway: {engine: litellm, volumes: [\"~/certs:/certs:ro\"]}
";

fn seen(runtimes: &[&str]) -> Look {
    let facts = Facts {
        home: "/home/me".into(),
        runtimes: runtimes.iter().map(|r| (*r).to_owned()).collect(),
        address: Some("10.0.0.7".into()),
        ..Facts::default()
    };
    Look::Seen(Box::new(Seen { facts, ..Seen::default() }))
}

fn survey(boxed: Look) -> Survey {
    let hosts = [("box", boxed), ("nas", seen(&[]))].map(|(name, look)| (HostName::new(name).unwrap(), look));
    Survey { hosts: hosts.into(), ..Survey::default() }
}

fn resolved(gpu: &str, survey: &Survey) -> Result<Cluster, String> {
    let inventory = parse("inventory.yml", &INVENTORY.replace("GPU", gpu), BTreeMap::new()).unwrap();
    let spec = read(&inventory, Pins::default(), false).unwrap();
    resolve(&spec, &LocalFiles::new(), survey).map_err(|problems| problems.to_string())
}

#[test]
fn a_tilde_is_the_home_of_the_host_it_is_said_of() {
    let cluster = resolved("none", &survey(seen(&[]))).unwrap();
    let volumes = |host: &str| &cluster.hosts[&HostName::new(host).unwrap()].units[0].service.volumes;
    assert!(volumes("box").contains(&"/home/me/m:/m:ro".to_owned()), "{:?}", volumes("box"));
    assert_eq!(volumes("nas"), &["/home/me/certs:/certs:ro"]);
}

#[test]
fn a_host_that_is_down_keeps_its_address() {
    let failure =
        Failure { step: "connecting".into(), what: "no".into(), lines: vec![], hint: None, finding: None };
    let mut down = survey(Look::Failed(failure));
    down.addresses.insert(HostName::new("box").unwrap(), "10.0.0.7".into());
    let (up, down) = (resolved("none", &survey(seen(&[]))).unwrap(), resolved("none", &down).unwrap());
    assert_eq!(up.routes[0].api_base.as_deref(), Some("http://10.0.0.7:8001/v1"));
    assert_eq!(up.routes, down.routes);
}

#[test]
fn a_gpu_needs_a_way_that_the_host_offers() {
    let missing = resolved("0", &survey(seen(&["runc"]))).unwrap_err();
    assert!(
        missing.starts_with(
            "error: `tiny` wants a GPU, but box offers none: Docker has neither NVIDIA's runtime"
        ),
        "{missing}"
    );
    assert!(resolved("0", &survey(seen(&["runc", "nvidia"]))).is_ok());
}

#[test]
fn the_image_follows_the_gpus_that_the_host_has_and_the_user_may_know_better() {
    let Look::Seen(mut there) = seen(&["runc"]) else { panic!("it was seen") };
    there.facts.devices = Devices { kfd: true, dri: true, groups: [44].into(), ..Devices::default() };
    let amd = survey(Look::Seen(there));
    let made = |gpu: &str| {
        let service =
            resolved(gpu, &amd).unwrap().hosts[&HostName::new("box").unwrap()].units[0].service.clone();
        (service.image, service.devices.join(" "))
    };
    let image = |kind: &str| format!("ghcr.io/ggml-org/llama.cpp:server{kind}-v0.7.0");
    assert_eq!(made("0"), (image("-rocm"), "/dev/kfd /dev/dri".to_owned()));
    assert_eq!(made("0, gpu_access: dri"), (image("-vulkan"), "/dev/dri".to_owned()));
    assert_eq!(made("0, gpu_access: cdi"), (image("-cuda"), "nvidia.com/gpu=0".to_owned()));
    assert_eq!(made("none"), (image(""), String::new()));
    assert_eq!(made("all, image: \"mine:1.0\"").0, "mine:1.0");
}

#[test]
fn a_key_that_may_have_to_change_is_found_or_has_a_place_to_go_to() {
    let text = "\
all:
  vars:
    vllm_image: mine:1
    hf_token: {env: TOKEN}
  hosts:
    box:
      models:
        qwen3-4b:
          engine: vllm
          model: Qwen/Qwen3-4B
          port: 8001
          max_model_len: 40960
        Other: {engine: llama_cpp, model: a/b, port: 8002}
        org/small:4b: {server: chat, model: /m.gguf}
      servers:
        chat: {engine: llama_cpp, port: 8003, ctx_size: 512, models_max: 1}
    nas:
      gateway: {engine: litellm}
";
    let inventory = parse("inventory.yml", text, BTreeMap::new()).unwrap();
    let spec = read(&inventory, Pins::default(), false).unwrap();
    let place = |host: &str, service: &str, key: &str| {
        let (service, member) = service.split_once(' ').map_or((service, None), |(s, m)| (s, Some(m)));
        let service = service.parse().unwrap();
        let place = spec.place(&HostName::new(host).unwrap(), (&service, member), key)?;
        Some(format!("{}{}", place.at, place.add_to.map(|what| format!(" {what}")).unwrap_or_default()))
    };
    for (service, key, wanted) in [
        ("qwen3-4b", "max_model_len", "inventory.yml:12:11"),
        ("qwen3-4b", "gpu_memory_utilization", "inventory.yml:8:9 qwen3-4b"),
        ("qwen3-4b", "image", "inventory.yml:3:17"),
        ("qwen3-4b", "hf_token", "inventory.yml:4:15"),
        ("qwen3-4b", "hf_home", "inventory.yml:6:5 box"),
        // A variable of the host's that is called like a key is none.
        ("qwen3-4b", "models", "inventory.yml:8:9 qwen3-4b"),
        ("other", "image", "inventory.yml:13:9 Other"),
        ("chat", "models_max", "inventory.yml:16:62"),
        ("chat org/small-4b", "model", "inventory.yml:14:38"),
        ("chat org/small-4b", "ctx_size", "inventory.yml:16:47"),
        ("chat org/small-4b", "cache_type_k", "inventory.yml:14:9 org/small:4b"),
        ("chat org/small-4b", "volumes", "inventory.yml:16:9 chat"),
        ("chat gone", "ctx_size", "inventory.yml:16:47"),
    ] {
        assert_eq!(place("box", service, key).as_deref(), Some(wanted), "{service} {key}");
    }
    assert_eq!(place("nas", "litellm", "mem_limit").as_deref(), Some("inventory.yml:18:16 the gateway"));
    assert_eq!(place("nas", "qwen3-4b", "image"), None);
    assert_eq!(place("elsewhere", "qwen3-4b", "image"), None);
}

const SHARED: &str = "
all:
  hosts:
    box:
      models:
        qwen: {engine: vllm, model: a/b, port: 8001, gpu: 0}
        own: {engine: vllm, model: a/c, port: 8002, gpu: 0, gpu_memory_utilization: 0.05, restart: 'no', mem_limit: 8g}
        cpu: {engine: llama_cpp, model: /m.gguf, port: 8003, gpu: none}
    nas:
      gateway: {engine: litellm}
";

/// A GB10 as it tells of itself, or one whose driver fails.
fn spark(told: bool) -> Seen {
    let gpu = Gpu { index: 0, name: "NVIDIA GB10".into(), memory_total: None, memory_used: None };
    let facts = Facts {
        home: "/home/me".into(),
        runtimes: ["nvidia".to_owned()].into(),
        devices: Devices::default(),
        gpus: if told { vec![gpu] } else { vec![] },
        memory: Some(ByteSize(127_600_000 << 10)),
        address: Some("10.0.0.7".into()),
        ..Facts::default()
    };
    Seen { facts, ..Seen::default() }
}

fn shared(seen: Seen) -> (BTreeMap<String, Service>, String) {
    let survey = survey(Look::Seen(Box::new(seen)));
    let inventory = parse("inventory.yml", SHARED, BTreeMap::new()).unwrap();
    let spec = read(&inventory, Pins::default(), false).unwrap();
    let cluster = resolve(&spec, &LocalFiles::new(), &survey).unwrap();
    let units = &cluster.hosts[&HostName::new("box").unwrap()].units;
    let services = units.iter().map(|unit| (unit.name.to_string(), unit.service.clone())).collect();
    (services, headroom(&spec, &survey).to_string())
}

#[test]
fn where_gpu_and_system_share_memory_a_model_gets_a_cap_and_a_careful_restart() {
    let (services, warnings) = shared(spark(true));
    let limits = |name: &str| (services[name].restart.as_deref(), services[name].mem_limit);
    assert_eq!(limits("qwen"), (Some("on-failure:3"), Some(ByteSize(101 << 30))));
    assert_eq!(limits("own"), (Some("no"), Some(ByteSize(8 << 30))));
    assert_eq!(limits("cpu"), (Some("unless-stopped"), None));
    let expected = "warning: the models on box ask for 97 % of 121.6 GiB of memory that its GPU shares with the \
        system: `qwen` 92 % by vLLM's default, `own` 5 %\n";
    assert!(warnings.starts_with(expected), "{warnings}");
    assert!(warnings.contains("leave a sixth (20.2 GiB) to everything else"), "{warnings}");
}

#[test]
fn a_driver_that_fails_changes_nothing_where_memory_is_shared() {
    let (services, _) = shared(spark(true));
    let mut failing = spark(false);
    let service = services["qwen"].clone();
    assert!(service.labels.contains_key(label::MEMORY));
    let container = Container {
        id: "1".into(),
        image: String::new(),
        labels: service.labels.clone(),
        service: Ok(service),
        state: State::Running,
        restarts: 0,
        started_at: None,
        health: Health::Ready,
        lost_gpu: false,
        drift: vec![],
    };
    failing.containers.insert("homelab-qwen-1".into(), container);
    assert_eq!(shared(failing).0, services);
    // Nothing runs there and nobody can tell: as on every other host.
    let (unknown, warnings) = shared(spark(false));
    assert_eq!(
        (unknown["qwen"].restart.as_deref(), unknown["qwen"].mem_limit),
        (Some("unless-stopped"), None)
    );
    assert_eq!(warnings, "");
}

#[test]
fn a_file_with_a_secret_lies_beside_the_file_that_names_it() {
    let text = "all:\n  hosts:\n    box:\n      hf_token: {file: token}\n      gateway: {engine: litellm}\n";
    let inventory = parse("lab/inventory.yml", text, [].into()).unwrap();
    let spec = read(&inventory, Pins::default(), false).unwrap();
    let secrets: Vec<&SecretRef> = spec.secrets().collect();
    assert_eq!(secrets, [&SecretRef::File { path: "token".into(), from: "lab".into() }]);
    // What it is called does not depend on where that is.
    assert_eq!(secrets[0].label(), "file token");
}
