//! `homelab deploy`: look, resolve, render, plan, ask, carry out, and look again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Result;
use tokio::sync::{mpsc, watch};

use super::fitting;
use super::prepare::{self, Files, Seen};
use super::turn::{self, Asking, Locks, Taken};
use super::{Exit, bootstrap, hubs, lock, measuring, wake};
use crate::cli::{BootstrapArgs, Common, DeployArgs, Format, PlanArgs, Waking};
use crate::desired::Desired;
use crate::host::{CarryOut, Hands, Look, Outcome};
use crate::inventory::Values;
use crate::names::HostName;
use crate::plan::{self, Plan};
use crate::survey::RootKey;
use crate::ui;

pub(super) async fn run(common: &Common, args: &DeployArgs) -> Result<Exit> {
    let mut set_up = Exit::Done;
    if args.bootstrap {
        let (yes, dry_run) = (args.yes, args.dry_run);
        let whole = BootstrapArgs { yes, dry_run, sleeping: args.sleeping, root: args.root };
        match bootstrap::before_deploy(common, &whole).await? {
            ControlFlow::Break(exit) => return Ok(exit),
            ControlFlow::Continue(exit) => set_up = exit,
        }
    }
    let ended = deploy(common, args).await?;
    Ok(if ended == Exit::Done { set_up } else { ended })
}

async fn deploy(common: &Common, args: &DeployArgs) -> Result<Exit> {
    if args.dry_run {
        let args = plan_args(args);
        return super::plan::run(common, &args).await;
    }
    let mut files = prepare::files(common, Values::Opened)?;
    if !args.sleeping.no_wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let seen = ui::progress::looking(files.look()).await;
    if !args.locked {
        hubs::ask(&mut files, &seen).await;
    }
    make_so(common, &files, seen, args).await
}

/// Everything after the look.
pub(super) async fn make_so(
    common: &Common,
    files: &Files,
    mut seen: Seen,
    args: &DeployArgs,
) -> Result<Exit> {
    if seen.survey.root_key == RootKey::Absent
        && let Err(why) = seen.vault.make_root()
    {
        ui::errors::failure("this machine", None, &why);
        return Ok(Exit::Failed);
    }
    let ended = match until_ours(files, &mut seen, args).await {
        Ok(Ready::Go(desired, plan, locks)) => {
            let ended = go_on(files, &mut seen, (&desired, &plan), (&locks, args)).await;
            turn::release(locks).await;
            ended
        }
        Ok(Ready::Ended(exit)) => Ok(exit),
        Err(error) => Err(error),
    };
    ui::verbose::connections(common.verbose, &seen.looks);
    seen.close().await;
    ended
}

/// What `plan` is given to say the same.
fn plan_args(args: &DeployArgs) -> PlanArgs {
    PlanArgs {
        offline: false,
        waking: Waking::default(),
        against: None,
        locked: args.locked,
        diff: args.diff,
        format: Format::Text,
        json: args.json,
        detailed_exitcode: false,
    }
}

/// What comes after planning.
enum Ready {
    /// There is something to do, it may be done, and the locks are ours.
    Go(Box<Desired>, Box<Plan>, Locks),
    /// That was it.
    Ended(Exit),
}

/// Plans, asks and takes the locks; and all of that again as long as somebody else deploys in between.
async fn until_ours(files: &Files, seen: &mut Seen, args: &DeployArgs) -> Result<Ready> {
    let asking = Asking { project: &files.spec.project, verb: "deploy", wait: args.turn.lock_wait };
    fitting::check(files, &seen.survey)?;
    for _ in 0..turn::MOST_TRIES {
        let (desired, plan) = files.plan(seen)?;
        if args.locked && !lock::is_settled(files, &desired, &seen.survey) {
            return Ok(Ready::Ended(Exit::Files));
        }
        if let Some(exit) = show(files, seen, (&desired, &plan), args).await? {
            return Ok(Ready::Ended(exit));
        }
        match turn::take(seen, &plan, &asking).await? {
            Taken::Ours(locks) => return Ok(Ready::Go(Box::new(desired), Box::new(plan), locks)),
            Taken::Changed(host, holder) => ui::progress::looks_again(&host, holder.as_ref()),
        }
        files.look_again(seen).await;
    }
    Ok(Ready::Ended(turn::given_up()))
}

