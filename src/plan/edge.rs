//! The gateway behind an edge: a new one stands beside the old one until the edge is switched to it, and the old one
//! ends what it answers before it goes. It decides; what a switch is, the executor knows.

use crate::cluster::Role;
use crate::desired::{DesiredHost, DesiredService};
use crate::gateway;
use crate::names::ServiceName;
use crate::survey::{Container, Health, Seen};

use super::cause::Change;
use super::now::{Now, is_running, serves, short};
use super::{Action, Cause, Step, Task};

/// The file that names a container as the one that answers.
#[must_use]
pub fn upstream_file(id: &str) -> String {
    format!("{}/{}", gateway::UPSTREAM_DIRECTORY, short(id))
}

/// Whether a container takes no port of the host that another one could want, so that both can be up.
pub(super) fn stands_beside(now: &Now<'_>, container: &Container) -> bool {
    let free =
        || container.service.as_ref().is_ok_and(|service| service.published().all(|port| port.host == 0));
    now.behind.is_some() && free()
}

/// Whether clients are answered by the previous version, and the current one does not answer, or could not stand beside
/// its successor.
pub(super) fn only_older_is_led_to(now: &Now<'_>, current: &Container, older: &Container) -> bool {
    let led = now.behind.as_ref().is_some_and(|behind| behind.leads_to(older));
    let could = current.health == Health::Ready && stands_beside(now, current);
    led && stands_beside(now, older) && !could
}

/// The step that leads the edge to the container with the service's own name.
pub(super) fn switch(now: &Now<'_>, because: &Cause) -> Option<Step> {
    let action = Action::Switch { service: now.name.clone(), id: None };
    now.behind.as_ref().map(|_| Step { action, because: because.clone(), interrupts: false })
}

/// The step that leads the edge back to what serves beside its successor, before that goes.
pub(super) fn switch_back(now: &Now<'_>, older: &Container) -> Option<Step> {
    let action = Action::Switch { service: now.name.clone(), id: Some(older.id.clone()) };
    stands_beside(now, older).then_some(Step { action, because: Cause::WayBack, interrupts: false })
}

/// The same unless it leads there already.
pub(super) fn switch_unless_there(now: &Now<'_>, container: &Container, because: &Cause) -> Option<Step> {
    let there = now.behind.as_ref().is_some_and(|behind| behind.leads_to(container));
    switch(now, because).filter(|_| !there)
}

/// Renames what serves, so that its successor can have its name.
pub(super) fn move_aside(now: &Now<'_>, container: &Container, because: Cause) -> Step {
    let action = Action::MoveAside { service: now.name.clone(), id: container.id.clone() };
    Step { action, because, interrupts: false }
}

/// What ends a gateway that nothing leads to any more: it finishes its answers if it runs, and goes.
pub(super) fn retire(now: &Now<'_>, id: &str, runs: bool) -> Vec<Step> {
    let step = |action| Step { action, because: Cause::NotNeeded, interrupts: false };
    let (service, id) = (now.name.clone(), id.to_owned());
    let timeout = now.behind.as_ref().map_or(0, |behind| behind.drain);
    let drain = Action::Drain { service: service.clone(), id: id.clone(), timeout };
    let drain = Some(step(drain)).filter(|_| runs);
    drain.into_iter().chain([step(Action::Remove { service, id })]).collect()
}

/// Whether the config of the edge differs from the one it runs with.
fn differs(host: &DesiredHost, seen: &Seen) -> bool {
    let Some(wanted) = host.files.get(gateway::CADDYFILE) else { return false };
    seen.files
        .get(gateway::CADDYFILE)
        .is_none_or(|there| there.sha256 != super::files::file_seen(wanted).sha256)
}

/// Whether the edge takes its new config while it runs; else the file is written before it starts.
pub(super) fn reloads(host: &DesiredHost, seen: &Seen, current: Option<&Container>) -> bool {
    current.is_some_and(serves) && differs(host, seen)
}

/// The edge's task with what a changed config asks for. A config that Caddy refuses fails before anything is
/// stopped, and the one it has stays; it is back as well if nobody has an answer by the new one.
pub(super) fn with_config(
    now: &Now<'_>,
    task: Option<Task>,
    host: &DesiredHost,
    seen: &Seen,
) -> Option<Task> {
    let Some(content) = host.files.get(gateway::CADDYFILE).filter(|_| differs(host, seen)) else {
        return task;
    };
    let because = Cause::Changed(vec![Change {
        what: "the content of the Caddyfile".to_owned(),
        from: None,
        to: None,
    }]);
    let step = |action, because: &Cause| Step { action, because: because.clone(), interrupts: false };
    let service = now.name.clone();
    let waits = || now.wait.iter().map(|action| step(action.clone(), &because));
    match (now.current, task) {
        (Some(current), task) if reloads(host, seen, Some(current)) => {
            let reload = step(Action::Reload { service: service.clone() }, &because);
            let action = Action::WriteFile { path: gateway::CADDYFILE.to_owned(), content: content.clone() };
            let write = step(action, &because);
            let task = match task {
                // Its successor starts with what is in the file.
                Some(mut task) => {
                    task.ahead.splice(0..0, [reload, write]);
                    task
                }
                None => Task {
                    services: vec![service.clone()],
                    steps: [reload].into_iter().chain(waits()).chain([write]).collect(),
                    way_back: vec![step(Action::ReloadBack { service }, &Cause::WayBack)],
                    ..Task::default()
                },
            };
            Some(task)
        }
        // It runs and does not answer, perhaps because of the config it has.
        (Some(current), Some(task)) if is_running(current) && only_waits(&task) => {
            let restart =
                step(Action::Restart { service: service.clone(), id: current.id.clone() }, &because);
            let steps = [restart].into_iter().chain(waits()).collect();
            Some(Task { steps, ..task })
        }
        (_, task) => task,
    }
}

fn only_waits(task: &Task) -> bool {
    task.ahead.is_empty() && task.steps.iter().all(|step| !step.action.changes())
}

/// The tasks of the gateway and of its edge, in order. Where the gateway is replaced they are one: if the edge does
/// not come up, both are led back. What the edge must give up it gives up only when the gateway is there.
pub(super) fn together(gateway: Option<Task>, edge: Option<Task>) -> Vec<Task> {
    match (gateway, edge) {
        (Some(gateway), Some(edge)) if !only_waits(&gateway) => {
            let (services, steps) = (edge.services, edge.ahead.into_iter().chain(edge.steps));
            vec![Task {
                services: gateway.services.into_iter().chain(services).collect(),
                steps: gateway.steps.into_iter().chain(steps).collect(),
                way_back: edge.way_back.into_iter().chain(gateway.way_back).collect(),
                ..gateway
            }]
        }
        (gateway, edge) => gateway.into_iter().chain(edge).collect(),
    }
}

/// How the edge is asked, if it is one.
pub(super) fn await_edge(name: &ServiceName, desired: &DesiredService) -> Option<Action> {
    let Role::Edge(before) = &desired.role else { return None };
    let (address, port) = super::local(&desired.service)?;
    let clients = desired.service.published().next()?;
    Some(Action::AwaitEdge {
        service: name.clone(),
        address,
        port,
        clients_address: clients.local_address().to_owned(),
        clients_port: clients.host,
        names: before.names.clone(),
        master_key: before.master_key.clone(),
        timeout: desired.ready_timeout,
    })
}
