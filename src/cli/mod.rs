//! The command line: what may be typed, and what each word means.
//! It parses; the verbs do.

mod around;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::names::HostName;
use crate::starter::{Host, Model};

pub use around::*;

/// One inventory, one command, one gateway: language models on your own machines.
#[derive(Debug, Parser)]
#[command(
    name = "homelab",
    version,
    about,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, nothing to do, in sync · 1 failed, or status or doctor found something amiss ·\n\
                  2 changes pending (plan --detailed-exitcode, clients --check) · 64 wrong usage · 65 your files are wrong ·\n\
                  130 interrupted.\n\nStart with homelab init or a copy of inventory.example.yml, then: homelab plan, homelab deploy."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// An inventory: a file in YAML or INI, a directory of such files, or hosts as in `box,nas,`.
    /// May be repeated; group_vars/ and host_vars/ lie beside each, templates/ beside the first
    #[arg(
        short,
        long,
        value_name = "PATH",
        env = "HOMELAB_INVENTORY",
        default_value = "inventory.yml",
        global = true
    )]
    pub inventory: Vec<PathBuf>,
    /// Variables that beat all others: KEY=VALUE (a string), @FILE or {"KEY": VALUE}. May be repeated
    #[arg(short, long = "extra-vars", value_name = "VARS", global = true)]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub vault: VaultArgs,
    /// Act only on these hosts: names, groups, `*`, `~REGEX`, joined by `,` or `:`; `!` leaves out, `&`
    /// keeps only, `[0:2]` picks. The gateway's config is that of the whole cluster all the same
    #[arg(long, value_name = "PATTERN", global = true)]
    pub limit: Option<String>,
    /// Say more: connections, requests, times
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colours; NO_COLOR is honoured too
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,
}

/// Where the passwords of Ansible Vault come from. One is asked for or read only when something needs it.
#[derive(Clone, Debug, Args)]
pub struct VaultArgs {
    /// The file with the password of Ansible Vault, or a script that prints it. May be repeated; the one
    /// of ANSIBLE_VAULT_PASSWORD_FILE is tried too
    #[arg(
        long = "vault-password-file",
        visible_alias = "vault-pass-file",
        value_name = "FILE",
        global = true
    )]
    pub password_files: Vec<PathBuf>,
    /// A password with its vault id: ID@FILE, ID@SCRIPT or ID@prompt, to be asked for it. May be repeated;
    /// those of ANSIBLE_VAULT_IDENTITY_LIST are tried first
    #[arg(long = "vault-id", value_name = "[ID@]SOURCE", global = true)]
    pub ids: Vec<String>,
    /// Ask on the terminal for the password of Ansible Vault, once something needs it
    #[arg(short = 'J', long = "ask-vault-pass", visible_alias = "ask-vault-password", global = true)]
    pub ask: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what deploy would do and why; reads only
    Plan(PlanArgs),
    /// Make it so: start, swap and remove models until every one answers through the gateway
    Deploy(DeployArgs),
    /// Is it so: every service beside what the inventory says; exit 1 if something is amiss
    Status(StatusArgs),
    /// What is wrong with the hosts, and the fix: Docker, GPUs, disks, clocks, ports; exit 1 if something is
    Doctor(DoctorArgs),
    /// Whether a model fits a GPU, and what would; needs no inventory and downloads no weights
    Fit(FitArgs),
    /// Set up hosts that have nothing yet: Docker, who may use it, NVIDIA's container toolkit; only what is missing
    Bootstrap(BootstrapArgs),
    /// Write every file that deploy would push
    Render(RenderArgs),
    /// What Claude Code, opencode, Codex, JetBrains IDEs and SDKs must be told; writes it into their files if asked
    Clients(ClientsArgs),
    /// Pin images to what their tags mean now, in homelab.lock; a deploy then brings them to the hosts
    Update(UpdateArgs),
    /// List secrets by name and source, never by value; replace the keys that homelab made
    Secrets(SecretsArgs),
    /// Remove what homelab made, its keys too; images and model caches stay
    Down(DownArgs),
    /// Show hosts, groups and variables as ansible-inventory does; reads only
    Inventory(InventoryArgs),
    /// Write a first inventory: asks on a terminal, or takes what it needs from its options
    Init(InitArgs),
    /// Print the JSON Schema of inventories, for editors that complete and check
    Schema {
        /// What the schema is for
        #[arg(value_name = "OF", default_value = "inventory")]
        of: SchemaOf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// An inventory: groups and hosts
    Inventory,
    /// A file in group_vars or host_vars
    Vars,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Connect to no host, read no secret; what only a host knows is taken as missing
    #[arg(long, conflicts_with = "wake")]
    pub offline: bool,
    #[command(flatten)]
    pub waking: Waking,
    /// Compare with this directory's inventory instead, as if that were deployed: what a pull
    /// request would change, with the base branch checked out in DIR
    #[arg(long, value_name = "DIR", requires = "offline")]
    pub against: Option<PathBuf>,
    /// Show what changes in every file that would be written or removed
    #[arg(long)]
    pub diff: bool,
    /// Refuse if a deploy would change homelab.lock (exit 65)
    #[arg(long)]
    pub locked: bool,
    /// How to print the plan
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Exit with 2 if there is something to do
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// How to print a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For scripts (docs/json.md)
    Json,
    /// For a comment on a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub struct DeployArgs {
    #[command(flatten)]
    pub turn: Turn,
    #[command(flatten)]
    pub sleeping: Sleeping,
    /// Do not ask before something that serves is stopped
    #[arg(short, long)]
    pub yes: bool,
    /// Stop after planning: the same as plan
    #[arg(long)]
    pub dry_run: bool,
    /// First set up the hosts that lack something, as homelab bootstrap does
    #[arg(long, conflicts_with = "json")]
    pub bootstrap: bool,
    #[command(flatten)]
    pub root: RootArgs,
    /// Show what changes in every file before anything is done
    #[arg(long)]
    pub diff: bool,
    /// Refuse to change homelab.lock, for CI: an image without a pin ends in exit 65 before anything is done
    #[arg(long)]
    pub locked: bool,
    /// Print the plan and what came of it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Whether a verb that only looks wakes hosts.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Waking {
    /// First wake hosts that do not answer and have homelab_wake, as deploy does
    #[arg(long)]
    pub wake: bool,
}

