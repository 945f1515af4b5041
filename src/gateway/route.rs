//! What the gateway leads to, and where it and what stands before it listen.
//! It knows no config.

use crate::engine::{Kind, Load};
use crate::names::{ModelName, Port};

use super::own_words::Words;

/// Where LiteLLM listens in its container.
pub(super) const CONTAINER_PORT: u16 = 4000;

/// A name at the gateway and one backend that serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What clients ask for.
    pub public: ModelName,
    /// LiteLLM's provider, a slash, and what the backend calls the model.
    pub model: String,
    /// The backend's base URL; none where the provider has one of its own.
    pub api_base: Option<String>,
    /// The gateway's environment variable with the backend's key; none where it takes any.
    pub key_variable: Option<String>,
    /// What it is for.
    pub kind: Kind,
    /// When the backend loads it.
    pub load: Load,
    /// How many requests the backend answers at the same time, where that is known.
    pub slots: Option<u64>,
    /// What the user says of it in LiteLLM's words.
    pub words: Words,
}

/// A port as Compose publishes it: `HOST_IP:HOST_PORT:CONTAINER_PORT`.
#[must_use]
pub fn published(host_ip: &str, port: Port, container_port: u16) -> String {
    format!("{}:{port}:{container_port}", bracketed(host_ip))
}

/// An address as it stands before a colon.
#[must_use]
pub fn bracketed(host_ip: &str) -> String {
    if host_ip.contains(':') { format!("[{host_ip}]") } else { host_ip.to_owned() }
}
