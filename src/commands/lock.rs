//! `homelab.lock` on disk: read by every verb that looks, written by `deploy` and `down` alone.
//! It appears whole or not at all, and only when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::prepare::Files;
use super::whole;
use crate::cluster::Spec;
use crate::desired::Desired;
use crate::diagnostic::Diagnostics;
use crate::inventory;
use crate::lock::{LOCK_FILE, Lock, LockedHost};
use crate::names::HostName;
use crate::survey::Survey;
use crate::ui;

/// Whether there is something of this name, a link to nowhere included.
pub(super) fn present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

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

/// Keeps what a deploy has come to: hosts with a service are there, those that should have nothing
/// are not, if it worked.
pub(super) fn after_deploy(files: &Files, desired: &Desired, survey: &Survey, worked: bool) {
    let mut hosts = files.lock.hosts.clone();
    for (name, wanted) in &desired.hosts {
        let (Some(spec), Some(_)) = (files.spec.hosts.get(name), survey.seen(name)) else { continue };
        if !files.within.contains(name) {
            continue;
        }
        if !wanted.services.is_empty() {
            let host = LockedHost::new(files.spec.project.clone(), spec.dir.clone(), &spec.connection);
            hosts.insert(name.clone(), host);
        } else if worked {
            hosts.remove(name);
        }
    }
    keep(files, hosts);
}

/// Forgets hosts that have nothing of homelab's any more.
pub(super) fn after_down(files: &Files, clean: &BTreeSet<HostName>) {
    let mut hosts = files.lock.hosts.clone();
    hosts.retain(|name, _| !clean.contains(name));
    keep(files, hosts);
}

/// What was deployed stays so, even if nobody could write it down.
fn keep(files: &Files, hosts: BTreeMap<HostName, LockedHost>) {
    if hosts == files.lock.hosts {
        return;
    }
    let path = files.dir.join(LOCK_FILE);
    let written = match hosts.is_empty() {
        true => fs::remove_file(&path).map_err(|e| e.to_string()),
        false => Lock::new(hosts)
            .text()
            .and_then(|text| whole::write(&path, &text, 0o644).map_err(|e| e.to_string())),
    };
    if let Err(why) = written {
        let hint = "without it homelab cannot tell when a host leaves the inventory";
        ui::errors::plain(&format!("{} could not be written: {why}", path.display()), Some(hint));
    }
}
