//! `homelab fit`: whether models fit GPUs, and what would. It looks at hosts only where nobody says what GPUs they have,
//! and changes nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::prepare::{self, Said};
use super::{Exit, fitting, measuring};
use crate::cli::{Common, FitArgs};
use crate::cluster::{HostSpec, ModelSpec, TypedGpu, Weighed};
use crate::engine::Gpus;
use crate::fit::{self, Context, Extra, Gpu, Options, Outcome, Server, Verdict};
use crate::hub::{self, Hub, Known, Unknown};
use crate::inventory::Values;
use crate::lock::Pins;
use crate::names::{ByteSize, HostName, ModelName};
use crate::survey::Survey;
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

pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
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

/// The GPUs of a host by index: those that were named, else those that were seen, else those that the inventory has.
pub(super) fn gpus_of(
    (host, spec): (&HostName, &HostSpec),
    typed: &[ByteSize],
    survey: &Survey,
) -> BTreeMap<u32, Gpu> {
    let typed =
        typed.iter().zip(0..).map(|(size, index)| (index, Gpu { bytes: size.0, shared: false, taken: 0 }));
    let seen = survey.seen(host).map(|seen| &seen.facts);
    let of = |gpu: &crate::survey::Gpu| {
        let memory = seen.and_then(|facts| facts.memory);
        let (bytes, shared) = match gpu.memory_total {
            Some(mib) => (mib.saturating_mul(1 << 20), false),
            None => (memory.map(|ByteSize(bytes)| bytes)?, true),
        };
        Some((gpu.index, Gpu { bytes, shared, taken: 0 }))
    };
    let found: BTreeMap<u32, Gpu> =
        typed.chain(seen.into_iter().flat_map(|facts| &facts.gpus).filter_map(of)).collect();
    if !found.is_empty() {
        return found;
    }
    let said = |gpu: &TypedGpu| Gpu { bytes: gpu.memory.0, shared: gpu.shared, taken: 0 };
    (0..).zip(spec.gpus.iter().map(said)).collect()
}

/// What is known of models, by what their engines load.
pub(super) type Facts = BTreeMap<String, Result<Known, Unknown>>;

/// A model of a host, ready to be judged.
struct Ready<'a> {
    model: Weighed<'a>,
    known: Result<Known, Unknown>,
    options: Options,
    extras: Vec<Extra>,
    /// Its GPUs.
    on: Vec<u32>,
    /// The one of them that decides.
    gpu: Option<Gpu>,
}

impl Ready<'_> {
    fn judge(&self, taken: u64) -> Option<Verdict> {
        let gpu = Gpu { taken, ..self.gpu? };
        Some(fit::judge(&self.known.as_ref().ok()?.facts, &self.extras, &self.options, &gpu))
    }
}

/// The models of one host: each alone at first, then beside what the others take of its GPUs. Of those behind one server
/// the largest are loaded, as many as it keeps.
pub(super) fn judged_on(
    host: &HostName,
    (models, hf_home): (&[Weighed<'_>], &str),
    (facts, gpus): (&Facts, &BTreeMap<u32, Gpu>),
    context: Option<u64>,
) -> Vec<Judged> {
    let all: Vec<Ready<'_>> =
        models.iter().filter_map(|model| ready((*model, hf_home), (facts, gpus), context)).collect();
    let takes: Vec<u64> = all.iter().map(|one| one.judge(0).map_or(0, |verdict| verdict.takes)).collect();
    let one = |(i, one): (usize, &Ready<'_>)| {
        let verdict = one.known.clone().and_then(|_| {
            one.judge(beside(i, &all, &takes)).ok_or_else(|| Unknown {
                what: format!("the memory of the GPUs of {host} is not known"),
                hint: Some("homelab fit --gpu 24GB says it; homelab doctor tells why".to_owned()),
            })
        });
        Judged {
            model: one.model.name().to_string(),
            host: Some(host.clone()),
            gpu: one.gpu.map(|gpu| gpu.bytes),
            from: one.known.as_ref().ok().map(|known| known.from.clone()),
            verdict,
            measured: None,
        }
    };
    all.iter().enumerate().map(one).collect()
}

/// What the others take of the GPUs of one, at most.
fn beside(i: usize, all: &[Ready<'_>], takes: &[u64]) -> u64 {
    let one = &all[i];
    let mut servers: BTreeMap<&ModelName, (usize, Vec<u64>)> = BTreeMap::new();
    for (_, (other, takes)) in all.iter().zip(takes).enumerate().filter(|(j, _)| *j != i) {
        if other.on.iter().any(|gpu| one.on.contains(gpu)) {
            let own = usize::from(other.model.server.name == one.model.server.name);
            let (_, list) = servers
                .entry(&other.model.server.name)
                .or_insert_with(|| (other.model.at_once() - own, vec![]));
            list.push(*takes);
        }
    }
    let largest = |(at_once, mut takes): (usize, Vec<u64>)| {
        takes.sort_unstable_by_key(|takes| Reverse(*takes));
        takes.into_iter().take(at_once).fold(0, u64::saturating_add)
    };
    servers.into_values().map(largest).fold(0, u64::saturating_add)
}

fn ready<'a>(
    (model, hf_home): (Weighed<'a>, &'a str),
    (facts, gpus): (&Facts, &BTreeMap<u32, Gpu>),
    context: Option<u64>,
) -> Option<Ready<'a>> {
    let (mut options, mut extras) = model.server.engine.memory(&model.serve(hf_home))?;
    options.context = context.map_or(options.context, Context::Tokens);
    let known = facts.get(model.model().unwrap_or_default()).cloned();
    let known = known.unwrap_or_else(|| Err(Unknown { what: "nobody asked".to_owned(), hint: None }));
    extras.extend(known.iter().flat_map(|known| known.extras.iter().cloned()));
    let parts = usize::try_from(options.tensor.saturating_mul(options.pipeline)).unwrap_or(usize::MAX);
    let on: Vec<u32> = match &model.server.gpus {
        Gpus::Some(some) => some.iter().copied().collect(),
        _ => gpus.keys().copied().take(parts).collect(),
    };
    // Of GPUs that share a model the smallest decides.
    let gpu = on.iter().filter_map(|index| gpus.get(index)).min_by_key(|gpu| gpu.bytes).copied();
    Some(Ready { model, known, options, extras, on, gpu })
}