/// Shows the plan and asks whether it may be done; an exit where nothing is to be.
async fn show(
    files: &Files,
    seen: &Seen,
    (desired, plan): (&Desired, &Plan),
    args: &DeployArgs,
) -> Result<Option<Exit>> {
    if !args.json {
        let report = prepare::report(files, seen, (desired, plan), args.diff).await;
        ui::plan::show(&report, Format::Text)?;
    }
    if plan.stages.is_empty() {
        ui::errors::blocked(&plan.blocked);
        if args.json {
            ui::plan::deployed(plan, &Outcome::default(), &Plan::default())?;
        }
        if !args.locked {
            lock::after_deploy(files, desired, &seen.survey, plan.is_empty());
        }
        return Ok(Some(if plan.is_empty() { Exit::Done } else { Exit::Failed }));
    }
    Ok((!args.yes && !ui::confirm(plan)?).then_some(Exit::Failed))
}

async fn go_on(
    files: &Files,
    seen: &mut Seen,
    (desired, plan): (&Desired, &Plan),
    (locks, args): (&Locks, &DeployArgs),
) -> Result<Exit> {
    seen.vault.also(plan::passwords(plan, desired)).await;
    let mut outcome = carry_out(seen, (desired, plan), locks, "deploy").await;
    let stopped = outcome.stopped;
    seen.replaced = seen.replaced.map(|_| RootKey::Present);
    for failed in &mut outcome.failures {
        failed.why = files.placed(failed);
    }
    let worked = outcome.failures.is_empty() && !stopped;
    let after = if stopped { Ok(Plan::default()) } else { settled(files, seen, &outcome, plan).await };
    if !args.locked {
        lock::after_deploy(files, desired, &seen.survey, worked);
    }
    let after = after?;
    if args.json {
        ui::plan::deployed(plan, &outcome, &after)?;
    }
    ui::errors::blocked(&plan.blocked);
    ui::outcome(plan, &outcome, &after, desired)?;
    if outcome.failures.is_empty() && !stopped && plan.blocked.is_empty() && after.is_empty() {
        let rows = plan::status(desired, &seen.survey, &after);
        ui::gateway(desired, &rows);
        ui::fit::measured(&measuring::of_started(files, seen, &outcome.done).await);
    }
    Ok(match (stopped, outcome.failures.is_empty() && plan.blocked.is_empty() && after.is_empty()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    })
}

/// Carries a plan out; Ctrl-C ends what only waits, and leads back what was begun.
pub(super) async fn carry_out(
    seen: &mut Seen,
    (desired, plan): (&Desired, &Plan),
    locks: &Locks,
    verb: &'static str,
) -> Outcome {
    let looks: BTreeMap<HostName, Look> = std::mem::take(&mut seen.looks);
    let hands = |(host, look): (HostName, Look)| {
        let hands = look.into_hands(locks.get(&host));
        (host, hands)
    };
    let hands: BTreeMap<HostName, Hands> = looks.into_iter().map(hands).collect();
    let (events, heard) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let shown = tokio::spawn(ui::progress::show(heard));
    let interrupts = tokio::spawn(ui::progress::interrupts(stop, verb));
    let outcome = CarryOut::new(desired, &hands, &seen.vault, events, stopping).run(plan).await;
    interrupts.abort();
    // Ends when the last sender is gone, which `run` has taken with it.
    let _ = shown.await;
    seen.looks = hands.into_iter().map(|(host, hands)| (host, hands.into_look())).collect();
    outcome
}

/// Looks again: after a deploy that succeeded there must be nothing left to do.
async fn settled(files: &Files, seen: &mut Seen, outcome: &Outcome, plan: &Plan) -> Result<Plan> {
    if !outcome.failures.is_empty() || !plan.blocked.is_empty() {
        return Ok(Plan::default());
    }
    files.look_again(seen).await;
    let desired = files.desired(&seen.survey, &seen.survey, &seen.vault)?;
    Ok(plan::plan(&desired, &seen.survey).limited_to(&files.within))
}
