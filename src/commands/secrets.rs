//! `homelab secrets`: which secrets there are and where they come from, and new keys in the place of homelab's own.
//! It shows no value; a rotation is a deploy with another root key.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::prepare::{self, Files, Said, Seen};
use super::{Exit, deploy, wake};
use crate::cli::{Common, DeployArgs, Format, RootArgs, RotateArgs, SecretsArgs, SecretsVerb, Turn};
use crate::cluster::Cluster;
use crate::inventory::Values;
use crate::survey::{Look, RootKey};
use crate::ui;

pub(super) async fn run(common: &Common, args: &SecretsArgs) -> Result<Exit> {
    match &args.verb {
        Some(SecretsVerb::Rotate(args)) => rotate(common, args).await,
        None => {
            let files = prepare::files(common, Values::Sealed)?;
            ui::secrets(&rows(&files.resolve(&files.offline().survey)?))?;
            Ok(Exit::Done)
        }
    }
}

/// Each secret by its variable and its source, with who uses it.
fn rows(cluster: &Cluster) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (host, at) in &cluster.hosts {
        let used =
            at.units.iter().flat_map(|u| u.secrets.iter().map(|(name, secret)| (&u.name, name, secret)));
        for (unit, name, secret) in used {
            all.entry((name.clone(), secret.label())).or_default().insert(format!("{host}/{unit}"));
        }
        for (registry, login) in &at.logins {
            let name = format!("login of {registry}");
            all.entry((name, login.password.label())).or_default().insert(host.to_string());
        }
    }
    all
}

async fn rotate(common: &Common, args: &RotateArgs) -> Result<Exit> {
    if common.limit.is_some() {
        let hint = "every key comes from one root key, so they change on all hosts";
        ui::errors::plain("secrets rotate takes no --limit", Some(hint));
        return Err(Said(Exit::Usage).into());
    }
    let files = prepare::files(common, Values::Opened)?;
    if !args.dry_run && !args.sleeping.no_wake {
        wake::beforehand(&files, &files.within, true).await;
    }
    let mut seen = ui::progress::looking(files.look()).await;
    let unseen = seen.survey.hosts.iter().filter(|(_, look)| !matches!(look, Look::Seen(_) | Look::Away(_)));
    let unseen: Vec<&str> = unseen.map(|(host, _)| host.as_str()).collect();
    let why = match (unseen.is_empty(), seen.survey.root_key) {
        (true, RootKey::Present) => None,
        (true, _) => Some(("there is no root key yet".to_owned(), "the first homelab deploy makes one")),
        (false, _) => Some((
            format!("{} cannot be reached, and would keep the old keys", unseen.join(", ")),
            "homelab doctor says what is wrong there; nothing was changed",
        )),
    };
    if let Some((what, hint)) = why {
        ui::errors::plain(&what, Some(hint));
        seen.close().await;
        return Ok(Exit::Failed);
    }
    for (host, _) in seen.survey.hosts.iter().filter(|(_, look)| matches!(look, Look::Away(_))) {
        let hint = "the first homelab deploy that finds it gives it the new ones; until then its models refuse the gateway";
        ui::errors::warning(&format!("{host} is away and keeps its old keys"), Some(hint));
    }
    seen.survey.root_key = RootKey::Absent;
    seen.replaced = Some(RootKey::Absent);
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

async fn show(files: &Files, mut seen: Seen) -> Result<Exit> {
    let shown = match seen.vault.make_root() {
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
