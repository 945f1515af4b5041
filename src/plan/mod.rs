//! The plan: what would be done, where, in which order, and why. Data only.
//! It is made by [`plan`] without I/O and carried out by `host::carry_out`, which decides nothing.

mod action;
mod around;
mod away;
mod cause;
mod diff;
mod down;
mod edge;
mod fetch;
mod files;
mod gpus;
mod leftovers;
mod markdown;
mod native;
mod needs;
mod now;
mod order;
mod pins;
mod pretend;
mod report;
mod revisions;
mod service;
mod site;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cluster::{Model, Role};
use crate::desired::Desired;
use crate::engine::Gpus;
use crate::image;
use crate::names::{HostName, ProjectName, ServiceName};
use crate::secret::SecretRef;
use crate::service::{Service, label};
use crate::survey::Failure;

pub use action::{Action, Ask, Known, Probe};
pub use away::{Away, Unserved};
pub use cause::{Cause, Change};
pub use diff::{FileChange, FileDiff, diffs, unified_texts};
pub use down::down;
pub use edge::upstream_file;
pub use fetch::{fetch_marker, fetch_name};
pub use files::{ROOT_KEY_FILE, around_file};
pub use markdown::markdown;
pub use order::plan;
pub use pins::{Learnt, learnt, unpinned};
pub use pretend::{as_if_deployed, before, dropped};
pub use report::{Against, JSON_VERSION, Report, dropped_note};
pub use revisions::{is_new, made_before_pins, moving, unpinned_revisions};
pub use status::{Behind, Condition, Loaded, Row, status};
pub use text::{Summary, text};
pub use traffic::{Numbers, Traffic};

/// What would be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The stages that have something to do, in order.
    pub stages: Vec<Stage>,
    /// What cannot be done, and why; the rest goes on without it.
    pub blocked: Vec<Blocked>,
    /// Optional hosts that do not answer; a later deploy finds them as they are then.
    pub away: Vec<Away>,
}

/// Something that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// On which host.
    pub host: HostName,
    /// Which service; none if it is the whole host.
    pub service: Option<ServiceName>,
    /// Why, and what to do next.
    pub why: Failure,
}

/// The stages of a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StageName {
    /// Slow and harmless: files, networks, images, weights.
    Prepare,
    /// Models start, are swapped, and answer.
    Models,
    /// The gateway follows.
    Gateway,
    /// What stands beside it, on which nothing waits.
    Companions,
    /// What nobody needs any more goes.
    Tidy,
}

/// A stage: waves one after the other, the lanes of a wave at the same time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Which.
    pub name: StageName,
    /// Its waves, each a list of lanes.
    pub waves: Vec<Vec<Lane>>,
}

/// Tasks on a host that must not overlap, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// The host.
    pub host: HostName,
    /// The tasks. First the `ahead` steps of all of them are done, then each task's own.
    pub tasks: Vec<Task>,
}

/// Steps that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Task {
    /// The services it is for: if it fails, their later tasks are skipped. None: the whole host.
    pub services: Vec<ServiceName>,
    /// Only if nothing of these failed.
    pub after: Vec<(HostName, ServiceName)>,
    /// Only if this host's own preparation did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_host: Option<HostName>,
    /// Whether a start that takes too much can freeze the host, so that nothing leads back: the GPU takes its
    /// memory from the system's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub can_freeze: bool,
    /// Whether what it replaces was set aside in an earlier stage already: its way back is owed even if it never begins.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gave_way: bool,
    /// What must happen before any task of the lane goes on: GPUs are freed first.
    pub ahead: Vec<Step>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What leads back if a step fails, or if the lane stops after `ahead`.
    pub way_back: Vec<Step>,
}

impl Task {
    /// Whether its way back is owed although its own steps never began: what it replaces gave way in an earlier stage, or
    /// in the steps ahead, if those have begun.
    #[must_use]
    pub fn owes_way_back(&self, ahead_begun: bool) -> bool {
        self.gave_way || (ahead_begun && !self.ahead.is_empty())
    }
}

/// One effect and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The effect.
    pub action: Action,
    /// Why.
    pub because: Cause,
    /// Whether it stops something that serves.
    pub interrupts: bool,
}

