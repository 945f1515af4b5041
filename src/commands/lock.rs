//! Writing `homelab.lock`, which `deploy`, `down` and `update` do and nobody else.
//! It appears whole or not at all, and only when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::prepare::Files;
use super::whole;
use crate::desired::Desired;
use crate::lock::{LOCK_FILE, Lock, LockedHost, LockedModel, Pins};
use crate::names::HostName;
use crate::plan;
use crate::survey::Survey;
use crate::ui;

/// Keeps what a deploy has come to: hosts with a service are there, those that should have nothing are not, if it
/// worked; and each image is what it was found to be. `--locked` has made sure that this changes nothing.
pub(super) fn after_deploy(files: &Files, desired: &Desired, survey: &Survey, worked: bool) {
    let mut lock = Lock::new(hosts_after(files, desired, survey, worked), files.spec.pins.clone());
    lock.models.clone_from(&files.models);
    let learnt = plan::learnt(desired, survey);
    lock.pins.images.extend(learnt.pins);
    lock.pins.revisions.extend(learnt.revisions);
    for (image, hosts) in &learnt.apart {
        apart((image, "image"), hosts, "what its registry has");
    }
    for (repository, hosts) in &learnt.revisions_apart {
        apart((repository, "revision"), hosts, "what the hub has");
    }
    keep(files, &lock);
}

/// Says that hosts do not have the same under one name.
fn apart((name, what): (&str, &str), hosts: &BTreeSet<HostName>, now: &str) {
    let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    let said = format!("{name} is not the same {what} on {}", hosts.join(", "));
    let hint = format!("homelab update {name} pins {now}, and the next deploy brings it everywhere");
    ui::errors::warning(&said, Some(&hint));
}

fn hosts_after(
    files: &Files,
    desired: &Desired,
    survey: &Survey,
    worked: bool,
) -> BTreeMap<HostName, LockedHost> {
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
    hosts
}

/// Whether a deploy of these hosts would leave the file as it is; else says what it would change.
pub(super) fn is_settled(files: &Files, desired: &Desired, survey: &Survey) -> bool {
    let images = plan::unpinned(desired).map(|(host, image)| (host, image.clone()));
    let free: BTreeSet<String> = images
        .chain(plan::unpinned_revisions(desired))
        .filter(|(host, _)| files.within.contains(*host))
        .map(|(_, name)| name)
        .collect();
    let after = hosts_after(files, desired, survey, true);
    let names: BTreeSet<&HostName> = after.keys().chain(files.lock.hosts.keys()).collect();
    let moved = names.into_iter().filter(|name| after.get(*name) != files.lock.hosts.get(*name));
    let pins = free.into_iter().map(|name| format!("it does not pin {name}"));
    let all: Vec<String> =
        pins.chain(moved.map(|host| format!("it would change what it says of {host}"))).collect();
    if all.is_empty() {
        return true;
    }
    let hint = "commit what homelab update (for images and models) or a deploy without --locked writes; images that only \
                their host has say pull_policy: never";
    ui::errors::plain(&format!("--locked, and {LOCK_FILE} is not whole: {}", all.join("; ")), Some(hint));
    false
}

/// Forgets hosts that have nothing of homelab's any more.
pub(super) fn after_down(files: &Files, clean: &BTreeSet<HostName>) {
    let mut lock = files.lock.clone();
    lock.hosts.retain(|name, _| !clean.contains(name));
    keep(files, &lock);
}

/// Takes other pins, and what is known of models; an error is said.
pub(super) fn pin(files: &Files, pins: Pins, models: BTreeMap<String, LockedModel>) -> bool {
    let mut lock = Lock::new(files.lock.hosts.clone(), pins);
    lock.models = models;
    keep(files, &lock)
}

/// What was deployed stays so, even if nobody could write it down.
fn keep(files: &Files, lock: &Lock) -> bool {
    if *lock == files.lock {
        return true;
    }
    let path = files.dir.join(LOCK_FILE);
    let written = match lock.is_empty() {
        true => fs::remove_file(&path).map_err(|e| e.to_string()),
        false => lock.text().and_then(|text| whole::write(&path, &text, 0o644).map_err(|e| e.to_string())),
    };
    if let Err(why) = written {
        let hint = "without it homelab cannot tell when a host leaves the inventory, nor what an image was";
        ui::errors::plain(&format!("{} could not be written: {why}", path.display()), Some(hint));
        return false;
    }
    true
}
