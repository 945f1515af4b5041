//! Worlds in which an edge stands before the gateway: while that one is replaced, there is never a moment in which the
//! edge leads to none that answers.

use homelab::cluster::{Before, Role};
use homelab::desired::{Desired, DesiredHost};
use homelab::engine::Gpus;
use homelab::gateway::UPSTREAM_DIRECTORY;
use homelab::names::{HostName, ServiceName};
use homelab::plan::{self, Action, Plan, container_name, previous_name, upstream_file};
use homelab::secret::SecretRef;
use homelab::service::{Service, label};
use homelab::survey::{Container, FileSeen, Health, Seen, State, Survey};
use proptest::prelude::*;

use crate::arbitrary::{Mood, add, desired_service};
use crate::dice::Dice;
use crate::executor::{Executor, Faults};
use crate::surroundings::Scenario;
use crate::world::World;
use crate::{bytes, config};

pub(crate) fn service(port: u16, version: usize) -> Service {
    let labels = [
        (label::ROLE, "edge"),
        (label::ENGINE, "caddy"),
        (label::GPUS, "none"),
        (label::HEALTH, "/homelab/health"),
    ];
    Service {
        image: format!("caddy:v{version}"),
        ports: vec![format!("0.0.0.0:{port}:443"), "127.0.0.1::2080".into()],
        networks: vec!["default".into()],
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Service::default()
    }
}

/// A host's gateway is to have an edge.
pub(crate) fn stand_before(host: &mut DesiredHost) {
    let before =
        Before { url: "https://box".into(), names: vec!["box".into()], master_key: SecretRef::gateway() };
    add(host, ServiceName::edge(), desired_service(service(4000, 2), Role::Edge(before), (Gpus::None, 4000)));
}

pub(crate) fn is_before(desired: &Desired) -> bool {
    desired.hosts.values().any(|host| host.services.contains_key(&ServiceName::edge()))
}

fn empty() -> FileSeen {
    FileSeen { sha256: "5".into(), mode: 0o644 }
}

/// The edge of a host that was seen leads to this container; after half a switch to another one as well.
pub(crate) fn lead(seen: &mut Seen, id: &str, half: bool) {
    if !half {
        seen.files.retain(|path, _| !path.starts_with(UPSTREAM_DIRECTORY));
    }
    seen.files.insert(upstream_file(id), empty());
}

/// Where the edge leads to in a random world: mostly to what runs, now and then to what was, or to nothing.
pub(crate) fn leads(dice: &mut Dice<'_>, desired: &Desired, host: &HostName, seen: &mut Seen) {
    if desired.gateway.as_ref() != Some(host) {
        return;
    }
    let gateway = ServiceName::gateway();
    let id = |name: String| seen.containers.get(&name).map(|c| c.id.clone());
    let (current, previous) = (id(container_name(desired, &gateway)), id(previous_name(desired, &gateway)));
    let named = match dice.below(8) {
        0 => vec![],
        1 | 2 => previous.into_iter().collect(),
        3 => current.into_iter().chain(previous).collect(),
        4 => vec!["000gone00000".to_owned()],
        _ => current.into_iter().collect::<Vec<_>>(),
    };
    for id in named {
        lead(seen, &id, true);
    }
}

fn answers(container: &Container) -> bool {
    container.state == State::Running && container.health == Health::Ready
}

/// Whether whatever the edge leads to answers: each request may go to any of them.
pub(crate) fn serves(seen: &Seen) -> bool {
    let led = |c: &&Container| seen.files.contains_key(&upstream_file(&c.id));
    let count = seen.files.keys().filter(|path| path.starts_with(UPSTREAM_DIRECTORY)).count();
    let good = seen.containers.values().filter(led).filter(|c| answers(c)).count();
    count > 0 && good == count
}

/// The gateway's host, if a gateway answers there behind its edge, is to do so, and neither is to be what stands in
/// its way.
fn unnoticed(desired: &Desired, survey: &Survey) -> Option<HostName> {
    let host = desired.gateway.clone().filter(|_| is_before(desired))?;
    let seen = survey.seen(&host)?;
    let beside = |c: &&Container| c.service.as_ref().is_ok_and(|s| s.published().all(|port| port.host == 0));
    let edge = seen.containers.get(&container_name(desired, &ServiceName::edge()))?;
    let led = |c: &&Container| seen.files.contains_key(&upstream_file(&c.id));
    let sound = seen.containers.values().filter(led).all(|c| beside(&c) && c.drift.is_empty());
    (serves(seen) && answers(edge) && sound).then_some(host)
}

/// Whether the edge's own container is stopped or made.
fn touches_the_edge(plan: &Plan) -> bool {
    let edge = ServiceName::edge();
    plan.steps().any(|(_, step)| match &step.action {
        Action::SetAside { service, .. }
        | Action::Create { service }
        | Action::Start { service, .. }
        | Action::PutBack { service, .. }
        | Action::Restart { service, .. } => *service == edge,
        _ => false,
    })
}

proptest! {
    #![proptest_config(config(2500))]

    #[test]
    fn an_edge_always_leads_to_a_gateway_that_answers((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let Some(host) = unnoticed(&scenario.desired, &scenario.survey) else { return Ok(()) };
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        // While Caddy itself is replaced, nothing is reached through it, and the plan says that it interrupts.
        if touches_the_edge(&plan) {
            return Ok(());
        }
        let mut dice = Dice::new(&order);
        let steps = 1 + dice.below(plan.steps().count().clamp(1, 200));
        let half = dice.coin();
        let faults = match dice.below(3) {
            0 => Faults { half, ..Faults::default() },
            1 => Faults { fail: [steps].into(), kill: None, half },
            _ => Faults { kill: Some(steps), half, ..Faults::default() },
        };
        let mut world = World::new(scenario, &plan);
        world.watch_edge(host);
        let outcome = Executor::new(&mut world, faults, dice).run(&plan);
        prop_assert!(world.unserved.is_empty(), "{:?}\n{}\n{outcome}", world.unserved, plan::text(&plan, 1));
    }
}
