//! Clients: what people's programs must be told to use the cluster. One file per client, one line in [`ALL`].
//! A client turns what the cluster offers into settings and texts; it reads and writes no file and knows no host.

mod anthropic;
mod claude_code;
mod codex;
mod curl;
mod jetbrains;
pub mod merge;
mod openai;
mod opencode;
mod settings;
pub mod text;
mod warnings;

pub use settings::{Change, File, Format, Place, at};
pub use warnings::{AT_EASE, warnings};

use crate::diagnostic::did_you_mean;
use crate::engine::Kind;
use crate::names::ModelName;

/// What a cluster offers to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The gateway's base URL, without `/v1` and without a slash at its end.
    pub url: String,
    /// How to get the root certificate of the authority that certifies it, if nobody trusts that by itself.
    pub authority: Option<String>,
    /// Every public name at the gateway, sorted.
    pub models: Vec<Model>,
}

/// A public name at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What clients ask for.
    pub name: ModelName,
    /// The model that this is another name of.
    pub alias_of: Option<ModelName>,
    /// What it is for.
    pub kind: Kind,
    /// How many tokens prompt and answer may have together; none where the inventory does not say it.
    pub context: Option<u64>,
    /// How many tokens an answer may have; none where only the context ends it.
    pub output: Option<u64>,
    /// Whether it calls tools as it is served; none where that is not known.
    pub tools: Option<bool>,
}

/// More than agents can use in one answer; opencode's own limit (packages/opencode/src/session/llm.ts).
const LONGEST_ANSWER: u64 = 32_000;

impl Model {
    /// One name on several hosts can no more than the least of its servers, for nobody chooses among them.
    pub fn limit(&mut self, other: &Self) {
        self.context = self.context.zip(other.context).map(|(one, two)| one.min(two));
        self.output = self.output.into_iter().chain(other.output).min();
        self.tools = match (self.tools, other.tools) {
            (Some(true), Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        };
    }

    /// How many tokens of the context clients should keep for an answer: what the server allows, else a quarter.
    #[must_use]
    pub fn answer(&self) -> Option<u64> {
        let share = self.context.map(|context| (context / 4).clamp(1, LONGEST_ANSWER));
        match (self.output, share) {
            (Some(most), Some(share)) => Some(most.min(share)),
            (most, share) => most.or(share),
        }
    }
}

/// The models that a client is to use.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// What there is.
    pub offer: &'a Offer,
    /// The model for the work itself.
    pub main: &'a Model,
    /// The model for titles and summaries.
    pub small: &'a Model,
    /// Whether the user named the main one; else another one of the cluster's in a client's file is fine as well.
    pub named: bool,
}

impl<'a> Choice<'a> {
    /// Takes the named models; else the chat model that calls tools and has the longest context, for both.
    ///
    /// # Errors
    /// That there is no such model, as a sentence fragment.
    pub fn of(offer: &'a Offer, main: Option<&str>, small: Option<&str>) -> Result<Self, String> {
        let chat = || offer.models.iter().filter(|model| model.kind == Kind::Chat);
        let named = |name: &str| {
            chat().find(|model| model.name.as_str() == name).ok_or_else(|| {
                let names = || chat().map(|model| model.name.as_str());
                let near = did_you_mean(name, names()).map(|near| format!("; did you mean `{near}`?"));
                let all: Vec<&str> = names().collect();
                format!(
                    "no chat model is called `{name}`{}",
                    near.unwrap_or_else(|| format!(": {}", all.join(", ")))
                )
            })
        };
        let best = || {
            let worth = |model: &Model| (model.tools == Some(true), model.context.unwrap_or(0));
            // Of equals the first: `max_by_key` alone would take the last.
            let own = chat().filter(|model| model.alias_of.is_none());
            own.rev().max_by_key(|model| worth(model)).ok_or("the inventory has no model of kind chat")
        };
        let chosen = match main {
            Some(name) => named(name)?,
            None => best()?,
        };
        let small = small.map_or(Ok(chosen), named)?;
        Ok(Self { offer, main: chosen, small, named: main.is_some() })
    }

    /// The names that a client's file may have for its main model, the one to write first.
    fn main_names(&self) -> Vec<String> {
        names(self.main, self.offer, self.named)
    }

    /// The same for its small one.
    fn small_names(&self) -> Vec<String> {
        names(self.small, self.offer, self.named)
    }

    /// Every public name that chats.
    fn chat(&self) -> impl Iterator<Item = &'a Model> {
        self.offer.models.iter().filter(|model| model.kind == Kind::Chat)
    }
}

fn names(first: &Model, offer: &Offer, only: bool) -> Vec<String> {
    let others = offer.models.iter().filter(|other| !only && other.kind == Kind::Chat && *other != first);
    std::iter::once(first).chain(others).map(|model| model.name.to_string()).collect()
}

/// A client.
pub trait Client: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What its makers call it.
    fn title(&self) -> &'static str;

    /// How to get it, in a few words.
    fn needs(&self) -> &'static str;

    /// Where it keeps its settings.
    fn settings(&self) -> &'static str;

    /// Where it keeps the gateway's key.
    fn keeps_key(&self) -> &'static str;

    /// How many tokens its first request has before anything was read or asked; none if it is no agent.
    fn first_request(&self) -> Option<u64> {
        None
    }

    /// What belongs into its files. `key` is the gateway's, or what stands for it where it must not show.
    fn files(&self, _choice: &Choice<'_>, _key: &str) -> Vec<File> {
        vec![]
    }

    /// The same for one directory instead of everywhere, if it has that.
    fn project_files(&self, _choice: &Choice<'_>, _key: &str) -> Option<Vec<File>> {
        None
    }

    /// What is to be done by hand, if it has no file that may be written. `key` is as [`Key`] says.
    fn steps(&self, _choice: &Choice<'_>, _key: Key<'_>) -> Option<String> {
        None
    }

    /// How to try it out.
    fn trial(&self, choice: &Choice<'_>) -> Option<String>;
}

/// The gateway's key as texts for people have it.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// The command that prints it.
    Command(&'a str),
    /// The key itself, which was asked for.
    Value(&'a str),
}

impl Key<'_> {
    /// As a word of a POSIX shell.
    fn shell(self) -> String {
        match self {
            Self::Command(command) => format!("\"$({command})\""),
            Self::Value(key) => shell_word(key),
        }
    }

    /// In a sentence.
    fn words(self) -> String {
        match self {
            Self::Command(command) => format!("what `{command}` prints"),
            Self::Value(key) => key.to_owned(),
        }
    }
}

/// A text as one word of a POSIX shell, whatever is in it.
#[must_use]
pub fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A text as a string of JSON, Python and JavaScript alike.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Every client.
pub const ALL: &[&dyn Client] = &[
    &claude_code::ClaudeCode,
    &opencode::Opencode,
    &codex::Codex,
    &jetbrains::JetBrains,
    &openai::OpenAi,
    &anthropic::Anthropic,
    &curl::Curl,
];

/// The client of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Client> {
    ALL.iter().copied().find(|client| client.name() == name)
}
