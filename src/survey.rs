//! What a look at the hosts found: facts, containers, files. Plain data, without secrets.
//! It is filled by `host::survey` and read by the pure part; nothing here looks or acts.

mod native;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::claim::Holder;
use crate::diagnosis::{Finding, Place};
use crate::diagnostic::clean;
use crate::image;
use crate::names::{ByteSize, HostName};
use crate::service::Service;

pub use native::{Manager, Native};

/// Everything that was seen in one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Each host that was asked, and what came of it.
    pub hosts: BTreeMap<HostName, Look>,
    /// Whether the gateway's host holds the root key.
    pub root_key: RootKey,
    /// What `ssh -G` says of hosts that could not be seen: a host that is down keeps its address,
    /// or the gateway's config would change because of it.
    pub addresses: BTreeMap<HostName, String>,
}

/// Whether there is a root key, from which the keys nobody supplied are derived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RootKey {
    /// The gateway's host could not be asked.
    #[default]
    Unknown,
    /// It has none yet.
    Absent,
    /// It has one.
    Present,
    /// It has one, and a key that is derived from it is about to be another one.
    Outdated,
}

/// What came of looking at one host.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It was seen.
    Seen(Box<Seen>),
    /// It could not be seen: what happened, and what to do next.
    Failed(Failure),
    /// It did not answer, and that is nothing unusual: it is optional.
    Away(Failure),
    /// Nobody looked (`plan --offline`): everything about it is unknown.
    NotAsked,
}

/// Why a host could not be seen or a step on it failed. Text from hosts is cleaned already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What homelab was doing: `connecting`, `asking Docker`.
    pub step: String,
    /// What happened: a sentence fragment.
    pub what: String,
    /// The last lines of a log or of ssh's own words, if there are any.
    pub lines: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// What is known to stand behind it, with the keys that may have to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Box<Finding>>,
}

/// Why a host was not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// What happened, and what to do next.
    pub why: Failure,
    /// Whether nobody answered at all: it is off, asleep or in another network.
    pub silent: bool,
}

impl From<Failure> for Unreached {
    /// Somebody or something answered.
    fn from(why: Failure) -> Self {
        Self { why, silent: false }
    }
}

/// A host that was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What does not change from deploy to deploy.
    pub facts: Facts,
    /// homelab's containers of this project, by container name.
    pub containers: BTreeMap<String, Container>,
    /// Ports on the host that somebody else holds, and who as far as it is known
    /// (`container NAME` or `a process`).
    pub taken: BTreeMap<u16, String>,
    /// Names of containers that are not this project's.
    pub strangers: BTreeSet<String>,
    /// Images that are present.
    pub images: Images,
    /// Networks by name; the value says whether it carries this project's label.
    pub networks: BTreeMap<String, bool>,
    /// Files below the project's directory, by path relative to it.
    pub files: BTreeMap<String, FileSeen>,
    /// What was downloaded there, by the file that says so: repositories of the hub with the commits that came.
    pub snapshots: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Who deployed there, as the host wrote it down since it started: whoever deploys in between leaves
    /// another list.
    pub holders: Vec<Holder>,
    /// What endpoints that somebody else runs say of themselves, as far as this host was to ask them.
    pub endpoints: BTreeMap<Endpoint, Health>,
}

/// Where an endpoint is asked whether it answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The host in its URL.
    pub host: String,
    /// The port.
    pub port: u16,
    /// A path that costs nothing and loads nothing.
    pub path: String,
}

/// Images on a host: their ids, by every tag and digest reference they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images(pub BTreeMap<String, String>);

impl Images {
    /// Whether there is an image of this name.
    #[must_use]
    pub fn contains(&self, image: &str) -> bool {
        self.id(image).is_some()
    }

    /// The id of the image of this name.
    #[must_use]
    pub fn id(&self, image: &str) -> Option<&String> {
        self.0.get(&image::listed(image)).or_else(|| self.0.get(image))
    }

    /// Whether the image with this id is the one that this digest names in the image's repository.
    #[must_use]
    pub fn is(&self, id: &str, image: &str, digest: &str) -> bool {
        // Where containerd keeps images, the id is the digest.
        id == digest || self.0.get(&image::listed_at(image, digest)).is_some_and(|found| found == id)
    }

    /// The digests that the image with this id has in that image's repository.
    #[must_use]
    pub fn digests(&self, id: &str, image: &str) -> BTreeSet<String> {
        let repository = image::listed_at(image, "");
        let of = |(name, found): (&String, &String)| {
            name.strip_prefix(&repository).filter(|_| found == id).map(str::to_owned)
        };
        self.0.iter().filter_map(of).filter(|digest| image::is_digest(digest)).collect()
    }

    /// Whether an image with this id is there under any name.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.0.values().any(|found| found == id)
    }
}

/// Images nobody knows more of than their names.
impl<S: Into<String>> FromIterator<S> for Images {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).map(|name| (name.clone(), name)).collect())
    }
}

