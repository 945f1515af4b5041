//! What is said of a client and of what the cluster offers: texts for people, the same on a terminal and in docs/clients.md.
//! It prints nothing.

use super::{Choice, Client, File, Key, Model, Offer, merge};
use crate::diagnostic::Diagnostic;

/// What stands for the key where it must not show.
pub const PLACEHOLDER: &str = "<LITELLM_MASTER_KEY>";

/// What a file would be if it were not there yet.
///
/// # Errors
/// When the key cannot be kept there.
pub fn fresh(file: &File) -> Result<String, Diagnostic> {
    merge::merge(&file.place.shown(), "", file)
}

/// Everything about one client. `key` is the gateway's, if it may show; `command` prints it.
///
/// # Errors
/// When the key cannot be kept where the client keeps it.
pub fn client(
    client: &dyn Client,
    choice: &Choice<'_>,
    files: &[File],
    (key, command): (Option<&str>, &str),
) -> Result<String, Diagnostic> {
    let mut text = format!("{} at {}, with {}.\n", client.title(), choice.offer.url, model(choice.main));
    for file in files {
        text += &format!("\n{}:\n\n{}", file.place.shown(), fresh(file)?);
    }
    if let Some(steps) = client.steps(choice, key.map_or(Key::Command(command), Key::Value)) {
        text += &format!("\n{steps}");
    }
    if let Some(file) = files.iter().find(|file| file.holds_key) {
        let place = file.place.shown();
        let (name, only) = (client.name(), "the rest of your files stays as it is");
        text +=
            &format!("\n`homelab clients {name} --write` merges this in, the key into {place}; {only}.\n");
        if key.is_none() {
            text += &format!("By hand: `{command}` prints the key that stands here as {PLACEHOLDER}.\n");
        }
    }
    if let Some(trial) = client.trial(choice) {
        text += &format!("Try it: {trial}\n");
    }
    Ok(text)
}

/// A model with what is known of it, in a sentence.
fn model(model: &Model) -> String {
    let mut known = vec![match model.context {
        Some(context) => format!("{context} tokens of context"),
        None => "its context is not in the inventory".to_owned(),
    }];
    known.extend(model.answer().map(|most| format!("answers of up to {most}")));
    known.push(tools(model.tools).to_owned());
    format!("{} ({})", model.name, known.join(", "))
}

fn tools(tools: Option<bool>) -> &'static str {
    match tools {
        Some(true) => "calls tools",
        Some(false) => "no tools",
        None => "tools unknown",
    }
}

/// The table of clients: a head and rows.
#[must_use]
pub fn clients(all: &[&dyn Client]) -> Vec<[String; 4]> {
    let row = |client: &&dyn Client| {
        let needs = match client.first_request() {
            Some(first) => format!("{}; tools, and more than {first} tokens of context", client.needs()),
            None => client.needs().to_owned(),
        };
        [client.name(), client.settings(), client.keeps_key(), &needs].map(str::to_owned)
    };
    std::iter::once(["CLIENT", "SETTINGS", "KEY", "NEEDS"].map(str::to_owned))
        .chain(all.iter().map(row))
        .collect()
}

/// The table of models: a head and rows.
#[must_use]
pub fn models(offer: &Offer) -> Vec<[String; 5]> {
    let count = |number: Option<u64>| number.map_or("unknown".to_owned(), |number| number.to_string());
    let row = |model: &Model| {
        let talks = matches!(model.kind, crate::engine::Kind::Chat);
        [
            model.name.to_string(),
            model.alias_of.as_ref().map_or("-".to_owned(), ToString::to_string),
            model.kind.word().to_owned(),
            count(model.context),
            if talks { tools(model.tools).to_owned() } else { "-".to_owned() },
        ]
    };
    std::iter::once(["MODEL", "ALIAS OF", "KIND", "CONTEXT", "TOOLS"].map(str::to_owned))
        .chain(offer.models.iter().map(row))
        .collect()
}
