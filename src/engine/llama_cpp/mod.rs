//! llama.cpp: `llama-server`.
//! It decides nothing about places; ports, GPUs and caches come from its caller.

mod causes;
mod check;
mod fetch;
mod fit;
mod options;
mod phase;
mod router;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::command_line::{LeadingDash, arguments, carry};
use super::{Chip, Draft, Engine, Fetch, Kind, Occupied, Opt, Phase, Repository, Serve};
use crate::diagnosis::Row;

/// llama.cpp, one server per model or for several.
pub(super) struct LlamaCpp;

/// Not the program's own default, which is 9931: the health check in its images asks here
/// (ggml-org/llama.cpp, .devops/cuda.Dockerfile).
const PORT: u16 = 8080;
/// Answers without a key.
const HEALTH: &str = "/health";

/// One of the requests that it can answer at the same time.
#[derive(serde::Deserialize)]
struct Slot {
    is_processing: bool,
}

impl Engine for LlamaCpp {
    fn name(&self) -> &'static str {
        "llama_cpp"
    }

    fn image_variable(&self) -> &'static str {
        "llama_cpp_image"
    }

    /// The release whose options this directory lists. Images are published for releases and for
    /// some builds only, so a build's number is not enough for a tag. `server-cuda` is CUDA 12,
    /// which more drivers run than `server-cuda13`.
    fn default_image(&self, chip: Chip) -> Option<&'static str> {
        Some(match chip {
            Chip::None => "ghcr.io/ggml-org/llama.cpp:server-v0.7.0",
            Chip::Nvidia => "ghcr.io/ggml-org/llama.cpp:server-cuda-v0.7.0",
            Chip::Amd => "ghcr.io/ggml-org/llama.cpp:server-rocm-v0.7.0",
            Chip::Dri => "ghcr.io/ggml-org/llama.cpp:server-vulkan-v0.7.0",
        })
    }

    fn program(&self) -> Option<&'static str> {
        Some("llama-server")
    }

    fn install(&self) -> &'static str {
        "Homebrew has it (brew install llama.cpp), and so do some distributions (apt install llama.cpp, from Debian 14 on); of \
         one that was built there `command` gives the path"
    }

    // Its help says so of --device.
    fn without_gpu(&self) -> Option<(&'static str, &'static str)> {
        Some(("LLAMA_ARG_DEVICE", "none"))
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

    fn memory(&self, serve: &Serve<'_>) -> Option<(crate::fit::Options, Vec<crate::fit::Extra>)> {
        serve.several.is_none().then(|| (fit::options(serve), fit::besides(serve)))
    }

    /// `ctx_size` is what all slots have together; with `kv_unified`, which also holds where nobody says how many slots
    /// there are, one of them may have all of it (llama-server's help). 0 is the model's own.
    fn context(&self, serve: &Serve<'_>) -> Option<u64> {
        let number = |option: &str| serve.options.get(option).and_then(serde_json::Value::as_u64);
        let by_hand = ["--ctx-size", "-c", "--parallel", "-np", "--kv-unified", "-kvu", "--no-kv-unified"];
        if carry(serve.args, &by_hand) || serve.options.contains_key("kv_unified_per_slot") {
            return None;
        }
        let all = number("ctx_size").filter(|all| *all > 0)?;
        let unified = serve.options.get("kv_unified") == Some(&true.into());
        let slots = number("parallel").filter(|slots| *slots > 0 && !unified).unwrap_or(1);
        Some(all / slots)
    }

    /// `--predict`, also called `--n-predict`; less than 1 is no end (llama-server's help).
    fn longest_answer(&self, serve: &Serve<'_>) -> Option<u64> {
        let typed = ["predict", "n_predict"].into_iter().find_map(|name| serve.options.get(name));
        typed?.as_u64().filter(|most| *most > 0)
    }

    /// Jinja templates, without which it knows no tools, are on unless somebody says otherwise (llama-server's help).
    fn calls_tools(&self, serve: &Serve<'_>) -> Option<bool> {
        (!carry(serve.args, &["--no-jinja"])).then(|| serve.options.get("jinja") != Some(&false.into()))
    }

    fn serves_several(&self) -> bool {
        true
    }

    fn upstream(&self, serve: &Serve<'_>) -> String {
        if serve.member { router::upstream(serve.name) } else { serve.name.to_string() }
    }

    fn slots(&self, serve: &Serve<'_>) -> Option<u64> {
        if carry(serve.args, &["--parallel", "-np"]) {
            return None;
        }
        serve.options.get("parallel")?.as_u64().filter(|slots| *slots > 0)
    }

    /// Each of its slots says whether it is answering; the next request that waits takes a slot as soon as one is free
    /// (tools/server/README.md, `/slots`). A router tells of no slots of its own.
    fn occupied(&self) -> Option<Occupied> {
        let count = |body: &[u8]| {
            let slots: Vec<Slot> = serde_json::from_slice(body).ok()?;
            u64::try_from(slots.iter().filter(|slot| slot.is_processing).count()).ok()
        };
        Some(Occupied { path: "/slots", count })
    }

    fn draft(&self, serve: &Serve<'_>) -> Draft {
        let several = serve.several.as_ref();
        let (_, port) = serve.listens(PORT);
        let native = serve.native.is_some();
        Draft {
            entrypoint: serve.program().unwrap_or_else(|| vec!["/app/llama-server".to_owned()]),
            command: several.map_or_else(|| command(serve), |several| router::command(serve, several)),
            files: several.map(router::files).unwrap_or_default(),
            port,
            health: HEALTH.to_owned(),
            // As its help says of --api-key.
            api_key_variable: Some("LLAMA_API_KEY".to_owned()),
            // Repositories of Hugging Face land in the same layout that Python's library uses
            // (seen with 0.7.0); everything else in llama.cpp's own cache.
            volumes: if native {
                vec![]
            } else {
                vec![
                    format!("{}:/root/.cache/huggingface", serve.hf_home),
                    "~/.cache/llama.cpp:/root/.cache/llama.cpp".to_owned(),
                ]
            },
            environment: if native {
                [("HF_HOME".to_owned(), serve.hf_home.to_owned())].into()
            } else {
                BTreeMap::new()
            },
            ..Draft::default()
        }
    }

    fn fetches(&self, serve: &Serve<'_>) -> Vec<Fetch> {
        fetch::fetches(serve)
    }

    fn repositories(&self, serve: &Serve<'_>) -> Vec<Repository> {
        fetch::repositories(serve)
    }

    fn phase(&self, line: &str) -> Option<Phase> {
        phase::phase(line)
    }

    fn causes(&self) -> &'static [Row] {
        causes::CAUSES
    }

    fn gives_up(&self) -> &'static [&'static str] {
        causes::GIVES_UP
    }

    /// A router goes on when the process of one of its models gives up.
    fn gave_up(&self, line: &str) -> bool {
        router::port_of(line).is_none() && self.gives_up().iter().any(|words| line.contains(words))
    }

    fn about<'l>(&self, log: &'l [String], line: &str) -> Option<&'l str> {
        router::about(log, line)
    }
}

