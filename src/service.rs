//! What runs: the subset of Compose's service keys that homelab uses, for containers and for services of the host's own.
//! A [`Service`] is plain data without secrets; two equal ones never need a container replaced.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::names::{ByteSize, Seconds};

/// Defines [`Service`] and, from the same list, the keys a model may set itself.
macro_rules! compose_service {
    ($( $(#[$doc:meta])* $who:ident $field:ident : $type:ty, )*) => {
        /// A Compose service, read back strictly from the rendered file. Absent keys mean
        /// Compose's defaults, so a field that a later release adds changes no older service.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Service {
            $( $(#[$doc])* #[serde(skip_serializing_if = "is_default")] pub $field: $type, )*
        }

        impl Service {
            /// This laid over `base`: what is set here wins, lists add up, maps merge by key.
            #[must_use]
            pub fn laid_over(self, mut base: Self) -> Self {
                $( Lay::lay(self.$field, &mut base.$field); )*
                base
            }

            /// Whether two values of a Compose key add up, as lists and maps do, or the one that is laid over
            /// the other replaces it.
            #[must_use]
            pub fn adds_up(key: &str) -> bool {
                match key {
                    $( stringify!($field) => <$type as Lay>::ADDS_UP, )*
                    _ => false,
                }
            }
        }

        /// Every Compose key homelab knows, and whether a model or gateway may set it in the
        /// inventory under Compose's own name.
        pub const KEYS: &[(&str, Who)] = &[ $( (stringify!($field), Who::$who), )* ];
    };
}

/// Who decides a Compose key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The user may, in the inventory.
    User,
    /// homelab alone does, from other keys.
    Homelab,
}

compose_service! {
    /// The image, with tag or digest; empty where no container runs it, but the host itself.
    User image: String,
    /// Replaces the image's entrypoint; absent keeps it.
    User entrypoint: Option<Vec<String>>,
    /// The arguments after the entrypoint.
    Homelab command: Option<Vec<String>>,
    /// Plain environment variables; secret ones are in `env_file`.
    User environment: BTreeMap<String, String>,
    /// Files of `KEY=value` lines beside the Compose file, mode 0600.
    Homelab env_file: Vec<String>,
    /// `HOST_IP:HOST_PORT:CONTAINER_PORT`.
    Homelab ports: Vec<String>,
    /// `SOURCE:TARGET[:ro]`; sources are absolute, or `./` beside the Compose file, or a word: a volume of the project's.
    User volumes: Vec<String>,
    /// `host`, `private`, `shareable`.
    User ipc: Option<String>,
    /// Size of `/dev/shm`.
    User shm_size: Option<ByteSize>,
    /// Limits by name.
    User ulimits: BTreeMap<String, Ulimit>,
    /// `HOST[:CONTAINER[:PERMISSIONS]]`, or a name of CDI's, as in `nvidia.com/gpu=0`.
    User devices: Vec<String>,
    /// Who its processes run as, `UID[:GID]`; absent leaves it to the image.
    Homelab user: Option<String>,
    /// Further groups, by name or number.
    User group_add: Vec<String>,
    /// Capabilities to add.
    User cap_add: Vec<String>,
    /// Security options.
    User security_opt: Vec<String>,
    /// Kernel settings of its network namespace, as `net.ipv4.tcp_syn_retries`.
    User sysctls: BTreeMap<String, String>,
    /// Networks to join: `default`, and external ones that exist already.
    User networks: Vec<String>,
    /// Further names and their addresses, as in `name:192.168.1.2`; `host-gateway` is the host's own.
    User extra_hosts: Vec<String>,
    /// Memory limit.
    User mem_limit: Option<ByteSize>,
    /// `no`, `always`, `unless-stopped`, `on-failure[:N]`.
    User restart: Option<String>,
    /// How long it may take to end when it is stopped; then it is killed. Docker's default is 10 s.
    User stop_grace_period: Option<Seconds>,
    /// When to pull the image: `missing`, `always`, `never`.
    User pull_policy: Option<String>,
    /// The OCI runtime; `nvidia` gives access to GPUs.
    Homelab runtime: Option<String>,
    /// GPUs that a driver of Docker's gives.
    Homelab gpus: Vec<GpuRequest>,
    /// Labels.
    User labels: BTreeMap<String, String>,
}

/// What runs a service on its host. An engine knows nothing of it but how it is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// A container of Docker's.
    #[default]
    Docker,
    /// The host's own service manager: systemd, or launchd on a Mac.
    Native,
}

impl Runtime {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Native];

    /// Its word in the inventory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Native => "native",
        }
    }
}

/// A request for GPUs, as `--gpus` makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRequest {
    /// Whose: `nvidia`.
    pub driver: String,
    /// `all`; none where they are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// Indices or UUIDs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_ids: Vec<String>,
}

/// A port as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The address of the host it is published on; `0.0.0.0` is every one.
    pub ip: String,
    /// The port on the host; 0 lets Docker choose one each time it starts.
    pub host: u16,
    /// The port in the container.
    pub container: u16,
}

impl Published {
    /// Reads `[IP:]HOST:CONTAINER[/tcp]`; an IPv6 address stands in brackets. `IP::CONTAINER` leaves the port to Docker.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix("/tcp").unwrap_or(text);
        let (rest, container) = text.rsplit_once(':')?;
        let (ip, host) = rest.rsplit_once(':').unwrap_or(("0.0.0.0", rest));
        let ip = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
        let host = if host.is_empty() && rest.contains(':') { 0 } else { port(host)? };
        Some(Self { ip: ip.to_owned(), host, container: port(container)? })
    }

    /// Where the host itself reaches it.
    #[must_use]
    pub fn local_address(&self) -> &str {
        match self.ip.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            ip => ip,
        }
    }
}

