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
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let code = fs::read_to_string(path).unwrap();
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
    keys
}

/// Every key that the schema knows but the options of engines, which docs/options.md lists.
fn keys_of_the_schema() -> BTreeSet<String> {
    let schema = homelab::cluster::schema::vars();
    let keys = |name: &str| -> BTreeSet<String> {
        schema["definitions"][name]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let mut all =
        &(&(&keys("vars") | &keys("gateway")) | &keys("login")) | &(&keys("external") | &keys("gpu"));
    all = &(&(&all | &keys("edge")) | &keys("certificate")) | &keys("metrics");
    let options = |name: &String| {
        homelab::engine::ALL.iter().flat_map(|engine| engine.options()).any(|option| option.name == name)
    };
    for pointer in [
        "/definitions/vars/properties/homelab_wake/anyOf/0/properties",
        "/definitions/server/allOf/1/anyOf/0/properties",
        "/definitions/behind/anyOf/0/properties",
    ] {
        let keys = schema.pointer(pointer).unwrap().as_object().unwrap().keys();
        all.extend(keys.filter(|name| !options(name)).cloned());
    }
    for engine in homelab::engine::ALL {
        let options = engine.options().iter().map(|option| option.name.to_owned()).collect();
        all.extend(&keys(engine.name()) - &options);
    }
    all
}

/// What is listed from the schema is listed whole.
#[test]
fn the_schema_has_every_key_that_the_code_asks_for() {
    let (asked, known) = (keys_in_code(), keys_of_the_schema());
    for key in ["ready_timeout", "homelab_project", "homelab_serve", "num_retries", "ansible_user"] {
        assert!(asked.contains(key), "the scan does not find {key}: {asked:?}");
    }
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "the schema does not have {missing:?}");
}

#[test]
fn the_example_names_every_key() {
    let example = fs::read_to_string(Path::new(ROOT).join("inventory.example.yml")).unwrap();
    let words: BTreeSet<&str> = example.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let keys = keys_of_the_schema();
    assert!(keys.len() > 50, "the schema has no more than {keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
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
