//! What a survey changes in what the inventory means: homes, addresses, runtimes.

use std::collections::BTreeMap;

use crate::inventory::parse;
use crate::names::HostName;
use crate::survey::{Facts, Failure, Look, Seen, Survey};

use super::{Cluster, LocalFiles, read, resolve};

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
    let spec = read(&inventory, false).unwrap();
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
    assert_eq!(up.routes[0].api_base, "http://10.0.0.7:8001/v1");
    assert_eq!(up.routes, down.routes);
}

#[test]
fn a_gpu_needs_dockers_nvidia_runtime() {
    let missing = resolved("0", &survey(seen(&["runc"]))).unwrap_err();
    assert!(
        missing.starts_with("error: `tiny` wants a GPU, but Docker on box has no `nvidia` runtime\n"),
        "{missing}"
    );
    assert!(resolved("0", &survey(seen(&["runc", "nvidia"]))).is_ok());
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
    nas:
      gateway: {engine: litellm}
";
    let inventory = parse("inventory.yml", text, BTreeMap::new()).unwrap();
    let spec = read(&inventory, false).unwrap();
    let place = |host: &str, service: &str, key: &str| {
        let place = spec.place(&HostName::new(host).unwrap(), &service.parse().unwrap(), key)?;
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
    ] {
        assert_eq!(place("box", service, key).as_deref(), Some(wanted), "{service} {key}");
    }
    assert_eq!(place("nas", "litellm", "mem_limit").as_deref(), Some("inventory.yml:15:16 the gateway"));
    assert_eq!(place("nas", "qwen3-4b", "image"), None);
    assert_eq!(place("elsewhere", "qwen3-4b", "image"), None);
}
