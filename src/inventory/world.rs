//! What expressions may refer to: all hosts and groups, and the environment that was given.
//! It evaluates nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tree::Vars;
use super::vault::Keyring;
use crate::names::HostName;

/// All that an expression can see.
pub(super) struct World {
    pub(super) hosts: BTreeMap<HostName, Peer>,
    /// The hosts of every group, those of its children included.
    pub(super) groups: BTreeMap<String, Vec<HostName>>,
    /// The host that there is without being named.
    pub(super) localhost: Option<(HostName, Peer)>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) keys: Arc<Keyring>,
}

impl World {
    pub(super) fn peer(&self, host: &HostName) -> Option<&Peer> {
        let implicit = || self.localhost.as_ref().filter(|(name, _)| name == host).map(|(_, peer)| peer);
        self.hosts.get(host).or_else(implicit)
    }
}

/// What one host knows of another.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) groups: Vec<String>,
    pub(super) raw: Arc<Vars>,
    /// Ansible's `inventory_file`: the source that names it first, absolute.
    pub(super) file: Arc<str>,
}
