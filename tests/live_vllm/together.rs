//! All kinds of servers behind one gateway. Of Ollama only a stand-in can be had: tests/live/ollama.rs has it.

use serde_json::json;

use crate::lab::lab;
use crate::others::{Stranger, any_server, server_of_several};
use crate::stack::stack;

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn every_engine_answers_behind_one_gateway() {
    let mut stack = stack();
    let cluster = &mut stack.cluster;
    let good = cluster.hosts.clone();
    let stranger = Stranger::start(cluster.port(9));
    let before = stranger.seen();
    cluster.model("lab2", "small", 5);
    any_server(cluster, ("lab2", 6), "any");
    server_of_several(cluster, ("lab2", 7), "chat");
    for (name, load) in [("first", "startup"), ("second", "on_demand")] {
        let model = json!({"server": "chat", "model": lab().fact("LAB_MODEL"), "load": load});
        cluster.hosts["lab2"]["models"][name] = model;
    }
    cluster.hosts["lab2"]["models"]["box"] =
        json!({"engine": "external", "api_base": stranger.url(), "model": "theirs"});
    cluster.deploy();
    for name in ["small", "first", "second", "any", "box"] {
        cluster.answers(name);
    }
    for name in ["qwen3-4b", "qwen3-30b"] {
        // A random model may think only, or end at once.
        let answer = cluster.ask(name);
        assert!(
            answer.status == 200 && answer.body["usage"]["completion_tokens"].as_u64() > Some(0),
            "{answer:?}"
        );
    }
    cluster.run(&["status"]).exits(0).says("first, second (loaded)");
    cluster.hosts = good;
    cluster.deploy();
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(stranger.seen(), before);
}
