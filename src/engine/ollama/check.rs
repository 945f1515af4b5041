//! What Ollama surely refuses, before anything is stopped for it.
//! It asks no library whether it has a model.

use serde_json::Value;

use super::super::{Kind, Load, Serve};
use super::name;

type Wrong = (&'static str, String);

pub(super) fn check(serve: &Serve<'_>) -> Result<(), Wrong> {
    let wrong = |key, why: &str| Err((key, why.to_owned()));
    match serve.model {
        None => {
            return wrong(
                "model",
                "Ollama needs one: as in qwen3:14b of its library, or hf.co/user/repo:Q4_K_M",
            );
        }
        Some(model) if name::manifest(model).is_none() => {
            return wrong(
                "model",
                "no name of a model for Ollama: as in qwen3:14b, user/model:tag or hf.co/user/repo:Q4_K_M",
            );
        }
        Some(_) => {}
    }
    if serve.kind == Kind::Rerank {
        return wrong("kind", "Ollama scores no documents: llama_cpp and vllm do");
    }
    if !serve.args.is_empty() {
        return wrong(
            "args",
            "`ollama serve` takes none: its variables are options, as in OLLAMA_NUM_PARALLEL",
        );
    }
    if serve.options.get("num_ctx").and_then(Value::as_i64).is_some_and(|tokens| tokens < 1) {
        return wrong("num_ctx", "a context has 1 token or more");
    }
    keep_alive(serve)
}

/// Ollama takes it with a request, and a client that speaks OpenAI's protocol has no word for it. What the first
/// request said holds as long as the model stays loaded (server/sched.go), so it can be said of one that homelab loads.
fn keep_alive(serve: &Serve<'_>) -> Result<(), Wrong> {
    let Some(text) = serve.options.get("keep_alive").and_then(Value::as_str) else { return Ok(()) };
    if serve.load == Load::OnDemand {
        return Err((
            "keep_alive",
            "no client's request says it, so it holds for a model with `load: startup`; OLLAMA_KEEP_ALIVE is for all others"
                .to_owned(),
        ));
    }
    match is_duration(text) {
        true => Ok(()),
        false => {
            Err(("keep_alive", format!("`{text}` is no time: as in 30m or 24h, seconds, or -1 for ever")))
        }
    }
}

/// Seconds, or numbers with Go's units (time.ParseDuration).
fn is_duration(text: &str) -> bool {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let mut rest = plain;
    if !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, unit) = rest.split_at(digits);
        let found = ["ms", "h", "m", "s"].into_iter().find(|known| unit.starts_with(known));
        let (Some(known), true) = (found, number.parse::<f64>().is_ok()) else { return false };
        rest = &unit[known.len()..];
    }
    !plain.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_gos_units() {
        for good in ["-1", "0", "3600", "5m", "1h30m", "1.5h", "-1m", "500ms"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "-", "m", "5 m", "forever", "5d", "1h30"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
