//! Judges what a model needs beside what there is, with the arithmetic, and says what would fit instead.
//! Only weights that exceed the budget alone are certain; everything else rests on an estimate and says so.

use super::options::{Context, Gpu, Options, Server, Settled, VLLM_PART, settle};
use super::verdict::{Extra, Line, Outcome, Verdict, besides, of_room, unknown, weight_lines};
use super::weights::{self, FOUR_BITS};
use super::{ModelFacts, gib, offload, tokens};

/// Judges a model on a GPU, or on each of the GPUs that its options spread it over.
#[must_use]
pub fn judge(facts: &ModelFacts, extras: &[Extra], options: &Options, gpu: &Gpu) -> Verdict {
    let settled = settle(facts, options, gpu);
    let mut verdict = match options.server {
        Server::Vllm => vllm((facts, extras), options, &settled, gpu),
        Server::LlamaCpp => offload::judge((facts, extras), options, &settled, gpu),
    };
    verdict.notes.extend(facts.notes.iter().cloned());
    verdict.notes.extend(options.open.iter().cloned());
    let nobody = extras.iter().filter(|extra| extra.bytes.is_none());
    verdict.notes.extend(nobody.map(|extra| format!("The size of {} is not known.", extra.what)));
    if matches!(verdict.outcome, Outcome::TooLarge | Outcome::Short) {
        verdict.instead = instead((facts, extras), options, gpu, verdict.longest);
    }
    verdict
}

fn vllm(
    (facts, extras): (&ModelFacts, &[Extra]),
    options: &Options,
    settled: &Settled,
    gpu: &Gpu,
) -> Verdict {
    let budget = budget(options, gpu);
    let (all, how) = match weights::loaded(&facts.weights, &facts.shape, options) {
        Ok(loaded) => loaded,
        Err(why) => return unknown(vec![budget.line], &why),
    };
    let gpus = settled.gpus();
    let how = if gpus > 1 { format!("{how}, a part on each of {gpus} GPUs") } else { how };
    let own = all.div_ceil(gpus).saturating_sub(options.offloaded);
    let weights = own.saturating_add(besides(extras));
    let mut lines = weight_lines(own, how, extras);
    if weights > budget.most {
        let sentence = format!("the weights alone take {}, and there are {}", gib(weights), gib(budget.most));
        lines.push(Line::new("budget", budget.most, format!("at the very most, of {}", gib(gpu.bytes))));
        return Verdict::new(Outcome::TooLarge, sentence, lines);
    }
    let overhead = settled.overhead(facts);
    lines.push(Line::new(
        "overhead",
        overhead,
        "an estimate: CUDA, graphs, and what a batch of tokens goes through",
    ));
    lines.push(budget.line.clone());
    let left = budget.bytes.saturating_sub(weights.saturating_add(overhead));
    let room = options.cache_bytes.map_or(left, |typed| typed.min(left));
    lines.push(Line::new("left for the cache", room, ""));
    let tight =
        budget.outside < (1 << 30) || left.saturating_sub(overhead) < options.cache_bytes.unwrap_or(0);
    let mut verdict = of_room(facts, (settled, room, overhead), tight, lines);
    verdict.takes = match options.cache_bytes {
        Some(typed) => weights.saturating_add(overhead).saturating_add(typed),
        None => budget.bytes,
    };
    let free = gpu.seen().saturating_sub(gpu.taken);
    if gpu.taken > 0 && verdict.takes > free && verdict.outcome != Outcome::Unknown {
        verdict.outcome = Outcome::Crowded;
        verdict.sentence = format!(
            "vLLM asks for {} when it starts, and other models leave {}",
            gib(verdict.takes),
            gib(free)
        );
    }
    verdict
}

/// What vLLM may have of a GPU.
struct Budget {
    /// What it gets.
    bytes: u64,
    /// What it gets at the very most: nothing else may be taken for certain.
    most: u64,
    /// What stays besides.
    outside: u64,
    line: Line,
}

