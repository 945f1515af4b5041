//! Ollama: `ollama serve` in a container or as a program of the host's own, one for all its models on a host.
//! Facts about it are those of 0.33 (ollama/ollama: docs/, server/, openai/).

mod check;
mod fetch;
mod name;
mod options;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::command_line::word;
use super::{Chip, Draft, Engine, Fetch, Kind, Load, Loading, Opt, Phase, Serve};
use crate::diagnosis::Row;

/// Ollama.
pub(super) struct Ollama;

/// Its own default.
const PORT: u16 = 11434;
/// Answers once it takes requests, loads nothing, and tells which models are there.
const HEALTH: &str = "/v1/models";
/// What is run, and what that asks of the server: one request in a line.
const SCRIPT: &str = "/etc/homelab/serve.sh";
const REQUESTS: &str = "/etc/homelab/models.txt";

impl Engine for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn image_variable(&self) -> &'static str {
        "ollama_image"
    }

    /// One image has CUDA and Vulkan and runs on CPUs, too.
    fn default_image(&self, chip: Chip) -> Option<&'static str> {
        Some(match chip {
            Chip::None | Chip::Nvidia | Chip::Dri => "ollama/ollama:0.33.0",
            Chip::Amd => "ollama/ollama:0.33.0-rocm",
        })
    }

    fn program(&self) -> Option<&'static str> {
        Some("ollama")
    }

    fn install(&self) -> &'static str {
        "Homebrew has it (brew install ollama); so has ollama.com/download, whose service of its own must be off (sudo systemctl disable \
         --now ollama); or give its path by `command`"
    }

    fn options(&self) -> &'static [Opt] {
        options::OPTIONS
    }

    fn reserved(&self) -> &'static [(&'static str, &'static str)] {
        options::RESERVED
    }

    fn is_of_model(&self, option: &str) -> bool {
        !option.starts_with(options::OF_SERVER)
    }

    fn check(&self, serve: &Serve<'_>) -> Result<(), (&'static str, String)> {
        check::check(serve)
    }

    fn serves_several(&self) -> bool {
        true
    }

    fn shared_port(&self) -> Option<u16> {
        Some(PORT)
    }

    fn checks_keys(&self) -> bool {
        false
    }

    fn context(&self, serve: &Serve<'_>) -> Option<u64> {
        let tokens = |option: &str| serve.options.get(option).and_then(Value::as_u64).filter(|n| *n > 0);
        tokens("num_ctx").or_else(|| tokens("OLLAMA_CONTEXT_LENGTH"))
    }

    /// `num_predict` is for requests that say nothing.
    fn longest_answer(&self, _serve: &Serve<'_>) -> Option<u64> {
        None
    }

    /// The model's template says it.
    fn calls_tools(&self, _serve: &Serve<'_>) -> Option<bool> {
        None
    }

    fn slots(&self, serve: &Serve<'_>) -> Option<u64> {
        serve.options.get("OLLAMA_NUM_PARALLEL")?.as_u64().filter(|slots| *slots > 0)
    }

    fn models_max(&self) -> Option<&'static str> {
        Some("OLLAMA_MAX_LOADED_MODELS")
    }

    fn upstream(&self, serve: &Serve<'_>) -> String {
        name::upstream(serve.name)
    }

    fn loading(&self, serve: &Serve<'_>) -> Option<Loading> {
        let model = self.upstream(serve);
        let (path, mut json) = match serve.kind {
            Kind::Embedding => ("/api/embed", json!({"model": model, "input": ""})),
            // Without a prompt it is only loaded.
            Kind::Chat | Kind::Completion | Kind::Rerank => {
                ("/api/generate", json!({"model": model, "stream": false}))
            }
        };
        if serve.load == Load::Startup {
            json["keep_alive"] = keep_alive(serve);
        }
        Some(Loading { path, json, context: self.context(serve) })
    }

    fn draft(&self, serve: &Serve<'_>) -> Draft {
        let (host, port) = serve.listens(PORT);
        // As Go wants it (net.JoinHostPort).
        let listens = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut environment: BTreeMap<String, String> = [("OLLAMA_HOST".to_owned(), listens)].into();
        let typed = serve.options.iter().filter(|(name, _)| !self.is_of_model(name));
        environment.extend(typed.map(|(name, value)| (name.clone(), word(value))));
        let script = concat!(include_str!("http.sh"), include_str!("serve.sh"));
        let program = serve.program();
        // A service manager looks for no program, and every host has this one there.
        let (bash, volumes) = match program {
            Some(_) => ("/bin/bash", vec![]),
            None => ("bash", vec!["~/.ollama:/root/.ollama".to_owned()]),
        };
        let words = [bash, SCRIPT, REQUESTS].map(str::to_owned).into_iter();
        let program = program.unwrap_or_else(|| vec!["ollama".to_owned()]);
        Draft {
            entrypoint: words.chain(program).chain(["serve".to_owned()]).collect(),
            port,
            health: HEALTH.to_owned(),
            environment,
            files: [(SCRIPT, script.to_owned()), (REQUESTS, requests(self, serve))]
                .map(|(path, text)| (path.to_owned(), text))
                .into(),
            volumes,
            ..Draft::default()
        }
    }

    fn fetches(&self, serve: &Serve<'_>) -> Vec<Fetch> {
        fetch::fetch(serve).into_iter().collect()
    }

    fn phase(&self, line: &str) -> Option<Phase> {
        let name = line.strip_prefix("homelab: defining ")?;
        Some(Phase { what: format!("defining {name}"), percent: None })
    }

    /// What it says, engines that run it elsewhere say, too: the rows are shared.
    fn causes(&self) -> &'static [Row] {
        &[]
    }

    fn gives_up(&self) -> &'static [&'static str] {
        &[]
    }
}

/// How long a model that is loaded at the start stays: for ever unless the user says otherwise, or it would not be
/// there when it is needed.
fn keep_alive(serve: &Serve<'_>) -> Value {
    let typed = serve.options.get("keep_alive").and_then(Value::as_str).unwrap_or("-1");
    // A bare number is seconds, but only as a number.
    typed.parse::<i64>().map_or_else(|_| typed.into(), Value::from)
}

/// What is asked of the server when it starts. A model of its own name that is made from what was pulled shares
/// its files, holds its parameters for whichever way it is asked, and stays the same name when another one is behind it.
fn requests(engine: &Ollama, serve: &Serve<'_>) -> String {
    let members = serve.several.iter().flat_map(|several| &several.members);
    let mut text = String::new();
    let mut put = |verb: &str, path: &str, json: &Value| {
        let _ = writeln!(text, "{verb} {path} {json}");
    };
    for member in members.clone() {
        put("create", "/api/create", &definition(engine, member));
    }
    for member in members.filter(|member| member.load == Load::Startup) {
        if let Some(loading) = engine.loading(member) {
            put("load", loading.path, &loading.json);
        }
    }
    text
}

fn definition(engine: &Ollama, serve: &Serve<'_>) -> Value {
    let own = |name: &str| engine.is_of_model(name) && name != "keep_alive";
    let given = serve.options.iter().filter(|(name, value)| own(name) && !value.is_null());
    let parameters: Map<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut json = json!({"model": engine.upstream(serve), "from": serve.model, "stream": false});
    if !parameters.is_empty() {
        json["parameters"] = parameters.into();
    }
    json
}