/// Where a model comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    /// A file in the container.
    File(&'a str),
    /// To be downloaded.
    Url(&'a str),
    /// `user/repo[:quant]` on Hugging Face.
    Repository(&'a str),
}

fn source(model: &str) -> Source<'_> {
    if model.starts_with("https://") || model.starts_with("http://") {
        Source::Url(model)
    } else if ["/", "./", "../"].iter().any(|p| model.starts_with(p)) || is_gguf(model) {
        Source::File(model)
    } else {
        Source::Repository(model)
    }
}

fn is_gguf(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".gguf")
}

/// llama-server knows no `--flag=value`; it takes the next argument for the value, whatever it
/// looks like (tried with 0.7.0).
fn command(serve: &Serve<'_>) -> Vec<String> {
    let name = serve.name.to_string();
    let (host, port) = serve.listens(PORT);
    let port = port.to_string();
    let model = serve.model.map(|model| match source(model) {
        Source::File(path) => ["--model", path],
        Source::Url(url) => ["--model-url", url],
        Source::Repository(repository) => ["--hf-repo", repository],
    });
    let own = ["--alias", name.as_str(), "--host", host, "--port", port.as_str()];
    let own = model.into_iter().flatten().chain(own).chain(kind(serve)).map(str::to_owned);
    let options = arguments(options::OPTIONS, serve.options, LeadingDash::Apart);
    own.chain(options).chain(serve.args.iter().cloned()).collect()
}

/// The endpoints for vectors and scores are there only when asked for.
fn kind(serve: &Serve<'_>) -> Option<&'static str> {
    let (flag, names, flags) = match serve.kind {
        Kind::Chat | Kind::Completion => return None,
        Kind::Embedding => ("--embeddings", EMBEDDING, ["--embedding", "--embeddings"]),
        Kind::Rerank => ("--reranking", RERANK, ["--rerank", "--reranking"]),
    };
    let given = names.iter().any(|name| serve.options.contains_key(*name)) || carry(serve.args, &flags);
    (!given).then_some(flag)
}

const EMBEDDING: [&str; 2] = ["embedding", "embeddings"];
const RERANK: [&str; 2] = ["rerank", "reranking"];
