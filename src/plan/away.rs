//! Optional hosts that do not answer: what nobody else serves meanwhile, and what stands in.
//! It finds; what is done on the other hosts is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::desired::Desired;
use crate::names::{HostName, ModelName, ServiceName};
use crate::survey::{Failure, Look, Survey};

/// An optional host that does not answer: nothing is done there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Away {
    /// The host.
    pub host: HostName,
    /// What was tried.
    pub why: Failure,
    /// The public names that no host serves while it is away.
    pub names: Vec<Unserved>,
}

/// A public name that no host serves now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unserved {
    /// The name.
    pub name: ModelName,
    /// The name that takes over by the gateway's fallbacks; none: its requests fail.
    pub stands_in: Option<ModelName>,
}

/// Every public name and the services behind it.
pub(super) type Backends = BTreeMap<ModelName, Vec<(HostName, ServiceName)>>;

/// Every host that is away.
pub(super) fn away(desired: &Desired, survey: &Survey, backends: &Backends) -> Vec<Away> {
    let of = |host: &HostName| match survey.hosts.get(host) {
        Some(Look::Away(why)) => Some(Away {
            host: host.clone(),
            why: why.clone(),
            names: unserved(desired, survey, (host, backends)),
        }),
        Some(Look::Seen(_) | Look::Failed(_) | Look::NotAsked) | None => None,
    };
    desired.hosts.keys().filter_map(of).collect()
}

fn unserved(desired: &Desired, survey: &Survey, (host, backends): (&HostName, &Backends)) -> Vec<Unserved> {
    let there = |serving: &[(HostName, ServiceName)]| serving.iter().any(|(at, _)| survey.seen(at).is_some());
    let theirs = backends.iter().filter(|(_, all)| all.iter().any(|(at, _)| at == host) && !there(all));
    // What no host of ours serves is somebody else's.
    let answers = |name: &ModelName| backends.get(name).is_none_or(|all| there(all));
    let one = |name: &ModelName| Unserved {
        name: name.clone(),
        stands_in: stands_in(desired, name, &answers, &mut BTreeSet::new()).cloned(),
    };
    theirs.map(|(name, _)| one(name)).collect()
}

/// The first name that answers, on the way that the gateway takes: fallbacks in order, and the fallbacks of each.
fn stands_in<'a>(
    desired: &'a Desired,
    name: &ModelName,
    answers: &impl Fn(&ModelName) -> bool,
    tried: &mut BTreeSet<ModelName>,
) -> Option<&'a ModelName> {
    tried.insert(name.clone());
    for other in desired.stands_in.get(name).into_iter().flatten() {
        if tried.contains(other) {
            continue;
        }
        if answers(other) {
            return Some(other);
        }
        if let Some(further) = stands_in(desired, other, answers, tried) {
            return Some(further);
        }
    }
    None
}
