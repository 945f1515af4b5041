//! What servers download, downloaded before they start: where that is to be done, and where it was.
//! It looks at files only; a marker stands for what was downloaded as long as that is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Weights;
use crate::desired::{Desired, DesiredHost};
use crate::names::ServiceName;
use crate::service::label;
use crate::survey::{Container, Seen};

use super::service::serves;
use super::{Action, Cause, Step, Task, container_name};

/// The directory of markers, below the project's own.
pub(super) const DIRECTORY: &str = "fetched/";

/// The file that says that something was downloaded, below the project's directory. Each of its lines is a
/// directory or file of the host that must be there for it to hold.
pub(super) fn marker(weights: &Weights) -> String {
    file(&weights.key)
}

fn file(key: &str) -> String {
    format!("{DIRECTORY}{key}.txt")
}

/// Whether that was downloaded: by its own name, or before it was pinned, if the pinned commits came then.
pub(super) fn is_there(seen: &Seen, weights: &Weights) -> bool {
    let came = || seen.snapshots.get(&file(weights.open_key.as_ref()?));
    seen.files.contains_key(&marker(weights)) || came().is_some_and(|came| came.is_superset(&weights.commits))
}

/// The name of the container that downloads.
#[must_use]
pub fn fetch_name(desired: &Desired, weights: &Weights) -> String {
    format!("{}-fetch-{}", desired.project, weights.key)
}

/// What must be downloaded before these services start, each once, with all that wait for it.
pub(super) fn fetches(
    desired: &Desired,
    host: &DesiredHost,
    seen: &Seen,
    starting: &BTreeSet<ServiceName>,
) -> Vec<Task> {
    let mut wanted: BTreeMap<&str, (&Weights, Vec<ServiceName>)> = BTreeMap::new();
    for name in starting {
        let weights = host.services.get(name).and_then(|service| service.weights.as_ref());
        let Some(weights) = weights.filter(|weights| !is_there(seen, weights)) else {
            continue;
        };
        wanted.entry(&weights.key).or_insert((weights, vec![])).1.push(name.clone());
    }
    let task = |(weights, services): (&Weights, Vec<ServiceName>)| {
        let there =
            |name: &ServiceName| seen.containers.get(&container_name(desired, name)).is_some_and(serves);
        let because = match services.iter().any(there) {
            true => Cause::Follows("while the old version serves".to_owned()),
            false => Cause::Missing,
        };
        let service = services.first()?.clone();
        let action = Action::Fetch { service, what: weights.what.clone(), marker: marker(weights) };
        let steps = vec![Step { action, because, interrupts: false }];
        Some(Task { services, steps, ..Task::default() })
    };
    wanted.into_values().filter_map(task).collect()
}

/// Containers that an earlier run left downloading, but for those whose download begins anew: that
/// takes their place.
pub(super) fn unfinished(desired: &Desired, host: &DesiredHost, seen: &Seen, begun: &[Task]) -> Vec<Step> {
    let again = |name: &str| {
        let services = begun.iter().flat_map(|task| &task.services);
        let weights = services.filter_map(|service| host.services.get(service)?.weights.as_ref());
        weights.map(|weights| fetch_name(desired, weights)).any(|own| own == name)
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
