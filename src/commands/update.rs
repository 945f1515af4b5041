//! `homelab update`: asks registries what tags mean now, and moves the pins in `homelab.lock`.
//! It changes no host: the next deploy does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

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
    let desired = files.desired(&files.resolve(&files.offline().survey)?, &files.offline().vault)?;
    let used = users(&desired);
    let wanted = chosen(&used, &args.images)?;
    if args.waking.wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let mut seen = ui::progress::looking(files.look()).await;
    let asked = ask(&files, &mut seen, &desired, (&used, &wanted)).await;
    let passed = skipped(&seen.survey, &used, &wanted);
    seen.close().await;
    let (digests, worked) = asked;
    // Who names an image wants to know.
    let worked = worked && (passed.is_empty() || args.images.is_empty());
    for name in passed {
        ui::errors::warning(&format!("{name} keeps its pin: who runs it is away"), None);
    }
    let mut pins = files.lock.pins.clone();
    for (name, digest) in digests {
        let before = pins.images.insert(name.clone(), digest.clone());
        ui::out(&format!("{}\n", line(&name, before.as_deref(), &digest)))?;
    }
    if wanted.is_empty() {
        ui::out("No image of the inventory can be pinned: all have digests or pull_policy: never.\n")?;
    }
    let kept = args.dry_run || lock::pin(&files, pins);
    Ok(if worked && kept { Exit::Done } else { Exit::Failed })
}

/// From what to what.
fn line(name: &str, before: Option<&str>, now: &str) -> String {
    let (now_short, before_short) = (image::short(now), before.map(image::short));
    match (before, before_short) {
        (Some(before), _) if before == now => format!("  {name}: {now_short}, as it was"),
        (_, Some(before)) => format!("~ {name}: {before} → {now_short}"),
        (_, None) => format!("+ {name}: {now_short}"),
    }
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

fn chosen(used: &BTreeMap<String, BTreeSet<HostName>>, typed: &[String]) -> Result<BTreeSet<String>> {
    if let Some(unknown) = typed.iter().find(|name| !used.contains_key(*name)) {
        let near = did_you_mean(unknown, used.keys().map(String::as_str));
        let all: Vec<&str> = used.keys().map(String::as_str).collect();
        let hint = near
            .map_or_else(|| format!("it uses {}", all.join(", ")), |near| format!("did you mean {near}?"));
        ui::errors::plain(
            &format!("the inventory uses no image {unknown} that could be pinned"),
            Some(&hint),
        );
        return Err(Said(Exit::Usage).into());
    }
    Ok(if typed.is_empty() { used.keys().cloned().collect() } else { typed.iter().cloned().collect() })
}

/// Whether all of these hosts are away.
fn is_away(survey: &Survey, hosts: &BTreeSet<HostName>) -> bool {
    hosts.iter().all(|host| matches!(survey.hosts.get(host), Some(Look::Away(_))))
}

/// The images that nobody could ask about because nobody is there who runs them.
fn skipped<'a>(
    survey: &Survey,
    used: &BTreeMap<String, BTreeSet<HostName>>,
    wanted: &'a BTreeSet<String>,
) -> Vec<&'a String> {
    wanted.iter().filter(|name| is_away(survey, &used[*name])).collect()
}

/// What registries say, each asked once by a host that runs the image; and whether all could be asked.
async fn ask(
    files: &Files,
    seen: &mut Seen,
    desired: &Desired,
    (used, wanted): (&BTreeMap<String, BTreeSet<HostName>>, &BTreeSet<String>),
) -> (BTreeMap<String, String>, bool) {
    let (mut found, mut worked) = (BTreeMap::new(), true);
    for name in wanted {
        let able = used[name].iter().find_map(|host| Some((host, seen.looks.get(host)?)));
        let Some((host, look)) = able else {
            if is_away(&seen.survey, &used[name]) {
                continue;
            }
            let what = format!("no host that runs {name} could be reached, so nobody can ask its registry");
            ui::errors::plain(&what, None);
            worked = false;
            continue;
        };
        let login = desired.hosts.get(host).and_then(|at| at.logins.get(image::registry(name)));
        seen.vault.also(login.map(|login| &login.password)).await;
        match look.image_digest(name, login, &seen.vault).await {
            Ok(digest) => drop(found.insert(name.clone(), digest)),
            Err(why) => {
                let service = desired.hosts[host].services.iter().find(|(_, s)| s.service.image == *name);
                let service = service.map(|(service, _)| service);
                let place = |key: &str| files.spec.place(host, (service?, None), key);
                ui::errors::failure(host.as_str(), service.map(|s| s.as_str()), &why.placed(place));
                worked = false;
            }
        }
    }
    (found, worked)
}
