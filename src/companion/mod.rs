//! What may stand beside the gateway: Prometheus and Grafana, exporters, Open WebUI. One file per kind.
//! A file says what runs and with which files; it knows no host and runs nothing.

mod dashboards;
mod exporters;
mod grafana;
mod prometheus;
mod webui;

use std::collections::BTreeMap;

use crate::names::Port;
use crate::secret::{Content, SecretRef};
use crate::service::Service;

pub use dashboards::{Source, queries};
pub use exporters::{gpu_exporter, node_exporter};
pub use grafana::grafana;
pub use prometheus::{Price, Retention, Target, prometheus, question};
pub use webui::webui;

/// Something beside the gateway, before the user's Compose keys.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Its service: what it is, in one word.
    pub name: &'static str,
    /// Its Compose keys without ports and labels.
    pub service: Service,
    /// Where it listens in its container.
    pub container_port: u16,
    /// The path that answers 200 once it is ready.
    pub health: &'static str,
    /// Where in its container it keeps what must outlive it.
    pub data: Option<&'static str>,
    /// Its files, by path in the container: the name and what is in them.
    pub files: BTreeMap<String, (String, Content)>,
    /// Environment variables whose values are secrets.
    pub secrets: BTreeMap<String, SecretRef>,
}

/// A kind of companion as the inventory sees it, before anything of it is typed.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its service, which no model on its host can have.
    pub name: &'static str,
    /// The port on its host where none is typed.
    pub port: u16,
    /// The address it is published on, on the gateway's own host.
    pub host_ip: &'static str,
}

impl Kind {
    /// Its port where none is typed.
    #[must_use]
    pub fn default_port(&self) -> Option<Port> {
        Port::new(i64::from(self.port)).ok()
    }
}

/// Prometheus, for the gateway's host itself: it asks for no key.
pub const PROMETHEUS: Kind = Kind { name: "prometheus", port: 9090, host_ip: "127.0.0.1" };
/// Grafana, for people.
pub const GRAFANA: Kind = Kind { name: "grafana", port: 3000, host_ip: "0.0.0.0" };
/// The exporter of what the kernel counts, which Prometheus reaches over the Compose network on its own host.
pub const NODE_EXPORTER: Kind = Kind { name: "node-exporter", port: 9100, host_ip: "127.0.0.1" };
/// The exporter of what NVIDIA's driver counts.
pub const GPU_EXPORTER: Kind = Kind { name: "gpu-exporter", port: 9835, host_ip: "127.0.0.1" };
/// Open WebUI, for people; 8080 and 3000 mostly are somebody's already.
pub const WEBUI: Kind = Kind { name: "open-webui", port: 3080, host_ip: "0.0.0.0" };

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A file of homelab's for a container.
fn file(path: &str, text: impl Into<Vec<u8>>) -> (String, (String, Content)) {
    (path.to_owned(), (path.rsplit('/').next().unwrap_or(path).to_owned(), Content::plain(text)))
}

#[cfg(test)]
mod tests;