/// Whether a verb that changes hosts wakes them.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Sleeping {
    /// Wake no host: one that sleeps does not answer
    #[arg(long)]
    pub no_wake: bool,
}

/// How to get along with others who deploy.
#[derive(Debug, Args)]
pub struct Turn {
    /// Wait for so long where another homelab changes a host; 0 gives up at once
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub lock_wait: u32,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub waking: Waking,
    /// Print the table as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Fixes are printed, never run. Where a model wants a GPU and its image is on the host, one container without \
                  a network runs nvidia-smi for a moment; nothing else is changed."
)]
pub struct DoctorArgs {
    /// Only this host of the inventory
    #[arg(value_name = "HOST")]
    pub host: Option<String>,
    #[command(flatten)]
    pub waking: Waking,
    /// Start no container: whether one sees the GPUs stays unknown
    #[arg(long)]
    pub no_container: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RenderArgs {
    /// Where to write: a directory per host
    #[arg(long, value_name = "DIR", default_value = "rendered")]
    pub out: PathBuf,
    /// Fill in secrets (files become mode 0600); asks the hosts. Else placeholders stand there
    #[arg(long)]
    pub with_secrets: bool,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    pub turn: Turn,
    #[command(flatten)]
    pub sleeping: Sleeping,
    /// Do not ask before something that serves is stopped
    #[arg(short, long)]
    pub yes: bool,
    /// Only on hosts that left the inventory, as homelab.lock beside it remembers them
    #[arg(long)]
    pub dropped: bool,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where inventory.yml is to be; one that is there is never touched
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// A host: NAME, NAME=ADDRESS, NAME=USER@ADDRESS, or NAME=local for this machine. Once for each
    #[arg(long = "host", value_name = "NAME=[USER@]ADDRESS")]
    pub hosts: Vec<Host>,
    /// The host of the gateway [default: the first without a model, else the first]
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<HostName>,
    /// A model, as in qwen3-4b=box:vllm:Qwen/Qwen3-4B-AWQ. Once for each
    #[arg(long = "model", value_name = "NAME=HOST:ENGINE:MODEL")]
    pub models: Vec<Model>,
    /// Ask nothing; what the options do not say gets its default
    #[arg(short, long)]
    pub yes: bool,
    /// Do not look at the hosts for their GPUs
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The output is that of ansible-inventory, byte for byte: expressions stand as they were typed.\n\
                  What is or was in an Ansible Vault is shown as <vault>.\n\n  \
                  homelab inventory --list | jq '._meta.hostvars'\n  \
                  homelab inventory --host gpu-server --resolved\n  \
                  homelab inventory --graph --vars inference"
)]
pub struct InventoryArgs {
    #[command(flatten)]
    pub show: Show,
    /// With --graph: the group to begin with
    #[arg(value_name = "GROUP", default_value = "all", conflicts_with_all = ["list", "host"])]
    pub group: String,
    /// With --graph: show variables, too
    #[arg(long, conflicts_with_all = ["list", "host"])]
    pub vars: bool,
    /// Evaluate {{ expressions }}; what cannot be evaluated stays as it was typed
    #[arg(long)]
    pub resolved: bool,
}

/// What to show of an inventory.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Show {
    /// All groups, and the variables of all hosts (or those of --limit), as JSON
    #[arg(long)]
    pub list: bool,
    /// The variables of one host as JSON
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The groups and their hosts as a tree
    #[arg(long)]
    pub graph: bool,
}
