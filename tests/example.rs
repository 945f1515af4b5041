//! The example inventory plans as it stands and names every key that homelab reads.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every key that the code asks an inventory for, read off the calls that ask.
fn keys_in_code() -> BTreeSet<String> {
    let calls = [
        ".parse(\"",
        ".node(\"",
        ".texts(\"",
        "value_noting(\"",
        "(vars, \"",
        "text(\"",
        "number(fields, \"",
    ];
    let mut keys = BTreeSet::new();
    for directory in ["src/cluster", "src/gateway"] {
        for entry in fs::read_dir(Path::new(ROOT).join(directory)).unwrap() {
            let code = fs::read_to_string(entry.unwrap().path()).unwrap();
            for rest in code.split("twin(vars, \"").skip(1) {
                keys.insert(format!("homelab_{}", rest.split('"').next().unwrap()));
            }
            for call in calls {
                for rest in code.split(call).skip(1) {
                    keys.insert(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }
    let user = |(_, who): &&(&str, homelab::service::Who)| *who == homelab::service::Who::User;
    keys.extend(homelab::service::KEYS.iter().filter(user).map(|(key, _)| (*key).to_owned()));
    for engine in homelab::engine::ALL {
        keys.insert(engine.defaults_variable());
        keys.insert(engine.image_variable().to_owned());
    }
    keys
}

#[test]
fn the_example_names_every_key() {
    let example = fs::read_to_string(Path::new(ROOT).join("inventory.example.yml")).unwrap();
    let words: BTreeSet<&str> = example.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let keys = keys_in_code();
    assert!(
        keys.contains("ready_timeout") && keys.contains("homelab_project"),
        "the scan finds nothing: {keys:?}"
    );
    // An alternative spelling of ansible_ssh_common_args, which Ansible adds to it.
    let missing: Vec<_> =
        keys.iter().filter(|key| !words.contains(key.as_str()) && *key != "ansible_ssh_extra_args").collect();
    assert!(missing.is_empty(), "inventory.example.yml does not name {missing:?}");
}

#[test]
fn the_example_plans_without_a_word_of_complaint() {
    let output = Command::new(env!("CARGO_BIN_EXE_homelab"))
        .args(["-i", "inventory.example.yml", "plan", "--offline"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    for line in ["+ create qwen3-4b", "+ create qwen3-14b", "+ create embeddings", "+ create litellm"] {
        assert!(String::from_utf8_lossy(&output.stdout).contains(line), "{line}");
    }
}
