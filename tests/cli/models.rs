//! Models: keys that are missing, unknown, of the wrong kind, in each other's way.

use crate::program::Test;

/// A model of llama.cpp with one more key, which stands alone on line 11.
fn with(key: &str) -> Test {
    Test::models(&format!("tiny:\n  engine: llama_cpp\n  model: /m.gguf\n  gpu: none\n  port: 8080\n  {key}"))
}

/// A model with `key` alone on line 11 is wrong: this message, this place, this hint.
fn wrong(key: &str, message: &str, (column, length): (usize, usize), hint: &str) {
    let (indent, mark) = (" ".repeat(column - 1), "^".repeat(length));
    let hint = if hint.is_empty() { String::new() } else { format!("\n  hint: {hint}") };
    with(key).wrong(&format!(
        "error: {message}\n  --> inventory.yml:11:{column}\n   |\n11 |           {key}\n   | {indent}{mark}{hint}"
    ));
}

#[test]
fn a_model_needs_an_engine() {
    Test::models("tiny: {model: /m.gguf, port: 8080}").wrong(
        "error: model `tiny` has no `engine`
 --> inventory.yml:6:9
  |
6 |         tiny: {model: /m.gguf, port: 8080}
  |         ^^^^
  hint: engine: vllm or llama_cpp; if `models` means something else in this inventory, put homelab's models under `homelab_models`, which wins",
    );
}

#[test]
fn a_model_needs_a_port() {
    Test::models("tiny: {engine: llama_cpp, model: /m.gguf}").wrong(
        "error: model `tiny` has no `port`
 --> inventory.yml:6:9
  |
6 |         tiny: {engine: llama_cpp, model: /m.gguf}
  |         ^^^^
  hint: the port on its host that the gateway reaches it by, as in port: 8000",
    );
}

#[test]
fn an_engine_that_is_not_there_is_told_from_one_that_was_meant() {
    for (engine, hint) in [("lama_cpp", "did you mean `llama_cpp`?"), ("triton", "engine: vllm or llama_cpp")]
    {
        let mark = "^".repeat(engine.len());
        Test::models(&format!("tiny: {{engine: {engine}, port: 1}}")).wrong(&format!(
            "error: there is no engine `{engine}`\n --> inventory.yml:6:24\n  |\n\
             6 |         tiny: {{engine: {engine}, port: 1}}\n  |                        {mark}\n  hint: {hint}"
        ));
    }
}

#[test]
fn an_unknown_key_is_told_from_one_that_was_meant() {
    wrong("ctx-size: 4096", "model `tiny` has no key `ctx-size`", (11, 8), "did you mean `ctx_size`?");
    wrong(
        "alias: small",
        "`alias` cannot be set here",
        (11, 5),
        "the key of the model is the name it answers to; further names go into `aliases`",
    );
    wrong("container_name: x", "model `tiny` has no key `container_name`", (11, 14), "");
}

#[test]
fn every_value_is_of_its_kind() {
    wrong("ctx_size: big", "expected `ctx_size` to be a whole number, found a string", (21, 3), "");
    wrong("enabled: 1", "expected true or false, found a whole number", (20, 1), "");
    wrong("kind: chatt", "`chatt` is not a kind of model: chat, completion, embedding, rerank", (17, 5), "");
    wrong(
        "aliases: [\"a b\"]",
        "`a b` is not a model name: letters, digits and `-_./:@+`, a letter or digit first, 128 characters at most",
        (21, 5),
        "",
    );
    wrong(
        "api_key: hunter2",
        "a backend's key is made by homelab; `api_key: none` switches it off",
        (20, 7),
        "",
    );
    wrong(
        "ready_timeout: soon",
        "`soon` is not a time: seconds, or a number with s, m or h, as in 30m",
        (26, 4),
        "",
    );
}

#[test]
fn every_compose_key_is_of_its_kind() {
    wrong("host_ip: localhost", "`localhost` is not an IP address", (20, 9), "");
    wrong(
        "mem_limit: lots",
        "`mem_limit`: `lots` is not a size: a number with b, k, m or g, as in 512m or 16g",
        (22, 4),
        "",
    );
    wrong(
        "ulimits: {nofile: many}",
        "`ulimits`: invalid type: string \"many\", expected a number, or a map with `soft` and `hard`",
        (20, 14),
        "",
    );
    wrong("environment: {\"A B\": 1}", "`A B` cannot name a variable", (25, 5), "");
    wrong("labels: {dev.homelab.x: 1}", "the label `dev.homelab.x` is homelab's own", (20, 13), "");
    wrong("configs: {relative: x}", "`relative` is not an absolute path in the container", (21, 8), "");
    wrong(
        "restart: sometimes",
        "`sometimes` is not a restart policy",
        (20, 9),
        "no, always, unless-stopped, on-failure or on-failure:N",
    );
    wrong(
        "volumes: [\"models:/models\"]",
        "`models:/models` is not a mount",
        (21, 16),
        "/PATH/ON/HOST:/PATH/IN/CONTAINER, and :ro if it is only read; ~/ is the SSH user's home on the host",
    );
    wrong(
        "environment: {KEY: {vault: x}}",
        "a secret says where its value comes from",
        (30, 10),
        "{env: NAME}, {file: PATH}, {command: [PROGRAM, ARGUMENT, …]}, or a value of Ansible Vault",
    );
}

