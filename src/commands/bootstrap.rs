//! `homelab bootstrap`: look at hosts, say what they lack before they can serve, ask, and do only that.
//! What is missing is decided in `crate::bootstrap`; drivers are never touched.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Result;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::Exit;
use super::doctor::wants;
use super::prepare::{self, Files, Said};
use super::wake;
use crate::bootstrap::{Plan, Root, Seen, Wanted, plan};
use crate::cli::{BootstrapArgs, Common};
use crate::cluster::ModelSpec;
use crate::connection::DOCKER_SOCKET;
use crate::event::Sender;
use crate::host::Setup;
use crate::inventory::Values;
use crate::names::HostName;
use crate::service::Runtime;
use crate::survey::{Failure, Unreached};
use crate::ui;

type Stop = watch::Receiver<bool>;
type Seens = BTreeMap<HostName, Result<(Setup, Seen), Unreached>>;

pub(super) async fn run(common: &Common, args: &BootstrapArgs) -> Result<Exit> {
    let ended = set_up(&prepare::files(common, Values::Sealed)?, args).await?;
    Ok(ended.unwrap_or(Exit::Failed))
}

/// The same before a deploy, with how it ended so far: a host that cannot be set up fails alone, but whoever says no,
/// or interrupts it, means all of it.
pub(super) async fn before_deploy(common: &Common, args: &BootstrapArgs) -> Result<ControlFlow<Exit, Exit>> {
    let ended = set_up(&prepare::files(common, Values::Sealed)?, args).await?;
    Ok(match ended {
        Some(exit @ (Exit::Done | Exit::Failed)) => ControlFlow::Continue(exit),
        Some(other) => ControlFlow::Break(other),
        None => ControlFlow::Break(Exit::Failed),
    })
}

/// How it ended; none if the user said no.
async fn set_up(files: &Files, args: &BootstrapArgs) -> Result<Option<Exit>> {
    if !args.dry_run && !args.sleeping.no_wake {
        wake::beforehand(files, &files.within, false).await;
    }
    let seen = ui::progress::looking(look(files)).await;
    let plans = plans(files, &seen, args.root.ask_become_pass);
    let (away, mut failed) = unreached(files, &seen);
    ui::bootstrap::show(&plans, &away)?;
    let work: Vec<&HostName> =
        plans.iter().filter(|(_, plan)| !plan.steps.is_empty()).map(|(host, _)| host).collect();
    let blocked = plans.values().any(|plan| plan.blocked.is_some());
    let to_do = !work.is_empty() && !args.dry_run;
    if to_do && !args.yes && !ui::bootstrap::confirm()? {
        close(&seen, &BTreeMap::new()).await;
        return Ok(None);
    }
    let mut stopped = false;
    if to_do {
        let password = password(&seen, &work)?;
        let (why, stop) = carry_out(&seen, &plans, &password).await;
        failed.extend(why);
        stopped = stop;
    }
    close(&seen, if args.dry_run { &EMPTY } else { &plans }).await;
    if to_do && !stopped {
        failed.extend(unsettled(files, &failed).await);
    }
    for (host, why) in &failed {
        ui::errors::failure(host.as_str(), None, why);
    }
    if to_do && failed.is_empty() && !stopped {
        ui::bootstrap::done(work.len());
    }
    Ok(Some(match (stopped, failed.is_empty() && !blocked) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    }))
}

/// No login is renewed for what was not done.
static EMPTY: BTreeMap<HostName, Plan> = BTreeMap::new();

async fn look(files: &Files) -> Seens {
    let hosts = files.spec.hosts.iter().filter(|(name, _)| files.within.contains(*name));
    let looking = hosts.map(|(name, host)| async move {
        let seen = async {
            let setup = Setup::open(&host.connection).await?;
            let seen = setup.look(&host.programs().unwrap_or_default()).await;
            if seen.is_err() {
                setup.close(false).await;
            }
            Ok((setup, seen?))
        };
        (name.clone(), seen.await)
    });
    join_all(looking).await.into_iter().collect()
}

/// Why hosts are away, and why others were not reached.
fn unreached(files: &Files, seen: &Seens) -> (BTreeMap<HostName, Failure>, BTreeMap<HostName, Failure>) {
    let optional = |host| files.spec.hosts.get(host).is_some_and(|host| host.connection.optional);
    let all = seen.iter().filter_map(|(host, seen)| Some((host, seen.as_ref().err()?)));
    let (away, failed): (Vec<_>, Vec<_>) = all.partition(|(host, why)| why.silent && optional(host));
    let whys = |all: Vec<(&HostName, &Unreached)>| {
        all.into_iter().map(|(host, unreached)| (host.clone(), unreached.why.clone())).collect()
    };
    (whys(away), whys(failed))
}

