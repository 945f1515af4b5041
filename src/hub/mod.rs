//! What a model is, from Hugging Face's hub or from files on this machine: JSON and the first bytes of a file.
//! It downloads no weights, asks no host of the inventory, and shows no token.

mod curl;
mod local;
mod repository;

use std::path::Path;

use crate::fit::{Extra, ModelFacts};
use crate::names::Secret;

pub use local::{cached, of_path};

/// A hub, and what to show it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its address, without a `/` at the end.
    pub endpoint: String,
    /// The token, if there is one.
    pub token: Option<Secret>,
}

/// What was found out of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its facts.
    pub facts: ModelFacts,
    /// What loads besides without being asked for: llama.cpp takes a projector from the same repository.
    pub extras: Vec<Extra>,
    /// Whether it is for llama.cpp.
    pub gguf: bool,
    /// Where the facts come from.
    pub from: String,
    /// The commit that they are of, where that is known.
    pub commit: Option<String>,
}

/// Why nothing is known: a sentence fragment, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Unknown {
    fn new(what: impl Into<String>) -> Self {
        Self { what: crate::diagnostic::clean(&what.into()), hint: None }
    }

    fn hint(self, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..self }
    }
}

impl Hub {
    /// The hub that the environment names, as Hugging Face's own library reads it (huggingface_hub, constants.py).
    #[must_use]
    pub fn of(env: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| env(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self { endpoint: endpoint.trim_end_matches('/').to_owned(), token: text("HF_TOKEN").map(Secret::new) }
    }

    /// What a model is: `user/repo`, or `user/repo:quant` as llama.cpp has it.
    ///
    /// # Errors
    /// Why that cannot be found out.
    pub async fn model(&self, id: &str) -> Result<Known, Unknown> {
        repository::model(self, id, None).await
    }

    /// The same at a branch, a tag or a commit.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub async fn model_at(&self, id: &str, revision: &str) -> Result<Known, Unknown> {
        repository::model(self, id, Some(revision)).await
    }

    /// The commit that a branch or tag means now.
    ///
    /// # Errors
    /// Why that cannot be found out.
    pub async fn commit(&self, id: &str, revision: &str) -> Result<String, Unknown> {
        repository::commit(self, id, revision).await
    }
}

/// Whether a text may be the name of a repository, with or without a quantisation.
#[must_use]
pub fn is_repository(text: &str) -> bool {
    let repository = text.split_once(':').map_or(text, |(repository, _)| repository);
    let good = |part: &str| {
        let first = part.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        first && part.len() <= 96 && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    repository.split_once('/').is_some_and(|(user, name)| good(user) && good(name))
}

/// The last part of a path, for messages.
fn name(path: &Path) -> String {
    path.display().to_string()
}
