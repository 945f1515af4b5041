//! `homelab status`: a survey and its plan, shown as a table.

use anyhow::Result;
use futures_util::future::join_all;

use super::prepare::{self, Seen};
use super::{Exit, wake};
use crate::cli::{Common, StatusArgs};
use crate::cluster::Role;
use crate::companion;
use crate::desired::Desired;
use crate::host;
use crate::inventory::Values;
use crate::names::ServiceName;
use crate::plan::{self, Numbers};
use crate::ui;

pub(super) async fn run(common: &Common, args: &StatusArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Opened)?;
    if args.waking.wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let seen = ui::progress::looking(files.look()).await;
    let planned = files.plan(&seen);
    ui::verbose::connections(common.verbose, &seen.looks);
    let survey = seen.survey.clone();
    let mut causes = host::causes(&seen.looks, &survey).await;
    let mut rows = match &planned {
        Ok((desired, plan)) => plan::status(desired, &survey, plan),
        Err(_) => vec![],
    };
    rows.retain(|row| files.within.contains(&row.host));
    if let Ok((desired, _)) = &planned {
        let loaded = join_all(rows.into_iter().map(|row| with_loaded(row, desired, &seen)));
        let (loaded, numbers) = tokio::join!(loaded, numbers(desired, &seen));
        rows = loaded.into_iter().map(|row| row.with_numbers(desired, &numbers)).collect();
    }
    seen.close().await;
    let (desired, _) = planned?;
    let explained = |row: plan::Row| {
        let Some(service) = row.service.clone() else { return row };
        let container = plan::container_name(&desired, &service);
        let cause = causes.remove(&(row.host.clone(), container));
        let cause = cause.map(|cause| {
            let member = cause.model.clone();
            cause.placed(|key| files.spec.place(&row.host, (&service, member.as_deref()), key))
        });
        row.explained(cause)
    };
    let rows: Vec<_> = rows.into_iter().map(explained).collect();
    ui::status::show(&rows, &files.dropped(), args.json)?;
    Ok(if rows.iter().all(plan::Row::is_fine) { Exit::Done } else { Exit::Failed })
}

/// What Prometheus counted, where it runs.
async fn numbers(desired: &Desired, seen: &Seen) -> Numbers {
    let asked = async {
        let at = desired.gateway.as_ref()?;
        let name = ServiceName::new(companion::PROMETHEUS.name).ok()?;
        let service = desired.hosts.get(at)?.services.get(&name).filter(|one| one.role == Role::Companion)?;
        let port = service.service.published().next()?;
        let look = seen.looks.get(at)?;
        host::asked(look, (port.local_address(), port.host), &companion::question()).await
    };
    asked.await.map(|answer| Numbers::read(&answer)).unwrap_or_default()
}

/// A row with what a server of several says is loaded.
async fn with_loaded(row: plan::Row, desired: &Desired, seen: &Seen) -> plan::Row {
    if row.models.is_empty() || row.since.is_none() {
        return row;
    }
    let service = row.service.as_ref().and_then(|name| desired.hosts.get(&row.host)?.services.get(name));
    let Some((service, look)) = service.zip(seen.looks.get(&row.host)) else { return row };
    let Some(probe) = plan::probe(service) else { return row };
    let Some(Ok(key)) = probe.key.as_ref().map(|key| seen.vault.value(key)) else { return row };
    let loaded = host::loaded(look, &probe, Some(&key)).await;
    row.with_loaded(loaded.as_deref())
}
