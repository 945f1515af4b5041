//! Ollama as a service of the host's own, by systemd. The server is the stand-in of tests/lab/images/ollama, put where a package would
//! put it; no package registry has the real one. `make test-native`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::{lab, until};
use crate::native::{HOST, INSTALL, cluster, left};
use crate::ollama::{chat, loaded, running};

const STAND_IN: &str = include_str!("../lab/images/ollama/ollama");

/// The program, and where it looks for the server that its answers come from.
fn install() {
    let text = STAND_IN.replace('\'', "'\\''");
    let python = "DEBIAN_FRONTEND=noninteractive apt-get -qy install python3 >/dev/null 2>&1";
    let there =
        "mkdir -p /app && ln -s /usr/bin/llama-server /app/llama-server && chmod 755 /usr/local/bin/ollama";
    lab().root(
        HOST,
        &format!("printf '%s' '{text}' >/usr/local/bin/ollama; {INSTALL} && {python} && {there}"),
    );
}

/// The context that the only loaded model has, as the server says.
fn context(cluster: &Cluster) -> Value {
    running(cluster, HOST)[0]["context_length"].clone()
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn models_of_a_host_s_own_ollama_come_and_answer_are_swapped_with_a_way_back_and_return_with_the_machine() {
    let mut cluster = cluster("native-ollama");
    cluster.hosts[HOST]["ollama_defaults"] = json!({
        "runtime": "native",
        "port": cluster.port(1),
        "gpu": "none",
        "api_key": "none",
        "environment": {"STANDIN_LIBRARY": lab().fact("LAB_MODELS_DIR"), "OLLAMA_MODELS": "/home/lab/.ollama/models"},
    });
    cluster.hosts[HOST]["models"] = json!({"first": chat("gemma3:270m", "startup"), "Org/second:4b": chat("hf.co/lab/gemma:Q4", "on_demand")});
    cluster.run(&["bootstrap", "--yes"]).exits(0);
    let missing = cluster.run(&["deploy", "--yes"]).exits(1);
    missing
        .says("there is no program ollama on the host")
        .says("hint: Homebrew has it (brew install ollama)");
    install();
    cluster.deploy();
    assert_eq!(loaded(&cluster), ["first"]);
    for name in ["first", "Org/second:4b"] {
        cluster.answers(name);
    }
    cluster.run(&["deploy"]).exits(0).says("Nothing to do: 2 hosts are in sync.");

    // A model that no library has, and a server that breaks: the old one is back, with its own names and parameters.
    let good = cluster.hosts.clone();
    cluster.hosts[HOST]["models"]["third"] = chat("no-such:1b", "on_demand");
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    failed
        .says("Ollama's library has no such model")
        .says("ollama on bare13 is back on its previous version");
    cluster.hosts = good;
    cluster.hosts[HOST]["models"]["first"]["num_ctx"] = json!(1024);
    cluster.hosts[HOST]["ollama_defaults"]["environment"]["STANDIN_BROKEN"] = json!("1");
    cluster.run(&["deploy", "--yes"]).exits(1).says("llama-server process has terminated");
    cluster.answers("first");
    cluster.hosts[HOST]["ollama_defaults"]["environment"].as_object_mut().unwrap().remove("STANDIN_BROKEN");
    cluster.hosts[HOST]["models"].as_object_mut().unwrap().remove("Org/second:4b");
    cluster.deploy();
    assert_eq!(context(&cluster), 1024);
    cluster.answers("first");

    // The machine comes back with what was loaded, and nobody of homelab's was there.
    lab().restart(HOST);
    until("the model to be loaded again", Duration::from_secs(60), || {
        (!running(&cluster, HOST).is_empty()).then_some(())
    });
    assert_eq!(context(&cluster), 1024);
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
}
