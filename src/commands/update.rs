//! `homelab update`: asks registries what tags mean now and the hub what branches do, and moves the pins in
//! `homelab.lock`. It changes no host: the next deploy does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::hubs::{self, Loaded};
use super::prepare::{self, Files, Said, Seen};
use super::{Exit, lock, wake};
use crate::cli::{Common, UpdateArgs};
use crate::desired::Desired;
use crate::diagnostic::did_you_mean;
use crate::image;
use crate::inventory::Values;
use crate::names::HostName;
use crate::survey::{Look, Survey};
use crate::ui;

pub(super) async fn run(common: &Common, args: &UpdateArgs) -> Result<Exit> {
    let files = prepare::files(common, Values::Opened)?;
    let offline = files.offline();
    let desired = files.desired(&offline.survey, &offline.survey, &offline.vault)?;
    let cluster = files.resolve(&offline.survey)?;
    let (used, loaded) = (users(&desired), hubs::loaded(&files, &cluster, |_, _| true));
    let (wanted, repositories) = chosen(&used, &loaded, &args.names)?;
    if args.waking.wake && !wanted.is_empty() {
        wake::beforehand(&files, &files.within, true).await;
    }
    let mut pins = files.lock.pins.clone();
    let mut worked = true;
    let mut seen = match wanted.is_empty() {
        true => offline,
        false => ui::progress::looking(files.look()).await,
    };
    for name in &wanted {
        if is_away(&seen.survey, &used[*name]) {
            ui::errors::warning(&format!("{name} keeps its pin: who runs it is away"), None);
            // Who names an image wants to know.
            worked = worked && args.names.is_empty();
            continue;
        }
        match ask(&files, &mut seen, &desired, (&used, name)).await {
            Some(digest) => moved(&mut pins.images, name, &digest, image::short)?,
            None => worked = false,
        }
    }
    let mut models = files.models.clone();
    seen.vault.also(repositories.iter().filter_map(|name| loaded[*name].secret())).await;
    for name in repositories.iter().copied() {
        match loaded[name].ask(&seen.vault, &models).await {
            Ok(said) => {
                moved(&mut pins.revisions, name, &said.commit, short)?;
                models.extend(said.models);
            }
            Err(why) => {
                ui::errors::plain(&format!("{name}: {}", why.what), why.hint.as_deref());
                worked = false;
            }
        }
    }
    seen.close().await;
    if wanted.is_empty() && repositories.is_empty() {
        ui::out("Nothing of the inventory can be pinned: all images have digests or pull_policy: never.\n")?;
    }
    let kept = args.dry_run || lock::pin(&files, pins, models);
    Ok(if worked && kept { Exit::Done } else { Exit::Failed })
}

/// The beginning of a commit, as people compare it.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Moves a pin and says from what to what.
fn moved(
    pins: &mut BTreeMap<String, String>,
    name: &str,
    now: &str,
    short: impl Fn(&str) -> &str,
) -> Result<()> {
    let before = pins.insert(name.to_owned(), now.to_owned());
    let line = match before.as_deref() {
        Some(before) if before == now => format!("  {name}: {}, as it was", short(now)),
        Some(before) => format!("~ {name}: {} → {}", short(before), short(now)),
        None => format!("+ {name}: {}", short(now)),
    };
    ui::out(&format!("{line}\n"))
}

/// The images that a pin can hold, with the hosts that run them.
fn users(desired: &Desired) -> BTreeMap<String, BTreeSet<HostName>> {
    let mut all: BTreeMap<String, BTreeSet<HostName>> = BTreeMap::new();
    for (name, host) in &desired.hosts {
        for service in host.services.values().filter(|service| service.may_be_pinned()) {
            all.entry(service.service.image.clone()).or_default().insert(name.clone());
        }
    }
    all
}

type Chosen<'a> = (BTreeSet<&'a String>, BTreeSet<&'a String>);

/// The images and the repositories that were named, or all of them.
fn chosen<'a>(
    used: &'a BTreeMap<String, BTreeSet<HostName>>,
    loaded: &'a BTreeMap<String, Loaded>,
    typed: &[String],
) -> Result<Chosen<'a>> {
    let all = || used.keys().chain(loaded.keys()).map(String::as_str);
    if let Some(unknown) = typed.iter().find(|name| !all().any(|known| known == name.as_str())) {
        let hint = match did_you_mean(unknown, all()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it uses {}", all().collect::<Vec<_>>().join(", ")),
        };
        let what = format!("the inventory uses no image or repository {unknown} that could be pinned");
        ui::errors::plain(&what, Some(&hint));
        return Err(Said(Exit::Usage).into());
    }
    let wanted = |name: &&String| typed.is_empty() || typed.contains(name);
    Ok((used.keys().filter(wanted).collect(), loaded.keys().filter(wanted).collect()))
}

/// Whether all of these hosts are away.
fn is_away(survey: &Survey, hosts: &BTreeSet<HostName>) -> bool {
    hosts.iter().all(|host| matches!(survey.hosts.get(host), Some(Look::Away(_))))
}

/// What a registry says, asked by a host that runs the image; why it cannot be asked is said.
async fn ask(
    files: &Files,
    seen: &mut Seen,
    desired: &Desired,
    (used, name): (&BTreeMap<String, BTreeSet<HostName>>, &String),
) -> Option<String> {
    let able = used[name].iter().find_map(|host| Some((host, seen.looks.get(host)?)));
    let Some((host, look)) = able else {
        let what = format!("no host that runs {name} could be reached, so nobody can ask its registry");
        ui::errors::plain(&what, None);
        return None;
    };
    let login = desired.hosts.get(host).and_then(|at| at.logins.get(image::registry(name)));
    seen.vault.also(login.map(|login| &login.password)).await;
    match look.image_digest(name, login, &seen.vault).await {
        Ok(digest) => Some(digest),
        Err(why) => {
            let service = desired.hosts[host].services.iter().find(|(_, s)| s.service.image == *name);
            let service = service.map(|(service, _)| service);
            let place = |key: &str| files.spec.place(host, (service?, None), key);
            ui::errors::failure(host.as_str(), service.map(|s| s.as_str()), &why.placed(place));
            None
        }
    }
}
