//! Ollama: one service for all its models of a host. The server is a stand-in that speaks Ollama's documented protocol
//! (tests/lab/images/ollama), since no package registry has the real one; its tokens are those of llama.cpp's server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::{lab, until};
use crate::web;

/// The directory of models, which containers fill as root and no sweep of the user's may remove.
struct Volume(String);

impl Drop for Volume {
    fn drop(&mut self) {
        lab().root("lab1", &format!("rm -rf {}", self.0));
    }
}

fn volume(name: &str) -> Volume {
    Volume(format!("/tmp/promise-{name}-{}", std::process::id()))
}

/// What all models say of their server, here through `ollama_defaults`.
fn cluster(name: &str, volume: &Volume, environment: Value) -> Cluster {
    let mut cluster = Cluster::new(name);
    cluster.host("lab1");
    let image = lab().fact("LAB_IMAGE_LLAMA").replace("llama.cpp:server", "ollama/ollama:0.33.0-standin");
    let models = format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"));
    cluster.hosts["lab1"]["ollama_defaults"] = json!({
        "image": image,
        "port": cluster.port(1),
        "gpu": "none",
        "api_key": "none",
        "environment": environment,
        "volumes": [format!("{}:/root/.ollama", volume.0), models],
    });
    cluster
}

pub(crate) fn chat(model: &str, load: &str) -> Value {
    json!({"engine": "ollama", "model": model, "load": load, "num_ctx": 512})
}

fn row(cluster: &Cluster, code: i32) -> Value {
    let said = cluster.run(&["status", "--json"]).exits(code);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let rows = status["services"].as_array().unwrap();
    rows.iter().find(|row| row["service"] == "ollama").unwrap_or_else(|| panic!("{rows:?}")).clone()
}

