//! What models on one host take of a GPU beside one another.
//! It counts only what engines take from the start, and changes nothing.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::engine::Share;
use crate::names::HostName;
use crate::survey::Survey;

use super::pool::Pool;
use super::spec::{HostSpec, ModelSpec, Spec};

/// Which GPUs a container sees is no longer homelab's to say when one of these is typed.
const VISIBLE: [&str; 2] = ["NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"];

/// What the models of a host ask for, as far as options say it.
fn shares<'a>(host: &'a HostSpec) -> Vec<(&'a ModelSpec, Share)> {
    let typed = |model: &ModelSpec, name: &str| model.overlay.service.environment.contains_key(name);
    let known = |model: &&ModelSpec| model.sound && !VISIBLE.iter().any(|name| typed(model, name));
    let share = |model: &'a ModelSpec| Some((model, model.engine.share(&model.serve(&host.hf_home))?));
    host.models.iter().filter(known).filter_map(share).collect()
}

/// Whether all that is asked of a GPU fits on it.
pub(super) fn check(name: &HostName, host: &HostSpec, problems: &mut Diagnostics) {
    let shares = shares(host);
    // GPUs that the same models share are told of together.
    let mut crowds: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
    for gpu in shares.iter().flat_map(|(_, share)| &share.gpus) {
        let on = (0..shares.len()).filter(|i| shares[*i].1.gpus.contains(gpu)).collect();
        let gpus: &mut Vec<u32> = crowds.entry(on).or_default();
        if !gpus.contains(gpu) {
            gpus.push(*gpu);
        }
    }
    for (on, gpus) in crowds {
        let on: Vec<&(&ModelSpec, Share)> = on.into_iter().map(|i| &shares[i]).collect();
        problems.0.extend(too_much(name, &on, &gpus));
    }
}

fn too_much(name: &HostName, on: &[&(&ModelSpec, Share)], gpus: &[u32]) -> Option<Diagnostic> {
    let sum: f64 = on.iter().map(|(_, share)| share.part).sum();
    // A model that alone asks for more than there is has an error of its own.
    if sum < 1.0 + 1e-9 || on.len() < 2 {
        return None;
    }
    let (largest, share) = on.iter().max_by(|(_, a), (_, b)| a.part.total_cmp(&b.part))?;
    let each = each(on.iter().copied());
    let list: Vec<String> = gpus.iter().map(ToString::to_string).collect();
    let gpus = format!("{} {}", if gpus.len() == 1 { "GPU" } else { "each of the GPUs" }, list.join(", "));
    let message = format!("the models on {name} ask for {} of {gpus}: {each}", percent(sum));
    let hint = format!("lower one model's {}, or move a model to another GPU or host", share.key);
    Some(Diagnostic::error(largest.place(share.key), message).hint(hint))
}

fn each<'a>(shares: impl Iterator<Item = &'a (&'a ModelSpec, Share)>) -> String {
    let one = |(model, share): &(&ModelSpec, Share)| {
        let whose = if model.places.contains_key(share.key) { "" } else { " by vLLM's default" };
        format!("`{}` {}{whose}", model.name, percent(share.part))
    };
    shares.map(one).collect::<Vec<_>>().join(", ")
}

/// Warnings about hosts whose GPU takes its memory from the system's, and whose models leave too little of it for
/// everything else. Only a look at the hosts tells which these are.
#[must_use]
pub fn headroom(spec: &Spec, survey: &Survey) -> Diagnostics {
    let one = |(name, host): (&HostName, &HostSpec)| too_little(name, host, Pool::of(survey.seen(name))?);
    Diagnostics(spec.hosts.iter().filter_map(one).collect())
}

fn too_little(name: &HostName, host: &HostSpec, pool: Pool) -> Option<Diagnostic> {
    let shares = shares(host);
    let sum: f64 = shares.iter().map(|(_, share)| share.part).sum();
    let (largest, share) = shares.iter().max_by(|(_, a), (_, b)| a.part.total_cmp(&b.part))?;
    if sum <= Pool::part() {
        return None;
    }
    let of = pool.total.map_or_else(|| "the".to_owned(), |total| format!("{total} of"));
    let stays = pool.stays().map(|stays| format!(" ({stays})")).unwrap_or_default();
    let message = format!(
        "the models on {name} ask for {} of {of} memory that its GPU shares with the system: {}",
        percent(sum),
        each(shares.iter())
    );
    let hint = format!(
        "leave a sixth{stays} to everything else, or a start may freeze the host: lower {}, or set kv_cache_memory_bytes",
        share.key
    );
    Some(Diagnostic::warning(largest.place(share.key), message).hint(hint))
}

fn percent(part: f64) -> String {
    format!("{} %", format!("{:.1}", part * 100.0).trim_end_matches(".0"))
}
