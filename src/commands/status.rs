//! `homelab status`: a survey and its plan, shown as a table.

use anyhow::Result;

use super::Exit;
use super::prepare;
use crate::cli::{Common, StatusArgs};
use crate::inventory::Values;
use crate::plan;
use crate::ui;

pub(super) async fn run(common: &Common, args: &StatusArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Opened)?;
    let seen = ui::progress::looking(files.look()).await;
    let planned = files.plan(&seen);
    ui::verbose::connections(common.verbose, &seen.looks);
    let survey = seen.survey.clone();
    seen.close().await;
    let (desired, plan) = planned?;
    let mut rows = plan::status(&desired, &survey, &plan);
    rows.retain(|row| files.within.contains(&row.host));
    ui::status::show(&rows, &files.dropped(), args.json)?;
    Ok(if rows.iter().all(plan::Row::is_fine) { Exit::Done } else { Exit::Failed })
}
