//! What a deploy leads to: if all goes well, if steps fail, if it is cut off.

use std::collections::BTreeSet;

use homelab::desired::Desired;
use homelab::names::{HostName, ServiceName};
use homelab::plan::{self, Action, Plan, StageName};
use homelab::survey::{Health, State, Survey};
use proptest::prelude::*;

use crate::arbitrary::Mood;
use crate::dice::Dice;
use crate::executor::{Executor, Faults, Outcome};
use crate::surroundings::{self, Scenario};
use crate::world::World;
use crate::{bytes, config};

fn replan(world: &mut World) -> Plan {
    world.look_again();
    plan::plan(&world.desired, &world.survey)
}

/// Carries out plan after plan without faults until one is empty, twice at most.
fn settle(world: &mut World, dice: &[u8]) -> Result<(), String> {
    let mut told = String::new();
    for _ in 0..2 {
        let plan = replan(world);
        if plan.is_empty() {
            return Ok(());
        }
        world.begin(&plan);
        let outcome = Executor::new(world, Faults::default(), Dice::new(dice)).run(&plan);
        told += &format!("{}\n{outcome}", plan::text(&plan, 1));
        if !outcome.failures.is_empty() {
            return Err(told);
        }
    }
    Err(format!("{told}\nstill to do:\n{}", plan::text(&replan(world), 1)))
}

fn carry_out(bytes: &[u8], mood: Mood, faults: Faults, dice: &[u8]) -> (World, Plan, Outcome) {
    let scenario = Scenario::new(bytes, mood);
    let plan = plan::plan(&scenario.desired, &scenario.survey);
    let mut world = World::new(scenario, &plan);
    let outcome = Executor::new(&mut world, faults, Dice::new(dice)).run(&plan);
    (world, plan, outcome)
}

/// Which steps fail, by number: mostly one, now and then up to three.
fn faults(dice: &mut Dice<'_>, steps: usize) -> Faults {
    let count = if dice.once_in(4) { 3 } else { 1 };
    let fail = (0..count).map(|_| 1 + dice.below(steps.clamp(1, 200))).collect();
    Faults { fail, kill: None, half: dice.coin() }
}

fn steps(plan: &Plan) -> usize {
    plan.steps().count()
}

type Key = (HostName, ServiceName);

/// What answers and should go on doing so.
fn serving(desired: &Desired, survey: &Survey) -> BTreeSet<Key> {
    let mut all = BTreeSet::new();
    for (host, wanted) in &desired.hosts {
        let Some(seen) = survey.seen(host) else { continue };
        for name in wanted.services.keys() {
            let container = seen.containers.get(&plan::container_name(desired, name));
            if container.is_some_and(|c| c.state == State::Running && c.health == Health::Ready) {
                all.insert((host.clone(), name.clone()));
            }
        }
    }
    all
}

fn running(world: &World, (host, name): &Key) -> bool {
    let container = plan::container_name(&world.desired, name);
    world.survey.seen(host).is_some_and(|s| s.containers.get(&container).is_some_and(surroundings::runs))
}

/// How many steps prepare; they come first.
fn prepared(plan: &Plan) -> usize {
    let prepare = plan.stages.iter().filter(|stage| stage.name == StageName::Prepare);
    prepare.flat_map(|stage| &stage.waves).flatten().flat_map(|lane| &lane.tasks).map(|t| t.steps.len()).sum()
}

