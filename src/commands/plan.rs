//! `homelab plan`: what deploy would do and why. It cannot act: it never gets hands.

use anyhow::Result;

use super::Exit;
use super::prepare;
use crate::cli::{Common, PlanArgs};
use crate::ui;

pub(super) async fn run(common: &Common, args: &PlanArgs) -> Result<Exit> {
    let files = prepare::files(common)?;
    let seen = if args.offline { files.offline().await } else { ui::progress::looking(files.look()).await };
    let planned = files.plan(&seen);
    ui::verbose::connections(common.verbose, &seen.looks);
    seen.close().await;
    let (_, plan) = planned?;
    ui::plan(&plan, files.within.len(), args.json)?;
    Ok(match (plan.blocked.is_empty(), plan.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if args.detailed_exitcode => Exit::Pending,
        _ => Exit::Done,
    })
}
