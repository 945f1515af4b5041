//! Carries a plan out in a [`World`] by the rules of `host::carry_out`: lanes side by side in any
//! order, steps that fail, and a process that may be killed at any of them.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use homelab::names::{HostName, ServiceName};
use homelab::plan::{Action, Lane, Plan, Step, Task};

use crate::dice::Dice;
use crate::world::World;

type Key = (HostName, ServiceName);

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// The steps that fail, by their number in the order in which they are done.
    pub(crate) fail: BTreeSet<usize>,
    /// The step at which the process is killed.
    pub(crate) kill: Option<usize>,
    /// Whether a step that fails or is cut off is half done by then.
    pub(crate) half: bool,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) failures: Vec<String>,
    /// Services whose way back failed.
    pub(crate) lost: BTreeSet<Key>,
    /// What was done, in order, and what came of it.
    pub(crate) log: Vec<(HostName, Action, &'static str)>,
    failed_hosts: BTreeSet<HostName>,
    failed: BTreeSet<Key>,
    killed: bool,
}

/// What a lane does next.
#[derive(Clone, Copy)]
enum What {
    Step,
    WayBack,
}

/// A lane on its way: the steps still ahead of it, each with its task.
struct Run<'p> {
    lane: &'p Lane,
    tasks: Option<Vec<&'p Task>>,
    next: VecDeque<(What, usize, &'p Step)>,
    /// Tasks whose own steps have not begun.
    waiting: VecDeque<usize>,
    is_ahead: bool,
}

pub(crate) struct Executor<'w, 'd> {
    pub(crate) world: &'w mut World,
    pub(crate) faults: Faults,
    pub(crate) dice: Dice<'d>,
    pub(crate) outcome: Outcome,
    done: usize,
}

impl<'w, 'd> Executor<'w, 'd> {
    pub(crate) fn new(world: &'w mut World, faults: Faults, dice: Dice<'d>) -> Self {
        Self { world, faults, dice, outcome: Outcome::default(), done: 0 }
    }

    pub(crate) fn run(mut self, plan: &Plan) -> Outcome {
        for blocked in &plan.blocked {
            match &blocked.service {
                None => drop(self.outcome.failed_hosts.insert(blocked.host.clone())),
                Some(service) => drop(self.outcome.failed.insert((blocked.host.clone(), service.clone()))),
            }
        }
        for stage in &plan.stages {
            for wave in &stage.waves {
                self.wave(wave);
            }
        }
        self.outcome
    }

    /// Lanes take turns as chance will have it.
    fn wave(&mut self, lanes: &[Lane]) {
        let mut runs: Vec<Run<'_>> = lanes.iter().map(Run::new).collect();
        while !runs.is_empty() && !self.outcome.killed {
            let which = self.dice.below(runs.len());
            if !self.turn(&mut runs[which]) {
                runs.remove(which);
            }
        }
    }

    /// One step of a lane; false when it is at its end.
    fn turn(&mut self, run: &mut Run<'_>) -> bool {
        if run.tasks.is_none() {
            let mut tasks = vec![];
            for task in &run.lane.tasks {
                let own = |s: &ServiceName| self.outcome.failed.contains(&(run.lane.host.clone(), s.clone()));
                let led_back = task.services.iter().any(own);
                if self.may_begin(run, task) {
                    tasks.push(task);
                } else if task.gave_way && !led_back {
                    self.owed(&run.lane.host, task);
                }
            }
            run.begin(tasks);
        }
        let Some((what, task, step)) = run.following() else { return false };
        let done = self.step(&run.lane.host, step);
        match (what, done) {
            (_, Ok(())) => {}
            (What::Step, Err(why)) => self.failed(run, task, step, why),
            (What::WayBack, Err(why)) => {
                self.outcome.failures.push(format!("{}: way back: {why}", run.lane.host));
                let services = run.task(task).services.iter().map(|s| (run.lane.host.clone(), s.clone()));
                self.outcome.lost.extend(services);
                run.next.retain(|(_, other, _)| *other != task);
            }
        }
        true
    }

