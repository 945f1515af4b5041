//! Carrying out a plan: stages and waves one after the other, lanes side by side, and the way
//! back where a step fails. It decides nothing: everything it does stands in the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::act::Act;
use super::failpoint;
use super::hands::Hands;
use super::vault::Vault;
use crate::desired::Desired;
use crate::event::{Event, Happened, Sender};
use crate::names::{HostName, ServiceName};
use crate::plan::{Lane, Plan, StageName, Step, Task};
use crate::survey::Failure;

/// What came of a deploy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Every step that failed.
    pub failures: Vec<Failed>,
    /// Services that were not touched because something they depend on failed.
    pub skipped: BTreeSet<(HostName, ServiceName)>,
    /// Services that are back on their previous version.
    pub back: Vec<(HostName, ServiceName)>,
    /// Services that are as the plan wants them now, and were not before.
    pub done: BTreeSet<(HostName, ServiceName)>,
    /// Whether the user ended it before its end.
    pub stopped: bool,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Where.
    pub host: HostName,
    /// Of which service, if of one.
    pub service: Option<ServiceName>,
    /// Why.
    pub why: Failure,
}

/// A deploy that is under way.
pub struct CarryOut<'a> {
    desired: &'a Desired,
    hands: &'a BTreeMap<HostName, Hands>,
    vault: &'a Vault,
    events: Sender,
    /// Turns true when the user wants it to stop.
    stop: watch::Receiver<bool>,
    state: Mutex<Progress>,
}

/// What is known so far.
#[derive(Default)]
struct Progress {
    outcome: Outcome,
    failed_hosts: BTreeSet<HostName>,
    failed: BTreeSet<(HostName, ServiceName)>,
    made: BTreeMap<(HostName, ServiceName), String>,
}

impl<'a> CarryOut<'a> {
    /// Gets ready to carry out plans for `desired` on these hosts.
    #[must_use]
    pub fn new(
        desired: &'a Desired,
        hands: &'a BTreeMap<HostName, Hands>,
        vault: &'a Vault,
        events: Sender,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { desired, hands, vault, events, stop, state: Mutex::default() }
    }

