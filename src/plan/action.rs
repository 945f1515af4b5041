//! Every effect that a plan can ask for, and what its step needs to know.
//! Data only: `host::act` carries each of them out, and nothing else does.

use serde::Serialize;

use crate::engine::{Kind, Load, Loading};
use crate::names::{HostName, ModelName, Port, ServiceName};
use crate::secret::{Content, SecretRef};

/// Every effect there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Writes the root key that was made for this deploy, or which of the keys derived from it were replaced.
    WriteRootKey,
    /// Writes a file below the project's directory.
    WriteFile {
        /// Where.
        path: String,
        /// What.
        #[serde(skip)]
        content: Content,
    },
    /// Makes the project's network.
    CreateNetwork {
        /// Its name.
        name: String,
    },
    /// Pulls an image, if that digest of it is not there yet, and gives it its tag.
    Pull {
        /// Which.
        image: String,
        /// What `homelab.lock` pins it to; none takes what its tag means now.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// Downloads what a server would download when it starts, and writes down that it was.
    Fetch {
        /// Its service; others that need the same wait for it too.
        service: ServiceName,
        /// What is downloaded, as people call it.
        what: String,
        /// The file below the project's directory that says so afterwards.
        marker: String,
    },
    /// Removes a container that an earlier run left downloading.
    RemoveFetch {
        /// Its id.
        id: String,
    },
    /// Stops a container and renames it, so that it can come back.
    SetAside {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Gives a container that goes on serving the name of a previous version.
    MoveAside {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Leads the edge to another container, from the next request on.
    Switch {
        /// The gateway's service.
        service: ServiceName,
        /// The container's id; none is the one that has the service's own name.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Lets a container that gets no more requests end its answers, and stops it.
    Drain {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
        /// Seconds until it is ended nevertheless.
        timeout: u64,
    },
    /// Has the gateway lead requests to the other servers of the same names, and waits until a server has ended its
    /// answers, as far as it tells of them.
    LeadAround {
        /// The server's service.
        service: ServiceName,
        /// Where the gateway runs.
        gateway: HostName,
        /// The URL by which the gateway knows the server.
        backend: String,
        /// How it is asked what it is answering.
        probe: Probe,
    },
    /// Has the gateway ask a server again.
    LeadBack {
        /// The server's service.
        service: ServiceName,
        /// Where the gateway runs.
        gateway: HostName,
    },
    /// Has the edge take its new config without a connection being lost. The old one stays in its file until that is
    /// written.
    Reload {
        /// Its service.
        service: ServiceName,
    },
    /// Has the edge take the config that is in its file again.
    ReloadBack {
        /// Its service.
        service: ServiceName,
    },
    /// Makes and starts the container of a service.
    Create {
        /// Which.
        service: ServiceName,
    },
    /// Starts a container that is there.
    Start {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Stops and starts a container.
    Restart {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Gives a container that was set aside its name back and starts it.
    PutBack {
        /// Its service.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Stops and removes a container.
    Remove {
        /// Its service, as far as it is known.
        service: ServiceName,
        /// Its id.
        id: String,
    },
    /// Removes the container that this deploy made for a service, if it made one.
    RemoveMade {
        /// Which.
        service: ServiceName,
    },
    /// Waits until GPUs have given back the memory of what was stopped there, but not for ever.
    AwaitMemory {
        /// The service that loads next.
        service: ServiceName,
        /// Their indices.
        gpus: Vec<u32>,
    },
    /// Waits until a server answers as what it is for.
    AwaitModel {
        /// Its service.
        service: ServiceName,
        /// How it is asked.
        probe: Probe,
    },
    /// Checks that the gateway's host reaches a model.
    Reach {
        /// Its service.
        service: ServiceName,
        /// From which host.
        from: HostName,
        /// The address.
        address: String,
        /// The port.
        port: Port,
    },
    /// Waits until the gateway is ready, lists the names and answers by each.
    AwaitGateway {
        /// Its service.
        service: ServiceName,
        /// Where its host itself reaches it.
        address: String,
        /// The port on its host; 0 is the one that Docker chose.
        port: u16,
        /// The key clients show.
        #[serde(skip)]
        master_key: SecretRef,
        /// What to ask it for.
        names: Vec<Ask>,
        /// Seconds until that fails.
        timeout: u64,
    },
    /// Waits until the gateway answers through the edge, and the edge has certificates.
    AwaitEdge {
        /// Its service.
        service: ServiceName,
        /// Where its host itself reaches it without TLS.
        address: String,
        /// The port there; 0 is the one that Docker chose.
        port: u16,
        /// The address of its host where clients come in.
        clients_address: String,
        /// The port there.
        clients_port: u16,
        /// The names it must have certificates for; none where it speaks plain HTTP.
        names: Vec<String>,
        /// The key clients show.
        #[serde(skip)]
        master_key: SecretRef,
        /// Seconds until that fails.
        timeout: u64,
    },
    /// Removes a file below the project's directory.
    RemoveFile {
        /// Where.
        path: String,
    },
    /// Removes the project's network.
    RemoveNetwork {
        /// Its name.
        name: String,
    },
}

/// A model as its own server knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The name its server must list.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// When it is loaded: one that is loaded on demand is not asked for an answer.
    pub load: Load,
    /// How its server is told to load it, where it does not do so by itself.
    #[serde(skip)]
    pub loading: Option<Loading>,
}

/// How a server is asked whether it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// What it must know; nothing is asked of an older version that tells nothing of its models, and of what serves none.
    pub models: Vec<Known>,
    /// The path that answers 200 once it is ready.
    pub health: String,
    /// Where its host itself reaches it.
    pub address: String,
    /// Its port on the host.
    pub port: u16,
    /// The key a server of models asks for; it is shown always, since one that wants none ignores it.
    #[serde(skip)]
    pub key: Option<SecretRef>,
    /// The engine whose log it writes, or what else runs.
    pub engine: String,
    /// Seconds until waiting fails.
    pub timeout: u64,
    /// Whether its models belong on GPUs.
    #[serde(skip)]
    pub gpus: bool,
}

/// A public name the gateway must answer by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// The name.
    pub name: ModelName,
    /// What it is for.
    pub kind: Kind,
    /// When it is loaded: one that is loaded on demand must be listed, and is not asked for an answer.
    pub load: Load,
    /// Who serves it; it is not asked for if all of them failed.
    pub backends: Vec<(HostName, ServiceName)>,
}

impl Action {
    /// Whether something is another thing afterwards; else it only waits and asks.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Self::AwaitMemory { .. }
                | Self::AwaitModel { .. }
                | Self::Reach { .. }
                | Self::AwaitGateway { .. }
                | Self::AwaitEdge { .. }
        )
    }

    /// The id of the container it acts on, if it is one that was seen.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::SetAside { id, .. }
            | Self::MoveAside { id, .. }
            | Self::Drain { id, .. }
            | Self::Start { id, .. }
            | Self::Restart { id, .. }
            | Self::PutBack { id, .. }
            | Self::Remove { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The service it acts on, if it acts on one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Fetch { service, .. }
            | Self::SetAside { service, .. }
            | Self::MoveAside { service, .. }
            | Self::Switch { service, .. }
            | Self::Drain { service, .. }
            | Self::Reload { service }
            | Self::ReloadBack { service }
            | Self::LeadAround { service, .. }
            | Self::LeadBack { service, .. }
            | Self::AwaitEdge { service, .. }
            | Self::Create { service }
            | Self::Start { service, .. }
            | Self::Restart { service, .. }
            | Self::PutBack { service, .. }
            | Self::Remove { service, .. }
            | Self::RemoveMade { service }
            | Self::AwaitMemory { service, .. }
            | Self::AwaitModel { service, .. }
            | Self::Reach { service, .. }
            | Self::AwaitGateway { service, .. } => Some(service),
            Self::WriteRootKey
            | Self::WriteFile { .. }
            | Self::CreateNetwork { .. }
            | Self::Pull { .. }
            | Self::RemoveFetch { .. }
            | Self::RemoveFile { .. }
            | Self::RemoveNetwork { .. } => None,
        }
    }
}