pub(crate) fn loaded(cluster: &Cluster) -> Vec<String> {
    let row = row(cluster, 0);
    let all = row["models"].as_array().unwrap().iter().filter(|model| model["loaded"] == true);
    all.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

/// What the server itself says is loaded.
pub(crate) fn running(cluster: &Cluster, host: &str) -> Vec<Value> {
    let url = format!("http://{}/api/ps", cluster.backend(host, 1));
    let said = lab().try_ssh("lab3", &format!("curl -sS -m 5 --noproxy '*' {url}")).stdout;
    let said: Value = serde_json::from_str(&said).unwrap_or_default();
    said["models"].as_array().cloned().unwrap_or_default()
}

#[test]
fn models_of_one_ollama_come_and_answer_are_loaded_as_asked_and_swapped_with_a_way_back() {
    let volume = volume("ollama");
    // Slow enough that a line of progress is due while it is pulled, on any machine.
    let mut cluster = cluster("ollama", &volume, json!({"STANDIN_RATE": "30000000"}));
    cluster.hosts["lab1"]["models"] = json!({"first": chat("gemma3:270m", "startup"), "Org/second:4b": chat("hf.co/lab/gemma:Q4", "on_demand")});
    cluster.run(&["plan"]).exits(0).says("+ fetch gemma3:270m, hf.co/lab/gemma:Q4");
    cluster.deploy().says("of 241.3 MiB");
    assert_eq!(loaded(&cluster), ["first"]);
    for name in ["first", "Org/second:4b"] {
        cluster.answers(name);
    }
    assert_eq!(loaded(&cluster), ["Org/second:4b", "first"]);
    assert_eq!(cluster.containers().into_keys().collect::<Vec<_>>(), ["lab1-ollama-1", "lab3-litellm-1"]);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    let first = cluster.containers();

    // A model that there is not fails before anything is stopped.
    cluster.hosts["lab1"]["models"]["third"] = chat("no-such:1b", "on_demand");
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(
        error.starts_with("error: lab1: ollama: fetching gemma3:270m, hf.co/lab/gemma:Q4, no-such:1b: "),
        "{error}"
    );
    failed.says("Ollama's library has no such model").says("no-such:1b: pull model manifest");
    cluster.hosts["lab1"]["models"]["third"] = chat("huge:1t", "on_demand");
    cluster.run(&["deploy", "--yes"]).exits(1).says("mount a larger disk there with `volumes`");
    // The gateway learnt of the names; the server of the models was not touched.
    assert_eq!(cluster.containers()["lab1-ollama-1"], first["lab1-ollama-1"]);
    cluster.answers("first");

    // One that does not come up leads back, with the names and parameters that the old version has.
    cluster.hosts["lab1"]["models"].as_object_mut().unwrap().remove("third");
    cluster.hosts["lab1"]["models"]["first"]["num_ctx"] = json!(1024);
    cluster.hosts["lab1"]["models"]["first"]["OLLAMA_MAX_LOADED_MODELS"] = json!(1);
    cluster.hosts["lab1"]["ollama_defaults"]["environment"]["STANDIN_BROKEN"] = json!("1");
    cluster.run(&["deploy", "--yes"]).exits(1).says("llama-server process has terminated");
    assert_eq!(cluster.containers()["lab1-ollama-1"].id, first["lab1-ollama-1"].id);
    cluster.answers("first");
    let context = |cluster: &Cluster| running(cluster, "lab1")[0]["context_length"].clone();
    assert_eq!(context(&cluster), 512);

    // The same change without what broke it.
    cluster.hosts["lab1"]["ollama_defaults"]["environment"].as_object_mut().unwrap().remove("STANDIN_BROKEN");
    let swapped = cluster.deploy();
    assert!(!swapped.stdout.contains("fetch "), "{}", swapped.stdout);
    assert_eq!(context(&cluster), 1024);
    cluster.answers("first");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn a_model_that_vanished_from_ollama_comes_back_and_one_that_is_loaded_otherwise_is_told_of() {
    let volume = volume("vanish");
    let mut cluster = cluster("vanish", &volume, json!({"STANDIN_CONTEXT": "256"}));
    cluster.hosts["lab1"]["models"] = json!({"only": chat("gemma3:270m", "startup")});
    cluster.hosts["lab1"]["models"]["vectors"] =
        json!({"engine": "ollama", "model": "gemma3:270m", "kind": "embedding", "load": "startup"});
    cluster.deploy().says("homelab/only:latest is loaded, but its context is 256 tokens instead of 512");
    cluster.run(&["status"]).exits(0).says("only (loaded, but its context is 256 tokens instead of 512)");
    let key = cluster.master_key();
    let question = json!({"model": "vectors", "input": "Hi"});
    let vectors = web::post(&cluster.gateway(), "/v1/embeddings", &key, &question);
    assert!(vectors.body["data"][0]["embedding"].is_array(), "{vectors:?}");

    // Somebody removes both the name and what it was made of.
    for name in ["homelab/only:latest", "gemma3:270m"] {
        let url = format!("http://{}/api/delete", cluster.backend("lab1", 1));
        lab().ssh(
            "lab3",
            &format!("curl -fsS -m 5 --noproxy '*' -X DELETE {url} -d '{{\"model\": \"{name}\"}}'"),
        );
    }
    assert_eq!(row(&cluster, 1)["condition"]["is"], "differs");
    let plan = cluster.run(&["plan"]).exits(0);
    plan.says("+ fetch gemma3:270m")
        .says("~ restart ollama: it no longer has homelab/only:latest  (interrupts it)");
    cluster.deploy();
    cluster.answers("only");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);

    // After a boot it is loaded again without anybody asking for it.
    lab().ssh("lab1", &format!("docker restart -t 1 {}", cluster.container("ollama")));
    until("both models are loaded", Duration::from_secs(60), || {
        let mut names: Vec<Value> =
            running(&cluster, "lab1").into_iter().map(|one| one["name"].clone()).collect();
        names.sort_by_key(Value::to_string);
        (names == ["homelab/only:latest", "homelab/vectors:latest"]).then_some(())
    });
}
