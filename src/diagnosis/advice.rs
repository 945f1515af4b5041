//! What to do next, in words: the inventory's keys with their places.
//! It knows no key and no place; both come to it.

use std::ops::Range;

use serde::Serialize;

use super::Finding;

/// A key of the inventory that may have to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// The value it should have, where the failure tells.
    pub value: Option<String>,
    /// Where it stands, or would have to.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// Where a key stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `FILE:LINE:COLUMN`.
    pub at: String,
    /// What it would have to be added to, if it is not set.
    pub add_to: Option<String>,
}

impl Finding {
    /// The same with the place of each key.
    #[must_use]
    pub fn placed(mut self, place: impl Fn(&str) -> Option<Place>) -> Self {
        for key in &mut self.keys {
            key.place = place(&key.key);
        }
        self
    }

    /// What to do next, in words.
    #[must_use]
    pub fn advice(&self) -> String {
        let mut out = String::new();
        let mut rest = 0;
        for (mark, key) in marks(&self.next).into_iter().zip(&self.keys) {
            out.push_str(&self.next[rest..mark.start]);
            out.push_str(&worded(key));
            rest = mark.end;
        }
        out.push_str(&self.next[rest..]);
        out
    }
}

fn worded(key: &Key) -> String {
    let words = match &key.value {
        Some(value) => format!("`{}: {value}`", key.key),
        None => format!("`{}`", key.key),
    };
    match &key.place {
        None => words,
        Some(Place { at, add_to: None }) => format!("{words} ({at})"),
        Some(Place { at, add_to: Some(what) }) => format!("{words} (not set; add it to {what}, {at})"),
    }
}

/// The keys that a text marks, in order.
pub(super) fn keys(text: &str) -> Vec<Key> {
    let key = |mark: Range<usize>| {
        let inside = &text[mark.start + 1..mark.end - 1];
        let (key, value) = inside.split_once('=').map_or((inside, None), |(key, value)| (key, Some(value)));
        Key { key: key.to_owned(), value: value.map(str::to_owned), place: None }
    };
    marks(text).into_iter().map(key).collect()
}

/// Where `[key]` and `[key=value]` stand.
fn marks(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('[').map(|i| from + i) {
        let Some(end) = text[start..].find(']').map(|i| start + i + 1) else { break };
        let key = text[start + 1..end - 1].split('=').next().unwrap_or_default();
        // An address in brackets is none.
        if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
            all.push(start..end);
        }
        from = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::told;

    #[test]
    fn an_address_is_no_key() {
        let next = "docker login [::1]:5000, then correct [image]";
        let finding = told("x", "", next);
        assert_eq!(finding.advice(), "docker login [::1]:5000, then correct `image`");
    }

    #[test]
    fn keys_stand_with_their_places() {
        let next = "set [max_model_len=12288], or raise [gpu_memory_utilization]; [image] may help";
        let finding = told("x", "", next);
        assert_eq!(
            finding.advice(),
            "set `max_model_len: 12288`, or raise `gpu_memory_utilization`; `image` may help"
        );
        let place = |key: &str| match key {
            "max_model_len" => Some(Place { at: "hosts.yml:9:11".into(), add_to: None }),
            "image" => None,
            _ => Some(Place { at: "hosts.yml:7:9".into(), add_to: Some("qwen3-4b".into()) }),
        };
        assert_eq!(
            finding.placed(place).advice(),
            "set `max_model_len: 12288` (hosts.yml:9:11), or raise `gpu_memory_utilization` (not set; add it to \
             qwen3-4b, hosts.yml:7:9); `image` may help"
        );
    }
}
