//! Questions on a terminal, for a first inventory.
//! It asks and returns answers; what they mean is decided elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::str::FromStr;

use anyhow::Result;
use dialoguer::{Confirm, Input, Password, Select};

use zeroize::Zeroizing;

use super::note;
use crate::diagnostic::clean;
use crate::engine::Gpus;
use crate::names::{HostName, ModelName};
use crate::starter::{self, Host, Model};
use crate::survey::{Gpu, Look, Survey};

/// Whether somebody is there to be asked.
#[must_use]
pub fn somebody() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A word that nobody may see, typed without an echo.
///
/// # Errors
/// When nobody is there to be asked, or nothing was typed.
pub fn hidden(prompt: &str) -> Result<Zeroizing<String>, String> {
    if !somebody() {
        return Err("there is no terminal to ask on".to_owned());
    }
    Password::new().with_prompt(prompt).interact().map(Zeroizing::new).map_err(|e| e.to_string())
}

/// A question whose answer is no unless somebody types yes.
///
/// # Errors
/// When the terminal is gone.
pub fn yes(question: &str) -> Result<bool> {
    let yes = Confirm::new().with_prompt(question).default(false).interact()?;
    if !yes {
        note("Nothing was changed.\n");
    }
    Ok(yes)
}

/// A text that `T` understands; asked again until it does.
fn text<T: FromStr<Err = String>>(prompt: &str, default: Option<String>) -> Result<T> {
    let mut input = Input::<String>::new().with_prompt(prompt);
    if let Some(default) = default {
        input = input.default(default);
    }
    let valid = |text: &String| text.trim().parse::<T>().map(|_| ());
    let answer = input.validate_with(valid).interact_text()?;
    answer.trim().parse().map_err(anyhow::Error::msg)
}

/// The hosts, at least one.
///
/// # Errors
/// When the terminal is gone.
pub fn hosts() -> Result<Vec<Host>> {
    let mut all: Vec<Host> = Vec::new();
    note("Which hosts are there? ssh must get in without a question; its own configuration counts.\n");
    loop {
        let name: HostName = text("Name of a host", None)?;
        let address = Input::<String>::new()
            .with_prompt("Where ssh finds it: ADDRESS, USER@ADDRESS, or local for this machine")
            .default(name.to_string())
            .validate_with(|answer: &String| format!("{name}={}", answer.trim()).parse::<Host>().map(|_| ()))
            .interact_text()?;
        let host = match address.trim() {
            same if same == name.as_str() => name.to_string(),
            address => format!("{name}={address}"),
        };
        all.push(host.parse().map_err(anyhow::Error::msg)?);
        if !Confirm::new().with_prompt("One more host?").default(false).interact()? {
            return Ok(all);
        }
    }
}

/// Says what a look at the hosts found.
pub fn found(survey: &Survey) {
    for (host, look) in &survey.hosts {
        let found = match look {
            Look::Seen(seen) if seen.facts.native.is_mac() => {
                "a Mac: its models run without Docker".to_owned()
            }
            Look::Seen(seen) if seen.facts.gpus.is_empty() => "no NVIDIA GPU".to_owned(),
            Look::Seen(seen) => seen.facts.gpus.iter().map(gpu).collect::<Vec<_>>().join(", "),
            Look::Failed(why) | Look::Away(why) => format!("not reached: {}: {}", why.step, why.what),
            Look::NotAsked => continue,
        };
        note(&clean(&format!("{host}: {found}\n")));
    }
}

fn gpu(gpu: &Gpu) -> String {
    let memory = gpu.memory_total.map(|mib| format!(", {mib} MiB")).unwrap_or_default();
    format!("GPU {}: {}{memory}", gpu.index, gpu.name)
}

/// The models of all hosts.
///
/// # Errors
/// When the terminal is gone.
pub fn models(hosts: &[Host], survey: &Survey) -> Result<Vec<Model>> {
    let mut all = Vec::new();
    for host in hosts {
        let mut more = format!("Serve a model on {host}?");
        while Confirm::new().with_prompt(&more).default(all.is_empty()).interact()? {
            all.push(model(&host.name, survey)?);
            more = format!("One more on {}?", host.name);
        }
    }
    Ok(all)
}

fn model(host: &HostName, survey: &Survey) -> Result<Model> {
    let engines: Vec<&str> = starter::engines().collect();
    let seen: &[Gpu] = survey.seen(host).map_or(&[], |seen| &seen.facts.gpus);
    let usual = usize::from(seen.is_empty() && survey.seen(host).is_some());
    let chosen = Select::new().with_prompt("Engine").items(&engines).default(usual).interact()?;
    let engine = engines.get(chosen).copied().unwrap_or_default();
    let example = if engine == "vllm" { "Qwen/Qwen3-4B-AWQ" } else { "ggml-org/gemma-3-270m-it-GGUF" };
    let model: String = Input::new()
        .with_prompt("Model: a repository on Hugging Face, or a path")
        .default(example.to_owned())
        .interact_text()?;
    let name: ModelName = text("Its public name, what clients ask for", usual_name(&model))?;
    let gpus = if seen.is_empty() { None } else { Some(gpus(seen)?) };
    Ok(Model { name, host: host.clone(), engine: engine.to_owned(), model, gpus })
}

/// The last part of a repository's name, in lower case.
fn usual_name(model: &str) -> Option<String> {
    let last = model.split(':').next()?.trim_end_matches('/').rsplit('/').next()?.to_lowercase();
    let short = last.trim_end_matches(".gguf").trim_end_matches("-gguf").to_owned();
    ModelName::new(short.as_str()).is_ok().then_some(short)
}

fn gpus(seen: &[Gpu]) -> Result<Gpus> {
    let mut choices: BTreeMap<usize, Gpus> = BTreeMap::new();
    let mut items: Vec<String> = Vec::new();
    let mut offer = |text: String, gpus: Gpus| {
        choices.insert(items.len(), gpus);
        items.push(text);
    };
    for one in seen {
        offer(clean(&gpu(one)), Gpus::Some([one.index].into()));
    }
    if seen.len() > 1 {
        offer("all of them".to_owned(), Gpus::All);
    }
    offer("none: it runs on the CPU".to_owned(), Gpus::None);
    let chosen = Select::new().with_prompt("Where").items(&items).default(0).interact()?;
    Ok(choices.remove(&chosen).unwrap_or(Gpus::None))
}

/// The gateway's host.
///
/// # Errors
/// When the terminal is gone.
pub fn gateway(hosts: &[Host], usual: &HostName) -> Result<HostName> {
    let at = hosts.iter().position(|host| host.name == *usual).unwrap_or(0);
    let chosen = Select::new().with_prompt("Host of the gateway").items(hosts).default(at).interact()?;
    Ok(hosts.get(chosen).map_or_else(|| usual.clone(), |host| host.name.clone()))
}

/// Says what was written and what comes next.
pub fn written(path: &str) {
    note(&clean(&format!("{path} is there. Next: homelab -i {path} plan, then homelab -i {path} deploy.\n")));
}
