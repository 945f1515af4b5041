//! One service: from what runs to what should, as a task with its way back.
//! It looks at no other service.

use crate::cluster::Role;
use crate::engine::{Kind, Load};
use crate::image;
use crate::names::{ModelName, ServiceName};
use crate::secret::SecretRef;
use crate::service::Service;
use crate::service::label::{self, COMPANION};
use crate::survey::{Container, Failure, Health, State};

use super::cause::changes;
use super::edge;
use super::needs::host_ports;
use super::now::{Now, is_running, serves};
use super::{Action, Cause, Change, Known, Probe, Step, Task};

/// What leads to the desired service; nothing if it is there and answers.
///
/// # Errors
/// When its container's label cannot be read.
pub(super) fn task(now: &Now<'_>) -> Result<Option<Task>, Failure> {
    let Some(mut task) = without_older(now)? else { return Ok(None) };
    // Somebody started what was set aside: it has the port and the GPU that this one needs.
    if let Some(older) = now.previous.filter(|older| is_running(older) && !edge::stands_beside(now, older))
        && !task.ahead.iter().chain(&task.steps).any(|step| acts_on(&step.action, &older.id))
    {
        task.ahead.insert(0, set_aside(now, older, Cause::CutOff));
    }
    let starts = task.steps.first().is_some_and(|step| !matches!(step.action, Action::AwaitModel { .. }));
    task.can_freeze = starts && now.desired.service.labels.contains_key(label::MEMORY);
    Ok(Some(task))
}

fn acts_on(action: &Action, container: &str) -> bool {
    matches!(action, Action::Remove { id, .. } | Action::PutBack { id, .. } if id == container)
}

/// The same while the one that was set aside lies still, as it should.
fn without_older(now: &Now<'_>) -> Result<Option<Task>, Failure> {
    let Some(current) = now.current else { return Ok(Some(made(now))) };
    let running = match difference(now, current)? {
        None => return Ok(same(now, current)),
        Some(cause) => (is_running(current), cause),
    };
    Ok(Some(match (running, now.previous) {
        // It runs: it is what leads back.
        ((true, cause), None) => swap(now, current, cause),
        ((true, cause), Some(older))
            if serves(current) && !edge::only_older_is_led_to(now, current, older) =>
        {
            let mut task = swap(now, current, cause);
            let first = edge::switch_unless_there(now, current, &Cause::LedElsewhere)
                .filter(|_| edge::stands_beside(now, older));
            task.ahead.splice(0..0, first.into_iter().chain(remove_older(now, older)));
            task
        }
        // A swap was cut off and the inventory changed since: the one set aside leads back.
        ((_, cause), Some(older)) => {
            let mut task = create(now, cause.clone());
            task.ahead = vec![remove(now, current, cause)];
            task.way_back = way_back(now, older);
            task
        }
        ((false, cause), None) => {
            let mut task = create(now, cause.clone());
            task.ahead = vec![remove(now, current, cause)];
            task
        }
    }))
}

/// Why the container is not the desired one; nothing if it is.
pub(super) fn difference(now: &Now<'_>, current: &Container) -> Result<Option<Cause>, Failure> {
    if current.state == State::Dead {
        return Ok(Some(Cause::NotRunning("is dead".to_owned())));
    }
    if let Some(dir) = current.labels.get(label::WORKING_DIR).filter(|dir| *dir != now.dir) {
        // Its mounts lead there.
        let (from, to) = (Some(dir.clone()), Some(now.dir.to_owned()));
        return Ok(Some(Cause::Changed(vec![Change { what: "homelab_dir".to_owned(), from, to }])));
    }
    match &current.service {
        Ok(service) if *service == now.desired.service && current.drift.is_empty() => {
            Ok(other_image(now, current).map(|change| Cause::Changed(vec![change])))
        }
        Ok(service) if *service == now.desired.service => Ok(Some(Cause::Drift(current.drift.clone()))),
        Ok(service) => Ok(Some(Cause::Changed(changes(service, &now.desired.service)))),
        Err(_) if !current.labels.contains_key(label::SERVICE) => Ok(Some(Cause::MadeByCompose)),
        Err(why) => Err(Failure {
            step: format!("reading the label of {}", now.name),
            what: format!("its label `{}` cannot be read: {why}", label::SERVICE),
            lines: vec![],
            hint: Some(format!(
                "a newer homelab may have made it; else remove it: docker rm -f {}",
                current.id
            )),
            finding: None,
        }),
    }
}

/// Whether it runs another image than `homelab.lock` pins, as far as the host can tell: of an image that has
/// lost its names nobody knows what it was.
fn other_image(now: &Now<'_>, current: &Container) -> Option<Change> {
    let (name, pin) = (&now.desired.service.image, now.desired.digest.as_ref()?);
    if !now.images.knows(&current.image) || now.images.is(&current.image, name, pin) {
        return None;
    }
    let short = |digest: &String| image::short(digest).to_owned();
    let from = now.images.digests(&current.image, name).first().map(short);
    Some(Change { what: format!("image {name}"), from, to: Some(short(pin)) })
}

