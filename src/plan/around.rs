//! Replicas: before one is stopped, the gateway leads requests to the others, and it ends the answers it has begun.
//! It decides when that can be; the executor knows how it is done.

use crate::cluster::{Model, Role, api_base};
use crate::gateway::{AROUND_DIRECTORY, AROUND_ENDING, AROUND_MOUNTED};
use crate::names::{HostName, ServiceName};
use crate::survey::{Container, Look, Seen};

use super::service::{self, Now, serves};
use super::site::Site;
use super::{Action, Cause, Probe, Step, Task, container_name};

/// The file on the gateway's host that has requests led around a service, below the project's directory.
#[must_use]
pub fn around_file(host: &HostName, service: &ServiceName) -> String {
    format!("{AROUND_DIRECTORY}/{host}.{service}{AROUND_ENDING}")
}

/// Whether a file is such a one.
pub(super) fn is_around_file(path: &str) -> bool {
    path.starts_with(AROUND_DIRECTORY) && path.ends_with(AROUND_ENDING)
}

/// What earlier runs that were killed have left: nothing is to be led around now.
pub(super) fn forgotten(seen: &Seen) -> impl Iterator<Item = Step> + '_ {
    let step = |path: &String| Step {
        action: Action::RemoveFile { path: path.clone() },
        because: Cause::CutOff,
        interrupts: false,
    };
    seen.files.keys().filter(|path| is_around_file(path)).map(step)
}

/// The task of a model's server with what spares its clients the moment in which it stops, where that can be.
pub(super) fn led_around(site: &Site<'_>, now: &Now<'_>, mut task: Task) -> Task {
    let stops = |step: &Step| step.interrupts && step.action.service() == Some(now.name);
    let (ahead, steps) = (task.ahead.iter().position(stops), task.steps.iter().position(stops));
    let Some(stop) = ahead.map(|at| &task.ahead[at]).or(steps.map(|at| &task.steps[at])) else { return task };
    let because = stop.because.clone();
    let stopped = now.current.into_iter().chain(now.previous).find(|c| Some(c.id.as_str()) == id_of(stop));
    let Some((gateway, backend, probe)) = stopped.and_then(|old| leads(site, now, old)) else { return task };
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
fn leads(site: &Site<'_>, now: &Now<'_>, old: &Container) -> Option<(HostName, String, Probe)> {
    let Role::Model(served) = &now.desired.role else { return None };
    let at = site.desired.gateway.as_ref()?;
    let gateway = ServiceName::gateway();
    let Role::Gateway { around: Some(timeout), .. } =
        site.desired.hosts.get(at)?.services.get(&gateway)?.role
    else {
        return None;
    };
    let running = site.survey.seen(at)?.containers.get(&container_name(site.desired, &gateway))?;
    let heeds = |volume: &String| volume.contains(&format!(":{AROUND_MOUNTED}:"));
    let heeds = running.service.as_ref().is_ok_and(|service| service.volumes.iter().any(heeds));
    let answers = |(host, name): &(HostName, ServiceName)| {
        let Some(Look::Seen(seen)) = site.survey.hosts.get(host) else { return false };
        (host, name) != (site.name, now.name)
            && seen.containers.get(&container_name(site.desired, name)).is_some_and(serves)
    };
    let mut names = served.models.iter().flat_map(Model::public);
    let others = names.all(|name| site.backends.get(name).is_some_and(|all| all.iter().any(answers)));
    let known = api_base(served.address.as_deref(), now.name, old.service.as_ref().ok()?)?;
    let probe = service::old_probe(old)?;
    (heeds && others && serves(running)).then(|| (at.clone(), known, Probe { timeout, ..probe }))
}