    /// Carries out a plan.
    pub async fn run(self, plan: &Plan) -> Outcome {
        for blocked in &plan.blocked {
            self.block(&blocked.host, blocked.service.as_ref());
        }
        failpoint::boundary();
        for stage in &plan.stages {
            for wave in &stage.waves {
                join_all(wave.iter().map(|lane| self.lane(stage.name, lane))).await;
            }
        }
        let progress = self.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut outcome = progress.outcome;
        outcome.done.retain(|service| !progress.failed.contains(service));
        outcome.stopped = *self.stop.borrow();
        outcome
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn block(&self, host: &HostName, service: Option<&ServiceName>) {
        let mut progress = self.progress();
        match service {
            None => {
                progress.failed_hosts.insert(host.clone());
            }
            Some(service) => {
                progress.failed.insert((host.clone(), service.clone()));
            }
        }
    }

    async fn lane(&self, stage: StageName, lane: &Lane) {
        let mut tasks: Vec<&Task> = vec![];
        for task in &lane.tasks {
            let led_back = self.has_failed(lane, task);
            if self.may_begin(stage, lane, task) {
                tasks.push(task);
            } else if task.owes_way_back(false) && !led_back {
                self.lead_back(lane, task).await;
            }
        }
        for (i, task) in tasks.iter().enumerate() {
            if self.steps(lane, task, &task.ahead).await.is_err() {
                // None of them may tidy up after itself: what was set aside is wanted again.
                tasks.iter().for_each(|task| self.skip(lane, task));
                let owed = |(at, task): &(usize, &&Task)| task.owes_way_back(*at <= i);
                for (_, task) in tasks.iter().enumerate().filter(owed) {
                    self.lead_back(lane, task).await;
                }
                return;
            }
        }
        for (i, task) in tasks.iter().enumerate() {
            if self.steps(lane, task, &task.steps).await.is_err() {
                tasks[i + 1..].iter().for_each(|task| self.skip(lane, task));
                self.lead_back(lane, task).await;
                for later in tasks[i + 1..].iter().filter(|task| task.owes_way_back(true)) {
                    self.lead_back(lane, later).await;
                }
                return;
            }
            if stage != StageName::Prepare && task.steps.iter().any(|step| step.action.changes()) {
                let done = task.services.iter().map(|service| (lane.host.clone(), service.clone()));
                self.progress().outcome.done.extend(done);
            }
        }
    }

    /// Whether an earlier task of one of its services failed.
    fn has_failed(&self, lane: &Lane, task: &Task) -> bool {
        let progress = self.progress();
        task.services.iter().any(|service| progress.failed.contains(&(lane.host.clone(), service.clone())))
    }

    /// Whether nothing it depends on failed.
    fn may_begin(&self, stage: StageName, lane: &Lane, task: &Task) -> bool {
        let stopping = *self.stop.borrow() && stage != StageName::Tidy;
        let own = self.has_failed(lane, task);
        let fine = {
            let progress = self.progress();
            let failed = |host: &HostName, service: &ServiceName| {
                progress.failed_hosts.contains(host)
                    || progress.failed.contains(&(host.clone(), service.clone()))
            };
            let hosts = [Some(&lane.host), task.after_host.as_ref()];
            let host = hosts.into_iter().flatten().any(|host| progress.failed_hosts.contains(host));
            !host && !own && !task.after.iter().any(|(h, s)| failed(h, s))
        };
        if !fine || stopping {
            self.skip(lane, task);
        }
        fine && !stopping
    }

    fn skip(&self, lane: &Lane, task: &Task) {
        if task.services.is_empty() {
            self.progress().failed_hosts.insert(lane.host.clone());
        }
        for service in &task.services {
            let key = (lane.host.clone(), service.clone());
            let mut progress = self.progress();
            if progress.failed.insert(key.clone()) {
                progress.outcome.skipped.insert(key);
                drop(progress);
                self.tell(lane, Some(service), "waiting for its turn", Happened::Skipped);
            }
        }
    }

    /// Does steps in order; a failure is noted.
    async fn steps(&self, lane: &Lane, task: &Task, steps: &[Step]) -> Result<(), ()> {
        for step in steps {
            if let Err(why) = self.step(lane, step, self.stop.clone()).await {
                let service = step.action.service().or_else(|| task.services.first()).cloned();
                let mut progress = self.progress();
                if task.services.is_empty() {
                    progress.failed_hosts.insert(lane.host.clone());
                }
                progress.failed.extend(task.services.iter().map(|s| (lane.host.clone(), s.clone())));
                progress.outcome.failures.push(Failed { host: lane.host.clone(), service, why });
                return Err(());
            }
        }
        Ok(())
    }

    async fn lead_back(&self, lane: &Lane, task: &Task) {
        let ends_with_old =
            task.way_back.iter().any(|s| matches!(s.action, crate::plan::Action::PutBack { .. }));
        // Whoever stopped the deploy did not stop the way back: nobody would wait for what returns.
        let (_, never) = watch::channel(false);
        for step in &task.way_back {
            if let Err(why) = self.step(lane, step, never.clone()).await {
                let service = step.action.service().cloned();
                self.progress().outcome.failures.push(Failed { host: lane.host.clone(), service, why });
                return;
            }
        }
        if ends_with_old {
            let services = task.services.iter().map(|s| (lane.host.clone(), s.clone()));
            self.progress().outcome.back.extend(services);
        }
    }

    async fn step(&self, lane: &Lane, step: &Step, stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let Some(hands) = self.hands.get(&lane.host) else {
            return Err(super::failure("acting", "the host was not reached"));
        };
        let words = super::words::words(&step.action);
        let service = step.action.service();
        self.tell(lane, service, &words, Happened::Began);
        let tell = |what: &str, of: Option<(u64, u64)>| {
            self.tell(lane, service, &words, Happened::Goes { what: what.to_owned(), of });
        };
        let warn = |what: &str| self.tell(lane, service, &words, Happened::Warned(what.to_owned()));
        let made = service.and_then(|s| self.progress().made.get(&(lane.host.clone(), s.clone())).cloned());
        let failed = self.progress().failed.clone();
        let act = Act {
            desired: self.desired,
            host: &lane.host,
            hands,
            all: self.hands,
            vault: self.vault,
            made,
            failed: &failed,
            words: &words,
            tell: &tell,
            warn: &warn,
        };
        let done = act.until_stopped(&step.action, stop).await;
        let happened = match &done {
            Ok(made) => {
                if let (Some(id), Some(service)) = (made, service) {
                    self.progress().made.insert((lane.host.clone(), service.clone()), id.clone());
                }
                Happened::Done
            }
            Err(why) => Happened::Failed(why.clone()),
        };
        self.tell(lane, service, &words, happened);
        failpoint::boundary();
        done.map(|_| ())
    }

    fn tell(&self, lane: &Lane, service: Option<&ServiceName>, step: &str, happened: Happened) {
        // Nobody listens any more when the program is ending.
        let _ = self.events.send(Event {
            host: lane.host.clone(),
            service: service.cloned(),
            step: step.to_owned(),
            happened,
        });
    }
}
