//! What was found out about a host, and what the inventory wants of it. Plain data without secrets.
//! It is filled by `host::doctor`; text from hosts is cleaned already.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::survey::{Failure, Gpu, Images};

/// What the inventory wants of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Whether a model there wants an NVIDIA GPU.
    pub gpus: bool,
    /// The ports it publishes, and for which service.
    pub ports: BTreeMap<u16, String>,
    /// Those of them that everybody may ask who reaches the host.
    pub open: BTreeSet<u16>,
    /// Whether its models are all services of the host's own, and no gateway runs there.
    pub no_docker: bool,
}

/// What was found out about a host that was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// How the login went; none on this machine.
    pub login: Option<Login>,
    /// What the host tells of itself, or why it does not.
    pub machine: Result<Machine, Failure>,
    /// What Docker tells, or why it does not.
    pub docker: Result<Engine, Failure>,
    /// What a container sees of the GPUs.
    pub inside: Inside,
    /// Which models the gateway's host reaches; filled for that host only.
    pub reach: Vec<Reach>,
}

/// How the login went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// How long it took.
    pub took: Duration,
    /// Whether there was one: an earlier run's connection may have been there.
    pub fresh: bool,
    /// How many sessions sshd gave at once, of those that were tried.
    pub sessions: u32,
    /// How many seconds the host's clock is ahead of this machine's, the way taken off.
    pub clock: Option<i64>,
}

/// What one process on the host told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Who homelab is there.
    pub user: String,
    /// Their login shell.
    pub shell: String,
    /// Commands that a deploy needs and that are not there.
    pub lacks: Vec<String>,
    /// Where Docker and models lie.
    pub disks: Vec<Disk>,
    /// Its memory; none where the system does not tell.
    pub memory: Option<Memory>,
    /// Who listens on a TCP port, as far as it may be seen without being root.
    pub listeners: BTreeMap<u16, String>,
    /// Whether `ufw` is switched on.
    pub ufw: bool,
    /// PCI vendors of its graphics cards, as in `0x10de`.
    pub cards: BTreeSet<String>,
    /// What is there of NVIDIA.
    pub nvidia: Nvidia,
    /// AMD's and Intel's device files.
    pub devices: Vec<Device>,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The directory that was asked for, as the inventory or Docker calls it.
    pub dir: String,
    /// Where its file system is mounted.
    pub mount: String,
    /// Bytes that may still be used.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What programs could still have.
    pub available: u64,
    /// Swap space.
    pub swap: u64,
}

/// What is there of NVIDIA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nvidia {
    /// With what `nvidia-smi` ended; none if there is no such command.
    pub code: Option<i32>,
    /// All that it said.
    pub said: Vec<String>,
    /// Whether a GPU's persistence mode is off.
    pub persistence_off: bool,
    /// What the loaded kernel module says of itself.
    pub module: Option<String>,
    /// What the Container Toolkit says of itself.
    pub toolkit: Option<String>,
    /// Programs that compute on a GPU.
    pub apps: Vec<App>,
}

/// A program on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its process.
    pub pid: u32,
    /// Its name, as NVIDIA's driver tells it.
    pub name: String,
    /// MiB; none where the driver does not tell.
    pub memory: Option<u64>,
    /// Whose process it is.
    pub user: Option<String>,
    /// Full ids in its cgroups: its container's, and that of a container around its host, if there is one.
    pub containers: Vec<String>,
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its path.
    pub path: String,
    /// The group it belongs to.
    pub group: String,
    /// The group's number.
    pub gid: String,
}

/// What Docker tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engine {
    /// Its release.
    pub version: String,
    /// Its storage driver.
    pub storage: String,
    /// `1` or `2`.
    pub cgroup: String,
    /// Where it keeps its data.
    pub root_dir: String,
    /// Whether it runs as a plain user.
    pub rootless: bool,
    /// The runtimes it knows.
    pub runtimes: BTreeSet<String>,
    /// NVIDIA devices it knows by CDI.
    pub cdi: BTreeSet<String>,
    /// Containers by full id: their names, and whether they are this project's.
    pub containers: BTreeMap<String, (String, bool)>,
    /// Ports that others hold, and who as far as Docker knows.
    pub taken: BTreeMap<u16, String>,
    /// Images that are there, by every reference.
    pub images: Images,
}

/// What a container sees of the GPUs.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Inside {
    /// Nobody tried.
    #[default]
    NotTried,
    /// None of these images is on the host yet.
    NoImage,
    /// It could not be made or started.
    Failed(Failure),
    /// What its `nvidia-smi` said.
    Said(Vec<String>),
}

/// Whether the gateway's host reaches a model that answers on its own host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The model and its host.
    pub what: String,
    /// Where it was looked for.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Why there was no answer.
    pub answer: Result<(), String>,
}

/// GPUs and the driver's version, as `nvidia-smi` tells.
pub(super) type Gpus = (Vec<Gpu>, Option<String>);
