//! What is true of every plan, before anything is done.

use std::collections::{BTreeMap, BTreeSet};

use homelab::cluster::Role;
use homelab::gateway::AROUND_ENDING;
use homelab::names::{HostName, ModelName, ServiceName};
use homelab::plan::{self, Action, Cause, Plan, Row, Stage, StageName, Step, Task};
use homelab::service::label;
use homelab::survey::{Container, Health, Look, State, Survey};
use proptest::prelude::*;

use crate::arbitrary::Mood;
use crate::dice::Dice;
use crate::surroundings::Scenario;
use crate::{bytes, config};

fn planned(bytes: &[u8]) -> (Scenario, Plan) {
    let scenario = Scenario::new(bytes, Mood::Any);
    let plan = plan::plan(&scenario.desired, &scenario.survey);
    (scenario, plan)
}

fn stage(plan: &Plan, name: StageName) -> Option<&Stage> {
    plan.stages.iter().find(|stage| stage.name == name)
}

fn tasks(stage: &Stage) -> impl Iterator<Item = (&HostName, &Task)> {
    stage.waves.iter().flatten().flat_map(|lane| lane.tasks.iter().map(|task| (&lane.host, task)))
}

/// Every step there may ever be, the ways back too.
fn all_steps(plan: &Plan) -> impl Iterator<Item = (&HostName, &Step)> {
    let back = plan.tasks().flat_map(|(host, task)| task.way_back.iter().map(move |step| (host, step)));
    plan.steps().chain(back)
}

fn find<'a>(survey: &'a Survey, host: &HostName, id: &str) -> Option<&'a Container> {
    survey.seen(host)?.containers.values().find(|c| c.id == id)
}

/// Whether it serves, or may: one whose label cannot be read was not asked.
fn serves(container: &Container) -> bool {
    container.state == State::Running
        && matches!(container.health, Health::Ready | Health::NotAsked | Health::Lacks(_))
}

fn is_model(survey: &Survey, host: &HostName, step: &Step) -> bool {
    let container = step.action.container().and_then(|id| find(survey, host, id));
    container.is_some_and(|c| c.labels.get(label::ROLE).is_some_and(|role| role == "model"))
}

