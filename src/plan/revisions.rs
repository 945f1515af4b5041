//! Pins of the hub's revisions beside what runs: which services were made before there were pins, and what was
//! downloaded where nothing pins it. It asks no hub: files on the hosts tell what came.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{Cluster, Opened, Unit, Weights};
use crate::desired::Desired;
use crate::engine::Repository;
use crate::names::{HostName, ProjectName, ServiceName};
use crate::service::label;
use crate::survey::{Container, Seen, Survey};

use super::fetch::{fetch_marker, is_there};
use super::named;
use super::now::Now;
use super::service::difference;

/// The container of a service, or the one that was set aside for it.
fn container<'a>(seen: &'a Seen, project: &ProjectName, service: &ServiceName) -> Option<&'a Container> {
    let name = named(project, service);
    seen.containers.get(&name).or_else(|| seen.containers.get(&format!("{name}.previous")))
}

/// The commits of a repository that came with these weights, as far as their host tells.
fn came<'a>(seen: &'a Seen, weights: &'a [Weights], id: &'a str) -> impl Iterator<Item = &'a String> {
    let all = weights.iter().filter_map(|weights| seen.snapshots.get(&fetch_marker(weights)));
    all.flatten().filter(move |(name, _)| name == id).map(|(_, commit)| commit)
}

/// Whether what a service downloads is not on its host yet, or, if nothing is downloaded for it, it has no container
/// there. Of a host that was not seen nothing is new.
#[must_use]
pub fn is_new(project: &ProjectName, unit: &Unit, seen: Option<&Seen>) -> bool {
    seen.is_some_and(|seen| match unit.weights.as_slice() {
        [] => container(seen, project, &unit.name).is_none(),
        all => all.iter().any(|weights| !is_there(seen, weights)),
    })
}

/// The services whose containers were made before anything pinned what they load, and have loaded what is pinned
/// now, as far as anybody knows.
#[must_use]
pub fn made_before_pins(cluster: &Cluster, survey: &Survey) -> Opened {
    let of_host = |name: &HostName, unit: &Unit| -> Option<(HostName, ServiceName)> {
        let (open, seen) = (unit.open.as_ref()?, survey.seen(name)?);
        let made = container(seen, &cluster.project, &unit.name)?.service.as_ref().ok()?;
        let agrees = |repository: &Repository| {
            let Some(pin) = &repository.commit else { return true };
            let mut came = came(seen, &open.weights, &repository.id).peekable();
            came.peek().is_none() || came.any(|commit| commit == pin)
        };
        let is_open = !made.labels.contains_key(label::REVISIONS) && unit.repositories.iter().all(agrees);
        is_open.then(|| (name.clone(), unit.name.clone()))
    };
    let units = cluster.hosts.iter().flat_map(|(name, host)| host.units.iter().map(move |unit| (name, unit)));
    units.filter_map(|(name, unit)| of_host(name, unit)).collect()
}

/// Those of them that something else replaces: what is made now has its pins.
#[must_use]
pub fn moving(desired: &Desired, survey: &Survey, opened: &Opened) -> Opened {
    let moves = |(host, name): &&(HostName, ServiceName)| {
        let (Some(seen), Some(at)) = (survey.seen(host), desired.hosts.get(host)) else { return false };
        let Some(service) = at.services.get(name) else { return false };
        let current = container(seen, &desired.project, name);
        let now = Now {
            name,
            desired: service,
            dir: &at.dir,
            images: &seen.images,
            current,
            previous: None,
            wait: vec![],
            behind: None,
        };
        current.is_none_or(|current| !matches!(difference(&now, current), Ok(None)))
    };
    opened.iter().filter(moves).cloned().collect()
}

/// The repositories that something loads from, that a pin could hold and that have none, by their names in the lock.
pub fn unpinned_revisions(desired: &Desired) -> impl Iterator<Item = (&HostName, String)> {
    let services = desired.hosts.iter().flat_map(|(host, at)| at.services.values().map(move |s| (host, s)));
    let all = services.flat_map(|(host, s)| s.repositories.iter().map(move |one| (host, one)));
    all.filter(|(_, one)| one.commit.is_none()).map(|(host, one)| (host, one.key()))
}

/// Which commits came of these repositories: one where all hosts agree, else those that do not.
pub(super) fn learnt(desired: &Desired, survey: &Survey) -> BTreeMap<String, Vec<(String, HostName)>> {
    let mut found: BTreeMap<String, Vec<(String, HostName)>> = BTreeMap::new();
    for (name, host) in &desired.hosts {
        let Some(seen) = survey.seen(name) else { continue };
        for service in host.services.values() {
            for open in service.repositories.iter().filter(|one| one.commit.is_none()) {
                let came: BTreeSet<&String> = came(seen, &service.weights, &open.id).collect();
                // Of two at once nobody knows which is which.
                if let (1, Some(commit)) = (came.len(), came.first()) {
                    found.entry(open.key()).or_default().push(((*commit).clone(), name.clone()));
                }
            }
        }
    }
    found
}
