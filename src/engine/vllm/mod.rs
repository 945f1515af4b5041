//! vLLM: `vllm serve`.
//! It decides nothing about places; ports, GPUs and caches come from its caller.

mod causes;
mod check;
mod fetch;
mod fit;
mod measured;
mod options;
mod parsers;
mod phase;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use super::command_line::{LeadingDash, arguments, carry};
use super::{Chip, Draft, Engine, Fetch, Kind, Occupied, Opt, Phase, Repository, Serve, Share};
use crate::diagnosis::Row;

/// vLLM: `vllm/vllm-openai` and `nvcr.io/nvidia/vllm` alike, or a program of the host's own.
pub(super) struct Vllm;

const PORT: u16 = 8000;
/// Answers without a key.
const HEALTH: &str = "/health";

impl Engine for Vllm {
    fn name(&self) -> &'static str {
        "vllm"
    }

    fn image_variable(&self) -> &'static str {
        "vllm_image"
    }

    /// The release whose options this file lists. Builds for other chips have repositories of
    /// their own (<https://hub.docker.com/r/vllm/vllm-openai-cpu>).
    fn default_image(&self, chip: Chip) -> Option<&'static str> {
        Some(match chip {
            Chip::None => "vllm/vllm-openai-cpu:v0.33.0",
            Chip::Nvidia => "vllm/vllm-openai:v0.33.0",
            Chip::Amd => "vllm/vllm-openai-rocm:v0.33.0",
            Chip::Dri => "vllm/vllm-openai-xpu:v0.33.0",
        })
    }

    fn program(&self) -> Option<&'static str> {
        Some("vllm")
    }

    fn install(&self) -> &'static str {
        "make it an environment of its own (python3 -m venv /opt/vllm/venv; /opt/vllm/venv/bin/pip install vllm) and say \
         `command: /opt/vllm/venv/bin/vllm`"
    }

    fn options(&self) -> &'static [Opt] {
        options::OPTIONS
    }

    fn reserved(&self) -> &'static [(&'static str, &'static str)] {
        options::RESERVED
    }

    fn check(&self, serve: &Serve<'_>) -> Result<(), (&'static str, String)> {
        check::check(serve)
    }

    fn advice(&self, serve: &Serve<'_>) -> Vec<(&'static str, String)> {
        parsers::advice(serve)
    }

    fn share(&self, serve: &Serve<'_>) -> Option<Share> {
        fit::share(serve)
    }

    fn memory(&self, serve: &Serve<'_>) -> Option<(crate::fit::Options, Vec<crate::fit::Extra>)> {
        Some((fit::options(serve), fit::besides(serve)))
    }

    fn context(&self, serve: &Serve<'_>) -> Option<u64> {
        fit::context(serve)
    }

    /// The smaller of what a request asks for and this counts (vllm/entrypoints/utils.py, `get_max_tokens`).
    fn longest_answer(&self, serve: &Serve<'_>) -> Option<u64> {
        serve.options.get("override_generation_config")?.get("max_new_tokens")?.as_u64()
    }

    /// Without `enable_auto_tool_choice` it refuses a request that leaves the choice of a tool to the model.
    fn calls_tools(&self, serve: &Serve<'_>) -> Option<bool> {
        let by_hand =
            ["--enable-auto-tool-choice", "--no-enable-auto-tool-choice", "--disable-auto-tool-choice"];
        let given = with_defaults(serve).get("enable_auto_tool_choice") == Some(&true.into());
        (given || !carry(serve.args, &by_hand)).then_some(given)
    }

    fn slots(&self, serve: &Serve<'_>) -> Option<u64> {
        fit::slots(serve)
    }

    /// Its metrics, which ask for no key (vllm/v1/metrics/loggers.py).
    fn occupied(&self) -> Option<Occupied> {
        Some(Occupied { path: "/metrics", count: requests })
    }

    fn draft(&self, serve: &Serve<'_>) -> Draft {
        let (_, port) = serve.listens(PORT);
        let native = serve.native.is_some();
        let program =
            serve.program().map(|program| program.into_iter().chain(["serve".to_owned()]).collect());
        Draft {
            entrypoint: program.unwrap_or_else(|| entrypoint(serve.image)),
            command: command(serve),
            port,
            health: HEALTH.to_owned(),
            files: BTreeMap::new(),
            environment: environment(if native { serve.hf_home } else { HF_HOME }),
            // vllm/envs.py; a key on the command line would show in every process list.
            api_key_variable: Some("VLLM_API_KEY".to_owned()),
            // Compiled graphs, too: without them every new container compiles again (vllm/envs.py,
            // VLLM_CACHE_ROOT).
            volumes: if native {
                vec![]
            } else {
                vec![format!("{}:{HF_HOME}", serve.hf_home), "~/.cache/vllm:/root/.cache/vllm".to_owned()]
            },
            // Its processes pass tensors through /dev/shm, which is 64 MiB in a container of its
            // own (vLLM's documentation, "Using Docker").
            ipc_host: !native,
        }
    }

    fn fetches(&self, serve: &Serve<'_>) -> Vec<Fetch> {
        fetch::fetch(serve).into_iter().collect()
    }

    fn repositories(&self, serve: &Serve<'_>) -> Vec<Repository> {
        fetch::repositories(serve)
    }

    fn takes_revisions(&self) -> bool {
        true
    }

    fn phase(&self, line: &str) -> Option<Phase> {
        phase::phase(line)
    }

    fn measures(&self) -> bool {
        true
    }

    fn measured(&self, log: &[String]) -> crate::fit::Measured {
        measured::measured(log)
    }

    fn causes(&self) -> &'static [Row] {
        causes::CAUSES
    }

    fn gives_up(&self) -> &'static [&'static str] {
        causes::GIVES_UP
    }

    fn cause(&self, log: &[String]) -> Option<usize> {
        phase::cause(log)
    }
}

