//! What may be typed for the verbs around a deploy: setting hosts up, fitting models, pins, secrets, clients.
//! It parses; the verbs do.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::{Sleeping, Turn, Waking};
use crate::client;
use crate::names::ByteSize;

/// How to become root, where something is to be installed.
#[derive(Clone, Copy, Debug, Args)]
pub struct RootArgs {
    /// Ask once, on the terminal, for the password of sudo on the hosts
    #[arg(short = 'K', long = "ask-become-pass")]
    pub ask_become_pass: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "It looks first, shows what it would do, asks, and does only that. It becomes root by sudo, which must ask \
                  for no password or for the one of -K. GPU drivers are never touched: what is needed is said.\n\n  \
                  homelab bootstrap --dry-run\n  \
                  homelab bootstrap --limit gpu-server -K\n  \
                  homelab deploy --bootstrap"
)]
pub struct BootstrapArgs {
    /// Do not ask before anything is installed
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be done, and stop; wakes no host
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub sleeping: Sleeping,
    #[command(flatten)]
    pub root: RootArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Sizes and configs come from Hugging Face's hub through curl (HF_ENDPOINT, HF_TOKEN), or from files here.\n\n  \
                  homelab fit Qwen/Qwen3-14B-AWQ --gpu 16GB\n  \
                  homelab fit unsloth/Qwen3-14B-GGUF:Q4_K_M --gpu 12GB --context 16384\n  \
                  homelab fit meta-llama/Llama-3.3-70B-Instruct --gpu 48GB --gpu 48GB\n  \
                  homelab fit                      # every model of the inventory on its host's GPUs\n\n\
                  Exit code 1: something does not fit, or cannot be found out."
)]
pub struct FitArgs {
    /// A repository on the hub (user/repo, user/repo:quant), a directory with a config.json, a .gguf file,
    /// or a model or server of several of the inventory; without it, every model of the inventory
    #[arg(value_name = "MODEL")]
    pub model: Option<String>,
    /// The memory of the GPU, as in 24GB. Once for each GPU the model is spread over
    #[arg(long = "gpu", value_name = "SIZE")]
    pub gpus: Vec<ByteSize>,
    /// Tokens of a request, prompt and answer together [default: what the model was made for, or what its options say]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub context: Option<u64>,
    /// Print the verdicts as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The key shows only with --key or --with-secrets; it comes from the gateway's host, or from where master_key says.\n\
                  --check exits with 0 if nothing would change, with 2 if --write would change something.\n\n  \
                  homelab clients\n  \
                  homelab clients claude-code --write\n  \
                  homelab clients opencode --write --project ~/src/shop --model qwen3-30b\n  \
                  export OPENAI_API_KEY=\"$(homelab clients --key)\""
)]
pub struct ClientsArgs {
    /// The client; without one, all are listed, and the models
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(client::ALL.iter().map(|c| c.name())))]
    pub name: Option<String>,
    /// The model for the work itself [default: the chat model that calls tools and has the longest context]
    #[arg(long, value_name = "NAME", requires = "name")]
    pub model: Option<String>,
    /// The model for titles and summaries [default: the same]
    #[arg(long, value_name = "NAME", requires = "name")]
    pub small_model: Option<String>,
    /// The settings of one project instead of those of all; opencode has such
    #[arg(long, value_name = "DIR", requires = "name")]
    pub project: Option<PathBuf>,
    /// Merge the settings into the client's own files: shows what changes, asks, keeps a copy of each file
    #[arg(long, requires = "name")]
    pub write: bool,
    /// Do the client's files still fit the cluster: show what --write would change
    #[arg(long, requires = "name", conflicts_with = "write")]
    pub check: bool,
    /// With --write: do not ask
    #[arg(short, long, requires = "write")]
    pub yes: bool,
    /// Fill the key in where the settings are printed
    #[arg(long, requires = "name", conflicts_with_all = ["write", "check"])]
    pub with_secrets: bool,
    /// Print the key and nothing else
    #[arg(long, conflicts_with = "name")]
    pub key: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Registries are asked by a host that runs the image, as for a pull, with its registry_auth. Nothing is \
                        pulled and nothing that runs is touched:\n\n  homelab update\n  homelab update \
                        ghcr.io/berriai/litellm:v1.109.1 --dry-run"
)]
pub struct UpdateArgs {
    /// Images and repositories of Hugging Face as the inventory names them [default: all that it uses]
    #[arg(value_name = "WHAT")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub waking: Waking,
    /// Show what would move and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SecretsArgs {
    #[command(subcommand)]
    pub verb: Option<SecretsVerb>,
}

/// What to do with secrets, if not to list them.
#[derive(Debug, Subcommand)]
pub enum SecretsVerb {
    /// Make a new root key and with it every key that homelab made: models first, the gateway last
    #[command(
        after_help = "Between a model's new key and the gateway's, requests for that model fail. Every host must be \
                      reachable; one that is optional and away keeps its old keys until a deploy finds it. A secret of yours is changed where it comes from; homelab deploy brings it to the \
                      hosts."
    )]
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Replace this key alone: `gateway`, `model/NAME` or NAME, as homelab secrets lists them [default: all keys]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub turn: Turn,
    #[command(flatten)]
    pub sleeping: Sleeping,
    /// Do not ask before something that serves is stopped
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be done and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
