//! `homelab fit`: whether models fit GPUs, and what would. It looks at hosts only where nobody says what GPUs they have,
//! and changes nothing.

use std::path::Path;

use anyhow::Result;

use super::hubs::env;
use super::judging::{Facts, gpus_of, judged_on};
use super::prepare::{self, Said};
use super::{Exit, fitting, measuring};
use crate::cli::{Common, FitArgs};
use crate::cluster::{ModelSpec, Weighed};
use crate::fit::{self, Context, Gpu, Options, Outcome, Server};
use crate::hub::{self, Hub, Known, Unknown};
use crate::inventory::Values;
use crate::lock::Pins;
use crate::names::ModelName;
use crate::ui::{self, fit::Judged};

pub(super) async fn run(common: &Common, args: &FitArgs) -> Result<Exit> {
    let judged = match &args.model {
        Some(model) if named(common, model) => of_inventory(common, args, Some(model)).await?,
        Some(model) => alone(model, args).await,
        None => of_inventory(common, args, None).await?,
    };
    ui::fit::show(&judged, args.json)?;
    let bad = |judged: &Judged| match &judged.verdict {
        Ok(verdict) => matches!(verdict.outcome, Outcome::TooLarge | Outcome::Short | Outcome::Crowded),
        Err(_) => true,
    };
    Ok(if judged.iter().any(bad) { Exit::Failed } else { Exit::Done })
}

/// Whether the inventory has a model of that name; what cannot be read has none.
fn named(common: &Common, model: &str) -> bool {
    if !common.inventory.iter().all(|path| path.exists()) {
        return false;
    }
    let Ok(inventory) = prepare::inventory(common, Values::Sealed) else { return false };
    let Ok(spec) = crate::cluster::read(&inventory, Pins::default(), false) else { return false };
    let is = |name: &ModelName| name.as_str() == model;
    let has = |server: &ModelSpec| is(&server.name) || server.members.iter().any(|member| is(&member.name));
    spec.hosts.values().flat_map(|host| &host.models).any(has)
}

/// What is known of a model: of a path, if there is one of that name, else of the hub's.
async fn known(model: &str) -> Result<Known, Unknown> {
    let path = Path::new(model);
    if path.exists() {
        return hub::of_path(path);
    }
    ui::progress::looking(Hub::of(env).model(model)).await
}

/// Sizes that cards have, in GiB, for whoever names none.
const CARDS: [u64; 7] = [8, 12, 16, 24, 32, 48, 80];

/// A model on cards that were named, or on cards of the usual sizes.
async fn alone(model: &str, args: &FitArgs) -> Vec<Judged> {
    let judged = |gpu, verdict| Judged {
        model: model.to_owned(),
        host: None,
        gpu,
        from: None,
        verdict,
        measured: None,
    };
    let known = match known(model).await {
        Ok(known) => known,
        Err(why) => return vec![judged(None, Err(why))],
    };
    let server = if known.gguf { Server::LlamaCpp } else { Server::Vllm };
    let mut options = Options::of(server);
    options.context = args.context.map_or(options.context, Context::Tokens);
    let many = args.gpus.len().max(1) as u64;
    match server {
        Server::Vllm => options.tensor = many,
        Server::LlamaCpp => options.pipeline = many,
    }
    // The smallest decides.
    let sizes = args.gpus.iter().min().map_or(CARDS.map(|gib| gib << 30).to_vec(), |size| vec![size.0]);
    let on = |bytes: u64| {
        let gpu = Gpu { bytes, shared: false, taken: 0 };
        let verdict = fit::judge(&known.facts, &known.extras, &options, &gpu);
        Judged { from: Some(known.from.clone()), ..judged(Some(bytes), Ok(verdict)) }
    };
    sizes.into_iter().map(on).collect()
}

/// The models of the inventory, or the one of that name, on the GPUs of their hosts.
async fn of_inventory(common: &Common, args: &FitArgs, only: Option<&str>) -> Result<Vec<Judged>> {
    let files = prepare::files(common, Values::Sealed)?;
    let seen = match args.gpus.is_empty() {
        false => files.offline(),
        true => ui::progress::looking(files.look()).await,
    };
    let survey = &seen.survey;
    let mut facts = Facts::new();
    let mut all = Vec::new();
    for (name, host) in files.spec.hosts.iter().filter(|(name, _)| files.within.contains(name)) {
        let models = Weighed::on_gpus(host);
        for model in &models {
            let id = model.model().unwrap_or_default().to_owned();
            if facts.contains_key(&id) {
                continue;
            }
            // Of those that only stand beside it nobody is asked.
            let known = match fitting::known(&files, *model) {
                Some(known) => Ok(known),
                None if only.is_none_or(|only| model.is_called(only)) => known(&id).await,
                None => continue,
            };
            facts.insert(id, known);
        }
        let gpus = gpus_of((name, host), &args.gpus, survey);
        let judged = judged_on(name, (&models, &host.hf_home), (&facts, &gpus), args.context);
        let asked =
            models.iter().zip(judged).filter(|(model, _)| only.is_none_or(|only| model.is_called(only)));
        all.extend(asked.map(|(_, judged)| judged));
    }
    measuring::add(&files, &seen, &mut all).await;
    seen.close().await;
    if all.is_empty() {
        ui::errors::plain(
            "no model of the inventory wants a GPU",
            Some("homelab fit MODEL --gpu 24GB asks about any other"),
        );
        return Err(Said(Exit::Usage).into());
    }
    Ok(all)
}
