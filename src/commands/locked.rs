//! Reading `homelab.lock`, which every verb that looks does.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::whole::present;
use crate::cluster::Spec;
use crate::diagnostic::Diagnostics;
use crate::inventory;
use crate::lock::{LOCK_FILE, Lock, LockedHost};
use crate::names::HostName;

/// The lock beside an inventory; an empty one where there is none.
pub(super) fn read(dir: &Path) -> Result<Lock> {
    let path = dir.join(LOCK_FILE);
    if !present(&path) {
        return Ok(Lock::default());
    }
    let lock = inventory::read(&path).and_then(|source| {
        inventory::within_limits(&source)?;
        Lock::parse(&source)
    });
    Ok(lock.map_err(Diagnostics::from)?)
}

/// Hosts that the lock knows and the inventory does not name.
pub(super) fn dropped(lock: &Lock, spec: &Spec) -> BTreeMap<HostName, LockedHost> {
    let gone = lock.hosts.iter().filter(|(name, _)| !spec.hosts.contains_key(*name));
    gone.map(|(name, host)| (name.clone(), host.clone())).collect()
}