fn plans(files: &Files, seen: &Seens, password: bool) -> BTreeMap<HostName, Plan> {
    let of = |(name, seen): (&HostName, &Result<(Setup, Seen), Unreached>)| {
        let host = files.spec.hosts.get(name)?;
        let socket = Some(&host.connection.docker_socket).filter(|socket| *socket != DOCKER_SOCKET);
        let wanted = Wanted {
            wants: wants(host),
            native: host.programs().is_some(),
            programs: host.models.iter().filter_map(program).collect(),
            packages: host.docker_packages,
            socket: socket.cloned(),
            password,
        };
        let plan = match seen {
            Ok((_, seen)) => plan(seen, &wanted),
            Err(_) => return None,
        };
        Some((name.clone(), plan))
    };
    seen.iter().filter_map(of).collect()
}

/// The program of a model of the host's own, and how it gets there.
fn program(model: &ModelSpec) -> Option<(String, &'static str)> {
    let program = model.command.first().filter(|_| model.runtime == Runtime::Native)?;
    Some((program.clone(), model.engine.install()))
}

/// The password, asked for once, if a host with something to do wants one.
fn password(seen: &Seens, work: &[&HostName]) -> Result<Zeroizing<String>> {
    let wants_it = |host: &&&HostName| matches!(seen.get(**host), Some(Ok((_, seen))) if seen.ground.root == Root::Password);
    if !work.iter().any(|host| wants_it(&host)) {
        return Ok(Zeroizing::default());
    }
    ui::ask::hidden("Password of sudo on the hosts").map_err(|why| {
        ui::errors::plain(
            &format!("no password for sudo: {why}"),
            Some("-K asks on a terminal. Nothing was changed"),
        );
        Said(Exit::Failed).into()
    })
}

/// Sets all hosts up side by side; gives why some failed, and whether the user wanted to stop.
async fn carry_out(
    seen: &Seens,
    plans: &BTreeMap<HostName, Plan>,
    password: &Zeroizing<String>,
) -> (BTreeMap<HostName, Failure>, bool) {
    let (events, heard) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let shown = tokio::spawn(ui::progress::show(heard));
    let interrupts = tokio::spawn(ui::progress::interrupts(stop, "bootstrap"));
    let work = plans.iter().filter(|(_, plan)| !plan.steps.is_empty()).filter_map(|(host, plan)| {
        let (setup, seen) = seen.get(host)?.as_ref().ok()?;
        Some(one(host, (setup, seen.ground.root), plan, password, (&events, &stopping)))
    });
    let failed = join_all(work).await.into_iter().flatten().collect();
    interrupts.abort();
    drop(events);
    let _ = shown.await;
    let stopped = *stopping.borrow();
    (failed, stopped)
}

async fn one(
    host: &HostName,
    (setup, root): (&Setup, Root),
    plan: &Plan,
    password: &Zeroizing<String>,
    progress: (&Sender, &Stop),
) -> Option<(HostName, Failure)> {
    let work = async {
        if root == Root::Password {
            setup.check(root, password).await?;
        }
        setup.carry_out(&plan.steps, (root, password), progress).await
    };
    work.await.err().map(|why| (host.clone(), why))
}

/// Closes all connections; where groups changed, so that the next one is a new login.
async fn close(seen: &Seens, plans: &BTreeMap<HostName, Plan>) {
    let open = seen.iter().filter_map(|(host, seen)| Some((host, &seen.as_ref().ok()?.0)));
    join_all(open.map(|(host, setup)| setup.close(plans.get(host).is_some_and(|plan| plan.login)))).await;
}

/// Looks again: on a host that was set up nothing may be left to do.
async fn unsettled(files: &Files, failed: &BTreeMap<HostName, Failure>) -> BTreeMap<HostName, Failure> {
    let again = look(files).await;
    let mut left: BTreeMap<HostName, Failure> = plans(files, &again, true)
        .into_iter()
        .filter(|(host, plan)| !failed.contains_key(host) && !plan.steps.is_empty())
        .map(|(host, plan)| (host, still(&plan)))
        .collect();
    let (_, gone) = unreached(files, &again);
    left.extend(gone.into_iter().filter(|(host, _)| !failed.contains_key(host)));
    close(&again, &EMPTY).await;
    left
}

fn still(plan: &Plan) -> Failure {
    let left: Vec<&str> = plan.steps.iter().map(|step| step.what.as_str()).collect();
    Failure {
        step: crate::bootstrap::STEP.to_owned(),
        what: format!("it does not settle; this is still to do: {}", left.join(", ")),
        lines: vec![],
        hint: Some("homelab doctor says what is wrong there".to_owned()),
        finding: None,
    }
}
