//! What is said to LiteLLM in its own words: parameters of a name, and sections of its config.
//! It knows only the words that would contradict homelab, and what to say instead; the rest it passes through.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Diagnostic, Origin};
use crate::inventory::{Entry, Fields, Node, Value};
use crate::names::ModelName;

/// What a name has besides what homelab sets for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// LiteLLM's `litellm_params`; null takes away what homelab sets.
    pub params: Map<String, Json>,
    /// LiteLLM's `model_info`.
    pub info: Map<String, Json>,
}

impl Words {
    /// These, and below them those of `base`.
    #[must_use]
    pub fn laid_over(&self, base: &Self) -> Self {
        let laid = |over: &Map<String, Json>, under: &Map<String, Json>| {
            under.clone().into_iter().chain(over.clone()).collect()
        };
        Self { params: laid(&self.params, &base.params), info: laid(&self.info, &base.info) }
    }
}

/// Sections of LiteLLM's config as the user wrote them.
pub type Sections = BTreeMap<String, Json>;

/// Parameters that come from keys of homelab's.
const PARAMS: [(&str, &str); 4] = [
    ("model", "the `model` of the entry itself says it"),
    ("api_base", "homelab knows where its models are; another endpoint is one of `engine: external`"),
    ("api_key", "homelab hands over the keys of its models; an endpoint of `engine: external` has `api_key`"),
    ("base_url", "as `api_base`, it is homelab's to know"),
];

/// Settings that come from keys of homelab's, or that would work against it.
const SETTINGS: [(&str, &str); 11] = [
    ("fallbacks", "`fallbacks` of the gateway itself, which are checked"),
    ("default_fallbacks", "`default_fallbacks` of the gateway itself, which are checked"),
    ("context_window_fallbacks", "`context_window_fallbacks` of the gateway itself, which are checked"),
    ("num_retries", "`num_retries` of the gateway itself; `litellm_params: {num_retries: 2}` for one name"),
    ("drop_params", "`drop_params` of the gateway itself; in `litellm_params` for one name"),
    ("master_key", "`master_key` of the gateway itself, by reference"),
    ("database_url", "`database: {url: {env: DATABASE_URL}}` of the gateway itself"),
    ("store_model_in_db", STORED),
    ("supported_db_objects", STORED),
    ("background_health_checks", ASKS),
    ("enable_health_check_routing", ASKS),
];

/// Why models do not go into LiteLLM's database.
pub const STORED: &str = "models in a database are models that no plan can see: name them in `models`";
const ASKS: &str = "it asks every model for tokens, again and again, which costs money and loads models; a backend that is away is found out by the first request";

/// Reads `litellm_params` and `model_info`.
pub fn words(fields: &mut Fields<'_>) -> Words {
    let params = fields.parse("litellm_params", map).unwrap_or_default();
    if let Some(node) = fields.node("litellm_params") {
        let set = refused(node, &PARAMS).chain(in_plain_text(node)).collect::<Vec<_>>();
        fields.problems.0.extend(set);
    }
    Words { params, info: fields.parse("model_info", map).unwrap_or_default() }
}

/// Reads `litellm`: sections of its config that are laid over homelab's.
pub(super) fn sections(fields: &mut Fields<'_>) -> Sections {
    let Some(node) = fields.node("litellm") else { return Sections::new() };
    let Ok(sections) = node.as_map() else {
        fields.problems.push(node.expected("`litellm` to be a map of sections of LiteLLM's config"));
        return Sections::new();
    };
    let mut all = Sections::new();
    for Entry { key, origin, node, .. } in &sections.0 {
        if key == "model_list" {
            let set = Diagnostic::error(origin, "`model_list` cannot be set here");
            fields.problems.push(
                set.hint("`models` makes it; those that somebody else runs are models of `engine: external`"),
            );
            continue;
        }
        let found = refused(node, &SETTINGS).chain(in_plain_text(node)).collect::<Vec<_>>();
        fields.problems.0.extend(found);
        let ours = ["router_settings", "litellm_settings", "general_settings"].contains(&key.as_str());
        let value = if ours { map(node).map(Json::Object) } else { node.to_json() };
        if let Some(value) = fields.problems.take(value) {
            all.insert(key.clone(), value);
        }
    }
    all
}

fn map(node: &Node) -> Result<Map<String, Json>, Diagnostic> {
    node.as_map()?;
    match node.to_json()? {
        Json::Object(map) => Ok(map),
        _ => Err(node.expected("a map")),
    }
}

/// The keys of a map that are set elsewhere. What is switched off already may be said.
fn refused<'a>(node: &'a Node, keys: &'a [(&str, &str)]) -> impl Iterator<Item = Diagnostic> + 'a {
    let entries = node.as_map().map(|map| map.0.as_slice()).unwrap_or_default();
    let on =
        entries.iter().filter(|entry| entry.node.value != Value::Bool(false) || entry.key == "drop_params");
    on.filter_map(|entry| {
        let (key, instead) = keys.iter().find(|(key, _)| *key == entry.key)?;
        Some(Diagnostic::error(&entry.origin, format!("`{key}` cannot be set here")).hint(*instead))
    })
}

/// Warns of keys that anybody who may read the config on the host would read.
fn in_plain_text(node: &Node) -> impl Iterator<Item = Diagnostic> + '_ {
    let entries = node.as_map().map(|map| map.0.as_slice()).unwrap_or_default();
    entries.iter().filter(|entry| is_secret(entry)).map(|entry| plain(&entry.origin, &entry.key))
}

fn is_secret(entry: &Entry) -> bool {
    let named = ["_key", "_token", "_secret", "password"].iter().any(|end| entry.key.ends_with(end));
    named && entry.node.as_text().is_ok_and(|text| !text.starts_with("os.environ/") && text.len() > 4)
}

fn plain(origin: &Origin, key: &str) -> Diagnostic {
    Diagnostic::warning(origin, format!("`{key}` looks like a secret in plain text"))
        .hint(format!("`{key}: os.environ/NAME`, and environment: {{NAME: {{env: NAME}}}} of the gateway"))
}

/// Further public names of a model, each with parameters of its own over those of the model.
pub type Variants = Vec<(ModelName, Origin, Words)>;

/// Reads `variants`, which are laid over the model's own `words`.
pub fn variants(fields: &mut Fields<'_>, words: &Words) -> Variants {
    let Some(node) = fields.node("variants") else { return Variants::new() };
    let Some(map) = fields.problems.take(node.as_map()) else { return Variants::new() };
    map.0.iter().filter_map(|entry| variant(entry, words, fields)).collect()
}

fn variant(entry: &Entry, words: &Words, fields: &mut Fields<'_>) -> Option<(ModelName, Origin, Words)> {
    let name = ModelName::new(entry.key.as_str()).map_err(|why| Diagnostic::because(&entry.origin, &why));
    let name = fields.problems.take(name)?;
    let keys = fields.problems.take(entry.node.as_map())?;
    let mut own = Fields::new(keys, format!("variant `{name}`"));
    let over = self::words(&mut own);
    fields.problems.0.extend(own.finish(&[]).0);
    Some((name, entry.origin.clone(), over.laid_over(words)))
}
