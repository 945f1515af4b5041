//! Is it so: every service of every host beside what the plan would do to it.
//! A host is in sync exactly when its part of the plan is empty; nothing else decides.

use std::net::IpAddr;

use serde::Serialize;

use crate::cluster::{External, Model, Role};
use crate::desired::{Desired, DesiredService};
use crate::diagnosis::Finding;
use crate::names::{HostName, ModelName, ServiceName};
use crate::service::{Published, label};
use crate::survey::{Container, Gpu, Health, Look, State, Survey};

use super::service::state_text;
use super::{Action, Cause, Plan, Step, Task, Traffic, container_name};

/// How a service or an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "why", rename_all = "snake_case")]
pub enum Condition {
    /// As it should be, and it answers.
    InSync,
    /// Something else runs than should.
    Differs(String),
    /// It runs as it should, but does not answer.
    Unhealthy(String),
    /// It comes up.
    Starting(String),
    /// It is not there, or does not run.
    Missing(String),
    /// Somebody else runs it, and it is not asked: that might cost money, or load a model.
    NotAsked,
    /// Its host could not be seen.
    Unreachable(String),
    /// Its host is optional, and does not answer.
    Away(String),
    /// It cannot be made so.
    Blocked(String),
    /// The inventory does not name it.
    NotInInventory,
}

/// One service of one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The host.
    pub host: HostName,
    /// The service; none for a line about the host itself.
    pub service: Option<ServiceName>,
    /// The model it serves.
    pub model: Option<ModelName>,
    /// The models behind it, if it is a server of several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Behind>,
    /// How it is.
    pub condition: Condition,
    /// Since when it runs, RFC 3339.
    pub since: Option<String>,
    /// How often Docker restarted it.
    pub restarts: u32,
    /// The GPUs it may use.
    pub gpus: Vec<Gpu>,
    /// Where clients or the gateway reach it.
    pub endpoint: Option<String>,
    /// What it is doing, where somebody counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// What is known to stand behind it, if it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

/// A model behind a server of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Behind {
    /// Its public name.
    pub name: ModelName,
    /// What its server calls it.
    #[serde(skip)]
    pub upstream: String,
    /// Whether it is loaded now; none where nobody asked, or the server did not tell.
    pub loaded: Option<bool>,
    /// In which way it is not loaded as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amiss: Option<String>,
}

/// What a server says of a model that it has loaded or could not load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What the server calls it.
    pub name: String,
    /// Whether it is loaded.
    pub is_loaded: bool,
    /// In which way it is not loaded as it should be.
    pub amiss: Option<String>,
}

/// A row per service, and one per host that could not be seen.
#[must_use]
pub fn status(desired: &Desired, survey: &Survey, plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    for (host, wanted) in &desired.hosts {
        for (name, service) in &wanted.services {
            rows.push(row(desired, survey, plan, (host, name, service)));
        }
        rows.extend(leftovers(host, plan));
        if wanted.services.is_empty()
            && let Some(condition) = unseen(survey, host)
        {
            rows.push(Row { condition, ..empty(host, None) });
        }
        if desired.gateway.as_ref() == Some(host) {
            rows.extend(desired.externals.iter().map(|one| external(survey, host, one)));
        }
        // Files of a service that is amiss itself need no line of their own.
        if rows.iter().all(|row| row.host != *host || row.is_fine()) {
            rows.extend(host_only(host, plan));
        }
    }
    rows
}

fn empty(host: &HostName, service: Option<ServiceName>) -> Row {
    let condition = Condition::InSync;
    Row {
        host: host.clone(),
        service,
        model: None,
        models: vec![],
        condition,
        since: None,
        restarts: 0,
        gpus: vec![],
        endpoint: None,
        traffic: None,
        finding: None,
    }
}