#[test]
fn a_port_is_a_port() {
    for (port, mark) in [("99999", 5), ("0", 1), ("-1", 2)] {
        let mark = "^".repeat(mark);
        Test::models(&format!("m: {{engine: llama_cpp, model: /m.gguf, gpu: none, port: {port}}}")).wrong(
            &format!(
                "error: {port} is not a port: 1 to 65535\n --> inventory.yml:6:65\n  |\n\
             6 |         m: {{engine: llama_cpp, model: /m.gguf, gpu: none, port: {port}}}\n  | {}{mark}",
                " ".repeat(64)
            ),
        );
    }
}

#[test]
fn a_gpu_is_an_index_a_list_all_or_none() {
    Test::models("m: {engine: vllm, model: q/m, port: 8000, gpu: [0, one]}").wrong(
        "error: `gpu` is none, all, an index or a list of indices
 --> inventory.yml:6:56
  |
6 |         m: {engine: vllm, model: q/m, port: 8000, gpu: [0, one]}
  |                                                        ^^^^^^^^
  hint: gpu: 0, or gpu: [0, 1] to spread one model over two",
    );
}

#[test]
fn two_models_do_not_share_a_port() {
    let model = "{engine: llama_cpp, model: /m.gguf, gpu: none, port: 4000}";
    Test::models(&format!("a: {model}\nb: {model}")).wrong(
        "error: `a` and the gateway both ask for port 4000 on box
 --> inventory.yml:6:59
  |
6 |         a: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 4000}
  |                                                           ^^^^
  hint: give one of them another port

error: `b` and the gateway both ask for port 4000 on box
 --> inventory.yml:7:59
  |
7 |         b: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 4000}
  |                                                           ^^^^
  hint: give one of them another port",
    );
}

#[test]
fn two_names_that_would_be_one_service_are_refused() {
    let model = |port| format!("{{engine: llama_cpp, model: /m.gguf, gpu: none, port: {port}}}");
    Test::models(&format!("A/b: {}\na-b: {}\nLiteLLM: {}", model(1), model(2), model(3))).wrong(
        "error: `a-b` and `A/b` would both be the service `a-b` on box
 --> inventory.yml:7:9
  |
7 |         a-b: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 2}
  |         ^^^
  hint: rename one of them

error: `LiteLLM` and the gateway would both be the service `litellm` on box
 --> inventory.yml:8:9
  |
8 |         LiteLLM: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 3}
  |         ^^^^^^^
  hint: rename one of them",
    );
}

#[test]
fn a_public_name_means_one_model() {
    let model = |port, more| format!("{{engine: llama_cpp, model: /m.gguf, gpu: none, port: {port}{more}}}");
    Test::models(&format!("a: {}\nb: {}", model(1, ""), model(2, ", aliases: a"))).wrong(
        "error: `a` would mean both `a` and `b`
 --> inventory.yml:7:77
  |
7 |         b: {engine: llama_cpp, model: /m.gguf, gpu: none, port: 2, aliases: a}
  |                                                                             ^
  hint: a public name leads to one model; rename one",
    );
}

#[test]
fn models_of_another_shape_name_the_key_that_wins() {
    let hint = "if `models` means something else in this inventory, put homelab's models under `homelab_models`, which wins";
    let plan = |models| Test::plan(&format!("all:\n  hosts:\n    box:\n      models: {models}\n"));
    plan("[a, b]").wrong(&format!(
        "error: expected `models` to be a map from public names to models, found a list
 --> inventory.yml:4:15
  |
4 |       models: [a, b]
  |               ^^^^^^
  hint: {hint}"
    ));
    plan("{a: /srv/a}").wrong(&format!(
        "error: expected model `a` to be a map, found a string
 --> inventory.yml:4:19
  |
4 |       models: {{a: /srv/a}}
  |                   ^^^^^^
  hint: {hint}"
    ));
}

#[test]
fn a_config_file_that_is_not_there_is_named() {
    Test::models("m: {engine: llama_cpp, model: /m.gguf, port: 1, gpu: none, configs: {/etc/x: no.txt}}")
        .wrong(
            "error: `no.txt` cannot be read: No such file or directory (os error 2)
 --> inventory.yml:6:86
  |
6 |         m: {engine: llama_cpp, model: /m.gguf, port: 1, gpu: none, configs: {/etc/x: no.txt}}
  |                                                                                      ^^^^^^",
        );
}

#[test]
fn all_mistakes_come_at_once() {
    let ran = Test::models("a: {engine: vlm}\nb: {engine: llama_cpp, port: 0}\nc d: {engine: vllm}")
        .command()
        .output();
    let text = String::from_utf8(ran.unwrap().stderr).unwrap();
    for part in ["there is no engine `vlm`", "0 is not a port", "`c d` is not a model name"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}
