//! In which order: from what each host needs to stages, waves and lanes.
//! Total and pure: whatever was seen, there is a plan, and equal inputs give equal plans.

use std::collections::BTreeMap;

use crate::cluster::{Model, Role};
use crate::desired::Desired;
use crate::engine::{Kind, Load};
use crate::names::{HostName, ModelName, ServiceName};
use crate::survey::{Images, Look, Seen, Survey};

use super::away::{self, Away, Backends};
use super::edge;
use super::gpus::await_memory;
use super::now::{Behind, Now};
use super::site::{ModelWork, Site, Work};
use super::{Action, Ask, Blocked, Cause, Lane, Plan, Stage, StageName, Step, Task};
use super::{container_name, previous_name, service};

/// Makes the plan.
#[must_use]
pub fn plan(desired: &Desired, survey: &Survey) -> Plan {
    let mut blocked = Vec::new();
    let mut all = Vec::new();
    let nothing = Seen::default();
    let backends = backends(desired);
    for (name, host) in &desired.hosts {
        let seen = match survey.hosts.get(name) {
            Some(Look::Seen(seen)) => seen,
            Some(Look::Failed(why)) => {
                blocked.push(Blocked { host: name.clone(), service: None, why: why.clone() });
                continue;
            }
            Some(Look::Away(_)) => continue,
            Some(Look::NotAsked) | None => &nothing,
        };
        let site = Site { desired, survey, name, host, seen, backends: &backends };
        all.push(site.work(&mut blocked));
    }
    let away = away::away(desired, survey, &backends);
    await_gateway((desired, survey), &backends, &Out { blocked: &blocked, away: &away }, &mut all);
    Plan { stages: stages(all), blocked, away }
}

/// What nothing can be asked of.
struct Out<'a> {
    blocked: &'a [Blocked],
    away: &'a [Away],
}

impl Out<'_> {
    fn has(&self, host: &HostName, service: &ServiceName) -> bool {
        let is_it = |b: &Blocked| b.host == *host && b.service.as_ref().is_none_or(|s| s == service);
        self.blocked.iter().any(is_it) || self.away.iter().any(|away| away.host == *host)
    }
}

