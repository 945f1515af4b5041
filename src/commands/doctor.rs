//! `homelab doctor`: what is wrong with each host, and the fix.
//! It looks; all it does is one container for a moment where a model wants a GPU.

use std::collections::BTreeMap;

use anyhow::Result;
use futures_util::future::join_all;
use tokio::sync::watch;

use super::prepare::{self, Files, Said};
use super::{Exit, wake};
use crate::cli::{Common, DoctorArgs};
use crate::cluster::{HostSpec, Role};
use crate::diagnostic::did_you_mean;
use crate::doctor::{self, Inside, Reach, Wants};
use crate::engine::Gpus;
use crate::host::{self, Ask, Diagnosed, Look, Placed, Trial};
use crate::inventory::Values;
use crate::names::{HostName, Port};
use crate::service::Runtime;
use crate::survey::{self, Health, Seen, State, Survey, Unreached};
use crate::ui;

type All = BTreeMap<HostName, Result<Diagnosed, Unreached>>;

pub(super) async fn run(common: &Common, args: &DoctorArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Sealed)?;
    let hosts = chosen(&files, args.host.as_deref())?;
    if args.waking.wake {
        wake::beforehand(&files, &hosts.iter().cloned().collect(), true).await;
    }
    let (stop, stopped) = watch::channel(false);
    let work = all(&files, &hosts, !args.no_container, stopped.clone());
    let Some(all) = ui::progress::looking(ui::progress::stoppable(work, stop)).await else {
        ui::progress::untouched();
        return Ok(Exit::Interrupted);
    };
    let mut examined = Vec::new();
    let mut looks = BTreeMap::new();
    for (name, seen) in all {
        let host = files.spec.hosts.get(&name);
        let wants = host.map(wants).unwrap_or_default();
        let evidence = match seen {
            Ok(seen) => {
                looks.extend(seen.docker.map(|(look, _)| (name.clone(), look)));
                Ok(seen.evidence)
            }
            Err(Unreached { why, silent }) if silent && host.is_some_and(|host| host.connection.optional) => {
                examined.push(doctor::away(&name, &why));
                continue;
            }
            Err(Unreached { why, .. }) => Err(why),
        };
        examined.push(doctor::examine(&name, &evidence, &wants));
    }
    ui::verbose::connections(common.verbose, &looks);
    join_all(looks.values().map(Look::close)).await;
    ui::doctor::show(&examined, args.json)?;
    Ok(if examined.iter().all(doctor::Examined::is_fine) { Exit::Done } else { Exit::Failed })
}

/// The one host that was named, or all that `--limit` leaves.
fn chosen(files: &Files, host: Option<&str>) -> Result<Vec<HostName>> {
    let Some(typed) = host else { return Ok(files.within.iter().cloned().collect()) };
    if let Some(name) = files.within.iter().find(|name| name.as_str() == typed) {
        return Ok(vec![name.clone()]);
    }
    let names = files.within.iter().map(HostName::as_str);
    let near = did_you_mean(typed, names).map(|near| format!("did you mean {near}?"));
    let all = "homelab inventory --graph shows what there is";
    ui::errors::plain(
        &format!("there is no host {typed} in the inventory, or --limit leaves it out"),
        Some(near.as_deref().unwrap_or(all)),
    );
    Err(Said(Exit::Usage).into())
}

pub(super) fn wants(host: &HostSpec) -> Wants {
    let models = host.models.iter().map(|model| (model.port.get(), model.name.to_string()));
    let gateway = host.gateway.iter().map(|gateway| (gateway.options.port.get(), "the gateway".to_owned()));
    let http = host.gateway.iter().filter_map(|gateway| gateway.options.edge.as_ref()?.http_port);
    let http = http.map(|port| (port.get(), "the gateway's edge".to_owned()));
    Wants {
        gpus: !images(host).is_empty(),
        ports: models.chain(gateway).chain(http).collect(),
        open: open(host).collect(),
        no_docker: !host.models.is_empty() && !host.uses_docker(),
    }
}

/// The ports that are published on all addresses, for whoever comes.
fn open(host: &HostSpec) -> impl Iterator<Item = u16> {
    let all = |host_ip: &Option<String>| host_ip.as_ref().is_none_or(|ip| ip == "0.0.0.0" || ip == "::");
    let models = host.models.iter().filter(move |m| all(&m.overlay.host_ip)).map(|m| m.port.get());
    let gateway = host.gateway.iter().filter(move |g| {
        all(&g.overlay.host_ip) && g.options.edge.as_ref().is_none_or(|edge| edge.allow.is_empty())
    });
    models.chain(gateway.map(|g| g.options.port.get()))
}

