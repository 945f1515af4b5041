//! What vLLM downloads when it starts, downloaded before, by the hub's client in its own image.
//! It names repositories; which of their files are loaded the program in the container finds out.

use serde_json::{Map, Value, json};

use super::super::command_line::{carry, word};
use super::super::fetch::{Fetch, is_repository};
use super::Serve;

const PROGRAM: &str = include_str!("fetch.py");

/// Loaders that read what the hub's client downloads (vllm/model_executor/model_loader).
const FORMATS: [&str; 7] = ["auto", "hf", "safetensors", "fastsafetensors", "mistral", "pt", "npcache"];

/// What vLLM leaves out where nobody says (vllm/config/load.py).
const IGNORED: &str = "original/**/*";

/// What may need more of the hub than the options name: code and adapters come from anywhere.
const OPEN: [&str; 4] = ["trust_remote_code", "lora_modules", "default_mm_loras", "logits_processors"];

/// Arguments that say by hand what the options below say; nobody looks into those.
const BY_HAND: [&str; 12] = [
    "--revision",
    "--tokenizer",
    "--tokenizer-revision",
    "--code-revision",
    "--hf-config-path",
    "--load-format",
    "--download-dir",
    "--speculative-config",
    "--spec-model",
    "--trust-remote-code",
    "--lora-modules",
    "--ignore-patterns",
];

/// None where the model is no repository, or where its loader downloads in a way of its own.
pub(super) fn fetch(serve: &Serve<'_>) -> Option<Fetch> {
    let text = |name: &str| serve.options.get(name).and_then(Value::as_str);
    let model = serve.model.filter(|model| is_repository(model))?;
    let format = text("load_format").unwrap_or("auto");
    if serve.options.contains_key("download_dir") || !FORMATS.contains(&format) || carry(serve.args, &BY_HAND)
    {
        return None;
    }
    let ignored = serve.options.get("ignore_patterns").map_or_else(|| json!([IGNORED]), texts);
    let whole = |id: &str, revision: Option<&str>| json!({"id": id, "revision": revision, "weights": true, "load_format": format, "ignore": ignored});
    let small = |id: &str, revision: Option<&str>| json!({"id": id, "revision": revision, "weights": false, "load_format": format, "ignore": ignored});
    let mut repositories = vec![whole(model, text("revision"))];
    if let Some((draft, revision)) = draft(serve) {
        repositories.push(whole(&draft, revision.as_deref()));
    }
    for (name, revision) in [("tokenizer", "tokenizer_revision"), ("hf_config_path", "revision")] {
        repositories.extend(text(name).filter(|id| *id != model).map(|id| small(id, text(revision))));
    }
    let (fetched, local): (Vec<Value>, Vec<Value>) =
        repositories.into_iter().partition(|repository| repository["id"].as_str().is_some_and(is_repository));
    let given = |name: &&str| serve.options.get(*name).is_some_and(|value| *value != Value::Bool(false));
    let odd = local.iter().any(|repository| !repository["id"].as_str().is_some_and(|id| id.starts_with('/')));
    Some(Fetch {
        what: fetched.iter().map(called).collect(),
        entrypoint: ["python3", "-c", PROGRAM].map(str::to_owned).to_vec(),
        runs_server: false,
        command: vec![Value::Array(fetched).to_string()],
        offline: !odd && !OPEN.iter().any(given),
        own_cache: None,
    })
}

fn called(repository: &Value) -> String {
    let id = repository["id"].as_str().unwrap_or_default();
    match repository["revision"].as_str() {
        Some(revision) => format!("{id}@{revision}"),
        None => id.to_owned(),
    }
}

/// The model that guesses ahead, where it is one of its own.
fn draft(serve: &Serve<'_>) -> Option<(String, Option<String>)> {
    let typed = serve.options.get("speculative_config");
    // Text is passed on as it is.
    let parsed =
        typed.and_then(Value::as_str).and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let config = parsed.as_ref().or_else(|| typed.and_then(Value::as_object));
    let of = |key: &str| config.and_then(|config| config.get(key)).and_then(Value::as_str).map(str::to_owned);
    let model = of("model").or_else(|| serve.options.get("spec_model").map(word))?;
    // Some methods are no repository: `ngram`.
    (model.contains('/') && Some(model.as_str()) != serve.model).then(|| (model, of("revision")))
}

fn texts(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        one => json!([word(one)]),
    }
}
