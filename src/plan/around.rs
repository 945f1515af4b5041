//! Replicas: before one is stopped, the gateway leads requests to the others, and it ends the answers it has begun.
//! It decides when that can be; the executor knows how it is done.

use crate::cluster::{Model, Role, api_base};
use crate::desired::Desired;
use crate::gateway::AROUND_MOUNTED;
use crate::names::{HostName, ServiceName};
use crate::survey::{Container, Look, Survey};

use super::away::Backends;
use super::now::{Now, serves};
use super::service;
use super::{Action, Cause, Probe, Step, Task, container_name};

/// Who could answer meanwhile.
pub(super) struct Round<'a> {
    pub(super) desired: &'a Desired,
    pub(super) survey: &'a Survey,
    /// The host of the server that is to stop.
    pub(super) host: &'a HostName,
    /// Who serves each name, on all hosts.
    pub(super) backends: &'a Backends,
}

/// The task of a model's server with what spares its clients the moment in which it stops, where that can be.
pub(super) fn led_around(round: &Round<'_>, now: &Now<'_>, mut task: Task) -> Task {
    let stops = |step: &Step| step.interrupts && step.action.service() == Some(now.name);
    let (ahead, steps) = (task.ahead.iter().position(stops), task.steps.iter().position(stops));
    let Some(stop) = ahead.map(|at| &task.ahead[at]).or(steps.map(|at| &task.steps[at])) else { return task };
    let because = stop.because.clone();
    let stopped = now.current.into_iter().chain(now.previous).find(|c| Some(c.id.as_str()) == id_of(stop));
    let Some((gateway, backend, probe)) = stopped.and_then(|old| leads(round, now, old)) else { return task };
    let step = |action, because| Step { action, because, interrupts: false };
    let back = Action::LeadBack { service: now.name.clone(), gateway: gateway.clone() };
    let lead = Action::LeadAround { service: now.name.clone(), gateway, backend, probe };
    let lead = step(lead, because.clone());
    match (ahead, steps) {
        (Some(at), _) => task.ahead.insert(at, lead),
        (None, at) => task.steps.insert(at.unwrap_or(0), lead),
    }
    task.steps.push(step(back.clone(), because));
    task.way_back.push(step(back, Cause::WayBack));
    task
}

fn id_of(step: &Step) -> Option<&str> {
    match &step.action {
        Action::SetAside { id, .. } | Action::Restart { id, .. } | Action::Remove { id, .. } => Some(id),
        _ => None,
    }
}

/// The gateway's host, the URL by which the gateway knows the old server, and how that one is asked; none where the
/// gateway that runs heeds no such file, or where a name would be left without a server.
fn leads(round: &Round<'_>, now: &Now<'_>, old: &Container) -> Option<(HostName, String, Probe)> {
    let Role::Model(served) = &now.desired.role else { return None };
    let at = round.desired.gateway.as_ref()?;
    let gateway = ServiceName::gateway();
    let Role::Gateway { around: Some(timeout), .. } =
        round.desired.hosts.get(at)?.services.get(&gateway)?.role
    else {
        return None;
    };
    let running = round.survey.seen(at)?.containers.get(&container_name(round.desired, &gateway))?;
    let heeds = |volume: &String| volume.contains(&format!(":{AROUND_MOUNTED}:"));
    let heeds = running.service.as_ref().is_ok_and(|service| service.volumes.iter().any(heeds));
    let answers = |(host, name): &(HostName, ServiceName)| {
        let Some(Look::Seen(seen)) = round.survey.hosts.get(host) else { return false };
        (host, name) != (round.host, now.name)
            && seen.containers.get(&container_name(round.desired, name)).is_some_and(serves)
    };
    let mut names = served.models.iter().flat_map(Model::public);
    let others = names.all(|name| round.backends.get(name).is_some_and(|all| all.iter().any(answers)));
    let known = api_base(served.address.as_deref(), now.name, old.service.as_ref().ok()?)?;
    let probe = service::old_probe(old)?;
    (heeds && others && serves(running)).then(|| (at.clone(), known, Probe { timeout, ..probe }))
}