/// Whether its server is asked how it is.
fn is_asked(now: &Now<'_>) -> bool {
    now.desired.role != Role::Companion || now.desired.service.labels.contains_key(label::HEALTH)
}

/// It is the desired one: nothing to do if it answers.
fn same(now: &Now<'_>, current: &Container) -> Option<Task> {
    let start = |action: Action, cause: Cause| {
        // One that has lost its GPU may serve for as long as it needs nothing new there.
        let first = Step { action, because: cause.clone(), interrupts: serves(current) };
        let switch = edge::switch_unless_there(now, current, &cause);
        Task {
            steps: [first].into_iter().chain(waits(now, &cause)).chain(switch).collect(),
            ..for_service(now)
        }
    };
    let id = current.id.clone();
    let service = now.name.clone();
    let task = match (&current.state, &current.health) {
        (State::Running, _) if current.lost_gpu => start(Action::Restart { service, id }, Cause::LostGpu),
        (State::Running, Health::Ready) => {
            let steps = edge::switch_unless_there(now, current, &Cause::LedElsewhere)?;
            return Some(Task { steps: vec![steps], ..for_service(now) });
        }
        // What has nothing to be asked is as well as it can be told, and cannot be waited for.
        (State::Running, _) if !is_asked(now) => return None,
        (State::Restarting, _) if !is_asked(now) => {
            start(Action::Restart { service, id }, Cause::NotRunning(state_text(&State::Restarting)))
        }
        (State::Running, Health::Lacks(models)) => {
            start(Action::Restart { service, id }, Cause::Lacks(models.clone()))
        }
        (State::Running, Health::Hung(said)) => {
            start(Action::Restart { service, id }, Cause::Hung(said.clone()))
        }
        (State::Running | State::Restarting, health) => {
            let said = match (&current.state, health) {
                (State::Restarting, _) => format!("it keeps restarting ({} times)", current.restarts),
                (_, Health::NotReady(said)) => said.clone(),
                _ => "nobody asked".to_owned(),
            };
            let cause = Cause::NotReady(said);
            let switch = edge::switch_unless_there(now, current, &cause);
            Task { steps: waits(now, &cause).chain(switch).collect(), ..for_service(now) }
        }
        (State::Paused, _) => {
            start(Action::Restart { service, id }, Cause::NotRunning("is paused".to_owned()))
        }
        (state, _) => start(Action::Start { service, id }, Cause::NotRunning(state_text(state))),
    };
    let back = now.previous.map(|older| instead_of(now, remove(now, current, Cause::WayBack), older));
    Some(Task { way_back: back.unwrap_or_default(), ..task })
}

/// There is none: it is made, or the one an interrupted swap set aside comes back.
fn made(now: &Now<'_>) -> Task {
    match now.previous {
        None => create(now, Cause::Missing),
        Some(older) if !older.lost_gpu && matches!(difference(now, older), Ok(None)) => Task {
            steps: put_back(now, older)
                .into_iter()
                .take(1)
                .map(|step| Step { because: Cause::CutOff, ..step })
                .chain(waits(now, &Cause::CutOff))
                .chain(edge::switch_unless_there(now, older, &Cause::CutOff))
                .collect(),
            ..for_service(now)
        },
        Some(older) => Task { way_back: way_back(now, older), ..create(now, Cause::CutOff) },
    }
}

fn swap(now: &Now<'_>, current: &Container, cause: Cause) -> Task {
    let aside = if edge::stands_beside(now, current) {
        edge::move_aside(now, current, cause.clone())
    } else {
        set_aside(now, current, cause.clone())
    };
    Task { ahead: vec![aside], way_back: way_back(now, current), ..create(now, cause) }
}

fn set_aside(now: &Now<'_>, container: &Container, because: Cause) -> Step {
    Step {
        action: Action::SetAside { service: now.name.clone(), id: container.id.clone() },
        because,
        interrupts: serves(container),
    }
}

/// Makes it and waits; what was made goes again if it does not answer.
fn create(now: &Now<'_>, cause: Cause) -> Task {
    let first = Step {
        action: Action::Create { service: now.name.clone() },
        because: cause.clone(),
        interrupts: false,
    };
    Task {
        steps: [first].into_iter().chain(waits(now, &cause)).chain(edge::switch(now, &cause)).collect(),
        way_back: vec![back(Action::RemoveMade { service: now.name.clone() })],
        ..for_service(now)
    }
}

fn way_back(now: &Now<'_>, older: &Container) -> Vec<Step> {
    instead_of(now, back(Action::RemoveMade { service: now.name.clone() }), older)
}

/// Leads back: what came goes, and the older one has its place.
fn instead_of(now: &Now<'_>, gone: Step, older: &Container) -> Vec<Step> {
    let switch = edge::switch_back(now, older);
    switch.into_iter().chain([gone]).chain(put_back(now, older)).collect()
}