proptest! {
    #![proptest_config(config(1100))]

    #[test]
    fn preparing_harms_nothing((bytes, _) in bytes()) {
        let (_, plan) = planned(&bytes);
        for (_, task) in stage(&plan, StageName::Prepare).into_iter().flat_map(tasks) {
            prop_assert!(task.ahead.is_empty() && task.way_back.is_empty());
            for step in &task.steps {
                let harmless = matches!(
                    step.action,
                    Action::WriteRootKey
                        | Action::WriteFile { .. }
                        | Action::CreateNetwork { .. }
                        | Action::Pull { .. }
                        | Action::Fetch { .. }
                );
                // The gateway asks again what it was kept from by a run that was killed.
                let again = matches!(&step.action, Action::RemoveFile { path } if path.ends_with(AROUND_ENDING));
                prop_assert!((harmless || again) && !step.interrupts, "{step:?}");
            }
        }
    }

    #[test]
    fn the_gateway_comes_after_every_model((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        let names: Vec<StageName> = plan.stages.iter().map(|stage| stage.name).collect();
        prop_assert!(names.is_sorted() && names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        let gateway = (scenario.desired.gateway.clone().unwrap(), ServiceName::gateway());
        for (host, task) in stage(&plan, StageName::Models).into_iter().flat_map(tasks) {
            let is_gateway = *host == gateway.0 && task.services.contains(&gateway.1);
            // A previous version that somebody started may be in a model's way.
            let only_goes = task.steps.is_empty() && task.ahead.iter().all(|s| s.because == Cause::NotNeeded);
            prop_assert!(!is_gateway || only_goes, "{task:?}");
        }
        let after = plan.stages.iter().filter(|stage| stage.name > StageName::Models).flat_map(tasks);
        for (host, task) in after {
            let companion = |service| {
                matches!(scenario.desired.hosts[host].services[service].role, Role::Companion | Role::Edge(_))
            };
            let starts = task.steps.iter().chain(&task.ahead).any(|step| match &step.action {
                Action::Create { service } | Action::Start { service, .. } => {
                    *service != gateway.1 && !companion(service)
                }
                Action::AwaitModel { service, .. } => !companion(service),
                _ => false,
            });
            prop_assert!(!starts, "{task:?}");
        }
    }

    #[test]
    fn replicas_are_replaced_one_after_the_other((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        let mut replaced: BTreeMap<ModelName, Vec<(usize, HostName, &Task)>> = BTreeMap::new();
        let waves = stage(&plan, StageName::Models).into_iter().flat_map(|stage| stage.waves.iter().enumerate());
        for (wave, lane) in waves.flat_map(|(i, lanes)| lanes.iter().map(move |lane| (i, lane))) {
            let swaps = |task: &&Task| !task.steps.is_empty() && task.ahead.iter().chain(&task.steps).any(|step| step.interrupts);
            for task in lane.tasks.iter().filter(swaps) {
                let host = &scenario.desired.hosts[&lane.host];
                if task.services.iter().any(|service| host.services.contains_key(service)) {
                    let model = ModelName::new(task.services[0].as_str()).unwrap();
                    replaced.entry(model).or_default().push((wave, lane.host.clone(), task));
                }
            }
        }
        for (model, tasks) in replaced {
            let service = ServiceName::of_model(&model);
            for (wave, host, _) in &tasks {
                for (later, at, task) in tasks.iter().filter(|(_, at, _)| at != host) {
                    prop_assert_ne!(wave, later, "{} on {} and {}", model, host, at);
                    let waits = task.after.contains(&(host.clone(), service.clone()));
                    prop_assert!(later < wave || waits, "{model} on {at} does not wait for {host}");
                }
            }
        }
    }

    #[test]
    fn every_step_that_stops_what_serves_says_so_and_no_other((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        let mut stopped = BTreeSet::new();
        let ahead_first = plan.stages.iter().flat_map(|stage| &stage.waves).flatten().flat_map(|lane| {
            let ahead = lane.tasks.iter().flat_map(|task| &task.ahead);
            ahead.chain(lane.tasks.iter().flat_map(|task| &task.steps)).map(|step| (&lane.host, step))
        });
        for (host, step) in ahead_first {
            if let Action::Drain { id, .. } = &step.action {
                // Nothing leads to it any more, which tests/properties/edge.rs holds.
                stopped.insert(id.clone());
            }
            let stops = matches!(
                step.action,
                Action::SetAside { .. } | Action::Remove { .. } | Action::Restart { .. }
            );
            let target = step.action.container().filter(|_| stops);
            let serving = target.and_then(|id| find(&scenario.survey, host, id)).is_some_and(serves);
            let first = target.is_some_and(|id| stopped.insert(id.to_owned()));
            prop_assert_eq!(step.interrupts, serving && first, "{:?}", step);
        }
    }

    #[test]
    fn only_containers_of_the_project_are_touched((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        let down = plan::down(&scenario.desired.project, &scenario.survey);
        for (host, step) in all_steps(&plan).chain(all_steps(&down)) {
            if let Some(id) = step.action.container() {
                prop_assert!(find(&scenario.survey, host, id).is_some(), "{step:?}");
            }
            if let Action::RemoveFile { path } | Action::WriteFile { path, .. } = &step.action {
                prop_assert!(path != "notes.txt" && !path.contains(".."), "{step:?}");
            }
            if let Action::RemoveNetwork { name } = &step.action {
                prop_assert_eq!(scenario.survey.seen(host).unwrap().networks.get(name), Some(&true));
            }
        }
    }

    #[test]
    fn what_is_in_the_way_stops_only_what_it_is_in_the_way_of((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        for blocked in &plan.blocked {
            for (host, step) in all_steps(&plan).filter(|(host, _)| **host == blocked.host) {
                let own = step.action.service().is_some() && step.action.service() == blocked.service.as_ref();
                let touches = blocked.service.is_none() || own;
                prop_assert!(!touches, "{host}: {step:?} although {blocked:?}");
            }
            prop_assert!(blocked.why.hint.is_some() || blocked.service.is_none(), "{blocked:?}");
        }
        prop_assert!(all_steps(&plan).all(|(host, step)| !step.interrupts || is_known(&scenario, host, step)));
    }

    #[test]
    fn equal_inputs_give_equal_plans_and_every_input_a_plan((bytes, odd) in bytes()) {
        let (mut scenario, plan) = planned(&bytes);
        let again = planned(&bytes).1;
        prop_assert_eq!(serde_json::to_vec(&plan).unwrap(), serde_json::to_vec(&again).unwrap());
        prop_assert_eq!(plan::text(&plan, 1), plan::text(&again, 1));
        // Nobody looked, or only at some: there is a plan all the same.
        let mut dice = Dice::new(&odd);
        for look in scenario.survey.hosts.values_mut() {
            if dice.coin() {
                *look = Look::NotAsked;
            }
        }
        let offline = plan::plan(&scenario.desired, &scenario.survey);
        let _ = plan::status(&scenario.desired, &scenario.survey, &offline);
        prop_assert!(!plan::text(&offline, 1).is_empty());
        scenario.survey.hosts.clear();
        prop_assert!(!plan::text(&plan::plan(&scenario.desired, &scenario.survey), 1).is_empty());
    }

    #[test]
    fn all_is_well_exactly_when_nothing_is_to_do((bytes, _) in bytes()) {
        let (scenario, plan) = planned(&bytes);
        let rows = plan::status(&scenario.desired, &scenario.survey, &plan);
        let fine = rows.iter().all(Row::is_fine);
        prop_assert_eq!(fine, plan.is_empty(), "{:?}\n{}", rows.iter().map(|row| &row.condition).collect::<Vec<_>>(), plan::text(&plan, 1));
    }
}

/// Whether what a step interrupts was seen.
fn is_known(scenario: &Scenario, host: &HostName, step: &Step) -> bool {
    is_model(&scenario.survey, host, step)
        || step.action.container().is_some_and(|id| find(&scenario.survey, host, id).is_some())
}
