//! `homelab down`: removes what homelab made on every host of the inventory.

use anyhow::Result;

use super::Exit;
use super::deploy::carry_out;
use super::prepare;
use crate::cli::{Common, DownArgs, Format};
use crate::desired::Desired;
use crate::plan::{self, Against, Report};
use crate::ui;

pub(super) async fn run(common: &Common, args: &DownArgs) -> Result<Exit> {
    let files = prepare::files(common)?;
    let mut seen = ui::progress::looking(files.look()).await;
    let plan = plan::down(&files.spec.project, &seen.survey).limited_to(&files.within);
    let dirs = files.spec.hosts.iter().map(|(name, host)| {
        let home = seen.survey.seen(name).map_or("~", |s| s.facts.home.as_str());
        (name.clone(), crate::cluster::expanded(&host.dir, home))
    });
    let desired = Desired::nothing(files.spec.project.clone(), dirs.collect());
    let ended = if plan.is_empty() {
        ui::out("Nothing to remove.\n")?;
        Exit::Done
    } else {
        ui::plan::show(&Report::new(plan.clone(), Against::Hosts, files.within.len()), Format::Text)?;
        if plan.stages.is_empty() || (!args.yes && !ui::confirm(&plan)?) {
            ui::errors::blocked(&plan.blocked);
            Exit::Failed
        } else {
            let (outcome, stopped) = carry_out(&mut seen, &desired, &plan).await;
            ui::errors::blocked(&plan.blocked);
            ui::errors::failures(&outcome);
            match (stopped, outcome.failures.is_empty() && plan.blocked.is_empty()) {
                (true, _) => Exit::Interrupted,
                (false, true) => Exit::Done,
                (false, false) => Exit::Failed,
            }
        }
    };
    ui::verbose::connections(common.verbose, &seen.looks);
    seen.close().await;
    Ok(ended)
}