const HF_HOME: &str = "/root/.cache/huggingface";

fn environment(hf_home: &str) -> BTreeMap<String, String> {
    let plain = [
        // Wherever the image would put it, the cache is where the volume is.
        ("HF_HOME", hf_home),
        // Log lines are read by machines too.
        ("NO_COLOR", "1"),
        // It reports home otherwise (vllm/usage/usage_lib.py).
        ("VLLM_NO_USAGE_STATS", "1"),
    ];
    plain.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// NVIDIA's image has a shell script for an entrypoint, which sets things up and then runs its
/// arguments; every other image is entered by vLLM itself.
fn entrypoint(image: &str) -> Vec<String> {
    let words: &[&str] = if is_nvidia(image) {
        &["/opt/nvidia/nvidia_entrypoint.sh", "vllm", "serve"]
    } else {
        &["vllm", "serve"]
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

/// NVIDIA's own image, from its registry or a mirror that keeps the path.
fn is_nvidia(image: &str) -> bool {
    let repository = repository(image);
    repository == "nvidia/vllm" || repository.ends_with("/nvidia/vllm")
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The model comes first: as an option it is deprecated, and after other options it is not
/// found (vllm/utils/argparse_utils.py, `parse_args`).
fn command(serve: &Serve<'_>) -> Vec<String> {
    let name = serve.name.to_string();
    let (host, port) = serve.listens(PORT);
    let port = port.to_string();
    let own = ["--served-model-name", name.as_str(), "--host", host, "--port", port.as_str()];
    let model = serve.model.iter().copied();
    let own = model.chain(own).map(str::to_owned);
    let options = arguments(options::OPTIONS, &with_defaults(serve), LeadingDash::Joined);
    own.chain(options).chain(serve.args.iter().cloned()).collect()
}

/// The options that were given, and those that follow from the rest of the model.
fn with_defaults(serve: &Serve<'_>) -> BTreeMap<String, Value> {
    let given = |option: &str| {
        let flag = format!("--{}", option.replace('_', "-"));
        serve.options.contains_key(option) || carry(serve.args, &[&flag])
    };
    let mut all = serve.options.clone();
    all.extend(fetch::pins(serve));
    if let Some(gpus) = serve.gpus.count().filter(|gpus| *gpus > 1)
        && !["tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"].into_iter().any(given)
        && !carry(serve.args, &["-tp", "-pp", "-dp"])
    {
        all.insert("tensor_parallel_size".to_owned(), gpus.into());
    }
    // A parser alone does nothing (vllm/entrypoints/common/cli_args.py, `validate_parsed_serve_args`
    // and the chat endpoint, which refuses `tool_choice: auto`).
    let no_tools = carry(serve.args, &["--no-enable-auto-tool-choice", "--disable-auto-tool-choice"]);
    if given("tool_call_parser") && !given("enable_auto_tool_choice") && !no_tools {
        all.insert("enable_auto_tool_choice".to_owned(), true.into());
    }
    // By itself vLLM goes by the architecture, and many an embedding model has that of a chat
    // model (vllm/config/model.py, `_get_default_runner_type`).
    let pools = matches!(serve.kind, Kind::Embedding | Kind::Rerank);
    if pools && !given("runner") && !given("convert") {
        all.insert("runner".to_owned(), "pooling".into());
    }
    all
}

/// The requests that are computed or wait, of all its engines.
fn requests(metrics: &[u8]) -> Option<u64> {
    let metrics = String::from_utf8_lossy(metrics);
    let is_one = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        ["vllm:num_requests_running", "vllm:num_requests_waiting"].contains(&name)
    };
    let values = metrics.lines().filter(is_one).map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    // What is counted is whole; anything above none is some.
    (!values.is_empty())
        .then(|| values.iter().map(|value| if *value > 0.0 { value.ceil() as u64 } else { 0 }).sum())
}
