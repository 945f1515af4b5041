//! What vLLM downloads when it starts, downloaded before, by the hub's client in its own image.
//! It names repositories; which of their files are loaded the program in the container finds out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::command_line::{carry, word};
use super::super::fetch::{Fetch, is_repository};
use super::super::{HUB_OFFLINE, Repository};
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
    let one = |loaded: &Loaded| {
        let (id, revision) = (&loaded.id, loaded.revision.as_deref());
        let mut all = json!({"id": id, "revision": revision, "weights": loaded.weights, "load_format": format, "ignore": ignored});
        if let Some((open, commit)) = loaded.open(serve).and_then(|open| Some((open.clone(), open.commit?))) {
            all["ref"] = json!(open.reference());
            all["revision"] = json!(commit);
        }
        all
    };
    let mut repositories = loaded(serve, model);
    repositories.extend(elsewhere(serve).map(|id| Loaded::small(id, text("revision"), None)));
    let (fetched, local): (Vec<Loaded>, Vec<Loaded>) =
        repositories.into_iter().partition(|repository| is_repository(&repository.id));
    let given = |name: &&str| serve.options.get(*name).is_some_and(|value| *value != Value::Bool(false));
    let odd = local.iter().any(|repository| !repository.id.starts_with('/'));
    Some(Fetch {
        what: fetched.iter().map(Loaded::called).collect(),
        repositories: fetched.iter().map(|loaded| loaded.id.clone()).collect(),
        entrypoint: ["python3", "-c", PROGRAM].map(str::to_owned).to_vec(),
        runs_server: false,
        command: vec![fetched.iter().map(one).collect::<Value>().to_string()],
        offline: (!odd && !OPEN.iter().any(given)).then_some(HUB_OFFLINE),
        own_cache: None,
        directory: None,
    })
}

/// A repository as the options name it.
struct Loaded {
    id: String,
    /// As it was typed.
    revision: Option<String>,
    /// Whether its weights load, too.
    weights: bool,
    /// The option that takes its commit; none where no option does.
    option: Option<&'static str>,
}

impl Loaded {
    fn small(id: &str, revision: Option<&str>, option: Option<&'static str>) -> Self {
        Self { id: id.to_owned(), revision: revision.map(str::to_owned), weights: false, option }
    }

    fn called(&self) -> String {
        match &self.revision {
            Some(revision) => format!("{}@{revision}", self.id),
            None => self.id.clone(),
        }
    }

    /// With its pin, if a commit can be given for it and none was.
    fn open(&self, serve: &Serve<'_>) -> Option<Repository> {
        self.option.filter(|_| is_repository(&self.id))?;
        Repository::open(&self.id, self.revision.as_deref(), serve.revisions)
    }
}

/// Another repository that the config is read from, by the revision of the model's: one commit cannot mean both.
fn elsewhere<'a>(serve: &Serve<'a>) -> Option<&'a str> {
    let path = serve.options.get("hf_config_path").and_then(Value::as_str);
    path.filter(|path| serve.model != Some(*path))
}

const DRAFT: &str = "speculative_config";

/// The model, what drafts for it, and its tokenizer if that is another one's.
fn loaded(serve: &Serve<'_>, model: &str) -> Vec<Loaded> {
    let text = |name: &str| serve.options.get(name).and_then(Value::as_str);
    let option = elsewhere(serve).is_none().then_some("revision");
    let mut all = vec![Loaded { weights: true, ..Loaded::small(model, text("revision"), option) }];
    if let Some((draft, revision)) = draft(serve) {
        let option = serve.options.get(DRAFT).is_some_and(Value::is_object).then_some(DRAFT);
        all.push(Loaded { weights: true, ..Loaded::small(&draft, revision.as_deref(), option) });
    }
    let own = text("tokenizer").filter(|id| *id != model);
    all.extend(own.map(|id| Loaded::small(id, text("tokenizer_revision"), Some("tokenizer_revision"))));
    all
}

pub(super) fn repositories(serve: &Serve<'_>) -> Vec<Repository> {
    let model = serve.model.filter(|model| is_repository(model) && !carry(serve.args, &BY_HAND));
    let all = model.map(|model| loaded(serve, model)).unwrap_or_default();
    all.iter().filter_map(|loaded| loaded.open(serve)).collect()
}

/// The options that make vLLM load what is pinned.
pub(super) fn pins(serve: &Serve<'_>) -> BTreeMap<String, Value> {
    let mut pins = BTreeMap::new();
    let model = serve.model.filter(|model| is_repository(model) && !carry(serve.args, &BY_HAND));
    for loaded in model.map(|model| loaded(serve, model)).unwrap_or_default() {
        let Some((option, commit)) = loaded.option.zip(loaded.open(serve).and_then(|open| open.commit))
        else {
            continue;
        };
        let value = match serve.options.get(option) {
            Some(Value::Object(config)) => {
                let mut config = config.clone();
                config.insert("revision".to_owned(), commit.into());
                Value::Object(config)
            }
            _ => commit.into(),
        };
        pins.insert(option.to_owned(), value);
    }
    // Without one of its own, a tokenizer's revision is the model's (vllm/config/model.py), which means nothing elsewhere.
    let other = serve.options.get("tokenizer").and_then(Value::as_str).filter(|id| Some(*id) != serve.model);
    if pins.contains_key("revision")
        && other.is_some_and(is_repository)
        && !serve.options.contains_key("tokenizer_revision")
    {
        pins.entry("tokenizer_revision".to_owned()).or_insert_with(|| "main".into());
    }
    pins
}

/// The model that guesses ahead, where it is one of its own.
fn draft(serve: &Serve<'_>) -> Option<(String, Option<String>)> {
    let typed = serve.options.get(DRAFT);
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