/// The gateway's wait: every name if the gateway itself changes, else those whose models do.
fn await_gateway(
    (desired, survey): (&Desired, &Survey),
    backends: &Backends,
    out: &Out<'_>,
    all: &mut [Work<'_>],
) {
    let name = ServiceName::gateway();
    let service =
        desired.gateway.as_ref().and_then(|at| Some((at, desired.hosts.get(at)?.services.get(&name)?)));
    let Some((gateway, service)) = service else { return };
    let Role::Gateway { master_key, names, .. } = &service.role else { return };
    let (Some((address, port)), false) = (super::local(&service.service), out.has(gateway, &name)) else {
        return;
    };
    let (touched, mut returning) = (services(all, true), services(all, false));
    returning.extend(all.iter().flat_map(|w| w.moving.iter().map(|s| (w.host.clone(), s.clone()))));
    // No companion is asked by it.
    returning.retain(|(host, service)| !is_companion(desired, host, service));
    let Some(work) = all.iter_mut().find(|w| w.host == gateway) else { return };
    let runs =
        survey.seen(gateway).is_some_and(|s| s.containers.contains_key(&container_name(desired, &name)));
    if runs && returning.iter().any(|(host, service)| out.has(host, service)) {
        // It would only be skipped: what cannot move is still reached by the config it has.
        work.leave_gateway();
    }
    let ask = |(public, (kind, load)): (&ModelName, &(Kind, Load))| {
        let serving = backends.get(public).cloned().unwrap_or_default();
        let able: Vec<_> = serving.into_iter().filter(|(h, s)| !out.has(h, s)).collect();
        let wanted = work.gateway.is_some() || able.iter().any(|b| touched.contains(b));
        (wanted && !able.is_empty()).then(|| Ask {
            name: public.clone(),
            kind: *kind,
            load: *load,
            backends: able,
        })
    };
    let names: Vec<Ask> = names.iter().filter_map(ask).collect();
    let (master_key, timeout) = (master_key.clone(), service.ready_timeout);
    let nothing_to_ask = names.is_empty();
    let wait = Action::AwaitGateway { service: name.clone(), address, port, master_key, names, timeout };
    work.gateway = match work.gateway {
        None if nothing_to_ask => None,
        None => {
            let because = Cause::Follows("a model behind it changed".to_owned());
            let steps = vec![Step { action: wait, because, interrupts: false }];
            Some(Task { services: vec![name], steps, ..Task::default() })
        }
        Some(_) => {
            let (seen, none) = (survey.seen(gateway), Images::default());
            let container = |name: String| seen.and_then(|s| s.containers.get(&name));
            let current = container(container_name(desired, &name));
            let previous = container(previous_name(desired, &name));
            let dir = desired.hosts.get(gateway).map_or("", |host| host.dir.as_str());
            let images = seen.map_or(&none, |seen| &seen.images);
            let nothing = Seen::default();
            let behind = Behind::of(service, seen.unwrap_or(&nothing));
            let wait = vec![wait];
            let now = Now { name: &name, desired: service, dir, images, current, previous, wait, behind };
            // What came back must stay reachable: then the gateway keeps its config, if it has one.
            let after = if current.is_some() { returning } else { vec![] };
            service::task(&now).ok().flatten().map(|task| Task { after, ..task })
        }
    };
}

fn is_companion(desired: &Desired, host: &HostName, service: &ServiceName) -> bool {
    let service = desired.hosts.get(host).and_then(|host| host.services.get(service));
    service.is_some_and(|service| service.role == Role::Companion)
}

/// The services of the models stage: those that stay, or those that make room for others and
/// come back if the others fail.
fn services(all: &[Work<'_>], stay: bool) -> Vec<(HostName, ServiceName)> {
    let of = |work: &Work<'_>| {
        let tasks = work.models.iter().filter(|m| m.model.is_some() == stay).flat_map(|m| &m.task.services);
        tasks.map(|service| (work.host.clone(), service.clone())).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

/// Every public name and the services behind it. Aliases lead to what serves the same name.
fn backends(desired: &Desired) -> Backends {
    let mut all = Backends::new();
    for (host, services) in desired.hosts.iter().map(|(name, h)| (name, &h.services)) {
        for (name, service) in services {
            let Role::Model(served) = &service.role else { continue };
            for public in served.models.iter().flat_map(Model::public) {
                all.entry(public.clone()).or_default().push((host.clone(), name.clone()));
            }
        }
    }
    all
}

fn stages(all: Vec<Work<'_>>) -> Vec<Stage> {
    let mut key = Vec::new();
    let mut prepare = Vec::new();
    let mut fetches = Vec::new();
    let mut models: BTreeMap<usize, Vec<Lane>> = BTreeMap::new();
    let mut gateway = Vec::new();
    let mut companions = Vec::new();
    let (mut draining, mut tidy) = (Vec::new(), Vec::new());
    let mut replaced = Replaced::new();
    for work in all {
        key.extend(work.root_key.map(|task| Lane { host: work.host.clone(), tasks: vec![task] }));
        // Pulls and files of a host do not wait for each other. Downloads need both: they run in the
        // models' own images.
        prepare
            .extend(work.prepare.into_iter().map(|task| Lane { host: work.host.clone(), tasks: vec![task] }));
        fetches.extend(work.fetches.into_iter().map(|tasks| Lane { host: work.host.clone(), tasks }));
        for (wave, lanes) in waves((work.host, work.seen), work.models, &mut replaced) {
            models.entry(wave).or_default().extend(lanes);
        }
        let mut room = work.room;
        await_memory(&mut room, work.seen);
        let room = room.into_iter().map(|item| item.task);
        let own = edge::together(work.gateway, work.edge);
        let tasks: Vec<Task> = own.into_iter().chain(room).collect();
        if !tasks.is_empty() {
            gateway.push(Lane { host: work.host.clone(), tasks });
        }
        for mut lane in lanes(work.companions) {
            await_memory(&mut lane, work.seen);
            let tasks = lane.into_iter().map(|item| item.task).collect();
            companions.push(Lane { host: work.host.clone(), tasks });
        }
        // What ends its answers still asks the models that are about to go.
        let (first, last): (Vec<Task>, Vec<Task>) = work.tidy.into_iter().partition(drains);
        for (lanes, tasks) in [(&mut draining, first), (&mut tidy, last)] {
            if !tasks.is_empty() {
                lanes.push(Lane { host: work.host.clone(), tasks });
            }
        }
    }
    let one = |lanes: Vec<Lane>| if lanes.is_empty() { vec![] } else { vec![lanes] };
    let stages = [
        (StageName::Prepare, after_key(key, [prepare, fetches])),
        (StageName::Models, models.into_values().collect()),
        (StageName::Gateway, one(gateway)),
        (StageName::Companions, one(companions)),
        (StageName::Tidy, one(draining).into_iter().chain(one(tidy)).collect()),
    ];
    stages
        .into_iter()
        .filter(|(_, waves)| !waves.is_empty())
        .map(|(name, waves)| Stage { name, waves })
        .collect()
}

fn drains(task: &Task) -> bool {
    task.steps.iter().any(|step| matches!(step.action, Action::Drain { .. }))
}

/// What is derived from the root key waits until it is kept.
fn after_key(key: Vec<Lane>, mut waves: [Vec<Lane>; 2]) -> Vec<Vec<Lane>> {
    let keeper = key.first().map(|lane| lane.host.clone());
    for task in waves.iter_mut().flatten().flat_map(|lane| &mut lane.tasks) {
        task.after_host.clone_from(&keeper);
    }
    [key].into_iter().chain(waves).filter(|lanes| !lanes.is_empty()).collect()
}

/// The servers of a name that are replaced so far: in which wave the last one is, and all of them.
type Replaced = BTreeMap<ModelName, (usize, Vec<(HostName, ServiceName)>)>;

/// A host's lanes by wave. A lane keeps together: what leaves a GPU or port and what comes there
/// are never in two waves, so that the one is gone before the other loads.
fn waves(
    (host, seen): (&HostName, &Seen),
    work: Vec<ModelWork<'_>>,
    replaced: &mut Replaced,
) -> BTreeMap<usize, Vec<Lane>> {
    let mut by_wave: BTreeMap<usize, Vec<Lane>> = BTreeMap::new();
    for mut lane in lanes(work) {
        let next = |name: &ModelName| Some(replaced.get(name)?.0 + 1);
        let wave = lane.iter().flat_map(ModelWork::names).filter_map(next).max().unwrap_or(0);
        for item in &mut lane {
            let own: Vec<_> = item.task.services.iter().map(|s| (host.clone(), s.clone())).collect();
            let names: Vec<&ModelName> = item.names().collect();
            for name in names {
                let (last, earlier) = replaced.entry(name.clone()).or_default();
                *last = wave;
                let others =
                    earlier.iter().filter(|other| !own.contains(other) && !item.task.after.contains(other));
                let others: Vec<_> = others.cloned().collect();
                item.task.after.extend(others);
                earlier.extend(own.iter().cloned());
            }
        }
        // What loads already has the GPU until it answers.
        lane.sort_by_key(|item| !item.only_waits());
        await_memory(&mut lane, seen);
        let tasks = lane.into_iter().map(|item| item.task).collect();
        by_wave.entry(wave).or_default().push(Lane { host: host.clone(), tasks });
    }
    by_wave
}

/// Work that may meet on a GPU or port, together; each such lane can go on beside the others.
fn lanes(work: Vec<ModelWork<'_>>) -> Vec<Vec<ModelWork<'_>>> {
    let mut lanes: Vec<Vec<ModelWork<'_>>> = Vec::new();
    for item in work {
        let (meet, apart): (Vec<_>, Vec<_>) =
            lanes.into_iter().partition(|lane| lane.iter().any(|other| other.needs.meet(&item.needs)));
        lanes = apart;
        let mut merged: Vec<ModelWork<'_>> = meet.into_iter().flatten().collect();
        merged.push(item);
        lanes.push(merged);
    }
    lanes
}
