//! `homelab down`: removes what homelab made on every host of the inventory, or on those that left it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::deploy::carry_out;
use super::prepare::{self, Files, Said, Seen};
use super::turn::{self, Asking, Taken};
use super::{Exit, lock, locked, wake};
use crate::cli::{Common, DownArgs, Format};
use crate::desired::Desired;
use crate::host::{self, Ask, Need, Vault};
use crate::inventory::Values;
use crate::names::{HostName, ProjectName};
use crate::plan::{self, Against, Plan, Report};
use crate::survey::Survey;
use crate::ui;

pub(super) async fn run(common: &Common, args: &DownArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Sealed)?;
    if !args.dropped && !args.sleeping.no_wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let mut clean = BTreeSet::new();
    let mut ended = Exit::Done;
    for (project, asks) in targets(common, &files, args.dropped)? {
        match take_down(common, &project, &asks, args).await? {
            (Exit::Done, hosts) => clean.extend(hosts),
            (exit, hosts) => {
                clean.extend(hosts);
                ended = exit;
            }
        }
        if ended == Exit::Interrupted {
            break;
        }
    }
    lock::after_down(&files, &clean);
    Ok(ended)
}

/// Where to look, by project.
fn targets(common: &Common, files: &Files, dropped: bool) -> Result<BTreeMap<ProjectName, Vec<Ask>>> {
    if !dropped {
        let here = files.asks().into_iter().filter(|ask| files.within.contains(&ask.connection.name));
        // What is to be removed needs neither; a root key that cannot be read is in nobody's way.
        let ask = |ask: Ask| Ask {
            gpus: false,
            root_key: false,
            docker: if ask.docker == Need::Docker { Need::IfInstalled } else { ask.docker },
            programs: None,
            endpoints: vec![],
            ..ask
        };
        let asks = here.map(ask).collect();
        return Ok([(files.spec.project.clone(), asks)].into());
    }
    if common.limit.is_some() {
        ui::errors::plain(
            "--limit chooses among the inventory's hosts, --dropped means those that left it",
            None,
        );
        return Err(Said(Exit::Usage).into());
    }
    let mut by_project: BTreeMap<ProjectName, Vec<Ask>> = BTreeMap::new();
    for (name, host) in locked::dropped(&files.lock, &files.spec) {
        let ask = Ask {
            connection: host.connection(&name),
            project: host.project.clone(),
            dir: host.dir.clone(),
            gpus: false,
            root_key: false,
            docker: Need::IfInstalled,
            programs: None,
            endpoints: vec![],
        };
        by_project.entry(host.project).or_default().push(ask);
    }
    if by_project.is_empty() {
        ui::out("No host has left the inventory.\n")?;
    }
    Ok(by_project)
}

/// Looks, asks and removes; also which hosts have nothing of the project any more.
async fn take_down(
    common: &Common,
    project: &ProjectName,
    asks: &[Ask],
    args: &DownArgs,
) -> Result<(Exit, BTreeSet<HostName>)> {
    for _ in 0..turn::MOST_TRIES {
        let (survey, looks) = ui::progress::looking(host::survey(asks)).await;
        let mut seen = Seen { survey, looks, vault: Vault::default(), replaced: None };
        let plan = plan::down(project, &seen.survey);
        let dirs = asks.iter().map(|ask| {
            let name = &ask.connection.name;
            let home = seen.survey.seen(name).map_or("~", |s| s.facts.home.as_str());
            (name.clone(), crate::cluster::expanded(&ask.dir, home))
        });
        let desired = Desired::nothing(project.clone(), dirs.collect());
        let asking = Asking { project, verb: "down", wait: args.turn.lock_wait };
        let ended = removed(&mut seen, (&desired, &plan), &asking, args.yes).await;
        ui::verbose::connections(common.verbose, &seen.looks);
        let clean = match &ended {
            Ok(Some((_, touched))) => without(&seen.survey, &plan, *touched),
            Ok(None) | Err(_) => BTreeSet::new(),
        };
        seen.close().await;
        if let Some((exit, _)) = ended? {
            return Ok((exit, clean));
        }
    }
    Ok((turn::given_up(), BTreeSet::new()))
}

/// Carries the plan out if it may; also whether all of it was done. None if somebody else was at work.
async fn removed(
    seen: &mut Seen,
    (desired, plan): (&Desired, &Plan),
    asking: &Asking<'_>,
    yes: bool,
) -> Result<Option<(Exit, bool)>> {
    if plan.is_empty() {
        ui::out("Nothing to remove.\n")?;
        return Ok(Some((Exit::Done, true)));
    }
    ui::plan::show(&Report::new(plan.clone(), Against::Hosts, desired.hosts.len()), Format::Text)?;
    if plan.stages.is_empty() || (!yes && !ui::confirm(plan)?) {
        ui::errors::blocked(&plan.blocked);
        return Ok(Some((Exit::Failed, false)));
    }
    let locks = match turn::take(seen, plan, asking).await? {
        Taken::Ours(locks) => locks,
        Taken::Changed(host, holder) => {
            ui::progress::looks_again(&host, holder.as_ref());
            return Ok(None);
        }
    };
    let outcome = carry_out(seen, (desired, plan), &locks, "down").await;
    turn::release(locks).await;
    ui::errors::blocked(&plan.blocked);
    ui::errors::failures(&outcome, "down");
    let worked = outcome.failures.is_empty() && !outcome.stopped;
    Ok(Some(match (outcome.stopped, worked && plan.blocked.is_empty()) {
        (true, _) => (Exit::Interrupted, false),
        (false, true) => (Exit::Done, true),
        (false, false) => (Exit::Failed, worked),
    }))
}

/// The hosts that were seen and have nothing left: all of them if everything was done, else those
/// where there was nothing to do.
fn without(survey: &Survey, plan: &Plan, done: bool) -> BTreeSet<HostName> {
    let touched: BTreeSet<&HostName> = plan.tasks().map(|(host, _)| host).collect();
    let seen = survey.hosts.keys().filter(|host| survey.seen(host).is_some());
    seen.filter(|host| done || !touched.contains(host)).cloned().collect()
}
