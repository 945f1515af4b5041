//! `homelab status`: a survey and its plan, shown as a table.

use anyhow::Result;

use super::Exit;
use super::prepare;
use crate::cli::{Common, StatusArgs};
use crate::host;
use crate::inventory::Values;
use crate::plan;
use crate::ui;

pub(super) async fn run(common: &Common, args: &StatusArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Opened)?;
    let seen = ui::progress::looking(files.look()).await;
    let planned = files.plan(&seen);
    ui::verbose::connections(common.verbose, &seen.looks);
    let survey = seen.survey.clone();
    let mut causes = host::causes(&seen.looks, &survey).await;
    seen.close().await;
    let (desired, plan) = planned?;
    let mut rows = plan::status(&desired, &survey, &plan);
    rows.retain(|row| files.within.contains(&row.host));
    let explained = |row: plan::Row| {
        let Some(service) = row.service.clone() else { return row };
        let container = plan::container_name(&desired, &service);
        let cause = causes.remove(&(row.host.clone(), container));
        let cause = cause.map(|c| c.placed(|key| files.spec.place(&row.host, &service, key)));
        row.explained(cause)
    };
    let rows: Vec<_> = rows.into_iter().map(explained).collect();
    ui::status::show(&rows, &files.dropped(), args.json)?;
    Ok(if rows.iter().all(plan::Row::is_fine) { Exit::Done } else { Exit::Failed })
}
