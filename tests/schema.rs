//! `homelab schema` beside the reader: every inventory that reads well is valid, and a key or a type
//! that the reader refuses is refused.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use homelab::cluster::{self, schema};
use homelab::lock::Pins;
use homelab::{engine, inventory};
use jsonschema::Validator;
use serde_json::{Value, json};

fn problems(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// A YAML file as an editor reads it.
fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::to_value(untagged(serde_yaml::from_str(&text).unwrap())).unwrap()
}

/// Ansible's tags say nothing of a value's type.
fn untagged(value: serde_yaml::Value) -> serde_yaml::Value {
    use serde_yaml::Value;
    match value {
        Value::Tagged(tagged) => tagged.value,
        Value::Sequence(items) => items.into_iter().map(untagged).collect::<Vec<_>>().into(),
        Value::Mapping(map) => {
            Value::Mapping(map.into_iter().map(|(key, value)| (key, untagged(value))).collect())
        }
        other => other,
    }
}

/// Every file of that kind in the repository's inventories.
fn files(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "expected") {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yml") {
            found.push(path);
        }
    }
}

/// What is wrong with a host that has these variables, as the reader says.
fn reader(vars: &Value) -> Option<String> {
    let text = json!({"all": {"hosts": {"here": vars}}}).to_string();
    match inventory::parse("inventory.yml", &text, BTreeMap::new()) {
        Ok(inventory) => {
            cluster::read(&inventory, Pins::default(), false).err().map(|problems| problems.to_string())
        }
        Err(problems) => Some(problems.to_string()),
    }
}

#[test]
fn the_repository_s_own_inventories_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_inventories = jsonschema::validator_for(&schema::inventory()).unwrap();
    let of_vars = jsonschema::validator_for(&schema::vars()).unwrap();
    let mut all = vec![root.join("inventory.example.yml")];
    files(&root.join("tests/golden"), &mut all);
    files(&root.join("examples"), &mut all);
    let mut vars = 0;
    for path in &all {
        // There `models` means something else, and homelab's own are under another name.
        if path.display().to_string().contains("foreign_models") {
            continue;
        }
        let is_vars = path
            .components()
            .any(|part| ["group_vars", "host_vars", "profiles"].iter().any(|d| part.as_os_str() == *d));
        vars += usize::from(is_vars);
        let found = problems(if is_vars { &of_vars } else { &of_inventories }, &yaml(path));
        assert_eq!(found, [""; 0], "{}", path.display());
    }
    assert!(all.len() > 10 && vars >= 3, "only {} files found, {vars} of variables", all.len());
}

/// A model that is fine, with one key more.
fn model(engine: &str, key: &str, value: &Value) -> Value {
    let mut model = match engine {
        // It knows nothing of the server behind it.
        "ollama" => json!({"engine": engine, "model": "m", "load": "startup"}),
        "openai" => {
            json!({"engine": engine, "image": "i:1.0", "container_port": 80, "port": 8000, "api_key": "none"})
        }
        "external" => json!({"engine": engine, "api_base": "http://nas:8080/v1"}),
        _ => json!({"engine": engine, "model": "m", "port": 8000}),
    };
    model[key] = value.clone();
    json!({"models": {"m": model}})
}

fn gateway(key: &str, value: &Value) -> Value {
    let mut gateway = json!({"engine": "litellm"});
    gateway[key] = value.clone();
    json!({"gateway": gateway})
}

/// The keys that the schema knows.
fn keys(definition: &str) -> Vec<String> {
    let schema = schema::vars();
    schema["definitions"][definition]["properties"].as_object().unwrap().keys().cloned().collect()
}

/// A key, and variables that set it.
type Key = (String, Box<dyn Fn(&Value) -> Value>);

/// A server with a model behind it, with one key more in one of the two.
fn several(of_server: bool, key: &str, value: &Value) -> Value {
    let mut server = json!({"engine": "llama_cpp", "port": 8080, "gpu": "none"});
    let mut model = json!({"server": "s", "model": "/m.gguf"});
    let place = if of_server { &mut server } else { &mut model };
    place[key] = value.clone();
    json!({"servers": {"s": server}, "models": {"m": model}})
}

