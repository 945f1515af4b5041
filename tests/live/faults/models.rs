//! A new model that does not come up, in every way: the old one is back, and answers.

use serde_json::{Value, json};

use super::ending::{Stranger, converges, counted};
use crate::cluster::Cluster;
use crate::lab::lab;
use crate::running::Running;

/// A server in the place of the model's, by a shell's words.
fn shell(words: &str) -> Value {
    json!({"entrypoint": ["/bin/sh", "-c", words, "llama-server"]})
}

fn ways_to_fail() -> Vec<(&'static str, Value)> {
    let broken = json!({"image": lab().fact("LAB_IMAGE_LLAMA_BROKEN"), "entrypoint": ["/app/entry"]});
    let model = lab().fact("LAB_MODEL");
    let other_name = format!(
        "exec /app/llama-server --model {model} --alias somebody-else --host 0.0.0.0 --port 8080 --ctx-size 512"
    );
    vec![
        ("dies at once", shell("exit 3")),
        ("dies after 5 s", shell("sleep 5; exit 3")),
        ("dies while it loads", broken),
        ("is killed for its memory", json!({"mem_limit": "24m"})),
        ("has a flag that does not exist", json!({"args": ["--no-such-flag"]})),
        ("has a file that does not exist", json!({"model": "/models/no-such-file.gguf"})),
        ("is up and never answers", {
            let mut never = shell("trap 'exit 143' TERM; sleep 600 & wait");
            never["ready_timeout"] = json!("8s");
            never
        }),
        ("answers under a wrong name", shell(&other_name)),
    ]
}

/// Each of these, one after the other, in a cluster that runs.
fn give_their_place_back(cluster: &mut Cluster, ways: &[(&str, Value)]) {
    let stranger = Stranger::on("lab1", cluster);
    let first = cluster.containers();
    let good = cluster.hosts["lab1"]["models"]["alpha"].clone();
    for (way, keys) in ways {
        let alpha = &mut cluster.hosts["lab1"]["models"]["alpha"];
        alpha.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        // One that runs into its limit again and again must not start again.
        alpha["restart"] = json!("no");
        let failed = cluster.run(&["deploy", "--yes"]).exits(1);
        let back = "alpha on lab1 is back on its previous version and answers.";
        assert!(failed.stderr.contains(back), "{way}: {}", failed.stderr);
        let after = cluster.containers();
        assert_eq!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id, "{way}");
        assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"], "{way}");
        cluster.answers("alpha");
        cluster.hosts["lab1"]["models"]["alpha"] = good.clone();
        converges(cluster, &first.keys().map(String::as_str).collect::<Vec<_>>());
    }
    stranger.untouched();
}

#[test]
#[ignore = "make test-faults"]
fn a_new_model_that_does_not_come_up_gives_its_place_back() {
    let ways = ways_to_fail();
    give_their_place_back(&mut Running::borrow("does-not-come-up"), &ways);
    counted("a new model does not come up", ways.len(), ways.len());
}

/// The ways that no other quick test goes.
#[test]
fn a_new_model_that_is_killed_or_never_answers_or_is_another_one_gives_its_place_back() {
    let quick = ["is killed for its memory", "is up and never answers", "answers under a wrong name"];
    let ways: Vec<_> = ways_to_fail().into_iter().filter(|(way, _)| quick.contains(way)).collect();
    assert_eq!(ways.len(), quick.len());
    give_their_place_back(&mut Running::borrow("does-not-come-up"), &ways);
}
