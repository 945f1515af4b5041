//! What vLLM surely refuses, before anything is stopped for it.
//! It knows no lists that change with a release, such as the names of parsers.

use serde_json::Value;

use super::super::command_line::{carry, word};
use super::super::{Gpus, Kind, Serve, Takes};
use super::{is_nvidia, options, parsers, repository};

type Wrong = (&'static str, String);

pub(super) fn check(serve: &Serve<'_>) -> Result<(), Wrong> {
    model(serve)?;
    image(serve)?;
    memory(serve)?;
    runner(serve)?;
    companions(serve)?;
    parallel(serve)?;
    lists(serve)
}

fn wrong<T>(key: &'static str, why: impl Into<String>) -> Result<T, Wrong> {
    Err((key, why.into()))
}

fn model(serve: &Serve<'_>) -> Result<(), Wrong> {
    let Some(model) = serve.model else {
        return wrong(
            "model",
            "vLLM needs one: a repository on Hugging Face, or a directory in its container",
        );
    };
    // GGUF left vLLM with its loaders for it; a plugin brings it back under this name
    // (vllm/model_executor/layers/quantization/__init__.py).
    let plugin = ["load_format", "quantization"].iter().any(|o| given(serve, o) == Some("gguf"));
    // A Hugging Face id has no colon; llama.cpp writes the quantisation after one.
    let quant = model.contains(':') && !model.contains("://") && !model.starts_with('/');
    if model.is_empty() || model.starts_with('-') {
        wrong(
            "model",
            "neither a repository nor a directory is called so: as in Qwen/Qwen3-4B or /models/qwen",
        )
    } else if (quant || model.to_ascii_lowercase().ends_with(".gguf")) && !plugin {
        wrong("model", "vLLM does not load GGUF files: `engine: llama_cpp` does")
    } else {
        Ok(())
    }
}

/// The images for CUDA stop on a host without a GPU: `Failed to infer device type`
/// (vllm/config/device.py).
fn image(serve: &Serve<'_>) -> Result<(), Wrong> {
    let cuda = repository(serve.image).ends_with("vllm/vllm-openai") || is_nvidia(serve.image);
    if cuda && *serve.gpus == Gpus::None {
        return wrong("image", "it needs a GPU and `gpu` is none: vllm/vllm-openai-cpu runs without");
    }
    Ok(())
}

/// The bounds of vllm/config/cache.py.
fn memory(serve: &Serve<'_>) -> Result<(), Wrong> {
    for key in ["gpu_memory_utilization", "device_memory_utilization"] {
        let share = serve.options.get(key).and_then(Value::as_f64);
        if let Some(share) = share.filter(|s| *s <= 0.0 || *s > 1.0) {
            return wrong(key, format!("{share} is no share of a GPU's memory: above 0, at most 1"));
        }
    }
    Ok(())
}

/// One server either writes or reads; the endpoints of the other half are not there
/// (vllm/entrypoints/pooling/factories.py).
fn runner(serve: &Serve<'_>) -> Result<(), Wrong> {
    let pools = matches!(serve.kind, Kind::Embedding | Kind::Rerank);
    match given(serve, "runner") {
        Some("generate") if pools => wrong(
            "runner",
            "a server that writes text gives no vectors or scores: take `runner` away, `kind` says enough",
        ),
        Some("pooling") if !pools => wrong(
            "runner",
            "a server that gives vectors or scores writes no text: say `kind: embedding` or `kind: rerank`",
        ),
        _ => Ok(()),
    }
}

/// Options that need another one (vllm/entrypoints/common/cli_args.py,
/// `validate_parsed_serve_args`).
fn companions(serve: &Serve<'_>) -> Result<(), Wrong> {
    let on = |key: &str| serve.options.get(key) == Some(&Value::Bool(true));
    let has = |key: &str, flag: &str| serve.options.contains_key(key) || carry(serve.args, &[flag]);
    if on("enable_auto_tool_choice") && !has("tool_call_parser", "--tool-call-parser") {
        let fits = parsers::tools(serve)
            .map_or("the one that fits the model".to_owned(), |name| format!("`{name}`, mostly"));
        return wrong("enable_auto_tool_choice", format!("needs `tool_call_parser`: {fits}"));
    }
    if on("enable_log_outputs") && !has("enable_log_requests", "--enable-log-requests") {
        return wrong("enable_log_outputs", "needs the log of requests: set `enable_log_requests: true`");
    }
    if on("enable_per_request_metrics") && on("disable_log_stats") {
        return wrong("enable_per_request_metrics", "needs statistics: leave out `disable_log_stats`");
    }
    Ok(())
}

fn parallel(serve: &Serve<'_>) -> Result<(), Wrong> {
    let Some(gpus) = serve.gpus.count().filter(|gpus| *gpus > 0) else { return Ok(()) };
    let elsewhere = ["nnodes", "distributed_executor_backend"].iter().any(|k| serve.options.contains_key(*k))
        || carry(serve.args, &["--nnodes", "-n", "--distributed-executor-backend"]);
    let asked = serve.options.get("tensor_parallel_size").and_then(Value::as_u64);
    match asked {
        Some(asked) if asked > gpus as u64 && !elsewhere => {
            wrong("tensor_parallel_size", format!("{asked} parts need as many GPUs: `gpu` lists {gpus}"))
        }
        _ => Ok(()),
    }
}

/// After the first value of a list, argparse takes what starts with `-` for the next flag, and
/// there is no other way to write it.
fn lists(serve: &Serve<'_>) -> Result<(), Wrong> {
    for option in options::OPTIONS.iter().filter(|o| o.takes == Takes::Many) {
        if let Some(Value::Array(values)) = serve.options.get(option.name)
            && values.len() > 1
            && let Some(value) = values.iter().map(word).find(|v| v.starts_with('-'))
        {
            return wrong(
                option.name,
                format!("vLLM takes `{value}` in a list for an option: give it in `args`"),
            );
        }
    }
    Ok(())
}

fn given<'a>(serve: &Serve<'a>, option: &str) -> Option<&'a str> {
    serve.options.get(option).and_then(Value::as_str)
}