proptest! {
    #![proptest_config(config(1250))]

    #[test]
    fn what_is_carried_out_leads_to_an_empty_plan((bytes, order) in bytes()) {
        let (mut world, plan, outcome) = carry_out(&bytes, Mood::Clear, Faults::default(), &order);
        prop_assert!(plan.blocked.is_empty(), "{:?}", plan.blocked);
        prop_assert!(outcome.failures.is_empty(), "{}\n{outcome}", plan::text(&plan, 1));
        let next = replan(&mut world);
        prop_assert!(next.is_empty(), "{outcome}\nstill to do:\n{}", plan::text(&next, 1));
    }

    #[test]
    fn what_served_still_runs_whatever_step_fails((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Any);
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        let served = serving(&scenario.desired, &scenario.survey);
        let mut dice = Dice::new(&order);
        let faults = faults(&mut dice, steps(&plan));
        let mut world = World::new(scenario, &plan);
        let outcome = Executor::new(&mut world, faults, dice).run(&plan);
        for key in served {
            let fine = running(&world, &key) || outcome.lost.contains(&key);
            prop_assert!(fine, "{key:?}\n{}\n{outcome}", plan::text(&plan, 1));
        }
    }

    #[test]
    fn after_a_failure_the_next_deploy_finishes((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        let mut dice = Dice::new(&order);
        let faults = faults(&mut dice, steps(&plan));
        let mut world = World::new(scenario, &plan);
        let outcome = Executor::new(&mut world, faults, dice).run(&plan);
        if let Err(why) = settle(&mut world, &order) {
            prop_assert!(false, "{}\n{outcome}\nthen:\n{why}", plan::text(&plan, 1));
        }
    }

    #[test]
    fn wherever_a_deploy_is_cut_off_the_next_one_finishes((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        let mut dice = Dice::new(&order);
        let kill = Some(1 + dice.below(steps(&plan).clamp(1, 200)));
        let faults = Faults { kill, half: dice.coin(), ..Faults::default() };
        let mut world = World::new(scenario, &plan);
        let outcome = Executor::new(&mut world, faults, dice).run(&plan);
        if let Err(why) = settle(&mut world, &order) {
            prop_assert!(false, "{}\n{outcome}\nthen:\n{why}", plan::text(&plan, 1));
        }
    }

    #[test]
    fn on_one_gpu_one_model_loads_at_a_time_when_what_leaves_is_gone((bytes, order) in bytes()) {
        let (world, plan, outcome) = carry_out(&bytes, Mood::Clear, Faults::default(), &order);
        prop_assert!(world.wrong.is_empty(), "{:?}\n{}\n{outcome}", world.wrong, plan::text(&plan, 1));
    }

    #[test]
    fn on_the_way_back_too_one_model_loads_at_a_time((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        let mut dice = Dice::new(&order);
        let faults = faults(&mut dice, steps(&plan));
        let mut world = World::new(scenario, &plan);
        // What answered once comes back first; what never did must wait for itself.
        world.only_what_is_started();
        let outcome = Executor::new(&mut world, faults, dice).run(&plan);
        prop_assert!(world.wrong.is_empty(), "{:?}\n{}\n{outcome}", world.wrong, plan::text(&plan, 1));
    }

    #[test]
    fn host_by_host_leads_there_too((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let hosts: Vec<HostName> = scenario.desired.hosts.keys().cloned().collect();
        let mut world = World::new(scenario, &Plan::default());
        for host in hosts {
            let plan = replan(&mut world).limited_to(&BTreeSet::from([host.clone()]));
            world.begin(&plan);
            let outcome = Executor::new(&mut world, Faults::default(), Dice::new(&order)).run(&plan);
            prop_assert!(outcome.failures.is_empty(), "{outcome}");
            prop_assert!(outcome.log.iter().all(|(at, _, _)| *at == host), "{outcome}");
        }
        let left = replan(&mut world);
        prop_assert!(left.is_empty(), "{}", plan::text(&left, 1));
    }

    #[test]
    fn if_a_preparation_fails_nothing_it_is_for_was_stopped((bytes, order) in bytes()) {
        let scenario = Scenario::new(&bytes, Mood::Clear);
        let plan = plan::plan(&scenario.desired, &scenario.survey);
        if prepared(&plan) == 0 {
            return Ok(());
        }
        let mut dice = Dice::new(&order);
        let fail = BTreeSet::from([1 + dice.below(prepared(&plan))]);
        let mut world = World::new(scenario, &plan);
        let outcome = Executor::new(&mut world, Faults { fail, ..Faults::default() }, dice).run(&plan);
        let (host, failed, _) = outcome.log.iter().find(|(_, _, came)| *came == "fails").unwrap();
        let of = |(at, action, _): &&(HostName, Action, &str)| {
            at == host && action.service().is_some_and(|service| concerns(&plan, host, failed, service))
        };
        let stopped = outcome.log.iter().filter(of).find(|(_, action, _)| stops(action));
        prop_assert!(stopped.is_none(), "{stopped:?}\n{}\n{outcome}", plan::text(&plan, 1));
    }

    #[test]
    fn down_leaves_nothing_of_ours_and_everything_else((bytes, order) in bytes()) {
        let mut scenario = Scenario::new(&bytes, Mood::Clear);
        let before = scenario.survey.clone();
        let plan = plan::down(&scenario.desired.project, &scenario.survey);
        let dirs = scenario.desired.hosts.iter().map(|(name, host)| (name.clone(), host.dir.clone()));
        scenario.desired = Desired::nothing(scenario.desired.project.clone(), dirs.collect());
        let mut world = World::new(scenario, &plan);
        let outcome = Executor::new(&mut world, Faults::default(), Dice::new(&order)).run(&plan);
        prop_assert!(outcome.failures.is_empty(), "{outcome}");
        for host in before.hosts.keys() {
            let (was, is) = (before.seen(host).unwrap(), world.survey.seen(host).unwrap());
            prop_assert!(is.containers.is_empty(), "{outcome}");
            prop_assert!(is.files.keys().all(|path| path == "notes.txt"), "{:?}", is.files);
            prop_assert_eq!(&is.images, &was.images);
            prop_assert!(is.networks.values().all(|ours| !ours), "{:?}", is.networks);
        }
        prop_assert!(plan::down(&world.desired.project, &world.survey).is_empty());
    }
}

/// Whether a preparation that failed was for this service: an image for some, a file for all.
fn concerns(plan: &Plan, host: &HostName, failed: &Action, service: &ServiceName) -> bool {
    let same = |task: &&plan::Task| task.steps.iter().any(|step| step.action == *failed);
    let task = plan.tasks().filter(|(at, _)| *at == host).map(|(_, task)| task).find(same);
    task.is_some_and(|task| task.services.is_empty() || task.services.contains(service))
}

fn stops(action: &Action) -> bool {
    matches!(action, Action::SetAside { .. } | Action::Remove { .. } | Action::Restart { .. })
}
