//! Engines: what serves a model, in a container or as a program of the host's own. One file per engine, one line in [`ALL`].
//! An engine turns typed options into a command line; it knows no host and runs nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnosis::Row;
use crate::fit;
use crate::names::ModelName;

pub use fetch::Fetch;
pub use gpus::Gpus;
pub use kind::{Kind, Load, Loading};
pub use native::Native;
pub use option::{Opt, Takes};
pub use repository::{HUB_OFFLINE, Repository};

/// Whose GPUs a model uses, for images are made for one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// None: it runs on the CPU.
    None,
    /// NVIDIA's.
    Nvidia,
    /// AMD's, by ROCm.
    Amd,
    /// Whatever is behind `/dev/dri`: Intel's, and others by Vulkan.
    Dri,
}

impl Chip {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::None, Self::Nvidia, Self::Amd, Self::Dri];
}

/// A model as its engine sees it: every default resolved, no place, no host.
#[derive(Clone, Debug, PartialEq)]
pub struct Serve<'a> {
    /// The public name: what the server must answer to.
    pub name: &'a ModelName,
    /// The `model:` key: a repo id, a file in the container, as the engine calls it.
    pub model: Option<&'a str>,
    /// What it is for.
    pub kind: Kind,
    /// The engine's options that were given, by name, values as typed.
    pub options: &'a BTreeMap<String, Value>,
    /// Further arguments, passed through last.
    pub args: &'a [String],
    /// Where it runs.
    pub gpus: &'a Gpus,
    /// The image that will run, so that the entrypoint can fit it.
    pub image: &'a str,
    /// Whether clients must show a key.
    pub api_key: bool,
    /// Whether it is one of several behind a server.
    pub member: bool,
    /// When it is loaded.
    pub load: Load,
    /// After how many idle seconds it is unloaded.
    pub ttl: Option<u64>,
    /// The models behind it, if this is a server of several; its own name is then no model's.
    pub several: Option<Several<'a>>,
    /// The host's Hugging Face cache, an absolute path on the host or one that starts with `~/`.
    pub hf_home: &'a str,
    /// The commits that `homelab.lock` pins, by [`Repository::key`].
    pub revisions: &'a BTreeMap<String, String>,
    /// How the host itself runs it; none in a container.
    pub native: Option<Native<'a>>,
}

/// The models behind one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Several<'a> {
    /// How many of them are loaded at the same time at most.
    pub models_max: u64,
    /// The models.
    pub members: Vec<Serve<'a>>,
}

/// What an engine asks of a container. Compose keys the user typed are laid over it later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// The whole entrypoint; empty leaves the image its own.
    pub entrypoint: Vec<String>,
    /// The arguments after it.
    pub command: Vec<String>,
    /// The port it listens on inside its container.
    pub port: u16,
    /// The path that answers 200 once it takes requests, and never loads or computes anything.
    pub health: String,
    /// Plain environment variables.
    pub environment: BTreeMap<String, String>,
    /// The environment variable that carries the API key, when [`Serve::api_key`] is set.
    pub api_key_variable: Option<String>,
    /// `SOURCE:TARGET[:ro]`; a source may start with `~/`, the SSH user's home on the host.
    pub volumes: Vec<String>,
    /// Small files to mount, by path in the container.
    pub files: BTreeMap<String, String>,
    /// Whether processes in it share memory with the host's (`ipc: host`).
    pub ipc_host: bool,
}

/// A part of the memory of GPUs.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// Of each of the GPUs: 1 is all of it.
    pub part: f64,
    /// The key that says so; it need not be typed.
    pub key: &'static str,
    /// The GPUs that surely are among those it takes it of.
    pub gpus: BTreeSet<u32>,
}

/// How a server tells how many requests it is answering.
#[derive(Clone, Copy, Debug)]
pub struct Occupied {
    /// What it is asked for.
    pub path: &'static str,
    /// How many that are, those that wait too; none if the answer does not say it.
    pub count: fn(&[u8]) -> Option<u64>,
}

/// What a starting server is doing, as its log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// In a word or two: `loading`, `compiling`, `warming up`.
    pub what: String,
    /// How far, where the log says so.
    pub percent: Option<u8>,
}

/// An engine.
pub trait Engine: Sync {
    /// Its name in the inventory: `engine: vllm`.
    fn name(&self) -> &'static str;

    /// The host variable that names its image for all models, as in `vllm_image`.
    fn image_variable(&self) -> &'static str;

    /// The host variable whose keys go under every model of it, as in `vllm_defaults`.
    fn defaults_variable(&self) -> String {
        format!("{}_defaults", self.name())
    }

    /// The image when nobody names one, by a version tag, never a floating one; none where only the user can know.
    fn default_image(&self, chip: Chip) -> Option<&'static str>;