impl Plan {
    /// The part of it that is about these hosts.
    #[must_use]
    pub fn limited_to(self, hosts: &BTreeSet<HostName>) -> Self {
        let lanes = |wave: Vec<Lane>| -> Vec<Lane> {
            wave.into_iter().filter(|lane| hosts.contains(&lane.host)).collect()
        };
        let stage = |stage: Stage| Stage {
            waves: stage.waves.into_iter().map(lanes).filter(|wave| !wave.is_empty()).collect(),
            ..stage
        };
        Self {
            stages: self.stages.into_iter().map(stage).filter(|stage| !stage.waves.is_empty()).collect(),
            blocked: self.blocked.into_iter().filter(|b| hosts.contains(&b.host)).collect(),
            away: self.away.into_iter().filter(|away| hosts.contains(&away.host)).collect(),
        }
    }

    /// Whether there is nothing to do: everything is as it should be wherever somebody answers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.blocked.is_empty()
    }

    /// Every task, with its host.
    pub fn tasks(&self) -> impl Iterator<Item = (&HostName, &Task)> {
        let lanes = self.stages.iter().flat_map(|s| &s.waves).flatten();
        lanes.flat_map(|lane| lane.tasks.iter().map(|task| (&lane.host, task)))
    }

    /// Every step that is done if all goes well, with its host.
    pub fn steps(&self) -> impl Iterator<Item = (&HostName, &Step)> {
        self.tasks()
            .flat_map(|(host, task)| task.ahead.iter().chain(&task.steps).map(move |step| (host, step)))
    }

    /// The steps that stop something that serves.
    pub fn interruptions(&self) -> impl Iterator<Item = (&HostName, &Step)> {
        self.steps().filter(|(_, step)| step.interrupts)
    }
}

/// The passwords that the plan's pulls need.
pub fn passwords<'a>(plan: &'a Plan, desired: &'a Desired) -> impl Iterator<Item = &'a SecretRef> {
    plan.steps().filter_map(|(host, step)| {
        let Action::Pull { image, .. } = &step.action else { return None };
        desired.hosts.get(host)?.logins.get(image::registry(image)).map(|login| &login.password)
    })
}

/// The name of a service's container: Compose's own.
#[must_use]
pub fn container_name(desired: &Desired, service: &ServiceName) -> String {
    named(&desired.project, service)
}

fn named(project: &ProjectName, service: &ServiceName) -> String {
    format!("{project}-{service}-1")
}

/// The name of a container that was set aside.
#[must_use]
pub fn previous_name(desired: &Desired, service: &ServiceName) -> String {
    format!("{}.previous", container_name(desired, service))
}

/// The project's network: Compose's own name for it.
#[must_use]
pub fn network_name(desired: &Desired) -> String {
    format!("{}_default", desired.project)
}

/// How a service is asked, unless it is the gateway.
#[must_use]
pub fn probe(service: &crate::desired::DesiredService) -> Option<Probe> {
    let (address, port) = local(&service.service)?;
    let known = |model: &Model| Known {
        name: model.upstream.clone(),
        kind: model.kind,
        load: model.load,
        loading: model.loading.clone(),
    };
    let labels = &service.service.labels;
    let asked = Probe {
        models: vec![],
        health: health(labels),
        address,
        port,
        key: None,
        engine: labels.get(label::ENGINE).cloned().unwrap_or_default(),
        timeout: service.ready_timeout,
        gpus: service.gpus != Gpus::None,
    };
    match &service.role {
        Role::Model(served) => {
            let models = served.models.iter().map(known).collect();
            Some(Probe { models, key: Some(served.key()), engine: served.engine.to_owned(), ..asked })
        }
        Role::Companion => labels.contains_key(label::HEALTH).then_some(asked),
        // Its wait is known once all hosts were looked at.
        Role::Gateway { .. } | Role::Edge(_) => None,
    }
}

/// The path that a container's labels name; one that homelab made before it had that label answers there.
fn health(labels: &BTreeMap<String, String>) -> String {
    labels.get(label::HEALTH).map_or("/health", String::as_str).to_owned()
}

/// Where its host itself reaches a service; port 0 is the one that Docker chose.
fn local(service: &Service) -> Option<(String, u16)> {
    service.own_port().map(|port| (port.local_address().to_owned(), port.host))
}
