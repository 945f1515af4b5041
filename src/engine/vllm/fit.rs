//! What a model takes of a GPU, and how long its requests may be, as far as options say it.
//! It knows neither weights nor memory; a model whose options leave it to vLLM has no answer here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::command_line::carry;
use super::super::{Gpus, Serve, Share};
use crate::fit::{Context, Element, Extra, Options, Server};

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
        // Two models by UUID, or one by UUID and one by index, are not counted together.
        Gpus::Named(_) => BTreeSet::new(),
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

/// What the options say of memory.
pub(super) fn options(serve: &Serve<'_>) -> Options {
    let number = |key: &str| serve.options.get(key).and_then(Value::as_u64);
    let text = |key: &str| serve.options.get(key).and_then(Value::as_str).map(str::to_owned);
    let flag = |key: &str| serve.options.get(key) == Some(&Value::Bool(true));
    let gpus = match serve.gpus {
        Gpus::Some(gpus) => gpus.len() as u64,
        Gpus::Named(gpus) => gpus.len() as u64,
        Gpus::None | Gpus::All => 1,
    };
    let (tensor, pipeline) = (number("tensor_parallel_size"), number("pipeline_parallel_size"));
    let spread = tensor.is_some() || pipeline.is_some() || number("data_parallel_size").is_some();
    let part = |key: &str| serve.options.get(key).and_then(Value::as_f64);
    let of = Options::of(Server::Vllm);
    let cache = text("kv_cache_dtype").as_deref().and_then(Element::of_vllm);
    let mut open = Vec::new();
    if !serve.args.is_empty() {
        open.push("What `args` say of memory does not count here.".to_owned());
    }
    Options {
        context: match serve.options.get("max_model_len") {
            None => Context::Model,
            Some(_) => context(serve).map_or(Context::Memory, Context::Tokens),
        },
        cache_k: cache,
        cache_v: cache,
        part: part("gpu_memory_utilization").or_else(|| part("device_memory_utilization")).unwrap_or(of.part),
        cache_bytes: number("kv_cache_memory_bytes"),
        batched_tokens: number("max_num_batched_tokens"),
        sequences: number("max_num_seqs"),
        eager: flag("enforce_eager"),
        whole_windows: flag("disable_hybrid_kv_cache_manager"),
        tensor: tensor.unwrap_or(if spread { 1 } else { gpus }),
        pipeline: pipeline.unwrap_or(1),
        offloaded: number("cpu_offload_gb").map_or(0, |gib| gib.saturating_mul(1 << 30)),
        quantization: text("quantization"),
        dtype: text("dtype").filter(|dtype| dtype != "auto"),
        open,
        ..of
    }
}

/// A model that drafts for it is loaded, too.
pub(super) fn besides(serve: &Serve<'_>) -> Vec<Extra> {
    let config = serve.options.get("speculative_config");
    let draft = config.and_then(|config| config.get("model")?.as_str());
    draft.map(|draft| Extra { what: format!("the draft model {draft}"), bytes: None }).into_iter().collect()
}
