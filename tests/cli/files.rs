//! The inventory as a file: missing, empty, no YAML, of another kind, without a gateway.

use crate::program::{FINE, Test};

#[test]
fn without_an_inventory_it_says_where_one_goes() {
    let hint = "give one with -i PATH or HOMELAB_INVENTORY, or copy inventory.example.yml to inventory.yml";
    Test::new()
        .args(["plan", "--offline"])
        .wrong(&format!("error: there is no inventory at inventory.yml\n  hint: {hint}"));
    Test::new()
        .args(["status"])
        .env("HOMELAB_INVENTORY", "lab/hosts.yml")
        .wrong(&format!("error: there is no inventory at lab/hosts.yml\n  hint: {hint}"));
}

#[test]
fn every_verb_that_needs_an_inventory_says_so_alike() {
    for args in [&["plan"][..], &["deploy", "--yes"], &["status"], &["render"], &["down", "--yes"]] {
        Test::new().args(args.iter().copied()).file("inventory.yml", "").wrong(
            "error: the inventory inventory.yml is empty\n  hint: inventory.example.yml shows what goes into one",
        );
    }
}

#[test]
fn what_is_not_yaml_has_its_place() {
    Test::plan("all:\n  hosts: [\n").wrong(
        "error: this is not YAML: while parsing a node, did not find expected node content
 --> inventory.yml:2:10
  |
2 |   hosts: [
  |          ^",
    );
}

#[test]
fn an_ini_inventory_plans_like_one_in_yaml() {
    let _ = Test::new()
        .file("inventory.yml", "[gpu]\nbox ansible_host=10.0.0.9\n")
        .file(
            "group_vars/gpu.yml",
            "models: {tiny: {engine: llama_cpp, model: /m.gguf, port: \"{{ tiny_port }}\", gpu: none}}\ngateway: {engine: litellm}\n",
        )
        .args(["plan", "--offline", "-e", "{tiny_port: 8080}"])
        .stdout_holds("+ create tiny")
        .run();
}

#[test]
fn a_number_that_is_text_says_how_it_becomes_one() {
    Test::models("tiny: {engine: llama_cpp, model: /m.gguf, port: \"{{ tiny_port }}\", gpu: none}")
        .args(["-e", "tiny_port=8080"])
        .wrong(
            "error: expected a whole number, found a string
 --> inventory.yml:6:57
  |
6 |         tiny: {engine: llama_cpp, model: /m.gguf, port: \"{{ tiny_port }}\", gpu: none}
  |                                                         ^^^^^^^^^^^^^^^^^
  hint: `8080` is text here: take away its quotes; from -e KEY=8080, which is always text, make -e '{\"KEY\": 8080}'",
        );
}

#[test]
fn a_value_of_an_ini_inventory_has_its_place() {
    Test::new()
        .file("hosts", "[gpu]\nbox ansible_host=10.0.0.9 ansible_port=ssh\n")
        .args(["-i", "hosts", "plan", "--offline", "-e", "{gateway: {engine: litellm}}"])
        .wrong(
            "error: `ssh` is not a port
 --> hosts:2:40
  |
2 | box ansible_host=10.0.0.9 ansible_port=ssh
  |                                        ^^^",
        );
}

#[test]
fn a_mistake_in_group_vars_is_shown_there() {
    Test::new()
        .file("inventory.yml", "all:\n  children:\n    gpu:\n      hosts: {a: , b: }\n")
        .file("group_vars/gpu.yml", "models:\n  tiny:\n    engine: vlm\n")
        .args(["plan", "--offline"])
        .wrong(
            "error: there is no engine `vlm`
 --> group_vars/gpu.yml:3:13
  |
3 |     engine: vlm
  |             ^^^
  hint: did you mean `vllm`?",
        );
}

#[test]
fn a_variable_nobody_defined_is_shown_where_it_is_used() {
    Test::models("tiny: {engine: llama_cpp, model: \"{{ file }}\", port: 8080, gpu: none}").wrong(
        "error: `file` is not defined for box
 --> inventory.yml:6:46
  |
6 |         tiny: {engine: llama_cpp, model: \"{{ file }}\", port: 8080, gpu: none}
  |                                              ^^^^
  hint: set it, or write {{ file | default(…) }}",
    );
}

#[test]
fn without_a_gateway_nothing_is_planned() {
    Test::plan("all:\n  hosts:\n    box: {models: {}}\n").wrong(
        "error: no host has a `gateway`\n  hint: give one host, or a group with one host, gateway: {engine: litellm}",
    );
}

#[test]
fn there_is_one_gateway() {
    let host = |name| format!("    {name}:\n      gateway: {{engine: litellm}}\n");
    Test::plan(&format!("all:\n  hosts:\n{}{}", host("box"), host("nas"))).wrong(
        "error: both box and nas are to run the gateway
 --> inventory.yml:6:16
  |
6 |       gateway: {engine: litellm}
  |                ^^^^^^^^^^^^^^^^^
  hint: there is one gateway: define `gateway` for one host only",
    );
}

#[test]
fn a_gateway_of_another_shape_names_the_key_that_wins() {
    Test::plan("all:\n  hosts:\n    box:\n      gateway: 10.0.0.1\n").wrong(
        "error: expected `gateway` to be a map, found a string
 --> inventory.yml:4:16
  |
4 |       gateway: 10.0.0.1
  |                ^^^^^^^^
  hint: if `gateway` means something else in this inventory, put homelab's under `homelab_gateway`, which wins",
    );
}

#[test]
fn a_fallback_leads_to_a_model_that_is_there() {
    let gateway = "gateway: {engine: litellm, fallbacks: {tinny: [tiny], tiny: [gpt-5]}}";
    Test::plan(&FINE.replace("gateway: {engine: litellm}", gateway)).wrong(
        "error: no host serves a model `tinny`
 --> inventory.yml:7:46
  |
7 |       gateway: {engine: litellm, fallbacks: {tinny: [tiny], tiny: [gpt-5]}}
  |                                              ^^^^^
  hint: did you mean `tiny`?

error: no host serves a model `gpt-5`
 --> inventory.yml:7:68
  |
7 |       gateway: {engine: litellm, fallbacks: {tinny: [tiny], tiny: [gpt-5]}}
  |                                                                    ^^^^^
  hint: fallbacks name public names of models, or their aliases",
    );
}

#[test]
fn two_projects_are_two_inventories() {
    let inventory = FINE.replace("  hosts:\n", "  hosts:\n    nas: {homelab_project: other}\n");
    Test::plan(&inventory).wrong(
        "error: nas is in project `other`, other hosts in `homelab`
 --> inventory.yml:3:28
  |
3 |     nas: {homelab_project: other}
  |                            ^^^^^
  hint: set homelab_project once, in group_vars/all.yml; two projects are two inventories",
    );
}

#[test]
fn a_host_that_others_cannot_reach_needs_an_address() {
    let inventory = FINE.replace("  hosts:\n", "  hosts:\n    here:\n      ansible_connection: local\n      models:\n        m: {engine: llama_cpp, model: /m.gguf, port: 8080, gpu: none}\n");
    Test::plan(&inventory).wrong(
        "error: here is known only as `here`, where the gateway on box cannot reach it
 --> inventory.yml:3:5
  |
3 |     here:
  |     ^^^^
  hint: set homelab_address to the address other hosts reach it by",
    );
}

#[test]
fn escape_sequences_in_names_and_values_never_reach_a_terminal() {
    let ran = |inventory: &str| {
        let output = Test::plan(inventory).command().output().unwrap();
        assert_eq!(output.status.code(), Some(65));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{8}']), "{text:?}");
        text
    };
    let host = ran("all:\n  hosts:\n    \"b\\e[31mox\": {}\n");
    assert!(host.contains("`b\\u{1b}[31mox` has a character no host name has"), "{host}");
    // A raw one, as no editor would show it.
    ran("all:\n  hosts:\n    box:\n      models:\n        \u{1b}[2Jtiny: {engine: x}\n");
    let engine = "all:\n  hosts:\n    box:\n      models:\n        m: {engine: \"v\\e]0;owned\\ax\\u202E\\b\", port: 1}\n";
    assert!(ran(engine).contains("there is no engine `vx"), "{}", ran(engine));
    ran("all:\n  hosts:\n    box:\n      models: [\"\\e[31m\"]\n      gateway: \"\\e[0m\"\n");
}