fn budget(options: &Options, gpu: &Gpu) -> Budget {
    let seen = gpu.seen();
    let part = options.part.clamp(0.0, 1.0);
    if options.cache_bytes.is_some() {
        let line = Line::new(
            "budget",
            seen.saturating_sub(gpu.taken),
            "what is free: a typed size of the cache takes the place of a part",
        );
        let bytes = line.bytes.unwrap_or(0);
        return Budget { bytes, most: gpu.bytes, outside: u64::MAX, line };
    }
    let share = |of: u64| share(of, part);
    // vLLM counts its part of all of the memory, whoever has the rest.
    let all = if gpu.shared { gpu.bytes } else { seen };
    let how = match gpu.shared {
        true => format!("{part:.2} of the system's memory"),
        false => format!("{part:.2} of {}, which is what CUDA sees of {}", gib(all), gib(gpu.bytes)),
    };
    let outside = all.saturating_sub(share(all)).saturating_sub(gpu.taken);
    Budget { bytes: share(all), most: share(gpu.bytes), outside, line: Line::new("budget", share(all), how) }
}

/// A part of a size, in steps of a millionth.
fn share(of: u64, part: f64) -> u64 {
    let millionths: u64 = format!("{:.0}", part * 1e6).parse().unwrap_or(0);
    u64::try_from(u128::from(of) * u128::from(millionths) / 1_000_000).unwrap_or(u64::MAX)
}

/// What would fit: fewer tokens, the whole GPU, four bits, more GPUs.
fn instead(
    (facts, extras): (&ModelFacts, &[Extra]),
    options: &Options,
    gpu: &Gpu,
    longest: Option<u64>,
) -> Vec<String> {
    let context = match options.server {
        Server::Vllm => "max_model_len",
        Server::LlamaCpp => "ctx_size",
    };
    let mut all: Vec<String> = longest.map(|most| format!("{context}: {most} fits.")).into_iter().collect();
    if options.server == Server::LlamaCpp {
        return all;
    }
    // As long as it can be, but never longer than what was asked for.
    let fits = |facts: &ModelFacts, options: &Options| {
        let asked = settle(facts, options, gpu).context.unwrap_or(u64::MAX);
        let free = Options { context: Context::Memory, ..options.clone() };
        let verdict = vllm((facts, extras), &free, &settle(facts, &free, gpu), gpu);
        verdict.longest.map(|most| most.min(asked)).filter(|most| *most >= 1024)
    };
    let whole = Options { part: VLLM_PART.max(options.part), ..options.clone() };
    let at = |part: f64| format!("gpu_memory_utilization {part:.2}");
    if whole.part > options.part
        && gpu.taken == 0
        && let Some(most) = fits(facts, &whole)
    {
        let at = at(whole.part);
        all.push(format!("With {at}, alone on the GPU, it fits with {} tokens.", tokens(most)));
    }
    if let Some((small, bytes)) = four_bits(facts).filter(|_| options.quantization.is_none()) {
        let found = [options, &whole].into_iter().find_map(|with| Some((with, fits(&small, with)?)));
        all.extend(found.map(|(with, most)| {
            let part =
                if with.part > options.part { format!(" at {}", at(with.part)) } else { String::new() };
            let (bytes, most) = (gib(bytes), tokens(most));
            format!(
                "A version with 4-bit weights (AWQ or GPTQ, about {bytes}) fits{part} with {most} tokens."
            )
        }));
    }
    let spread = [2, 4, 8].into_iter().filter(|_| options.tensor == 1);
    let spread = spread.map(|tensor| Options { tensor, ..options.clone() });
    let found = spread.filter_map(|with| Some((with.tensor, fits(facts, &with)?))).next();
    all.extend(found.map(|(gpus, most)| {
        format!("On {gpus} such GPUs (tensor_parallel_size) it fits with {} tokens.", tokens(most))
    }));
    all
}

/// The same model with four bits for each number, as far as that can be estimated, and its bytes.
fn four_bits(facts: &ModelFacts) -> Option<(ModelFacts, u64)> {
    let numbers = facts.weights.parameters.filter(|_| !facts.weights.quantized)?;
    let bytes = weights::quantized(numbers, &facts.shape, FOUR_BITS);
    let mut small = facts.clone();
    small.weights.bytes = Some(bytes);
    small.weights.quantized = true;
    Some((small, bytes))
}
