//! `homelab secrets`: which secrets there are and where they come from.
//! It shows no value.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Exit, prepare, rotate};
use crate::cli::{Common, SecretsArgs, SecretsVerb};
use crate::cluster::Cluster;
use crate::inventory::Values;
use crate::ui;

pub(super) async fn run(common: &Common, args: &SecretsArgs) -> Result<Exit> {
    match &args.verb {
        Some(SecretsVerb::Rotate(args)) => rotate::run(common, args).await,
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
