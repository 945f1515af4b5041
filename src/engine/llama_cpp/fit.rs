//! What the options of llama-server say of memory, as far as they say it.
//! It knows neither weights nor memory.

use serde_json::Value;

use super::super::{Gpus, Serve};
use crate::fit::{Context, Element, Extra, Layers, Options, Server};

/// What the options say of memory. Options have several names, as in its help.
pub(super) fn options(serve: &Serve<'_>) -> Options {
    let any = |keys: &[&str]| keys.iter().find_map(|key| serve.options.get(*key));
    let number = |keys: &[&str]| any(keys).and_then(Value::as_u64);
    let is = |key: &str, value: bool| serve.options.get(key) == Some(&Value::Bool(value));
    let element = |key: &str| serve.options.get(key).and_then(Value::as_str).and_then(Element::of_ggml);
    let mut open = Vec::new();
    if !serve.args.is_empty() {
        open.push("What `args` say of memory does not count here.".to_owned());
    }
    let experts = ["cpu_moe", "n_cpu_moe", "override_tensor"];
    if experts.iter().any(|key| serve.options.contains_key(*key)) {
        open.push("Experts that stay in the system's memory count as if they were on the GPU.".to_owned());
    }
    let layers = any(&["gpu_layers", "n_gpu_layers"]);
    let gpus = match serve.gpus {
        Gpus::Some(gpus) => gpus.len() as u64,
        Gpus::Named(gpus) => gpus.len() as u64,
        Gpus::None | Gpus::All => 1,
    };
    Options {
        context: match number(&["ctx_size"]) {
            None => Context::Memory,
            Some(0) => Context::Model,
            Some(tokens) => Context::Tokens(tokens),
        },
        slots: number(&["parallel"]),
        cache_k: element("cache_type_k"),
        cache_v: element("cache_type_v"),
        cache_on_gpu: !is("kv_offload", false) && !is("no_kv_offload", true),
        batched_tokens: number(&["ubatch_size"]),
        whole_windows: is("swa_full", true),
        layers: match layers {
            Some(Value::String(text)) if text == "all" => Layers::All,
            Some(typed) => {
                let number = typed.as_u64().or_else(|| typed.as_str()?.parse().ok());
                number.map_or(Layers::Fitting, Layers::Some)
            }
            None => Layers::Fitting,
        },
        pipeline: gpus,
        open,
        ..Options::of(Server::LlamaCpp)
    }
}

/// A projector and a model that drafts are loaded, too.
pub(super) fn besides(serve: &Serve<'_>) -> Vec<Extra> {
    let named = |what: &str, keys: &[&str]| {
        let file = keys.iter().find_map(|key| serve.options.get(*key)?.as_str())?;
        Some(Extra { what: format!("{what} {file}"), bytes: None })
    };
    let projector = named("the projector", &["mmproj", "mmproj_url"]);
    let draft =
        named("the draft model", &["model_draft", "spec_draft_model", "spec_draft_hf", "hf_repo_draft"]);
    projector.into_iter().chain(draft).collect()
}
