//! vLLM behind the gateway: what it was started with, what it says meanwhile, what it answers.

use homelab::fit;
use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::stack::stack;
use crate::web;

/// A model's log with the times of its lines.
fn log(cluster: &Cluster, service: &str) -> String {
    lab().ssh("lab1", &format!("docker logs --timestamps {} 2>&1", cluster.container(service)))
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn both_models_answer_through_the_gateway_and_ask_for_a_key() {
    let stack = stack();
    let cluster = &stack.cluster;
    let gateway = (cluster.gateway(), cluster.master_key());
    for (n, model) in [(1, "qwen3-4b"), (2, "qwen3-30b")] {
        let answer = cluster.ask(model);
        // A random model may think only, or end at once.
        assert_eq!(answer.status, 200, "{model}: {answer:?}");
        assert!(answer.body["usage"]["completion_tokens"].as_u64() > Some(0), "{model}: {answer:?}");
        let message = web::message(&gateway.0, &gateway.1, model);
        assert_eq!((message.status, &message.body["type"]), (200, &json!("message")), "{message:?}");
        let own = cluster.secret("lab1", model, "VLLM_API_KEY");
        assert_eq!(web::chat(&cluster.backend("lab1", n), &own, model).status, 200);
        assert_eq!(web::chat(&cluster.backend("lab1", n), "wrong", model).status, 401);
    }
    assert!([400, 401].contains(&web::chat(&gateway.0, "sk-wrong", "qwen3-4b").status));
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn vllm_runs_with_the_flags_that_were_asked_for() {
    let stack = stack();
    // Its own words for what it was given.
    let given = |model: &str| {
        let log = log(&stack.cluster, model);
        log.lines().find(|line| line.contains("non-default args:")).unwrap().to_owned()
    };
    let both = [
        "'max_num_batched_tokens': 8192",
        "'max_num_seqs': 64",
        "'enable_auto_tool_choice': True",
        "'tool_call_parser': 'hermes'",
        "'enable_chunked_prefill': True",
        "'host': '0.0.0.0'",
    ];
    let small =
        ["'max_model_len': 8192", "'gpu_memory_utilization': 0.25", "'served_model_name': ['qwen3-4b']"];
    let large = ["'max_model_len': 65536", "'gpu_memory_utilization': 0.6", "'reasoning_parser': 'qwen3'"];
    for (model, own) in [("qwen3-4b", small), ("qwen3-30b", large)] {
        let given = given(model);
        for flag in both.iter().chain(&own) {
            assert!(given.contains(flag), "{model} without {flag}: {given}");
        }
        assert!(!given.contains("api_key"), "{given}");
    }
}

/// A random model calls no tool by itself. Asked for one by name, vLLM leads its words so that they
/// fit the tool's schema, and the answer has gone through its tool parser and LiteLLM. LiteLLM takes
/// `strict` out of a request to vLLM, without which any JSON would do, so the server is strict itself.
#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn a_tool_that_is_asked_for_is_called() {
    let stack = stack();
    let city = json!({"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"],
        "additionalProperties": false});
    let body = json!({
        "model": "qwen3-4b",
        "messages": [{"role": "user", "content": "What is the weather?"}],
        "max_tokens": 400,
        "temperature": 0,
        // Else it may write spaces for ever, which the schema allows.
        "frequency_penalty": 2,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": city}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    });
    let answer =
        web::post(&stack.cluster.gateway(), "/v1/chat/completions", &stack.cluster.master_key(), &body);
    let call = &answer.body["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "weather", "{answer:?}");
    let arguments: serde_json::Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(["Paris", "Rome"].map(|city| json!({"city": city})).contains(&arguments), "{arguments}");
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn an_embedding_model_gives_vectors_through_the_gateway() {
    let stack = stack();
    let body = json!({"model": "embed", "input": ["one text", "another one"]});
    let answer = web::post(&stack.cluster.gateway(), "/v1/embeddings", &stack.cluster.master_key(), &body);
    let vector = |n: usize| answer.body["data"][n]["embedding"].as_array().cloned().unwrap_or_default();
    assert_eq!((answer.status, vector(0).len(), vector(1).len()), (200, 128, 128), "{answer:?}");
    assert_ne!(vector(0), vector(1));
    assert_ne!(stack.cluster.ask("embed").status, 200, "it writes no text");
}

/// The GPU is declared only, see [`crate::stack::Stack`].
#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn two_models_on_one_gpu_load_one_after_the_other() {
    let stack = stack();
    let mut both = ["qwen3-4b", "qwen3-30b"].map(|model| {
        let started = stack.cluster.containers()[&format!("lab1-{model}-1")].started.clone();
        let log = log(&stack.cluster, model);
        let asked = log.lines().find(|line| line.contains("POST /v1/chat/completions HTTP/1.1\" 200"));
        let answered = asked.and_then(|line| line.split(' ').next()).unwrap().to_owned();
        (started, answered)
    });
    both.sort();
    let [(_, first_answered), (second_started, _)] = &both;
    assert!(first_answered < second_started, "{both:?}");
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn what_it_does_while_it_loads_is_told_from_its_log() {
    let stack = stack();
    let beginning = "lab1 · qwen3-4b: waiting until it answers: ";
    let told: Vec<&str> = stack.made.stderr.lines().filter_map(|line| line.strip_prefix(beginning)).collect();
    // What lasts a moment only is not told; compiling lasts.
    let order = [
        "starting",
        "loading",
        "loading 0 %",
        "loading 100 %",
        "warming up",
        "compiling",
        "warming up",
        "starting the server",
        "asking for its names",
        "asking for a first answer",
    ];
    let mut steps = order.iter();
    let phases = told.iter().filter(|line| !line.starts_with("done after "));
    for phase in phases {
        assert!(steps.any(|step| step == phase), "{phase} is out of order: {told:?}");
    }
    assert!(told.contains(&"compiling"), "{told:?}");
    assert!(log(&stack.cluster, "qwen3-4b").contains("Warming up model for the compilation"));
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn compose_on_the_host_shows_its_log_and_a_second_deploy_does_nothing() {
    let stack = stack();
    let compose = format!("cd ~/homelab/{} && docker compose logs qwen3-4b", stack.cluster.project);
    let shown = lab().ssh("lab1", &compose);
    let mut lines = shown.lines().map(|line| line.trim_start_matches("\u{1b}[2K"));
    let line = lines.find(|line| line.contains("Application startup complete"));
    assert!(line.unwrap_or_default().starts_with("qwen3-4b-1 "), "{shown}");
    let before = stack.cluster.containers();
    assert_eq!(stack.cluster.deploy().stdout, "Nothing to do: 3 hosts are in sync.\n");
    assert_eq!(stack.cluster.containers(), before);
    stack.cluster.run(&["status"]).exits(0);
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn the_tokens_that_its_cache_holds_are_those_of_the_formula() {
    let stack = stack();
    let config = format!("{}/models/vllm/tiny-qwen3/config.json", lab().fact("LAB_STATE"));
    let facts = fit::from_config(&std::fs::read_to_string(config).unwrap(), &fit::Files::default()).unwrap();
    let options = fit::Options { dtype: Some("float32".to_owned()), ..fit::Options::of(fit::Server::Vllm) };
    let gpu = fit::Gpu { bytes: 24 << 30, shared: false, taken: 0 };
    let each = fit::cache(&facts, &options, &gpu, 8192).unwrap().per_token;
    // Its size is set by hand, to 1 GiB; the tokens are its own count.
    let tokens = fit::tokens((1 << 30) / each);
    for model in ["qwen3-4b", "qwen3-30b"] {
        let line = format!("{model} on lab1 measured: 1.00 GiB for the cache, {tokens} tokens in it.");
        assert!(stack.made.stderr.contains(&line), "{line}\n{}", stack.made.stderr);
    }
}
