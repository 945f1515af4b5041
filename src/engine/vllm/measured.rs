//! What vLLM's log says of memory when it starts: weights, what is left for the cache, how many tokens that holds, graphs.
//! It predicts nothing.

use super::phase::message;
use crate::fit::Measured;

/// Of several workers each says it; the largest weights and the smallest cache decide
/// (vllm/v1/worker/gpu_model_runner.py, gpu_worker.py; vllm/v1/core/kv_cache_utils.py). 0.11 has the same words with
/// more decimals, the engine before it others (vllm/worker/worker.py and model_runner.py of 0.8).
pub(super) fn measured(log: &[String]) -> Measured {
    let mut found = Measured::default();
    for line in log {
        let message = message(line);
        if let Some(bytes) = after(message, "Model loading took ").and_then(gib) {
            found.weights = found.weights.max(Some(bytes));
        }
        let cache = after(message, "Available KV cache memory: ")
            .or_else(|| after(message, "the rest of the memory reserved for KV Cache is "));
        if let Some(bytes) = cache.and_then(gib).or_else(|| on_a_cpu(message)) {
            found.cache = Some(found.cache.map_or(bytes, |known| known.min(bytes)));
        }
        let tokens = after(message, "GPU KV cache size: ").or_else(|| after(message, "CPU KV cache size: "));
        if let Some(tokens) = tokens.and_then(number) {
            found.tokens = Some(found.tokens.map_or(tokens, |known| known.min(tokens)));
        }
        let graphs = after(message, "Graph capturing finished in ").and_then(|rest| after(rest, "took "));
        if let Some(bytes) = graphs.and_then(gib) {
            found.graphs = found.graphs.max(Some(bytes));
        }
    }
    found
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

/// `Explicitly set (1.0/16.34) GiB for KV cache on node 0.` (vllm/v1/worker/cpu_worker.py).
fn on_a_cpu(message: &str) -> Option<u64> {
    let (set, rest) = message.strip_prefix("Explicitly set (")?.split_once('/')?;
    let (_, unit) = rest.split_once(") ")?;
    gib(&format!("{set} {unit}")).filter(|_| unit.contains("for KV cache"))
}

/// A number with `GiB` behind it, in bytes. One below 0 means that nothing is left.
fn gib(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.starts_with('-') || !unit.trim_start().starts_with("GiB") {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = &fraction[..fraction.len().min(6)];
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u64>().ok()?.checked_mul(1 << 30)? / scale;
    whole.parse::<u64>().ok()?.checked_mul(1 << 30)?.checked_add(part)
}

/// `23,456 tokens`.
fn number(text: &str) -> Option<u64> {
    let (digits, _) = text.split_once(" tokens")?;
    digits.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Files, Gpu, Options, Server, cache, from_config};

    fn of(log: &str) -> Measured {
        measured(&log.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_lines_of_a_gpu_are_read_in_all_forms() {
        let now = "\
            (EngineCore pid=28) INFO 11-22 10:31:07 [gpu_model_runner.py:5089] Model loading took 2.5 GiB memory and 4.1 seconds\n\
            (EngineCore pid=28) INFO 11-22 10:31:07 [gpu_worker.py:773] Available KV cache memory: 4.25 GiB\n\
            (EngineCore pid=28) INFO 11-22 10:31:07 [kv_cache_utils.py:1147] GPU KV cache size: 30,944 tokens, Maximum concurrency for 8,192 tokens per request: 3.78x\n\
            (EngineCore pid=28) INFO 11-22 10:31:07 [gpu_model_runner.py:6592] Graph capturing finished in 4 secs, took 0.5 GiB\n";
        let expected = Measured {
            weights: Some(2560 * MIB),
            cache: Some(4352 * MIB),
            tokens: Some(30_944),
            graphs: Some(512 * MIB),
        };
        assert_eq!(of(now), expected);
        let older = "\
            (EngineCore_DP0 pid=95) INFO 11-22 10:31:07 [gpu_model_runner.py:2653] Model loading took 2.5000 GiB and 4.123456 seconds\n\
            (EngineCore_DP0 pid=95) INFO 11-22 10:31:07 [gpu_worker.py:298] Available KV cache memory: 4.25 GiB\n\
            INFO 11-22 10:31:07 [kv_cache_utils.py:1087] GPU KV cache size: 30,944 tokens\n\
            INFO 11-22 10:31:07 [kv_cache_utils.py:1091] Maximum concurrency for 8,192 tokens per request: 3.78x\n\
            INFO 11-22 10:31:07 [gpu_model_runner.py:3480] Graph capturing finished in 4 secs, took 0.50 GiB\n";
        assert_eq!(of(older), expected);
        let oldest = "\
            INFO 04-22 10:31:07 [model_runner.py:1146] Model loading took 2.5000 GiB and 4.123456 seconds\n\
            INFO 04-22 10:31:07 [worker.py:267] model weights take 2.50GiB; non_torch_memory takes 0.06GiB; PyTorch activation peak memory takes 1.40GiB; the rest of the memory reserved for KV Cache is 4.25GiB.\n";
        assert_eq!(of(oldest), Measured { tokens: None, graphs: None, ..expected });
    }

    #[test]
    fn of_several_workers_the_one_with_the_least_room_counts_and_nonsense_for_nothing() {
        let two = "\
            (Worker_TP0 pid=1) INFO 11-22 10:31:07 [a.py:1] Model loading took 2.0 GiB memory and 4.1 seconds\n\
            (Worker_TP1 pid=2) INFO 11-22 10:31:07 [a.py:1] Model loading took 2.5 GiB memory and 4.1 seconds\n\
            (Worker_TP0 pid=1) INFO 11-22 10:31:07 [a.py:1] Available KV cache memory: 5.0 GiB\n\
            (Worker_TP1 pid=2) INFO 11-22 10:31:07 [a.py:1] Available KV cache memory: 4.0 GiB\n";
        assert_eq!(
            of(two),
            Measured { weights: Some(2560 * MIB), cache: Some(4096 * MIB), ..Measured::default() }
        );
        for line in [
            "Available KV cache memory: -0.71 GiB",
            "Model loading took long",
            "GPU KV cache size: many tokens",
            "Model loading took 99999999999999999999 GiB",
        ] {
            assert_eq!(of(line), Measured::default(), "{line}");
        }
    }

    /// The config is that of the tiny model whose start was recorded; the size of its cache was set by hand.
    #[test]
    fn the_tokens_that_a_real_vllm_counted_are_those_of_the_formula() {
        let found = of(include_str!("../../../tests/data/engine/vllm-0.32-cpu-start.log"));
        assert_eq!((found.cache, found.tokens), (Some(1 << 30), Some(2_097_152)));
        let config = r#"{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 640, "hidden_size": 128,
            "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 32, "max_position_embeddings": 65536, "torch_dtype": "bfloat16"}"#;
        let facts = from_config(config, &Files::default()).unwrap();
        let gpu = Gpu { bytes: 16 << 30, shared: true, taken: 0 };
        let each = cache(&facts, &Options::of(Server::Vllm), &gpu, 1024).unwrap();
        assert_eq!(found.cache.unwrap() / each.per_token, found.tokens.unwrap());
        assert_eq!(each.bytes, 1024 * each.per_token);
    }
}