/// Every key of models and of the gateway.
fn every_key() -> Vec<Key> {
    let mut all: Vec<Key> = Vec::new();
    for engine in engine::ALL {
        for key in keys(engine.name()) {
            let name = format!("{} {key}", engine.name());
            all.push((name, Box::new(move |value| model(engine.name(), &key, value))));
        }
    }
    for key in keys("external") {
        all.push((format!("external {key}"), Box::new(move |value| model("external", &key, value))));
    }
    let schema = schema::vars();
    for (definition, of_server) in [("server", true), ("behind", false)] {
        let definition = &schema["definitions"][definition];
        let one = definition.pointer("/allOf/1/anyOf/0").unwrap_or_else(|| &definition["anyOf"][0]);
        let own = [
            "engine",
            "models_max",
            "server",
            "load",
            "ttl",
            "model",
            "kind",
            "aliases",
            "ctx_size",
            "api_key",
        ];
        for key in one["properties"].as_object().unwrap().keys().filter(|key| own.contains(&key.as_str())) {
            let (name, key) = (format!("{of_server} {key}"), key.clone());
            all.push((name, Box::new(move |value| several(of_server, &key, value))));
        }
    }
    for key in keys("gateway") {
        all.push((format!("gateway {key}"), Box::new(move |value| gateway(&key, value))));
    }
    assert!(all.len() > 400, "only {} keys", all.len());
    all
}

#[test]
fn the_reader_knows_every_key_of_the_schema() {
    for (name, with) in every_key() {
        let problems = reader(&with(&Value::Null)).unwrap_or_default();
        assert!(
            !problems.contains("has no key") && !problems.contains("cannot be set"),
            "{name}: {problems}"
        );
    }
}

/// Values of every type there is.
const SAMPLES: &str = r#"[
    "", "a", "a b", "none", "all", "no", "30m", "30x", "1g", "10.0.0.1", "vllm", "litellm", "chat", "a:b", "/a:/b",
    "{{ 1 + 1 }}", "{{ {'a': 'b'} }}", null,
    0, 1, -1, 4000, 65536, 1.5, -0.5, true, false,
    [], ["a"], [1], [0, 1], ["/a:/b", "~/c:/d:ro"], [[1]], [{"a": 1}], [true], [null],
    {}, {"a": "b"}, {"a": 1}, {"a": 1.5}, {"a": true}, {"a": [1]}, {"a": ["b"]}, {"a": {"b": 1}}, {"a": {"env": "B"}},
    {"env": "A"}, {"file": "a"}, {"command": ["a", "b"]}, {"command": []}, {"env": "A", "file": "b"},
    {"a": {"soft": 1, "hard": 2}}, {"a": {"soft": 1}}, {"/a": "b"}, {"/a:b": "c"}, {"dev.homelab.x": "y"}, {"a=b": "c"}
]"#;

/// Every option by the name of its key, and whether it is the first of its engine that takes such values.
fn one_of_a_kind() -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for engine in engine::ALL {
        let mut kinds = Vec::new();
        for option in engine.options() {
            let first = !kinds.contains(&option.takes);
            kinds.push(option.takes);
            all.insert(format!("{} {}", engine.name(), option.name), first);
        }
    }
    all
}

