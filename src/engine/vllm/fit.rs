//! What a model takes of a GPU, and how long its requests may be, as far as options say it.
//! It knows neither weights nor memory; a model whose options leave it to vLLM has no answer here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::command_line::carry;
use super::super::{Gpus, Serve, Share};

/// What vLLM takes when nobody says (vllm/config/cache.py).
const DEFAULT: f64 = 0.92;

/// Further arguments that say it in another way.
const BY_HAND: [&str; 4] = [
    "--gpu-memory-utilization",
    "--device-memory-utilization",
    "--kv-cache-memory-bytes",
    "--kv-cache-memory",
];

/// vLLM asks for its part of the whole memory, whatever other servers have of it, and stops when less is free
/// (vllm/v1/worker/utils.py); a size in bytes for its cache takes the place of that.
pub(super) fn share(serve: &Serve<'_>) -> Option<Share> {
    if serve.options.contains_key("kv_cache_memory_bytes") || carry(serve.args, &BY_HAND) {
        return None;
    }
    let typed = |key: &'static str| Some((key, serve.options.get(key)?.as_f64()?));
    let typed = typed("gpu_memory_utilization").or_else(|| typed("device_memory_utilization"));
    let (key, part) = typed.unwrap_or(("gpu_memory_utilization", DEFAULT));
    let gpus = match serve.gpus {
        Gpus::None => return None,
        Gpus::All => first(serve),
        Gpus::Some(gpus) => gpus.clone(),
    };
    Some(Share { part, key, gpus })
}

/// Of all GPUs a model takes the first, and as many as it has parts.
fn first(serve: &Serve<'_>) -> BTreeSet<u32> {
    let parts =
        |key: &str| serve.options.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let all = ["tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"]
        .map(|key| parts(key).unwrap_or(1));
    (0..all.into_iter().fold(1, u32::saturating_mul).clamp(1, 64)).collect()
}

/// `max_model_len`: a number, or one with vLLM's units (`human_readable_int`, vllm/engine/arg_utils.py: `k` is 1000,
/// `K` 1024); less than 1 leaves it to vLLM.
pub(super) fn context(serve: &Serve<'_>) -> Option<u64> {
    if carry(serve.args, &["--max-model-len"]) {
        return None;
    }
    let typed = serve.options.get("max_model_len")?;
    let number = match typed {
        Value::String(text) => sized(text)?,
        _ => typed.as_u64()?,
    };
    (number > 0).then_some(number)
}

/// How many requests are in a batch at most, where that is typed: the default differs with the GPU.
pub(super) fn slots(serve: &Serve<'_>) -> Option<u64> {
    if carry(serve.args, &["--max-num-seqs"]) {
        return None;
    }
    serve.options.get("max_num_seqs")?.as_u64().filter(|slots| *slots > 0)
}

fn sized(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit: u32 = match unit {
        "" => 1,
        "k" => 1000,
        "K" => 1 << 10,
        "m" => 1_000_000,
        "M" => 1 << 20,
        _ => return None,
    };
    let tokens = number.parse::<f64>().ok()? * f64::from(unit);
    // Whole tokens; what is no number of them is vLLM's to refuse.
    format!("{tokens:.0}").parse().ok()
}