fn put_back(now: &Now<'_>, older: &Container) -> Vec<Step> {
    let gateway = now.wait.iter().find_map(|action| match action {
        Action::AwaitGateway { service, master_key, timeout, .. } => {
            let (address, port) = super::local(older.service.as_ref().ok()?)?;
            Some(Action::AwaitGateway {
                service: service.clone(),
                address,
                port,
                master_key: master_key.clone(),
                names: vec![],
                timeout: *timeout,
            })
        }
        _ => None,
    });
    match gateway {
        Some(wait) => vec![back(bring_back(now.name, older)), back(wait)],
        None => come_back(now.name, older),
    }
}

/// Brings a model's container back and waits for it, by what its own labels say.
pub(super) fn come_back(name: &ServiceName, older: &Container) -> Vec<Step> {
    let mut steps = vec![back(bring_back(name, older))];
    steps.extend(old_wait(name, older).map(back));
    steps
}

fn bring_back(name: &ServiceName, older: &Container) -> Action {
    Action::PutBack { service: name.clone(), id: older.id.clone() }
}

/// How long an older version may take to answer again, in seconds: it did once already, but a
/// large model loads for minutes.
const OLD_TIMEOUT: u64 = 30 * 60;

fn old_wait(name: &ServiceName, older: &Container) -> Option<Action> {
    Some(Action::AwaitModel { service: name.clone(), probe: old_probe(older)? })
}

/// How a container is asked, by what its own labels say; none if it can only be looked at.
pub(super) fn old_probe(older: &Container) -> Option<Probe> {
    let (address, port) = super::local(older.service.as_ref().ok()?)?;
    let word = |name: &str| older.labels.get(name);
    let model = word(label::MODEL).and_then(|name| ModelName::new(name.as_str()).ok());
    if model.is_none() && !is_companion(older) {
        return None;
    }
    let kind = word(label::KIND).and_then(|word| Kind::by_word(word)).filter(|_| model.is_some());
    let upstream = word(label::UPSTREAM).cloned().or_else(|| Some(model.as_ref()?.to_string()));
    let known = |(kind, name)| Known { name, kind, load: Load::Startup, loading: None };
    Some(Probe {
        key: model.as_ref().map(SecretRef::model),
        models: kind.zip(upstream).map(known).into_iter().collect(),
        health: super::health(&older.labels),
        engine: word(label::ENGINE)?.clone(),
        address,
        port,
        timeout: OLD_TIMEOUT,
        gpus: false,
    })
}

/// Whether it was made beside the gateway, and can be asked.
fn is_companion(container: &Container) -> bool {
    let word = |name: &str| container.labels.get(name).map(String::as_str);
    word(label::ROLE) == Some(COMPANION) && word(label::HEALTH).is_some()
}

fn for_service(now: &Now<'_>) -> Task {
    Task { services: vec![now.name.clone()], ..Task::default() }
}

fn waits<'a>(now: &'a Now<'_>, cause: &'a Cause) -> impl Iterator<Item = Step> + 'a {
    now.wait.iter().map(|action| Step { action: action.clone(), because: cause.clone(), interrupts: false })
}

fn back(action: Action) -> Step {
    Step { action, because: Cause::WayBack, interrupts: false }
}

/// Removes what was set aside for a service. It may run: somebody started it, or a switch was cut off.
pub(super) fn remove_older(now: &Now<'_>, older: &Container) -> Vec<Step> {
    match edge::stands_beside(now, older) {
        true => edge::retire(now, &older.id, is_running(older)),
        false => vec![remove(now, older, Cause::NotNeeded)],
    }
}

fn remove(now: &Now<'_>, container: &Container, because: Cause) -> Step {
    let interrupts = serves(container) && because != Cause::WayBack;
    Step {
        action: Action::Remove { service: now.name.clone(), id: container.id.clone() },
        because,
        interrupts,
    }
}

/// Whether a model that runs now will be reached in another way: by another port, with a key where none was
/// asked for, or by the host's own address where it was in the project's network.
pub(super) fn moves(now: &Now<'_>) -> bool {
    let way = |service: &Service| (host_ports(service), service.env_file.is_empty(), service.runtime());
    let old = now.current.or(now.previous).and_then(|container| container.service.as_ref().ok());
    let is_model = matches!(now.desired.role, Role::Model(_));
    is_model && old.is_some_and(|old| way(old) != way(&now.desired.service))
}

/// A state in words that follow "it".
pub(super) fn state_text(state: &State) -> String {
    match state {
        State::Created => "was never started".to_owned(),
        State::Running => "runs".to_owned(),
        State::Paused => "is paused".to_owned(),
        State::Restarting => "keeps restarting".to_owned(),
        State::Exited { code: 137, oom: true } => "ran out of memory and was killed".to_owned(),
        State::Exited { code, .. } => format!("exited with code {code}"),
        State::Dead => "is dead".to_owned(),
    }
}
