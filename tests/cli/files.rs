//! The inventory as a file: missing, empty, in INI, hostile to terminals. What is wrong in files is in tests/diagnostics.

use crate::program::Test;

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

#[test]
fn nobody_reads_a_thousand_mistakes() {
    let models: String = (0..1000).map(|n| format!("m{n}: {{engine: vlm}}\n")).collect();
    let output = Test::models(&models).command().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("there is no engine `vlm`").count(), 100);
    assert!(text.ends_with("\n\n1000 errors; 100 of them are shown\n"), "{}", &text[text.len() - 80..]);
}
