//! What clients are told, and how it gets into files that somebody else wrote.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod choosing;
#[path = "../properties/dice.rs"]
mod dice;
mod docs;
mod files;
mod merging;

use homelab::client::{Model, Offer};
use homelab::engine::Kind;
use homelab::names::ModelName;

/// A model that chats.
pub(crate) fn model(name: &str, context: Option<u64>) -> Model {
    let name = ModelName::new(name).unwrap();
    Model { name, alias_of: None, kind: Kind::Chat, context, output: None, tools: Some(true) }
}

/// The cluster of docs/clients.md.
pub(crate) fn offer() -> Offer {
    let alias = Model { alias_of: ModelName::new("qwen3-4b").ok(), ..model("small", Some(8192)) };
    let vectors = Model { kind: Kind::Embedding, tools: None, ..model("bge-m3", Some(8192)) };
    let models = vec![vectors, model("qwen3-30b", Some(65_536)), model("qwen3-4b", Some(8192)), alias];
    Offer { url: "http://proxy-server:4000".to_owned(), authority: None, models }
}
