//! Whether a model fits a GPU: what is known of it as data, formulas over that, and a verdict with its arithmetic.
//! It reads no file and asks nobody. What a config says in words it does not know stays unknown here: it guesses no number.

mod attention;
mod cache;
mod config;
mod element;
mod gguf;
mod gguf_layers;
mod judge;
mod keys;
mod measured;
mod offload;
mod options;
mod pattern;
mod state;
mod verdict;
mod weights;
mod words;

use serde::{Deserialize, Serialize};

pub use cache::{Cache, cache};
pub use config::from_config;
pub use element::Element;
pub use gguf::{Header, MOST_HEADER, Read, Value as GgufValue};
pub use gguf_layers::from_gguf;
pub use judge::judge;
pub use measured::Measured;
pub use options::{Context, Gpu, Layers, Options, Server};
pub use verdict::{Extra, Line, Outcome, Verdict};
pub use weights::{Files, that_load};
pub use words::{gib, tokens};

/// What is known of a model without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// As its files call it: `Qwen3ForCausalLM`, or `qwen3` in a GGUF file.
    pub architecture: String,
    /// What loads.
    pub weights: Weights,
    /// What its layers keep of what they have read; or why that is not known.
    pub layers: Result<Vec<Run>, String>,
    /// How many tokens it was made for.
    pub context: Option<u64>,
    /// What it works with while it runs.
    pub shape: Shape,
    /// What was counted on the safe side, or stays open: whole sentences.
    pub notes: Vec<String>,
}

/// The weights of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// All bytes of the tensors that load; none where nobody says.
    pub bytes: Option<u64>,
    /// How many numbers they are, where that is known: packed ones cannot be counted.
    pub parameters: Option<u64>,
    /// How they are stored, in the field's words: `BF16`, `AWQ, 4 bits`, `Q4_K`.
    pub format: String,
    /// Whether they are quantised already.
    pub quantized: bool,
    /// The bytes of each number before an engine converts it, where all have the same: 4 is float32.
    pub element: Option<u64>,
    /// Bytes of each layer, where the file says so (GGUF).
    pub blocks: Vec<u64>,
    /// Bytes of the table of tokens, which llama.cpp leaves in the system's memory.
    pub table: u64,
}

/// Layers in a row that keep the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How many.
    pub count: u64,
    /// What each keeps.
    pub keeps: Keeps,
}

/// What a layer keeps for the tokens to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// Keys and values of every token.
    All(Heads),
    /// Keys and values of the last tokens only.
    Window {
        /// Its heads.
        heads: Heads,
        /// How many tokens.
        window: u64,
    },
    /// One latent vector for every token in place of keys and values (MLA). Every GPU of a tensor-parallel group has
    /// all of it.
    Latent {
        /// Numbers of the cache's type.
        width: u64,
        /// Bytes besides, of a type of their own.
        index: u64,
    },
    /// A state of one size for a request, however long (linear attention, Mamba).
    State {
        /// Bytes.
        bytes: u64,
    },
    /// Nothing.
    Nothing,
}

/// The heads whose keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// How many (GQA has fewer of them than of queries).
    pub count: u64,
    /// Numbers of a key.
    pub key: u64,
    /// Numbers of a value.
    pub value: u64,
}

/// The sizes that say what a model works with while it runs. 0 is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Numbers of a token within the model.
    pub hidden: u64,
    /// Numbers at a layer's widest point, of all experts that one token goes through.
    pub intermediate: u64,
    /// Different tokens.
    pub vocabulary: u64,
    /// Whether the table of tokens serves for input and output.
    pub tied: bool,
}

impl Shape {
    /// Numbers of the tables of tokens, which no quantisation here touches.
    #[must_use]
    pub fn tables(&self) -> u64 {
        let one = self.vocabulary.saturating_mul(self.hidden);
        if self.tied { one } else { one.saturating_mul(2) }
    }
}

/// Puts equal neighbours together.
fn runs(each: impl IntoIterator<Item = Keeps>) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for keeps in each {
        match all.last_mut() {
            Some(last) if last.keeps == keeps => last.count += 1,
            _ => all.push(Run { count: 1, keeps }),
        }
    }
    all
}