fn row(
    desired: &Desired,
    survey: &Survey,
    plan: &Plan,
    (host, name, service): (&HostName, &ServiceName, &DesiredService),
) -> Row {
    let seen = survey.seen(host);
    let container = seen.and_then(|s| s.containers.get(&container_name(desired, name)));
    let address = match &service.role {
        Role::Model(served) => served.address.clone(),
        Role::Gateway { .. } | Role::Edge(_) | Role::Companion => None,
    };
    let address = address.or_else(|| seen.and_then(|s| s.facts.address.clone()));
    let used = |gpu: &&Gpu| match &service.gpus {
        crate::engine::Gpus::None => false,
        // Which of them has a UUID is not known here.
        crate::engine::Gpus::All | crate::engine::Gpus::Named(_) => true,
        crate::engine::Gpus::Some(indices) => indices.contains(&gpu.index),
    };
    let behind = |model: &Model| Behind {
        name: model.name.clone(),
        upstream: model.upstream.clone(),
        loaded: None,
        amiss: None,
    };
    Row {
        models: match &service.role {
            // A server of several goes by no label of what its model is for.
            Role::Model(served) if !service.service.labels.contains_key(label::KIND) => {
                served.models.iter().map(behind).collect()
            }
            Role::Model(_) | Role::Gateway { .. } | Role::Edge(_) | Role::Companion => vec![],
        },
        model: match &service.role {
            Role::Model(served) => Some(served.name.clone()),
            Role::Gateway { .. } | Role::Edge(_) | Role::Companion => None,
        },
        condition: condition(survey, plan, (host, name), container),
        since: container.filter(|c| c.state == State::Running).and_then(|c| c.started_at.clone()),
        restarts: container.map_or(0, |c| c.restarts),
        gpus: seen.map(|s| s.facts.gpus.iter().filter(used).cloned().collect()).unwrap_or_default(),
        endpoint: endpoint(service, address.as_deref().unwrap_or(host.as_str())),
        ..empty(host, Some(name.clone()))
    }
}

/// Where a service is reached. What stands beside the gateway may be there for its own host alone.
fn endpoint(service: &DesiredService, address: &str) -> Option<String> {
    if let Role::Edge(before) = &service.role {
        return Some(before.url.clone());
    }
    let published = service.service.published().next();
    let own = |port: &Published| port.ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let inside = published.filter(|port| service.role == Role::Companion && own(port));
    let address = inside.map_or_else(|| address.to_owned(), |port| port.ip);
    Some(format!("http://{}:{}", address, service.port?))
}

/// What somebody else runs, as the gateway's host sees it.
fn external(survey: &Survey, gateway: &HostName, one: &External) -> Row {
    let seen = survey.seen(gateway);
    let health = one.endpoint().and_then(|endpoint| seen?.endpoints.get(&endpoint));
    Row {
        model: Some(one.name.clone()),
        condition: match health {
            Some(Health::Ready) => Condition::InSync,
            Some(Health::NotReady(why) | Health::Hung(why)) => Condition::Unhealthy(why.clone()),
            Some(Health::NotAsked | Health::Lacks(_)) | None => Condition::NotAsked,
        },
        endpoint: Some(one.api_base.clone().unwrap_or_else(|| one.provider.clone())),
        ..empty(gateway, None)
    }
}

/// How everything is on a host that could not be seen.
fn unseen(survey: &Survey, host: &HostName) -> Option<Condition> {
    match survey.hosts.get(host)? {
        Look::Failed(why) => Some(Condition::Unreachable(why.what.clone())),
        Look::Away(why) => Some(Condition::Away(why.what.clone())),
        Look::Seen(_) | Look::NotAsked => None,
    }
}

fn condition(
    survey: &Survey,
    plan: &Plan,
    (host, name): (&HostName, &ServiceName),
    container: Option<&Container>,
) -> Condition {
    if let Some(unseen) = unseen(survey, host) {
        return unseen;
    }
    if let Some(blocked) = plan.blocked.iter().find(|b| b.host == *host && b.service.as_ref() == Some(name)) {
        return Condition::Blocked(blocked.why.what.clone());
    }
    let Some(container) = container else { return Condition::Missing(String::new()) };
    let Some(because) = cause(plan, host, name) else {
        let older = plan.steps().any(|(at, step)| at == host && removes_older(step, name));
        return if older { Condition::Differs(OLDER.to_owned()) } else { Condition::InSync };
    };
    match (&container.state, &container.health, because) {
        (_, _, Cause::Changed(_) | Cause::Drift(_) | Cause::MadeByCompose) => {
            Condition::Differs(because.to_string())
        }
        (State::Running, Health::Ready | Health::NotAsked, Cause::LedElsewhere) => {
            Condition::Differs(because.to_string())
        }
        (State::Running, _, Cause::LostGpu) => Condition::Unhealthy(because.to_string()),
        (State::Running, Health::Hung(why), _) => Condition::Unhealthy(format!("it hangs: {why}")),
        (State::Running, Health::Lacks(_), _) => Condition::Differs(because.to_string()),
        (State::Restarting, _, _) => {
            Condition::Unhealthy(format!("it keeps restarting ({} times)", container.restarts))
        }
        (State::Running, Health::NotReady(why), _) if container.restarts > 0 => {
            Condition::Unhealthy(why.clone())
        }
        (State::Running, Health::NotReady(why), _) => Condition::Starting(why.clone()),
        (State::Running, Health::Ready | Health::NotAsked, _) => Condition::InSync,
        (state, _, _) => Condition::Missing(format!("it {}", state_text(state))),
    }
}