    /// The program by which a host itself runs it, by its name; none where only the user can know.
    fn program(&self) -> Option<&'static str> {
        None
    }

    /// How that gets onto a host: homelab downloads no program by itself.
    fn install(&self) -> &'static str {
        "install it there, and give its path by `command`"
    }

    /// The variable, with its value, by which a program of the host's own leaves a Mac's GPU alone, if there is one.
    fn without_gpu(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Its own options, sorted by name.
    fn options(&self) -> &'static [Opt];

    /// What of `serve` cannot work, said as a sentence fragment with the key it is about.
    ///
    /// # Errors
    /// The key in the inventory and what is wrong with it.
    fn check(&self, serve: &Serve<'_>) -> Result<(), (&'static str, String)>;

    /// What of `serve` works, but hardly as it is meant: each key and a sentence fragment about it.
    fn advice(&self, _serve: &Serve<'_>) -> Vec<(&'static str, String)> {
        vec![]
    }

    /// Whether one server of it can serve several models.
    fn serves_several(&self) -> bool {
        false
    }

    /// The port of the server that all its models on a host share where they name no other one; none where each model
    /// has a server and a port of its own.
    fn shared_port(&self) -> Option<u16> {
        None
    }

    /// Whether an option may be a model's own where a server serves several; else it is that server's.
    fn is_of_model(&self, _option: &str) -> bool {
        true
    }

    /// The option of its own that says how many models a server has loaded at the same time at most; none where that is
    /// homelab's `models_max`.
    fn models_max(&self) -> Option<&'static str> {
        None
    }

    /// Whether its server can ask clients for a key.
    fn checks_keys(&self) -> bool {
        true
    }

    /// How its server is told to load a model; none where it loads by itself what it is to load.
    fn loading(&self, _serve: &Serve<'_>) -> Option<Loading> {
        None
    }

    /// What it takes of its GPUs' memory from the start; none where that is not known.
    fn share(&self, _serve: &Serve<'_>) -> Option<Share> {
        None
    }

    /// What its options say of memory, and what loads beside the weights; none where nobody knows what it loads.
    fn memory(&self, _serve: &Serve<'_>) -> Option<(fit::Options, Vec<fit::Extra>)> {
        None
    }

    /// How many tokens a request may have, prompt and answer together; none where only the model says it.
    fn context(&self, serve: &Serve<'_>) -> Option<u64>;

    /// How many tokens an answer may have where a client asks for more; none where only the context ends it.
    fn longest_answer(&self, serve: &Serve<'_>) -> Option<u64>;

    /// Whether its server turns what a model writes into tool calls; none where only its arguments say it.
    fn calls_tools(&self, serve: &Serve<'_>) -> Option<bool>;

    /// How many requests its server answers at the same time; further ones wait. None where its options do not say it.
    fn slots(&self, _serve: &Serve<'_>) -> Option<u64> {
        None
    }

    /// Keys that are homelab's to set, and what to use instead of each.
    fn reserved(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What its server calls it. Wherever that can be chosen it is the public name, so that another model behind that
    /// name changes nothing at the gateway.
    fn upstream(&self, serve: &Serve<'_>) -> String {
        serve.name.to_string()
    }

    /// The container that serves it, or the program of the host's own.
    fn draft(&self, serve: &Serve<'_>) -> Draft;

    /// What it downloads when it starts or loads a model, and how that is done before; none where there is nothing, or
    /// no way.
    fn fetches(&self, serve: &Serve<'_>) -> Vec<Fetch>;

    /// The repositories of the hub that it loads from and whose commit is left open, each with its pin.
    fn repositories(&self, _serve: &Serve<'_>) -> Vec<Repository> {
        vec![]
    }

    /// Whether its server can be told which commit to load; else only what is in its cache decides.
    fn takes_revisions(&self) -> bool {
        false
    }

    /// How its server tells what it is answering; none where it does not tell.
    fn occupied(&self) -> Option<Occupied> {
        None
    }

    /// What a line of its log says it is doing; none if the line says nothing of that.
    fn phase(&self, line: &str) -> Option<Phase>;

    /// Whether the log of a start says what it took of the memory.
    fn measures(&self) -> bool {
        false
    }

    /// What it says of that.
    fn measured(&self, _log: &[String]) -> fit::Measured {
        fit::Measured::default()
    }

    /// What its log says when it does not come up, the more specific first.
    fn causes(&self) -> &'static [Row];

    /// Words in its log after which it never answers.
    fn gives_up(&self) -> &'static [&'static str];

    /// Whether a line of its log says that it never answers.
    fn gave_up(&self, line: &str) -> bool {
        self.gives_up().iter().any(|words| line.contains(words))
    }

    /// Which of the models behind a server of several a line of its log is about, as the server calls it; none where it
    /// is about the server.
    fn about<'l>(&self, _log: &'l [String], _line: &str) -> Option<&'l str> {
        None
    }

    /// Which line of a log tells why its server ended, where the last ones only refer to it.
    fn cause(&self, _log: &[String]) -> Option<usize> {
        None
    }
}

mod command_line;
mod fetch;
mod gpus;
mod kind;
mod llama_cpp;
mod native;
mod ollama;
mod openai;
mod option;
mod repository;
#[cfg(test)]
mod testing;
mod vllm;

/// Every engine.
pub const ALL: &[&dyn Engine] = &[&vllm::Vllm, &llama_cpp::LlamaCpp, &ollama::Ollama, &openai::OpenAi];

/// The engine of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Engine> {
    ALL.iter().copied().find(|e| e.name() == name)
}
