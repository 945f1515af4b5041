//! Bytes of the cache of keys and values: for a token, and for requests of some length.
//! Upper numbers where engines round, by the engines' own rules.

use super::options::{Gpu, Options, Server, Settled, settle};
use super::{Keeps, ModelFacts, Run};

/// vLLM's pages hold 16 tokens (vllm/config/cache.py, `block_size`), llama.cpp's caches grow by 256
/// (src/llama-context.cpp).
fn page(server: Server) -> u64 {
    match server {
        Server::Vllm => 16,
        Server::LlamaCpp => 256,
    }
}

/// What the cache of a model takes on one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes of one more token, once windows are full.
    pub per_token: u64,
    /// Bytes of all tokens that were asked about.
    pub bytes: u64,
}

/// The cache of `tokens`: with vLLM one request's, with llama.cpp what all slots share.
///
/// # Errors
/// Why it is not known.
pub fn cache(facts: &ModelFacts, options: &Options, gpu: &Gpu, tokens: u64) -> Result<Cache, String> {
    let (layers, settled) = (facts.layers.as_ref().map_err(Clone::clone)?, settle(facts, options, gpu));
    Ok(Cache { per_token: per_token(layers, &settled), bytes: bytes(layers, &settled, tokens) })
}

/// Bytes that one more token takes on a GPU, once windows are full.
pub(super) fn per_token(layers: &[Run], options: &Settled) -> u64 {
    let grows = |run: &&Run| matches!(run.keeps, Keeps::All(_) | Keeps::Latent { .. });
    let one = |run: &Run| stage(run.count, options).saturating_mul(token(&run.keeps, options));
    layers.iter().filter(grows).map(one).fold(0, u64::saturating_add)
}

/// A layer's bytes for one token on one GPU.
fn token(keeps: &Keeps, options: &Settled) -> u64 {
    match keeps {
        Keeps::All(heads) | Keeps::Window { heads, .. } => {
            // A GPU has one head at least (vllm/model_executor/models, `num_kv_heads // tp_size`).
            let count = heads.count.div_ceil(options.tensor.max(1)).max(1);
            let key = options.cache_k.bytes(count.saturating_mul(heads.key));
            key.saturating_add(options.cache_v.bytes(count.saturating_mul(heads.value)))
        }
        Keeps::Latent { width, index } => options.cache_k.bytes(*width).saturating_add(*index),
        Keeps::State { .. } | Keeps::Nothing => 0,
    }
}

/// Of layers in stages, the most that one GPU has.
fn stage(count: u64, options: &Settled) -> u64 {
    count.div_ceil(options.pipeline.max(1))
}

/// Bytes on a GPU for the cache of `context` tokens: with vLLM one request's, with llama.cpp what all slots share.
pub(super) fn bytes(layers: &[Run], options: &Settled, context: u64) -> u64 {
    let round = |tokens: u64| tokens.div_ceil(page(options.server)).saturating_mul(page(options.server));
    let slots = options.slots.max(1);
    let one = |run: &Run| {
        let (all, token) = (round(context), token(&run.keeps, options));
        let each = match &run.keeps {
            Keeps::All(_) | Keeps::Latent { .. } => all.saturating_mul(token),
            Keeps::Window { .. } if options.whole_windows => all.saturating_mul(token),
            Keeps::Window { window, .. } => held(*window, options, all).saturating_mul(token),
            // Each GPU has its part of the heads.
            Keeps::State { bytes } => slots.saturating_mul(bytes.div_ceil(options.tensor.max(1))),
            Keeps::Nothing => 0,
        };
        stage(run.count, options).saturating_mul(each)
    };
    layers.iter().map(one).fold(0, u64::saturating_add)
}

/// Tokens that a layer with a window holds. vLLM: what the window has besides the newest token, all that is worked on
/// at once, and a page for where it begins (vllm/v1/kv_cache_interface.py, `SlidingWindowSpec`). llama.cpp: the windows
/// of all slots and a batch, in steps of 256 (src/llama-kv-cache-iswa.cpp).
fn held(window: u64, options: &Settled, all: u64) -> u64 {
    let round = |tokens: u64| tokens.div_ceil(page(options.server)).saturating_mul(page(options.server));
    match options.server {
        Server::Vllm => {
            let tokens = (window - 1).saturating_add(options.batched_tokens);
            round(tokens.min(all)).saturating_add(page(options.server))
        }
        Server::LlamaCpp => {
            let tokens = window.saturating_mul(options.slots.max(1)).saturating_add(options.batched_tokens);
            round(tokens).min(all)
        }
    }
}

/// The most tokens whose cache fits into `room`; none if not even one page does.
pub(super) fn longest(facts: &ModelFacts, options: &Settled, room: u64) -> Option<u64> {
    let layers = facts.layers.as_ref().ok()?;
    let page = page(options.server);
    // What it was made for, or what was asked for.
    let most = facts.context.unwrap_or(1 << 24).max(options.context.unwrap_or(0));
    // No cache gets smaller with length, so halving finds the last length that fits.
    let (mut fits, mut over) = (0_u64, most / page + 1);
    while over - fits > 1 {
        let middle = fits + (over - fits) / 2;
        match bytes(layers, options, middle * page) <= room {
            true => fits = middle,
            false => over = middle,
        }
    }
    (fits > 0).then_some(fits * page)
}
