//! A look that nobody took: what would be found if another state of the inventory were deployed.
//! With it the same planner compares two inventories; it knows nothing of real hosts.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, DesiredHost, DesiredService};
use crate::gateway;
use crate::image;
use crate::names::{HostName, ServiceName};
use crate::secret::{Content, SecretRef};
use crate::service::{Runtime, label};
use crate::survey::{Before, Container, Health, Look, Manager, Native, Old, RootKey, Seen, State, Survey};

use super::fetch::fetch_marker;
use super::files::file_seen;
use super::{FileChange, container_name, network_name, upstream_file};

/// What a look at the hosts of `head` would find if `base` were deployed as it stands and every
/// service answered. What only a host knows is taken to be as `head` needs it.
#[must_use]
pub fn as_if_deployed(base: &Desired, head: &Desired) -> Survey {
    let look = |(name, wanted): (&HostName, &DesiredHost)| {
        let seen =
            base.hosts.get(name).map(|there| Look::Seen(Box::new(seen((base, there), (head, wanted)))));
        (name.clone(), seen.unwrap_or(Look::NotAsked))
    };
    // Another host for the gateway has no root key yet.
    let root_key = if base.gateway == head.gateway { RootKey::Present } else { RootKey::Absent };
    Survey { hosts: head.hosts.iter().map(look).collect(), root_key, addresses: BTreeMap::new() }
}

fn seen((base, there): (&Desired, &DesiredHost), (head, wanted): (&Desired, &DesiredHost)) -> Seen {
    let same_project = base.project == head.project;
    let mut seen = Seen::default();
    seen.facts.native =
        Native { manager: Some(Manager::User), lingers: true, runs: true, ..Native::default() };
    for (name, service) in &there.services {
        if same_project {
            seen.containers.insert(container_name(base, name), container((name, service), &there.dir));
        } else {
            let holder = format!("container {}", container_name(base, name));
            seen.taken.extend(service.service.published().map(|port| (port.host, holder.clone())));
        }
    }
    let unpulled = |s: &&DesiredService| s.service.pull_policy.as_deref() == Some("never");
    let wanted_there = wanted.services.values().filter(unpulled);
    seen.images = there.services.values().chain(wanted_there).map(|s| s.service.image.clone()).collect();
    // Where the base pins nothing, what runs is taken to be what the head pins.
    let pins: BTreeMap<&String, &String> =
        wanted.services.values().filter_map(|s| Some((&s.service.image, s.digest.as_ref()?))).collect();
    let pinned = |s: &DesiredService| {
        let digest = s.digest.as_ref().or_else(|| pins.get(&s.service.image).copied())?;
        Some((image::listed_at(&s.service.image, digest), s.service.image.clone()))
    };
    seen.images.0.extend(there.services.values().filter_map(pinned));
    if same_project && there.dir == wanted.dir {
        seen.files = there.files.iter().map(|(path, content)| (path.clone(), file_seen(content))).collect();
        let fetched = there.services.values().flat_map(|service| &service.weights).map(fetch_marker);
        seen.files.extend(fetched.map(|path| (path, file_seen(&Content::default()))));
    }
    if same_project && there.files.contains_key(gateway::CADDYFILE) {
        let id = base_id(&ServiceName::gateway());
        seen.files.insert(upstream_file(&id), file_seen(&Content::default()));
    }
    seen.networks = wanted.external_networks.iter().map(|name| (name.clone(), false)).collect();
    if there.services.values().any(|service| service.service.runtime() == Runtime::Docker) {
        seen.networks.insert(network_name(base), true);
    }
    seen
}

/// What stands for the id of a container that nobody has made.
fn base_id(service: &ServiceName) -> String {
    format!("base:{service}")
}

fn container((name, service): (&ServiceName, &DesiredService), dir: &str) -> Container {
    let mut labels = service.service.labels.clone();
    labels.insert(label::COMPOSE_SERVICE.to_owned(), name.to_string());
    labels.insert(label::WORKING_DIR.to_owned(), dir.to_owned());
    Container {
        id: base_id(name),
        image: service.service.image.clone(),
        service: Ok(service.service.clone()),
        labels,
        state: State::Running,
        restarts: 0,
        started_at: None,
        health: Health::Ready,
        lost_gpu: false,
        drift: vec![],
    }
}

/// What the files that change hold in `base`. A secret counts as the same if it comes from the
/// same place.
#[must_use]
pub fn before(changes: &[FileChange], base: &Desired, head: &Desired) -> Before {
    let mut all = Before::new();
    for change in changes {
        let files = |desired: &Desired, path: &Option<String>| {
            desired.hosts.get(&change.host)?.files.get(path.as_ref()?).cloned()
        };
        let (Some(path), Some(old)) = (&change.old, files(base, &change.old)) else { continue };
        let new = files(head, &change.new).unwrap_or_default();
        let sources: BTreeMap<String, SecretRef> = new.variables().collect();
        let same = |(name, source)| {
            let same = sources.get(&name).map(|from: &SecretRef| *from == source);
            (name, same)
        };
        let old = match old.as_plain() {
            Some(bytes) => Old::Plain(bytes),
            None => Old::Variables(old.variables().map(same).collect()),
        };
        all.entry(change.host.clone()).or_default().insert(path.clone(), old);
    }
    all
}

/// The hosts that only `base` names.
#[must_use]
pub fn dropped(base: &Desired, head: &Desired) -> BTreeSet<HostName> {
    base.hosts.keys().filter(|host| !head.hosts.contains_key(*host)).cloned().collect()
}