    fn may_begin(&mut self, run: &Run<'_>, task: &Task) -> bool {
        let host = &run.lane.host;
        let failed = |h: &HostName, s: &ServiceName| {
            self.outcome.failed_hosts.contains(h) || self.outcome.failed.contains(&(h.clone(), s.clone()))
        };
        let own = task.services.iter().any(|s| self.outcome.failed.contains(&(host.clone(), s.clone())));
        let hosts = [Some(host), task.after_host.as_ref()];
        let unprepared = hosts.into_iter().flatten().any(|host| self.outcome.failed_hosts.contains(host));
        let bad = unprepared || own || task.after.iter().any(|(h, s)| failed(h, s));
        if bad {
            self.skip(host, task);
        }
        !bad
    }

    /// Leads back a task that never begins.
    fn owed(&mut self, host: &HostName, task: &Task) {
        for step in &task.way_back {
            if let Err(why) = self.step(host, step) {
                self.outcome.failures.push(format!("{host}: way back: {why}"));
                self.outcome.lost.extend(task.services.iter().map(|s| (host.clone(), s.clone())));
                return;
            }
        }
    }

    fn skip(&mut self, host: &HostName, task: &Task) {
        if task.services.is_empty() {
            self.outcome.failed_hosts.insert(host.clone());
        }
        self.outcome.failed.extend(task.services.iter().map(|s| (host.clone(), s.clone())));
    }

    fn failed(&mut self, run: &mut Run<'_>, task: usize, step: &Step, why: String) {
        let host = &run.lane.host;
        self.outcome.failures.push(format!("{host}: {:?}: {why}", step.action));
        self.skip(host, run.task(task));
        let later: Vec<usize> = if run.is_ahead {
            (0..run.tasks.as_ref().map_or(0, Vec::len)).filter(|other| *other != task).collect()
        } else {
            let owes = |later: &usize| run.task(*later).gave_way || !run.task(*later).ahead.is_empty();
            run.waiting.iter().copied().filter(owes).collect()
        };
        let skipped = if run.is_ahead { later.clone() } else { run.waiting.iter().copied().collect() };
        for other in skipped {
            self.skip(host, run.task(other));
        }
        run.lead_back([task].into_iter().chain(later));
    }

    fn step(&mut self, host: &HostName, step: &Step) -> Result<(), String> {
        self.done += 1;
        let half = self.faults.half;
        let mut log = |came| self.outcome.log.push((host.clone(), step.action.clone(), came));
        if self.faults.kill == Some(self.done) {
            log("killed");
            self.outcome.killed = true;
            return if half { self.world.act(host, &step.action, true) } else { Ok(()) };
        }
        if self.faults.fail.contains(&self.done) {
            log("fails");
            if half {
                self.world.act(host, &step.action, true)?;
            }
            if let Action::AwaitModel { service, .. } = &step.action {
                self.world.gave_up(host, service);
            }
            return Err("it failed".into());
        }
        let done = self.world.act(host, &step.action, false);
        log(if done.is_ok() { "" } else { "refused" });
        done
    }
}

impl<'p> Run<'p> {
    fn new(lane: &'p Lane) -> Self {
        Self { lane, tasks: None, next: VecDeque::new(), waiting: VecDeque::new(), is_ahead: true }
    }

    fn task(&self, index: usize) -> &'p Task {
        self.tasks.as_ref().unwrap()[index]
    }

    fn begin(&mut self, tasks: Vec<&'p Task>) {
        let ahead =
            tasks.iter().enumerate().flat_map(|(i, t)| t.ahead.iter().map(move |s| (What::Step, i, s)));
        self.next = ahead.collect();
        self.waiting = (0..tasks.len()).collect();
        self.tasks = Some(tasks);
    }

    /// The next step; when those of a task are done, those of the next.
    fn following(&mut self) -> Option<(What, usize, &'p Step)> {
        while self.next.is_empty() {
            self.is_ahead = false;
            let task = self.waiting.pop_front()?;
            self.next = self.task(task).steps.iter().map(|step| (What::Step, task, step)).collect();
        }
        self.next.pop_front()
    }

    /// Nothing but the way back is left to do.
    fn lead_back(&mut self, tasks: impl Iterator<Item = usize>) {
        let back = tasks.flat_map(|i| self.task(i).way_back.iter().map(move |s| (What::WayBack, i, s)));
        self.next = back.collect();
        self.waiting.clear();
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (host, action, came) in &self.log {
            let text = format!("{action:?}");
            writeln!(f, "  {host}: {} {came}", text.chars().take(90).collect::<String>())?;
        }
        self.failures.iter().try_for_each(|failure| writeln!(f, "  failed: {failure:.200}"))
    }
}
