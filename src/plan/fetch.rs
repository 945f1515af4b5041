//! What servers download, downloaded before they start: where that is to be done, and where it was.
//! It looks at files only; a marker stands for what was downloaded as long as that is there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Weights;
use crate::desired::{Desired, DesiredHost};
use crate::names::ServiceName;
use crate::service::label;
use crate::survey::{Container, Seen};

use super::now::serves;
use super::{Action, Cause, Step, Task, container_name};

/// The directory of markers, below the project's own.
pub(super) const DIRECTORY: &str = "fetched/";

/// The file that says that this was downloaded, below the project's directory. Each of its lines is a
/// directory or file of the host that must be there for it to hold.
#[must_use]
pub fn fetch_marker(weights: &Weights) -> String {
    file(&weights.key)
}

fn file(key: &str) -> String {
    format!("{DIRECTORY}{key}.txt")
}

/// Whether that was downloaded: by its own name, or before it was pinned, if the pinned commits came then.
pub(super) fn is_there(seen: &Seen, weights: &Weights) -> bool {
    let came = || seen.snapshots.get(&file(weights.open_key.as_ref()?));
    seen.files.contains_key(&fetch_marker(weights))
        || came().is_some_and(|came| came.is_superset(&weights.commits))
}

/// The name of the container that downloads.
#[must_use]
pub fn fetch_name(desired: &Desired, weights: &Weights) -> String {
    format!("{}-fetch-{}", desired.project, weights.key)
}

/// What must be downloaded before these services start, each once, with all that wait for it. What one service needs
/// comes one after the other: some of it is loaded to see that it is whole, and a host may have no room for two.
pub(super) fn fetches(
    desired: &Desired,
    host: &DesiredHost,
    seen: &Seen,
    starting: &BTreeSet<ServiceName>,
) -> Vec<Vec<Task>> {
    let mut wanted: BTreeMap<[&str; 2], (&Weights, Vec<ServiceName>)> = BTreeMap::new();
    for (name, service) in starting.iter().filter_map(|name| host.services.get_key_value(name)) {
        for weights in service.weights.iter().filter(|weights| !is_there(seen, weights)) {
            wanted.entry([&weights.what, &weights.key]).or_insert((weights, vec![])).1.push(name.clone());
        }
    }
    let task = |(weights, services): (&Weights, Vec<ServiceName>)| {
        let there =
            |name: &ServiceName| seen.containers.get(&container_name(desired, name)).is_some_and(serves);
        let because = match services.iter().any(there) {
            true => Cause::Follows("while the old version serves".to_owned()),
            false => Cause::Missing,
        };
        let service = services.first()?.clone();
        let action = Action::Fetch {
            service: service.clone(),
            what: weights.what.clone(),
            marker: fetch_marker(weights),
        };
        let steps = vec![Step { action, because, interrupts: false }];
        Some((service, Task { services, steps, ..Task::default() }))
    };
    let mut lanes: BTreeMap<ServiceName, Vec<Task>> = BTreeMap::new();
    for (service, task) in wanted.into_values().filter_map(task) {
        lanes.entry(service).or_default().push(task);
    }
    // What fails ends its lane: first what others wait for, too.
    lanes.values_mut().for_each(|lane| lane.sort_by_key(|task| Reverse(task.services.len())));
    lanes.into_values().collect()
}

/// Containers that an earlier run left downloading, but for those whose download begins anew: that
/// takes their place.
pub(super) fn unfinished(
    desired: &Desired,
    host: &DesiredHost,
    seen: &Seen,
    begun: &[Vec<Task>],
) -> Vec<Step> {
    let begins = |weights: &&Weights| {
        let own = fetch_marker(weights);
        let mut steps = begun.iter().flatten().flat_map(|task| &task.steps);
        steps.any(|step| matches!(&step.action, Action::Fetch { marker, .. } if *marker == own))
    };
    let again = |name: &str| {
        let all = host.services.values().flat_map(|service| &service.weights);
        all.filter(begins).any(|weights| fetch_name(desired, weights) == name)
    };
    let left = seen.containers.iter().filter(|(name, container)| downloads(container) && !again(name));
    let remove = |(_, container): (&String, &Container)| Step {
        action: Action::RemoveFetch { id: container.id.clone() },
        because: Cause::CutOff,
        interrupts: false,
    };
    left.map(remove).collect()
}

/// Whether a container only downloads, and is no service's own.
pub(super) fn downloads(container: &Container) -> bool {
    container.labels.contains_key(label::FETCH)
}
