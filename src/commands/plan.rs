//! `homelab plan`: what deploy would do and why. It cannot act: it never gets hands.

use std::path::Path;

use anyhow::Result;

use super::prepare::{self, Files, Said};
use super::{Exit, fitting, hubs, lock, wake};
use crate::cli::{Common, Format, PlanArgs};
use crate::desired::Desired;
use crate::inventory::Values;
use crate::plan::{self, Against, Report};
use crate::survey::Survey;
use crate::ui;

pub(super) async fn run(common: &Common, args: &PlanArgs) -> Result<Exit> {
    let mut files = prepare::files(common, if args.offline { Values::Sealed } else { Values::Opened })?;
    let report = match (&args.against, args.offline) {
        (Some(base), _) => against(common, base, &files, args)?,
        (None, true) => offline(&files, args)?,
        (None, false) => asked(common, &mut files, args).await?,
    };
    ui::plan::show(&report, if args.json { Format::Json } else { args.format })?;
    Ok(match (report.plan.blocked.is_empty(), report.plan.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if args.detailed_exitcode => Exit::Pending,
        _ => Exit::Done,
    })
}

/// Against what the hosts have.
async fn asked(common: &Common, files: &mut Files, args: &PlanArgs) -> Result<Report> {
    if args.waking.wake {
        wake::beforehand(files, &files.within, true).await;
    }
    let seen = ui::progress::looking(files.look()).await;
    if !args.locked {
        hubs::ask(files, &seen).await;
    }
    let planned = fitting::check(files, &seen.survey).and_then(|()| files.plan(&seen));
    let report = match planned {
        Ok((desired, plan)) => match locked(files, (&desired, &seen.survey), args) {
            Ok(()) => Ok(prepare::report(files, &seen, (&desired, &plan), args.diff).await),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    ui::verbose::connections(common.verbose, &seen.looks);
    seen.close().await;
    report
}

/// With `--locked`, whether a deploy would leave `homelab.lock` as it is.
fn locked(files: &Files, (desired, survey): (&Desired, &Survey), args: &PlanArgs) -> Result<()> {
    match !args.locked || lock::is_settled(files, desired, survey) {
        true => Ok(()),
        false => Err(Said(Exit::Files).into()),
    }
}

/// Against nothing.
fn offline(files: &Files, args: &PlanArgs) -> Result<Report> {
    let seen = files.offline();
    fitting::check(files, &seen.survey)?;
    let (desired, plan) = files.plan(&seen)?;
    locked(files, (&desired, &seen.survey), args)?;
    let mut report = Report::new(plan, Against::Nothing, files.within.len());
    report.dropped = files.dropped();
    report.unknown = files.unknown("what runs on the hosts (everything counts as missing)");
    if args.diff {
        report.diffs = Some(plan::diffs(&report.plan.file_changes(), &desired, &[].into()));
    }
    Ok(report)
}

/// Against another state of the same inventory.
fn against(common: &Common, base: &Path, files: &Files, args: &PlanArgs) -> Result<Report> {
    let base = prepare::base(common, base)?;
    let (mut then, now) = (base.offline(), files.offline());
    if base.gateway() != files.gateway() {
        // The keys derived from one root key are not those derived from another.
        then.vault.set_root_version("base", None);
    }
    let (before, _) = base.plan(&then)?;
    let (desired, _) = files.plan(&now)?;
    locked(files, (&desired, &now.survey), args)?;
    let deployed = plan::as_if_deployed(&before, &desired);
    let desired = files.desired(&now.survey, &deployed, &now.vault)?;
    let plan = plan::plan(&desired, &plan::as_if_deployed(&before, &desired)).limited_to(&files.within);
    let mut report = Report::new(plan, Against::Base, files.within.len());
    report.unknown = files.unknown("what really runs (the base counts as deployed as it stands)");
    report.dropped = &plan::dropped(&before, &desired) | &files.dropped();
    if args.diff {
        let changes = report.plan.file_changes();
        let contents = plan::before(&changes, &before, &desired);
        report.diffs = Some(plan::diffs(&changes, &desired, &contents));
    }
    Ok(report)
}