/// What is left over from a deploy that was cut off at its very end.
const OLDER: &str = "its previous version is still there";

fn removes_older(step: &Step, name: &ServiceName) -> bool {
    step.because == Cause::NotNeeded
        && matches!(&step.action, Action::Remove { service, .. } if service == name)
}

/// Why the plan touches the service's container.
fn cause<'a>(plan: &'a Plan, host: &HostName, name: &ServiceName) -> Option<&'a Cause> {
    let own = |(at, task): &(&HostName, &Task)| *at == host && task.services.contains(name);
    let steps = plan.tasks().filter(own).flat_map(|(_, task)| task.ahead.iter().chain(&task.steps));
    let touches = |action: &Action| {
        !matches!(action, Action::Pull { .. } | Action::Fetch { .. } | Action::RemoveFile { .. })
    };
    let causes = steps
        .filter(|s| touches(&s.action) && s.action.service().is_none_or(|service| service == name))
        .map(|s| &s.because)
        .filter(|c| !matches!(c, Cause::Follows(_) | Cause::NotNeeded));
    // That the edge leads elsewhere is the least of what may be told of a gateway.
    causes.min_by_key(|cause| **cause == Cause::LedElsewhere)
}

/// Services that should not be there.
fn leftovers(host: &HostName, plan: &Plan) -> Vec<Row> {
    let steps = plan.steps().filter(|(at, step)| *at == host && step.because == Cause::NotInInventory);
    let mut names: Vec<&ServiceName> = steps.filter_map(|(_, step)| step.action.service()).collect();
    names.dedup();
    let row =
        |name: &ServiceName| Row { condition: Condition::NotInInventory, ..empty(host, Some(name.clone())) };
    names.into_iter().map(row).collect()
}

/// What the plan would do to a host without touching a service: its files, its network.
fn host_only(host: &HostName, plan: &Plan) -> Option<Row> {
    let own = plan.tasks().filter(|(at, task)| *at == host && task.services.is_empty());
    let mut what: Vec<String> = own
        .flat_map(|(_, task)| &task.steps)
        .map(|step| match &step.action {
            Action::WriteFile { path, .. } | Action::RemoveFile { path } => path.clone(),
            Action::CreateNetwork { name } | Action::RemoveNetwork { name } => format!("network {name}"),
            Action::RemoveFetch { .. } => "an unfinished download".to_owned(),
            _ => "root key".to_owned(),
        })
        .collect();
    what.dedup();
    (!what.is_empty()).then(|| Row { condition: Condition::Differs(what.join(", ")), ..empty(host, None) })
}

impl Row {
    /// The same with what stands behind it, if it does not run or does not answer.
    #[must_use]
    pub fn explained(self, finding: Option<Finding>) -> Self {
        let Some(finding) = finding else { return self };
        let with = |why: String| format!("{why}: {}", finding.cause);
        let condition = match self.condition {
            Condition::Unhealthy(why) => Condition::Unhealthy(with(why)),
            Condition::Missing(why) => Condition::Missing(with(why)),
            other => return Self { condition: other, ..self },
        };
        Self { condition, finding: Some(finding), ..self }
    }

    /// The same with what its server says is loaded.
    #[must_use]
    pub fn with_loaded(mut self, loaded: Option<&[Loaded]>) -> Self {
        for model in &mut self.models {
            let found = loaded.map(|all| all.iter().find(|one| one.name == model.upstream));
            model.loaded = found.map(|found| found.is_some_and(|one| one.is_loaded));
            model.amiss = found.flatten().and_then(|found| found.amiss.clone());
        }
        self
    }

    /// Whether it is as it should be. A host that may be away may be so.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        matches!(self.condition, Condition::InSync | Condition::NotAsked | Condition::Away(_))
    }
}
