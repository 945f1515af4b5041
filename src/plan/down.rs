//! The plan that removes everything homelab made, and nothing else.
//! It needs no inventory's models: what is there says itself whose it is.

use std::collections::BTreeMap;

use crate::names::{HostName, ProjectName, ServiceName};
use crate::service::label;
use crate::survey::{Failure, Look, Seen, Survey};

use super::fetch::downloads;
use super::now::serves;
use super::{Action, Blocked, Cause, Lane, Plan, Stage, StageName, Step, Task, files};

/// Plans to remove a project from every host that was seen.
#[must_use]
pub fn down(project: &ProjectName, survey: &Survey) -> Plan {
    let mut plan = Plan::default();
    let mut lanes = Vec::new();
    for (host, look) in &survey.hosts {
        match look {
            Look::Failed(why) => {
                plan.blocked.push(Blocked { host: host.clone(), service: None, why: why.clone() });
            }
            Look::Away(why) => {
                let hint = "what homelab made there stays: run homelab down again when it is back";
                let why = Failure { hint: Some(hint.to_owned()), ..why.clone() };
                plan.blocked.push(Blocked { host: host.clone(), service: None, why });
            }
            Look::NotAsked => {}
            Look::Seen(seen) => lanes.extend(lane(host, project, seen)),
        }
    }
    if !lanes.is_empty() {
        plan.stages.push(Stage { name: StageName::Tidy, waves: vec![lanes] });
    }
    plan
}

fn lane(host: &HostName, project: &ProjectName, seen: &Seen) -> Option<Lane> {
    let mut by_service: BTreeMap<ServiceName, Vec<Step>> = BTreeMap::new();
    for container in seen.containers.values() {
        let name = container.labels.get(label::COMPOSE_SERVICE).map(|name| ServiceName::new(name.as_str()));
        let Some(Ok(service)) = name else { continue };
        let step = Step {
            action: Action::Remove { service: service.clone(), id: container.id.clone() },
            because: Cause::Down,
            interrupts: serves(container),
        };
        by_service.entry(service).or_default().push(step);
    }
    let after: Vec<_> = by_service.keys().map(|service| (host.clone(), service.clone())).collect();
    let task = |(service, steps)| Task { services: vec![service], steps, ..Task::default() };
    let mut tasks: Vec<Task> = by_service.into_iter().map(task).collect();
    let step = |action| Step { action, because: Cause::Down, interrupts: false };
    let left = seen.containers.values().filter(|container| downloads(container));
    let mut rest: Vec<Step> = left.map(|c| step(Action::RemoveFetch { id: c.id.clone() })).collect();
    rest.extend(files::all(seen).map(|path| step(Action::RemoveFile { path })));
    let network = format!("{project}_default");
    if seen.networks.get(&network) == Some(&true) {
        rest.push(step(Action::RemoveNetwork { name: network }));
    }
    if !rest.is_empty() {
        tasks.push(Task { after, steps: rest, ..Task::default() });
    }
    (!tasks.is_empty()).then(|| Lane { host: host.clone(), tasks })
}
