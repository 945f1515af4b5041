//! What an engine's options say of memory, and what holds where they say nothing.
//! It knows servers by their kind and no option by its name: engines translate theirs.

use serde::Serialize;

use super::ModelFacts;
use super::element::Element;
use super::weights::of_dtype;

/// What serves a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// vLLM.
    Vllm,
    /// llama.cpp.
    LlamaCpp,
}

/// How long requests may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// As long as the model was made for.
    Model,
    /// As long as the memory allows.
    Memory,
    /// So many tokens.
    Tokens(u64),
}

/// How many layers go onto the GPU (llama.cpp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// All of them.
    All,
    /// As many as fit.
    Fitting,
    /// So many.
    Some(u64),
}

/// What the options of a model say. `None` leaves it to the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Whose options they are.
    pub server: Server,
    /// vLLM: of one request. llama.cpp: of all slots together.
    pub context: Context,
    /// Slots of llama.cpp.
    pub slots: Option<u64>,
    /// The cache's keys.
    pub cache_k: Option<Element>,
    /// The cache's values.
    pub cache_v: Option<Element>,
    /// Whether the cache is on the GPU (llama.cpp).
    pub cache_on_gpu: bool,
    /// Of each GPU's memory (vLLM): 1 is all of it.
    pub part: f64,
    /// Bytes of the cache where they are typed (vLLM); then `part` does not count.
    pub cache_bytes: Option<u64>,
    /// Tokens that are worked on at once.
    pub batched_tokens: Option<u64>,
    /// Requests that are worked on at once.
    pub sequences: Option<u64>,
    /// Whether no CUDA graphs are made (vLLM).
    pub eager: bool,
    /// Whether layers with a window keep everything all the same.
    pub whole_windows: bool,
    /// GPUs that share each layer.
    pub tensor: u64,
    /// Groups of GPUs with a part of the layers each.
    pub pipeline: u64,
    /// Layers on the GPU (llama.cpp).
    pub layers: Layers,
    /// Bytes of weights that stay in the system's memory, for each GPU (vLLM).
    pub offloaded: u64,
    /// A quantisation made while loading (vLLM).
    pub quantization: Option<String>,
    /// The type the model is to work in (vLLM).
    pub dtype: Option<String>,
    /// What was typed besides that changes the answer in ways not known here: whole sentences.
    pub open: Vec<String>,
}

/// vLLM's own part of a GPU (vllm/config/cache.py).
pub(super) const VLLM_PART: f64 = 0.92;

impl Options {
    /// A server of which nothing is typed.
    #[must_use]
    pub fn of(server: Server) -> Self {
        Self {
            server,
            context: if server == Server::Vllm { Context::Model } else { Context::Memory },
            slots: None,
            cache_k: None,
            cache_v: None,
            cache_on_gpu: true,
            part: VLLM_PART,
            cache_bytes: None,
            batched_tokens: None,
            sequences: None,
            eager: false,
            whole_windows: false,
            tensor: 1,
            pipeline: 1,
            layers: Layers::Fitting,
            offloaded: 0,
            quantization: None,
            dtype: None,
            open: vec![],
        }
    }
}

/// A GPU, or each of several that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Its memory in bytes, as its maker or `nvidia-smi` says; the system's where both share it.
    pub bytes: u64,
    /// Whether it shares the system's memory.
    pub shared: bool,
    /// What other models take of it.
    pub taken: u64,
}

impl Gpu {
    /// What programs get to see: 2 % less than the name of a card says is the least that was reported (24,564 MiB are
    /// 23.5 GiB to CUDA). Where the system shares it, a sixth stays for the system.
    #[must_use]
    pub fn seen(&self) -> u64 {
        match self.shared {
            true => self.bytes - self.bytes / 6,
            false => self.bytes - self.bytes / 50,
        }
    }
}

/// Options with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) server: Server,
    /// Tokens; none where the memory decides.
    pub(super) context: Option<u64>,
    pub(super) slots: u64,
    pub(super) cache_k: Element,
    pub(super) cache_v: Element,
    pub(super) batched_tokens: u64,
    pub(super) sequences: u64,
    pub(super) whole_windows: bool,
    pub(super) tensor: u64,
    pub(super) pipeline: u64,
    pub(super) eager: bool,
}

/// What vLLM takes of tokens and requests at once, by the memory of the GPU (vllm/engine/arg_utils.py,
/// `get_batch_defaults`): one whose memory nobody tells counts as small.
fn at_once(gpu: &Gpu) -> (u64, u64) {
    match gpu.bytes >> 30 {
        _ if gpu.shared => (2048, 256),
        160.. => (16384, 1024),
        70.. => (8192, 1024),
        _ => (2048, 256),
    }
}

pub(super) fn settle(facts: &ModelFacts, options: &Options, gpu: &Gpu) -> Settled {
    let (tokens, sequences) = match options.server {
        Server::Vllm => at_once(gpu),
        // `ubatch_size`; a slot's newest token at least.
        Server::LlamaCpp => (512, 1),
    };
    // vLLM's cache is of the model's type; llama.cpp's of two bytes.
    let typed = options.dtype.as_deref().and_then(of_dtype);
    let auto =
        if options.server == Server::Vllm && typed == Some(4) { Element::FLOAT } else { Element::HALF };
    Settled {
        server: options.server,
        context: match options.context {
            Context::Tokens(tokens) => Some(tokens),
            Context::Model => facts.context,
            Context::Memory => None,
        },
        slots: options.slots.unwrap_or(1).max(1),
        cache_k: options.cache_k.unwrap_or(auto),
        cache_v: options.cache_v.unwrap_or(auto),
        batched_tokens: options.batched_tokens.unwrap_or(tokens),
        sequences: options.sequences.unwrap_or(sequences),
        whole_windows: options.whole_windows,
        tensor: options.tensor.max(1),
        pipeline: options.pipeline.max(1),
        eager: options.eager,
    }
}

impl Settled {
    /// GPUs that the weights are spread over.
    pub(super) fn gpus(&self) -> u64 {
        self.tensor.saturating_mul(self.pipeline)
    }

    /// Bytes that are neither weights nor cache, on one GPU. It is an estimate: 0.4 to 9 GiB were reported, most near
    /// this. CUDA and its libraries, graphs, what a batch of tokens goes through, and the scores of all tokens for every
    /// request (as float32, with a sorted and a masked copy).
    pub(super) fn overhead(&self, facts: &ModelFacts) -> u64 {
        const MIB: u64 = 1 << 20;
        let shape = &facts.shape;
        let widest = (3 * shape.intermediate / self.tensor).saturating_add(4 * shape.hidden);
        let (base, number, scores) = match self.server {
            Server::Vllm => {
                let graphs = if self.eager { 0 } else { 512 };
                ((512 + graphs) * MIB, 2, self.sequences.saturating_mul(shape.vocabulary).saturating_mul(10))
            }
            Server::LlamaCpp => {
                (400 * MIB, 4, self.batched_tokens.saturating_mul(shape.vocabulary).saturating_mul(4))
            }
        };
        let batch = self.batched_tokens.saturating_mul(widest).saturating_mul(number);
        [base, batch, scores].into_iter().fold(0, u64::saturating_add)
    }
}
