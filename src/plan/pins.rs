//! Pins: which digest each name of an image stands for on the hosts and which commit each repository, and which names
//! have none.
//! It asks no registry: what was pulled tells by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::Desired;
use crate::names::HostName;
use crate::survey::Survey;

use super::container_name;

/// What a look at the hosts tells of images and repositories that nothing pins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// The digest that every host has by that name.
    pub pins: BTreeMap<String, String>,
    /// Names that stand for different images on these hosts.
    pub apart: BTreeMap<String, BTreeSet<HostName>>,
    /// The commit of each repository that every host has.
    pub revisions: BTreeMap<String, String>,
    /// Repositories of which these hosts have different commits.
    pub revisions_apart: BTreeMap<String, BTreeSet<HostName>>,
}

/// The images that something runs from, that a pin could hold and that have none.
pub fn unpinned(desired: &Desired) -> impl Iterator<Item = (&HostName, &String)> {
    let services = desired.hosts.iter().flat_map(|(host, at)| at.services.values().map(move |s| (host, s)));
    let free = services.filter(|(_, service)| service.digest.is_none() && service.may_be_pinned());
    free.map(|(host, service)| (host, &service.service.image))
}

/// Which digests these images have, where all hosts that have one agree. What a container runs from counts before what
/// the name stands for by now, so that a pin replaces nothing that runs.
#[must_use]
pub fn learnt(desired: &Desired, survey: &Survey) -> Learnt {
    let mut found: BTreeMap<&String, Vec<(&HostName, BTreeSet<String>)>> = BTreeMap::new();
    for (name, host) in &desired.hosts {
        let Some(seen) = survey.seen(name) else { continue };
        for (service, wanted) in &host.services {
            if wanted.digest.is_some() || !wanted.may_be_pinned() {
                continue;
            }
            let image = &wanted.service.image;
            let container = seen.containers.get(&container_name(desired, service));
            let made_from = container.filter(|c| c.service.as_ref().is_ok_and(|s| s.image == *image));
            let id = made_from.map(|container| &container.image).or_else(|| seen.images.id(image));
            if let Some(id) = id.filter(|id| seen.images.knows(id)) {
                found.entry(image).or_default().push((name, seen.images.digests(id, image)));
            }
        }
    }
    let mut learnt = Learnt::default();
    for (image, hosts) in found {
        let mut common = hosts.iter().map(|(_, digests)| digests.clone());
        let first = common.next().unwrap_or_default();
        let same = common.fold(first, |all, digests| &all & &digests);
        match same.into_iter().next() {
            Some(digest) => drop(learnt.pins.insert(image.clone(), digest)),
            // One that was built or loaded there has no digest, and nothing can be said of it.
            None if hosts.iter().any(|(_, digests)| digests.is_empty()) => {}
            None => {
                let hosts = hosts.iter().map(|(host, _)| (*host).clone()).collect();
                learnt.apart.insert(image.clone(), hosts);
            }
        }
    }
    for (name, hosts) in super::revisions::learnt(desired, survey) {
        match hosts.iter().map(|(commit, _)| commit).collect::<BTreeSet<_>>().len() {
            1 => learnt.revisions.extend(hosts.first().map(|(commit, _)| (name, commit.clone()))),
            _ => drop(learnt.revisions_apart.insert(name, hosts.into_iter().map(|(_, host)| host).collect())),
        }
    }
    learnt
}
