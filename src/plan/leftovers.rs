//! Containers that should not be there: of services the inventory does not name, and previous
//! versions nobody needs. Nothing leaves earlier than somebody needs what it has.

use std::collections::BTreeSet;

use crate::names::ServiceName;
use crate::service::label;
use crate::survey::Container;

use super::edge;
use super::needs::Needs;
use super::now::{Now, is_running, serves};
use super::service;
use super::site::{ModelWork, Site, Work};
use super::{Action, Cause, Step, Task, previous_name};

/// Who needs what a container has.
enum Next {
    /// Nobody.
    Nobody,
    /// These models, which are about to load.
    Models(Vec<ServiceName>),
    /// The gateway.
    Gateway,
    /// These services beside the gateway.
    Companions(Vec<ServiceName>),
}

impl Site<'_> {
    /// Containers of services that should not be there. Where something is about to need their GPU
    /// or port they are set aside before it starts and come back if it fails; everywhere else
    /// they go last, when the gateway asks them no more.
    pub(super) fn leftovers(&self, work: &mut Work<'_>) {
        let mut gone = BTreeSet::new();
        for (name, container) in &self.seen.containers {
            let Some(service) = service_of(container) else { continue };
            if self.host.services.contains_key(&service) || gone.contains(name) {
                continue;
            }
            let next = work.next_of(container);
            let aside = previous_name(self.desired, &service);
            let (after, leaving) = match next {
                Next::Nobody => {
                    let step = remove(&service, container, serves(container));
                    work.tidy.push(Task { services: vec![service], steps: vec![step], ..Task::default() });
                    continue;
                }
                Next::Models(models) => (models, &mut work.models),
                Next::Gateway => (vec![ServiceName::gateway()], &mut work.room),
                Next::Companions(companions) => (companions, &mut work.companions),
            };
            // If what needs its place cannot come, it stays where it is.
            let after: Vec<_> = after.into_iter().map(|s| (self.name.clone(), s)).collect();
            let mut task = Task { services: vec![service.clone()], after: after.clone(), ..Task::default() };
            if *name == aside {
                // Somebody started what was set aside; its name leaves no room to do it again.
                task.ahead = vec![remove(&service, container, serves(container))];
            } else {
                if let Some(older) = self.seen.containers.get(&aside) {
                    task.ahead.push(remove(&service, older, serves(older)));
                    gone.insert(aside);
                }
                task.ahead.push(set_aside(&service, container));
                task.way_back = service::come_back(&service, container);
                let steps = vec![remove(&service, container, false)];
                work.tidy.push(Task { services: vec![service], after, steps, ..Task::default() });
            }
            leaving.push(ModelWork { needs: Needs::of(container), model: None, task });
        }
    }
}

impl Work<'_> {
    /// Removes what was set aside for a service that is as it should be. If somebody started it,
    /// it goes before anything loads.
    pub(super) fn drop_older(&mut self, now: &Now<'_>) {
        let Some(older) = now.previous else { return };
        let mut task = Task { services: vec![now.name.clone()], ..Task::default() };
        let steps = service::remove_older(now, older);
        if is_running(older) && !edge::stands_beside(now, older) {
            task.ahead = steps;
            self.models.push(ModelWork { needs: Needs::of(older), model: None, task });
        } else {
            task.steps = steps;
            self.tidy.push(task);
        }
    }

    fn next_of(&self, container: &Container) -> Next {
        // One that does not run is in nobody's way, and must not run after a way back.
        if !is_running(container) {
            return Next::Nobody;
        }
        let needs = Needs::of(container);
        let meet = self.models.iter().filter(|m| m.model.is_some() && m.needs.meet(&needs));
        let models: Vec<ServiceName> = meet.flat_map(|m| m.task.services.clone()).collect();
        if !models.is_empty() {
            Next::Models(models)
        } else if self.gateway_needs.as_ref().is_some_and(|gateway| gateway.meet(&needs)) {
            Next::Gateway
        } else {
            // What leaves does nothing after it was set aside.
            let comes = |c: &&ModelWork<'_>| !c.task.steps.is_empty() && c.needs.meet(&needs);
            let meet = self.companions.iter().filter(comes);
            let companions: Vec<ServiceName> = meet.flat_map(|c| c.task.services.clone()).collect();
            if companions.is_empty() { Next::Nobody } else { Next::Companions(companions) }
        }
    }
}

fn remove(service: &ServiceName, container: &Container, interrupts: bool) -> Step {
    let action = Action::Remove { service: service.clone(), id: container.id.clone() };
    Step { action, because: Cause::NotInInventory, interrupts }
}

fn set_aside(service: &ServiceName, container: &Container) -> Step {
    let action = Action::SetAside { service: service.clone(), id: container.id.clone() };
    Step { action, because: Cause::NotInInventory, interrupts: serves(container) }
}

fn service_of(container: &Container) -> Option<ServiceName> {
    container.labels.get(label::COMPOSE_SERVICE).and_then(|name| ServiceName::new(name.as_str()).ok())
}
