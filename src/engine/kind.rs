//! What a model is for, and when and how it is loaded.
//! Words only; what a server does about them its engine says.

use serde::Serialize;
use serde_json::Value;

/// What "it answers" means for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `/v1/chat/completions` gives a token.
    Chat,
    /// `/v1/completions` gives a token.
    Completion,
    /// `/v1/embeddings` gives a vector.
    Embedding,
    /// `/v1/rerank` gives a score.
    Rerank,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Completion, Self::Embedding, Self::Rerank];

    /// Its word in the inventory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// When a server loads a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// When it starts.
    Startup,
    /// When somebody asks for it; nobody may ask only to see whether it answers.
    OnDemand,
}

impl Load {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Startup, Self::OnDemand];

    /// Its word in the inventory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::OnDemand => "on_demand",
        }
    }
}

/// How a server is told to load a model, and what it should make of it. Such a server tells what it has loaded at
/// `/api/ps`, and a model can vanish from it while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loading {
    /// The path that is asked.
    pub path: &'static str,
    /// With this.
    pub json: Value,
    /// How many tokens its context should have; none where nobody said it.
    pub context: Option<u64>,
}
