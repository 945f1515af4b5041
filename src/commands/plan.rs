//! `homelab plan`: what deploy would do and why. It cannot act: it never gets hands.

use std::path::Path;

use anyhow::Result;

use super::Exit;
use super::fitting;
use super::prepare::{self, Files};
use crate::cli::{Common, Format, PlanArgs};
use crate::inventory::Values;
use crate::plan::{self, Against, Report};
use crate::ui;

pub(super) async fn run(common: &Common, args: &PlanArgs) -> Result<Exit> {
    let files = prepare::files(common, if args.offline { Values::Sealed } else { Values::Opened })?;
    let report = match (&args.against, args.offline) {
        (Some(base), _) => against(common, base, &files, args.diff)?,
        (None, true) => offline(&files, args.diff)?,
        (None, false) => asked(common, &files, args.diff).await?,
    };
    ui::plan::show(&report, if args.json { Format::Json } else { args.format })?;
    Ok(match (report.plan.blocked.is_empty(), report.plan.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if args.detailed_exitcode => Exit::Pending,
        _ => Exit::Done,
    })
}

/// Against what the hosts have.
async fn asked(common: &Common, files: &Files, with_diffs: bool) -> Result<Report> {
    let seen = ui::progress::looking(files.look()).await;
    let planned = fitting::check(files, &seen.survey).and_then(|()| files.plan(&seen));
    let report = match planned {
        Ok((desired, plan)) => Ok(prepare::report(files, &seen, (&desired, &plan), with_diffs).await),
        Err(error) => Err(error),
    };
    ui::verbose::connections(common.verbose, &seen.looks);
    seen.close().await;
    report
}

/// Against nothing.
fn offline(files: &Files, with_diffs: bool) -> Result<Report> {
    let (desired, plan) = files.plan(&files.offline())?;
    let mut report = Report::new(plan, Against::Nothing, files.within.len());
    report.dropped = files.dropped();
    report.unknown = files.unknown("what runs on the hosts (everything counts as missing)");
    if with_diffs {
        report.diffs = Some(plan::diffs(&report.plan.file_changes(), &desired, &[].into()));
    }
    Ok(report)
}

/// Against another state of the same inventory.
fn against(common: &Common, base: &Path, files: &Files, with_diffs: bool) -> Result<Report> {
    let base = prepare::base(common, base)?;
    let (mut then, now) = (base.offline(), files.offline());
    if base.gateway() != files.gateway() {
        // The keys derived from one root key are not those derived from another.
        then.vault.set_root_version("base");
    }
    let (before, _) = base.plan(&then)?;
    let (desired, _) = files.plan(&now)?;
    let plan = plan::plan(&desired, &plan::as_if_deployed(&before, &desired)).limited_to(&files.within);
    let mut report = Report::new(plan, Against::Base, files.within.len());
    report.unknown = files.unknown("what really runs (the base counts as deployed as it stands)");
    report.dropped = &plan::dropped(&before, &desired) | &files.dropped();
    if with_diffs {
        let changes = report.plan.file_changes();
        let contents = plan::before(&changes, &before, &desired);
        report.diffs = Some(plan::diffs(&changes, &desired, &contents));
    }
    Ok(report)
}
