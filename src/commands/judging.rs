//! The models of a host on its GPUs, each beside what the others take of them.
//! It asks nobody: what is known of models and GPUs it is given.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::cluster::{HostSpec, TypedGpu, Weighed};
use crate::engine::Gpus;
use crate::fit::{self, Context, Extra, Gpu, Options, Verdict};
use crate::hub::{Known, Unknown};
use crate::names::{ByteSize, HostName, ModelName};
use crate::survey::Survey;
use crate::ui::fit::Judged;

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
