//! The keys of a config.json: numbers within bounds, under the names that different families give them.
//! It knows no formula. What is no sensible number counts as absent, and as a reason not to trust the rest.

use serde_json::{Map, Value};

/// No size within a model is larger: 2^40, far above any context or vocabulary.
const MOST: u64 = 1 << 40;

/// A model has fewer layers.
pub(super) const MOST_LAYERS: u64 = 4096;

/// The part of a config that describes the language model, and the whole of it.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    inner: &'a Map<String, Value>,
    outer: &'a Map<String, Value>,
}

/// Where models that also see or hear keep what is about text.
const INNER: [&str; 4] = ["text_config", "llm_config", "language_config", "thinker_config"];

impl<'a> Keys<'a> {
    /// The keys of a config, those about text first.
    pub(super) fn of(outer: &'a Map<String, Value>) -> Self {
        let find = |map: &'a Map<String, Value>| INNER.iter().find_map(|key| map.get(*key)?.as_object());
        let mut inner = outer;
        // `thinker_config` has a `text_config` of its own.
        for _ in 0..2 {
            inner = find(inner).unwrap_or(inner);
        }
        Self { inner, outer }
    }

    /// A value about text; `null` counts as absent, as it does for transformers.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.inner.get(key).filter(|value| !value.is_null())
    }

    /// A value about text, or of the model as a whole.
    pub(super) fn anywhere(&self, key: &str) -> Option<&'a Value> {
        self.get(key).or_else(|| self.outer.get(key).filter(|value| !value.is_null()))
    }

    /// The width of a token within the model.
    pub(super) fn hidden(&self) -> Option<u64> {
        self.number(&["hidden_size", "n_embd", "d_model", "dim"])
    }

    /// The first of these keys that is a number above 0.
    pub(super) fn number(&self, keys: &[&str]) -> Option<u64> {
        let one = |key: &&str| match key.split_once('.') {
            Some((map, key)) => self.get(map)?.as_object()?.get(key)?.as_u64(),
            None => self.get(key)?.as_u64(),
        };
        keys.iter().find_map(one).filter(|number| (1..=MOST).contains(number))
    }

    /// The first of these keys that is there as true or false.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// A list with something in it.
    pub(super) fn list(&self, key: &str) -> Option<&'a [Value]> {
        self.get(key)?.as_array().map(Vec::as_slice).filter(|list| !list.is_empty())
    }

    /// What the family is called; never empty.
    pub(super) fn family(&self) -> &'a str {
        self.text("model_type").filter(|name| !name.is_empty()).unwrap_or("?")
    }

    /// The class that runs it, of the model as a whole.
    pub(super) fn architecture(&self) -> String {
        let first = self.outer.get("architectures").and_then(|list| list.as_array()?.first()?.as_str());
        first.unwrap_or_else(|| self.family()).chars().take(80).collect()
    }

    /// All keys about text.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.inner.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str())
    }
}