/// The images of models that want a GPU: without a container nothing stands between.
fn images(host: &HostSpec) -> Vec<&String> {
    let in_docker = host.models.iter().filter(|model| model.runtime == Runtime::Docker);
    in_docker.filter(|model| model.gpus != Gpus::None).map(|model| &model.image).collect()
}

/// Looks at all hosts at once; none when it was interrupted.
async fn all(
    files: &Files,
    hosts: &[HostName],
    container: bool,
    mut stopped: watch::Receiver<bool>,
) -> Option<All> {
    let looking = join_all(files.asks().into_iter().filter(|ask| hosts.contains(&ask.connection.name)).map(
        |ask| async move {
            let host = files.spec.hosts.get(&ask.connection.name);
            let models = host.filter(|host| !host.models.is_empty()).map(|host| host.hf_home.as_str());
            // GPUs are asked for in another way, and no secret is wanted.
            let ask = Ask { gpus: false, root_key: false, endpoints: vec![], ..ask };
            (ask.connection.name.clone(), host::diagnose(&ask, models).await)
        },
    ));
    let seen = tokio::select! {
        seen = looking => seen,
        Ok(_) = stopped.wait_for(|stop| *stop) => return None,
    };
    let probing = seen.into_iter().map(|(name, seen)| {
        let stopped = stopped.clone();
        async move {
            let images = files.spec.hosts.get(&name).map(images).unwrap_or_default();
            match seen {
                Ok(seen) if container => (name, Ok(probed(seen, &images, stopped).await)),
                seen => (name, seen),
            }
        }
    });
    let mut all: All = join_all(probing).await.into_iter().collect();
    if *stopped.borrow() {
        return None;
    }
    tokio::select! {
        () = reach(files, &mut all) => {}
        Ok(_) = stopped.wait_for(|stop| *stop) => return None,
    }
    Some(all)
}

/// The same with what a container of the first image that is there sees of the GPUs, if the host sees any.
async fn probed(mut seen: Diagnosed, images: &[&String], stopped: watch::Receiver<bool>) -> Diagnosed {
    let evidence = &mut seen.evidence;
    let (Ok(machine), Ok(engine)) = (&evidence.machine, &evidence.docker) else { return seen };
    if images.is_empty() || machine.nvidia.code != Some(0) || !engine.runtimes.contains("nvidia") {
        return seen;
    }
    let Some(image) = images.iter().find(|image| engine.images.contains(image)) else {
        evidence.inside = Inside::NoImage;
        return seen;
    };
    if let Some((look, there)) = seen.docker.take() {
        let trial = Trial::new(look);
        evidence.inside = trial.gpus(image, stopped).await;
        seen.docker = Some((trial.into_look(), there));
    }
    seen
}

/// Asks from the gateway's host for every model that answers on its own.
async fn reach(files: &Files, all: &mut All) {
    let seen = |(name, seen): (&HostName, &Result<Diagnosed, Unreached>)| {
        let mut there = seen.as_ref().ok()?.docker.as_ref()?.1.clone();
        // What is missing is said already, and no reason not to look for what is there.
        there.facts.runtimes.insert("nvidia".to_owned());
        Some((name.clone(), survey::Look::Seen(Box::new(there))))
    };
    let survey = Survey { hosts: all.iter().filter_map(seen).collect(), ..Survey::default() };
    let Some(gateway) = files.gateway() else { return };
    let from = all.get(gateway).and_then(|seen| seen.as_ref().ok()?.docker.as_ref());
    let Some((look, _)) = from else { return };
    let targets = targets(files, &survey);
    let asked =
        targets.iter().map(|(what, address, port)| host::reached(look, what.clone(), address, port.get()));
    let reached: Vec<Reach> = join_all(asked).await;
    if let Some(Ok(seen)) = all.get_mut(gateway) {
        seen.evidence.reach = reached;
    }
}

/// The models that answer on their own hosts, and where the gateway looks for them.
fn targets(files: &Files, survey: &Survey) -> Vec<(String, String, Port)> {
    let Ok(cluster) = files.resolve(survey) else { return vec![] };
    let mut all = Vec::new();
    for (host, there) in &cluster.hosts {
        for unit in &there.units {
            let Role::Model(served) = &unit.role else { continue };
            let placed = Placed {
                project: &cluster.project,
                name: &unit.name,
                service: &unit.service,
                dir: &there.dir,
            };
            let name = placed.container_name();
            let answers = |seen: &Seen| {
                let container = seen.containers.get(&name);
                container.is_some_and(|c| c.state == State::Running && c.health == Health::Ready)
            };
            if let (Some(address), Some(port)) = (&served.address, unit.port)
                && survey.seen(host).is_some_and(answers)
            {
                all.push((format!("{} on {host}", served.name), address.clone(), port));
            }
        }
    }
    all
}