impl Service {
    /// Where its host itself asks it: the port that Docker chose where there is one, else the first.
    #[must_use]
    pub fn own_port(&self) -> Option<Published> {
        self.published().find(|port| port.host == 0).or_else(|| self.published().next())
    }

    /// What runs it: nothing but a container has an image.
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        if self.image.is_empty() { Runtime::Native } else { Runtime::Docker }
    }

    /// The ports it publishes.
    pub fn published(&self) -> impl Iterator<Item = Published> {
        self.ports.iter().filter_map(|text| Published::parse(text))
    }
}

/// How a value the user typed meets a default.
trait Lay {
    /// Whether both count.
    const ADDS_UP: bool = false;

    fn lay(self, base: &mut Self);
}

impl Lay for String {
    fn lay(self, base: &mut Self) {
        if !self.is_empty() {
            *base = self;
        }
    }
}

impl<T> Lay for Option<T> {
    fn lay(self, base: &mut Self) {
        if self.is_some() {
            *base = self;
        }
    }
}

impl<T> Lay for Vec<T> {
    const ADDS_UP: bool = true;

    fn lay(self, base: &mut Self) {
        base.extend(self);
    }
}

impl<V> Lay for BTreeMap<String, V> {
    const ADDS_UP: bool = true;

    fn lay(self, base: &mut Self) {
        base.extend(self);
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A limit: one number for both, or a soft and a hard one. -1 is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    /// What a process starts with.
    pub soft: i64,
    /// How far it may raise it.
    pub hard: i64,
}

impl<'de> Deserialize<'de> for Ulimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Ulimit;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a map with `soft` and `hard`")
            }
            fn visit_i64<E: de::Error>(self, both: i64) -> Result<Ulimit, E> {
                Ok(Ulimit { soft: both, hard: both })
            }
            fn visit_u64<E: de::Error>(self, both: u64) -> Result<Ulimit, E> {
                i64::try_from(both).map_err(E::custom).and_then(|both| self.visit_i64(both))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Ulimit, A::Error> {
                let (mut soft, mut hard) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "soft" => soft = Some(map.next_value()?),
                        "hard" => hard = Some(map.next_value()?),
                        other => return Err(de::Error::unknown_field(other, &["soft", "hard"])),
                    }
                }
                let soft = soft.ok_or_else(|| de::Error::missing_field("soft"))?;
                let hard = hard.ok_or_else(|| de::Error::missing_field("hard"))?;
                Ok(Ulimit { soft, hard })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The labels homelab puts on what it makes. The first is homelab's truth about a container;
/// the rest repeat single facts so that `docker ps --filter` and a survey can see them.
pub mod label {
    /// The [`super::Service`] as JSON, exactly as it was read from the Compose file.
    pub const SERVICE: &str = "dev.homelab.service";
    /// `model`, `gateway` or [`COMPANION`]; `fetch` of a container that only downloads.
    pub const ROLE: &str = "dev.homelab.role";
    /// The [`ROLE`] of what stands beside the gateway.
    pub const COMPANION: &str = "companion";
    /// The engine that answers in it, by its name in the inventory, or what else runs there.
    pub const ENGINE: &str = "dev.homelab.engine";
    /// What its model is for, by the inventory's word: `chat`, `embedding`.
    pub const KIND: &str = "dev.homelab.kind";
    /// The public name of the model in it, or the name of a server of several, which then has no [`KIND`].
    pub const MODEL: &str = "dev.homelab.model";
    /// What its server calls the models that must be there, with commas, where one can vanish while it runs.
    pub const MODELS: &str = "dev.homelab.models";
    /// What the server calls the model in it, where that is not its public name.
    pub const UPSTREAM: &str = "dev.homelab.upstream";
    /// The service that a container downloads for. Such a container has no [`SERVICE`], so it never passes
    /// for a service's own.
    pub const FETCH: &str = "dev.homelab.fetch";
    /// The GPUs it may use: `none`, `all`, or indices or UUIDs with commas.
    pub const GPUS: &str = "dev.homelab.gpus";
    /// `shared` where the GPUs take their memory from the system's.
    pub const MEMORY: &str = "dev.homelab.memory";
    /// The version of the root key that its keys are derived from; not part of the service.
    pub const ROOT_KEY: &str = "dev.homelab.root-key";
    /// Which of its keys were replaced one by one, each as `PURPOSE=HOW OFTEN`, with commas; not part of the service.
    pub const KEYS: &str = "dev.homelab.keys";
    /// Which commits of the hub's repositories it was made to load, each as `NAME@COMMIT`, with commas; none where
    /// nothing pinned them when it was made.
    pub const REVISIONS: &str = "dev.homelab.revisions";
    /// The path that answers 200 when its server is ready, on its first published port; a companion without it is not asked.
    pub const HEALTH: &str = "dev.homelab.health";
    /// Compose's own labels, which `docker compose ps|logs|down` filter on
    /// (docker/compose, pkg/api/labels.go and pkg/compose/containers.go).
    pub const PROJECT: &str = "com.docker.compose.project";
    /// The Compose service.
    pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
    /// Compose shows only containers that have it; homelab's own hash stands there.
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    /// `False`: not the container of a `docker compose run`.
    pub const ONEOFF: &str = "com.docker.compose.oneoff";
    /// Always 1.
    pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
    /// The Compose files, by absolute path.
    pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
    /// Where the Compose file lies.
    pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
    /// Which of the project's networks it is.
    pub const NETWORK: &str = "com.docker.compose.network";
}
