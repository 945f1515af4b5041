//! The verdict for llama.cpp, which puts layers that do not fit into the system's memory.
//! Layers are put there one by one, the first ones first; several GPUs count as one.

use super::options::{Gpu, Layers, Options, Settled};
use super::verdict::{Extra, Line, Outcome, Verdict, besides, of_room, unknown, weight_lines};
use super::{ModelFacts, Run, cache, gib, tokens};

/// What `--fit` leaves free, and the shortest context that it makes (llama-server's help: `--fit-target`, `--fit-ctx`).
const MARGIN: u64 = 1 << 30;
const SHORTEST: u64 = 4096;

/// What is judged: facts, and what loads besides.
type Model<'a> = (&'a ModelFacts, &'a [Extra]);

pub(super) fn judge((facts, extras): Model<'_>, options: &Options, settled: &Settled, gpu: &Gpu) -> Verdict {
    let gpus = settled.gpus();
    // One pool: layers are spread over GPUs by how much is free on each.
    let settled = Settled { tensor: 1, pipeline: 1, ..settled.clone() };
    let margin = if options.layers == Layers::Fitting { MARGIN } else { 0 };
    let each = gpu.seen().saturating_sub(gpu.taken);
    let overhead = settled.overhead(facts).saturating_mul(gpus);
    let pool = each.saturating_sub(margin).saturating_mul(gpus);
    let Some(all) = facts.weights.bytes else {
        return unknown(vec![free(pool, gpu, gpus, margin)], "the size of the weights is not known");
    };
    let many = layers_of(facts);
    let typed = match options.layers {
        Layers::Some(some) => Some(some.saturating_sub(1).min(many)),
        Layers::All => Some(many),
        Layers::Fitting => None,
    };
    let own = on_gpu(facts, all, typed.unwrap_or(many), many);
    let weights = own.saturating_add(besides(extras));
    let mut lines = weight_lines(own, where_from(facts, all, own), extras);
    if typed.is_some() && weights > gpu.bytes.saturating_mul(gpus) {
        lines.push(free(pool, gpu, gpus, margin));
        let there = gpu.bytes.saturating_mul(gpus);
        let sentence = format!("the weights alone take {}, and there are {}", gib(weights), gib(there));
        return Verdict::new(Outcome::TooLarge, sentence, lines);
    }
    lines.push(Line::new("overhead", overhead, "an estimate: CUDA, and what a batch of tokens goes through"));
    lines.push(free(pool, gpu, gpus, margin));
    let room = pool.saturating_sub(weights.saturating_add(overhead));
    let on = ModelFacts { layers: kept(facts, options, typed.unwrap_or(many)), ..facts.clone() };
    let mut verdict = of_room(&on, (&settled, room, overhead), false, lines);
    let cached =
        verdict.lines.iter().find(|line| line.what == "cache").and_then(|line| line.bytes).unwrap_or(0);
    verdict.takes = weights.saturating_add(overhead).saturating_add(cached).div_ceil(gpus);
    let too_short = settled.context.is_none() && verdict.longest.is_none_or(|most| most < SHORTEST);
    if typed.is_none()
        && (verdict.outcome == Outcome::Short || too_short)
        && verdict.outcome != Outcome::Unknown
    {
        let context = settled.context.unwrap_or(SHORTEST);
        return spilled(
            (facts, extras),
            (options, &settled),
            (all, pool.saturating_sub(overhead), context),
            verdict,
        );
    }
    verdict
}

/// As many layers on the GPU as fit.
fn spilled(
    (facts, extras): Model<'_>,
    (options, settled): (&Options, &Settled),
    (all, room, context): (u64, u64, u64),
    verdict: Verdict,
) -> Verdict {
    let many = layers_of(facts);
    let fits = |layers: u64| {
        let Ok(kept) = kept(facts, options, layers) else { return false };
        let own = on_gpu(facts, all, layers, many).saturating_add(besides(extras));
        own.saturating_add(cache::bytes(&kept, settled, context)) <= room
    };
    let layers = (0..many).rev().find(|layers| fits(*layers)).unwrap_or(0);
    let sentence = format!(
        "with {} tokens about {layers} of {many} layers fit on the GPU; the rest runs on the CPU, many times slower",
        tokens(context)
    );
    Verdict { outcome: Outcome::Spills, sentence, takes: room, ..verdict }
}

fn free(pool: u64, gpu: &Gpu, gpus: u64, margin: u64) -> Line {
    let mut how = format!("what programs see of {}", gib(gpu.bytes));
    if gpus > 1 {
        how = format!("{how} on each of {gpus} GPUs");
    }
    if gpu.taken > 0 {
        how += &format!(", without {} of other models", gib(gpu.taken));
    }
    if margin > 0 {
        how += &format!(", without {} that llama.cpp leaves free", gib(margin));
    }
    Line::new("budget", pool, how)
}

fn where_from(facts: &ModelFacts, all: u64, own: u64) -> String {
    match all - own {
        0 => facts.weights.format.clone(),
        rest => format!("{}; {} more stay in the system's memory", facts.weights.format, gib(rest)),
    }
}

fn layers_of(facts: &ModelFacts) -> u64 {
    match (facts.weights.blocks.len(), &facts.layers) {
        (0, Ok(runs)) => runs.iter().map(|run| run.count).fold(0, u64::saturating_add).max(1),
        (0, Err(_)) => 1,
        (blocks, _) => blocks as u64,
    }
}

/// Bytes of weights on the GPU with the last `layers` of `many` there, and what is no layer, but for the table of tokens.
fn on_gpu(facts: &ModelFacts, all: u64, layers: u64, many: u64) -> u64 {
    let blocks = &facts.weights.blocks;
    let all = all.saturating_sub(facts.weights.table);
    let off = many.saturating_sub(layers);
    if blocks.is_empty() {
        return u64::try_from(u128::from(all) * u128::from(layers) / u128::from(many.max(1)))
            .unwrap_or(u64::MAX);
    }
    let off = usize::try_from(off).unwrap_or(usize::MAX).min(blocks.len());
    all.saturating_sub(blocks[..off].iter().copied().fold(0, u64::saturating_add))
}

/// What the last `layers` keep on the GPU.
fn kept(facts: &ModelFacts, options: &Options, layers: u64) -> Result<Vec<Run>, String> {
    let mut left = if options.cache_on_gpu { layers } else { 0 };
    let mut last = Vec::new();
    for run in facts.layers.as_ref().map_err(Clone::clone)?.iter().rev() {
        let count = run.count.min(left);
        left -= count;
        last.push(Run { count, keeps: run.keeps.clone() });
    }
    last.reverse();
    Ok(last)
}
