//! `homelab secrets rotate`: new keys in the place of homelab's own, all of them or one.
//! It is a deploy with another root key, or with another number beside it.

use std::collections::BTreeSet;

use anyhow::Result;

use super::prepare::{self, Files, Said, Seen};
use super::{Exit, deploy, wake};
use crate::cli::{Common, DeployArgs, Format, RootArgs, RotateArgs, Turn};
use crate::cluster::Cluster;
use crate::diagnostic::did_you_mean;
use crate::inventory::Values;
use crate::names::HostName;
use crate::secret::SecretRef;
use crate::survey::{Look, RootKey};
use crate::ui;

pub(super) async fn run(common: &Common, args: &RotateArgs) -> Result<Exit> {
    if common.limit.is_some() {
        let hint = "a key changes on all hosts that use it, or it fits nowhere";
        ui::errors::plain("secrets rotate takes no --limit", Some(hint));
        return Err(Said(Exit::Usage).into());
    }
    let files = prepare::files(common, Values::Opened)?;
    let cluster = files.resolve(&files.offline().survey)?;
    let purpose = args.name.as_deref().map(|name| purpose(&cluster, name)).transpose()?;
    if !args.dry_run && !args.sleeping.no_wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let mut seen = ui::progress::looking(files.look()).await;
    if let Err((what, hint)) = possible(&cluster, &seen, purpose.as_deref()) {
        ui::errors::plain(&what, Some(hint));
        seen.close().await;
        return Ok(Exit::Failed);
    }
    let away = seen.survey.hosts.iter().filter(|(_, look)| matches!(look, Look::Away(_)));
    for (host, _) in away.filter(|(host, _)| needs(&cluster, purpose.as_deref(), host)) {
        let hint = "the first homelab deploy that finds it gives it the new ones; until then its models refuse the gateway";
        ui::errors::warning(&format!("{host} is away and keeps its old keys"), Some(hint));
    }
    let becomes = match &purpose {
        Some(purpose) => {
            seen.vault.replace(purpose);
            RootKey::Outdated
        }
        None => RootKey::Absent,
    };
    seen.survey.root_key = becomes;
    seen.replaced = Some(becomes);
    if args.dry_run {
        return show(&files, seen).await;
    }
    let turn = Turn { lock_wait: args.turn.lock_wait };
    let args = DeployArgs {
        turn,
        sleeping: args.sleeping,
        yes: args.yes,
        dry_run: false,
        bootstrap: false,
        root: RootArgs { ask_become_pass: false },
        diff: false,
        locked: false,
        json: false,
    };
    deploy::make_so(common, &files, seen, &args).await
}

/// What each derived key is for, with the hosts that use it.
fn users<'a>(
    cluster: &'a Cluster,
    of: Option<&'a str>,
) -> impl Iterator<Item = (&'a HostName, &'a String, &'a String)> {
    let units = cluster.hosts.iter().flat_map(|(host, at)| at.units.iter().map(move |unit| (host, unit)));
    let all = units.flat_map(|(host, unit)| unit.secrets.iter().map(move |one| (host, one)));
    all.filter_map(move |(host, (variable, secret))| match secret {
        SecretRef::Derived(purpose) if of.is_none_or(|of| of == purpose) => Some((host, variable, purpose)),
        _ => None,
    })
}

/// The purpose of the key of that name, which may also be the model's alone or that of a variable that holds it and no
/// other.
fn purpose(cluster: &Cluster, name: &str) -> Result<String> {
    let purposes: BTreeSet<&String> = users(cluster, None).map(|(.., purpose)| purpose).collect();
    let model = format!("model/{name}");
    if let Some(found) = purposes.iter().find(|found| [name, &model].contains(&found.as_str())) {
        return Ok((*found).clone());
    }
    let held: BTreeSet<&String> = users(cluster, None)
        .filter(|(_, variable, _)| *variable == name)
        .map(|(.., purpose)| purpose)
        .collect();
    if let (1, Some(only)) = (held.len(), held.first()) {
        return Ok((*only).clone());
    }
    let all = || purposes.iter().map(|purpose| purpose.as_str());
    let units = cluster.hosts.values().flat_map(|host| &host.units);
    let theirs =
        units.flat_map(|unit| unit.secrets.keys()).any(|variable| variable == name) && held.is_empty();
    let hint = match (theirs, did_you_mean(name, all())) {
        (true, _) => {
            "change it where it comes from, then homelab deploy: homelab secrets lists both".to_owned()
        }
        (false, Some(near)) => format!("did you mean {near}?"),
        (false, None) => format!("homelab made these: {}", all().collect::<Vec<_>>().join(", ")),
    };
    let what = match theirs {
        true => format!("{name} is a secret of yours, not a key of homelab's"),
        false => format!("there is no key {name}"),
    };
    ui::errors::plain(&what, Some(&hint));
    Err(Said(Exit::Usage).into())
}

/// Whether a host has to change.
fn needs(cluster: &Cluster, purpose: Option<&str>, host: &HostName) -> bool {
    purpose.is_none() || *host == cluster.gateway || users(cluster, purpose).any(|(user, ..)| user == host)
}

/// Whether all hosts that would have to change can be reached.
fn possible(cluster: &Cluster, seen: &Seen, purpose: Option<&str>) -> Result<(), (String, &'static str)> {
    let unseen = seen.survey.hosts.iter().filter(|(_, look)| !matches!(look, Look::Seen(_) | Look::Away(_)));
    let unseen = unseen.map(|(host, _)| host).filter(|host| needs(cluster, purpose, host));
    let unseen: Vec<&str> = unseen.map(HostName::as_str).collect();
    match (unseen.is_empty(), seen.survey.root_key) {
        (true, RootKey::Present) => Ok(()),
        (true, _) => Err(("there is no root key yet".to_owned(), "the first homelab deploy makes one")),
        (false, _) => Err((
            format!("{} cannot be reached, and would keep the old keys", unseen.join(", ")),
            "homelab doctor says what is wrong there; nothing was changed",
        )),
    }
}

async fn show(files: &Files, mut seen: Seen) -> Result<Exit> {
    let made = if seen.survey.root_key == RootKey::Absent { seen.vault.make_root() } else { Ok(()) };
    let shown = match made {
        Ok(()) => match files.plan(&seen) {
            Ok((desired, plan)) => {
                let report = prepare::report(files, &seen, (&desired, &plan), false).await;
                ui::plan::show(&report, Format::Text).map(|()| Exit::Done)
            }
            Err(error) => Err(error),
        },
        Err(why) => {
            ui::errors::failure("this machine", None, &why);
            Ok(Exit::Failed)
        }
    };
    seen.close().await;
    shown
}
