//! What a server measured of its memory when it started, to stand beside what was predicted.
//! It reads no log: engines read theirs.

use serde::Serialize;

use super::{Verdict, gib, tokens};

/// What a server's log says of one GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Bytes of the weights.
    pub weights: Option<u64>,
    /// Bytes that are there for the cache.
    pub cache: Option<u64>,
    /// Tokens that the cache holds, of all requests.
    pub tokens: Option<u64>,
    /// Bytes of CUDA graphs.
    pub graphs: Option<u64>,
}

impl Measured {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In words, with what was predicted of it in brackets.
    #[must_use]
    pub fn beside(&self, verdict: Option<&Verdict>) -> String {
        let of = |what: &str| {
            let lines = verdict.into_iter().flat_map(|verdict| &verdict.lines);
            let all: Vec<u64> =
                lines.filter(|line| line.what == what).filter_map(|line| line.bytes).collect();
            (!all.is_empty()).then(|| all.into_iter().fold(0, u64::saturating_add))
        };
        let weights = of("weights").map(|weights| weights.saturating_add(of("besides").unwrap_or(0)));
        let said =
            |measured: Option<u64>, predicted: Option<u64>, word: &dyn Fn(u64) -> String, what: &str| {
                let number = word(measured?);
                let predicted = predicted.map(|number| format!(" ({} predicted)", word(number)));
                Some(format!("{number} {what}{}", predicted.unwrap_or_default()))
            };
        let all = [
            said(self.weights, weights, &gib, "of weights"),
            said(self.cache, of("left for the cache"), &gib, "for the cache"),
            said(self.tokens, verdict.and_then(|verdict| verdict.tokens), &tokens, "tokens in it"),
            said(self.graphs, None, &gib, "of CUDA graphs"),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