/// Facts of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The SSH user's home directory, absolute.
    pub home: String,
    /// OCI runtimes that Docker knows; empty where no model wants a GPU.
    pub runtimes: BTreeSet<String>,
    /// What else there is of ways to GPUs; nothing where no model wants one.
    pub devices: Devices,
    /// The GPUs that `nvidia-smi` lists; empty where there is no such command, or no model wants one.
    pub gpus: Vec<Gpu>,
    /// The system's memory, as `MemTotal` of /proc/meminfo; none where there is no such file.
    pub memory: Option<ByteSize>,
    /// What `ssh -G` says the host's address is; none on the local machine.
    pub address: Option<String>,
    /// What runs services of the host's own; nothing where no model is to be one.
    pub native: Native,
}

/// Ways to GPUs besides runtimes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Whether Docker has found NVIDIA's GPUs by CDI.
    pub cdi: bool,
    /// Whether NVIDIA's hook is there, which answers Docker's requests for GPUs.
    pub hook: bool,
    /// Whether there is `/dev/kfd`, by which ROCm computes on AMD's GPUs.
    pub kfd: bool,
    /// Whether there is a GPU in `/dev/dri`.
    pub dri: bool,
    /// The groups of those devices.
    pub groups: BTreeSet<u32>,
}

/// An NVIDIA GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Its index in PCI bus order.
    pub index: u32,
    /// What it is.
    pub name: String,
    /// MiB; none on parts that share the system's memory.
    pub memory_total: Option<u64>,
    /// MiB.
    pub memory_used: Option<u64>,
}

/// A file below the project's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSeen {
    /// Hex SHA-256 of its content.
    pub sha256: String,
    /// Permission bits, as in `0o600`.
    pub mode: u32,
}

/// What files on hosts hold that a plan replaces or removes, by host and path.
pub type Before = BTreeMap<HostName, BTreeMap<String, Old>>;

/// What a file on a host holds now, as far as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// Its content; nothing in it is secret.
    Plain(Vec<u8>),
    /// The variables of an env file, and whether the file that takes its place gives each the same
    /// value; none where nobody can tell.
    Variables(BTreeMap<String, Option<bool>>),
    /// Why it cannot be read.
    Unread(String),
}

/// One of homelab's containers.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Docker's full id.
    pub id: String,
    /// The id of the image it was made from; empty where nobody knows.
    pub image: String,
    /// The service in it, from its label; or why the label cannot be read.
    pub service: Result<Service, String>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// What Docker says of it.
    pub state: State,
    /// How often Docker restarted it since it was started by hand.
    pub restarts: u32,
    /// RFC 3339; none if it never ran.
    pub started_at: Option<String>,
    /// What its server says; asked only of running ones.
    pub health: Health,
    /// Whether it has lost the GPUs it was given while the host still has them: Docker says that it runs, and what is
    /// on the GPUs may go on for a while, but nothing new gets there. After a `systemctl daemon-reload` this happens
    /// (<https://github.com/NVIDIA/nvidia-docker/issues/1730>).
    pub lost_gpu: bool,
    /// Key fields in which Docker's account of it differs from its own label, each as
    /// `field: label says A, Docker says B`.
    pub drift: Vec<String>,
}

/// What Docker says of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Between two tries of its restart policy.
    Restarting,
    /// Ended.
    Exited {
        /// The exit code.
        code: i64,
        /// Whether the kernel killed it for its memory.
        oom: bool,
    },
    /// Being removed, or broken beyond use.
    Dead,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its health path answered 200.
    Ready,
    /// It refuses, resets or answers something else than 200: it is coming up, or broken.
    NotReady(String),
    /// It took the connection and said nothing in time.
    Hung(String),
    /// It answers, but these of its models are gone.
    Lacks(Vec<String>),
    /// Nobody asked: it is not running.
    NotAsked,
}

impl Gpu {
    /// A line of nvidia-smi's CSV without units: `index, name, memory.total, memory.used`. What a part does not
    /// tell (`[N/A]`, `[Not Supported]`) is unknown; a line of any other form is a message, not a GPU.
    #[must_use]
    pub fn from_csv(line: &str) -> Option<Self> {
        let (index, rest) = line.split_once(", ")?;
        let (rest, used) = rest.rsplit_once(", ")?;
        let (name, total) = rest.rsplit_once(", ")?;
        Some(Self {
            index: index.trim().parse().ok()?,
            name: clean(name.trim()),
            memory_total: total.trim().parse().ok(),
            memory_used: used.trim().parse().ok(),
        })
    }
}

impl Failure {
    /// The same with the places of the keys that may have to change.
    #[must_use]
    pub fn placed(mut self, place: impl Fn(&str) -> Option<Place>) -> Self {
        if let Some(finding) = self.finding.take() {
            let placed = finding.clone().placed(place);
            self.hint = self.hint.map(|hint| hint.replacen(&finding.advice(), &placed.advice(), 1));
            self.finding = Some(Box::new(placed));
        }
        self
    }
}

impl Survey {
    /// What `ssh -G` says the host's address is, as far as anybody asked.
    #[must_use]
    pub fn address(&self, host: &HostName) -> Option<&String> {
        let seen = self.seen(host).and_then(|seen| seen.facts.address.as_ref());
        seen.or_else(|| self.addresses.get(host))
    }

    /// The host, if it was seen.
    #[must_use]
    pub fn seen(&self, host: &HostName) -> Option<&Seen> {
        match self.hosts.get(host) {
            Some(Look::Seen(seen)) => Some(seen),
            _ => None,
        }
    }
}