#[test]
fn what_the_reader_takes_is_valid_and_types_it_refuses_are_not() {
    let validator = jsonschema::validator_for(&schema::vars()).unwrap();
    let (mut wrong, mut refused) = (Vec::new(), 0);
    let options = one_of_a_kind();
    let samples: Vec<Value> = serde_json::from_str(SAMPLES).unwrap();
    // Needed, but not by the schema: a variable of the host, or another key, may stand for it.
    let needed = ["openai image", "external api_base", "false server"];
    let every = every_key().into_iter();
    let every =
        every.filter(|(name, _)| options.get(name) != Some(&false) && !needed.contains(&name.as_str()));
    for (name, with) in every {
        for sample in &samples {
            let vars = with(sample);
            let (read, valid) = (reader(&vars), validator.is_valid(&vars));
            refused += usize::from(!valid);
            match &read {
                None if !valid => wrong.push(format!("{name}: {sample} is read, but not valid")),
                // What a text must look like is the reader's matter.
                Some(why) if valid && !sample.is_string() => {
                    wrong.push(format!("{name}: {sample} is valid, but {why}"))
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(refused > 2000, "only {refused} values were refused");
}

#[test]
fn an_unknown_key_is_not_valid() {
    let validator = jsonschema::validator_for(&schema::vars()).unwrap();
    for vars in [
        model("vllm", "max_modle_len", &json!(1)),
        model("vllm", "ctx_size", &json!(1)),
        model("llama_cpp", "max_model_len", &json!(1)),
        gateway("timeuot", &json!(1)),
    ] {
        assert!(!validator.is_valid(&vars), "{vars}");
        assert!(reader(&vars).is_some(), "{vars}");
    }
    for vars in [
        json!({"models": {"m": {"model": "m", "port": 1}}}),
        json!({"models": {"a b": {"engine": "vllm", "model": "m", "port": 1}}}),
        json!({"models": ["m"]}),
    ] {
        assert!(!validator.is_valid(&vars) && reader(&vars).is_some(), "{vars}");
    }
    for vars in [
        json!({"mine": {"models": 1}, "models": "{{ others }}"}),
        json!(null),
        json!({"hf_token": {"env": "HF"}, "vllm_image": "x:1"}),
    ] {
        assert_eq!(problems(&validator, &vars), [""; 0], "{vars}");
    }
}

#[test]
fn what_is_picked_and_shared_is_valid_where_it_is_read() {
    let validator = jsonschema::validator_for(&schema::vars()).unwrap();
    let models = json!({"m": {"engine": "llama_cpp", "model": "/m", "port": 8000, "gpu": "none"}});
    for (variable, fine, values) in [
        (
            "serve",
            true,
            r#"[[], ["m"], "m", null, "{{ ['m'] }}", [{"m": null}], [{"m": {"port": 1, "threads": 2}}]]"#,
        ),
        (
            "serve",
            false,
            r#"[{"m": {}}, [["m"]], [{}], [{"m": 1}], [{"m": {}, "n": {}}], [{"m": {"prot": 1}}], [{"m": {"port": "x"}}]]"#,
        ),
        (
            "homelab_wake",
            true,
            r#"[null, {"mac": "a8:a1:59:0c:3e:7f"}, {"mac": "a8a1.590c.3e7f", "port": 7, "timeout": "2m", "broadcast": "10.0.0.255"}]"#,
        ),
        (
            "homelab_wake",
            false,
            r#"["a8:a1:59:0c:3e:7f", {}, {"mac": 1}, {"mac": "a8:a1:59:0c:3e:7f", "mca": 1}]"#,
        ),
        ("homelab_optional", true, r#"[true, false, null, "{{ 1 == 1 }}"]"#),
        ("homelab_optional", false, r#"[1, ["a"], {"a": 1}]"#),
        ("optional", true, r#"[true, null, "a", ["a"], {"a": 1}, 1]"#),
        ("wake", true, r#"["a", {"a": 1}, {"mac": "a8:a1:59:0c:3e:7f"}]"#),
        (
            "llama_cpp_defaults",
            true,
            r#"[{}, null, {"threads": 2}, {"threads": "{{ 2 }}"}, {"enabled": true}, {"volumes": ["/a:/b"], "args": "-v"}]"#,
        ),
        (
            "llama_cpp_defaults",
            false,
            r#"[[], "a", {"thread": 2}, {"threads": "x"}, {"max_model_len": 1}, {"model": "m"}, {"port": 1}, {"port": null},
                {"aliases": []}, {"engine": "llama_cpp"}, {"volumes": "/a"}]"#,
        ),
    ] {
        let values: Vec<Value> = serde_json::from_str(values).unwrap();
        for value in values {
            let vars = json!({"models": models, variable: value});
            let (read, valid) = (reader(&vars), problems(&validator, &vars));
            assert_eq!(valid.is_empty(), fine, "{vars}: {valid:?}");
            assert_eq!(read.is_none(), fine, "{vars}: {read:?}");
        }
    }
}

#[test]
fn the_program_prints_it() {
    for (args, schema) in [(&["schema"][..], schema::inventory()), (&["schema", "vars"], schema::vars())] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_homelab")).args(args).output().unwrap();
        assert!(output.status.success());
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), schema);
        jsonschema::meta::validate(&schema).unwrap();
    }
}
