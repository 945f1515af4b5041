//! From the header of a GGUF file to facts: the keys that llama.cpp reads (src/llama-arch.cpp), by architecture.
//! What an architecture keeps in a way not known here stays unknown.

use super::gguf::{Header, Value};
use super::keys::MOST_LAYERS;
use super::{Heads, Keeps, ModelFacts, Shape, Weights, runs};

/// The facts of a model from the header of its file, and the bytes of all its files where they are known.
#[must_use]
pub fn from_gguf(header: &Header, files: Option<u64>) -> ModelFacts {
    let architecture = header.text("general.architecture").unwrap_or("?").to_owned();
    let meta = Meta { header, architecture: &architecture };
    let mut notes = Vec::new();
    let layers = layers(&meta, &mut notes).map(runs);
    let shape = Shape {
        hidden: meta.number("embedding_length").unwrap_or(0),
        intermediate: widest(&meta),
        vocabulary: match header.metadata.get("tokenizer.ggml.tokens") {
            Some(Value::Many(many)) => *many,
            _ => meta.number("vocab_size").unwrap_or(0),
        },
        tied: !header.tensors.iter().any(|(name, _)| name == "output.weight"),
    };
    let weights = weights(&meta, files);
    let context = meta.number("context_length").filter(|context| *context > 0);
    ModelFacts {
        weights,
        layers,
        context,
        shape,
        notes,
        architecture: architecture.chars().take(80).collect(),
    }
}

struct Meta<'a> {
    header: &'a Header,
    architecture: &'a str,
}

impl Meta<'_> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn number(&self, key: &str) -> Option<u64> {
        // As in a config: no size within a model is larger.
        self.header.number(&self.key(key)).filter(|number| *number <= 1 << 40)
    }

    /// A number of one layer: the list's, or the one that holds for all.
    fn of_layer(&self, key: &str, layer: u64) -> Option<u64> {
        match self.header.metadata.get(&self.key(key))? {
            Value::List(list) => u64::try_from(*list.get(usize::try_from(layer).ok()?)?).ok(),
            _ => self.number(key),
        }
    }

    fn has(&self, part: &str) -> bool {
        let begin = self.key(part);
        self.header.metadata.keys().any(|key| key.starts_with(&begin))
    }
}

fn widest(meta: &Meta<'_>) -> u64 {
    let dense = meta.number("feed_forward_length").unwrap_or(0);
    let experts = meta.number("expert_used_count").unwrap_or(0);
    dense.max(experts.saturating_mul(meta.number("expert_feed_forward_length").unwrap_or(dense)))
}

/// Bytes by the tensors; where one has a type that is not known, by the files.
fn weights(meta: &Meta<'_>, files: Option<u64>) -> Weights {
    let header = meta.header;
    let split = header.number("split.count").is_some_and(|count| count > 1);
    let sizes: Option<Vec<(&str, u64)>> =
        header.tensors.iter().map(|(name, bytes)| Some((name.as_str(), (*bytes)?))).collect();
    let format = header.types.iter().max_by_key(|(_, numbers)| **numbers).map_or("?", |(name, _)| name);
    let whole = Weights { format: format.to_owned(), quantized: true, ..Weights::default() };
    let Some(sizes) = sizes.filter(|sizes| !split && !sizes.is_empty()) else {
        return Weights { bytes: files, ..whole };
    };
    let sum = |keep: &dyn Fn(&str) -> bool| {
        sizes.iter().filter(|(name, _)| keep(name)).map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    };
    let layers = meta.number("block_count").filter(|many| *many <= MOST_LAYERS).unwrap_or(0);
    let blocks = (0..layers).map(|layer| {
        let begin = format!("blk.{layer}.");
        sum(&|name| name.starts_with(&begin))
    });
    // A table that serves for output, too, is copied to the GPU.
    let apart = sizes.iter().any(|(name, _)| *name == "output.weight");
    let table = if apart { sum(&|name| name == "token_embd.weight") } else { 0 };
    Weights { bytes: Some(sum(&|_| true)), blocks: blocks.collect(), table, ..whole }
}

/// What each layer keeps.
fn layers(meta: &Meta<'_>, notes: &mut Vec<String>) -> Result<Vec<Keeps>, String> {
    for odd in ["wkv.", "kda.", "attention.indexer", "xlstm.", "posnet."] {
        if meta.has(odd) {
            return Err(format!("what `{}` keeps is not known here", meta.key(odd)));
        }
    }
    let many = meta.number("block_count").filter(|many| (1..=MOST_LAYERS).contains(many));
    let many = many.ok_or("its header has no sensible `block_count`")?;
    let sees_all = windows(meta, notes);
    let recurrent = recurrent(meta);
    let shared = meta.number("attention.shared_kv_layers").unwrap_or(0);
    let one = |layer: u64| {
        if layer >= many.saturating_sub(shared) {
            return Ok(Keeps::Nothing);
        }
        if recurrent(layer) {
            return state(meta, layer);
        }
        let heads = heads(meta, layer, !sees_all(layer))?;
        if let Some(rank) = meta
            .number("attention.kv_lora_rank")
            .filter(|_| meta.number("attention.key_length_mla").is_some())
        {
            let rope = meta.number("rope.dimension_count").ok_or("MLA, and no `rope.dimension_count`")?;
            return Ok(Keeps::Latent { width: rank.saturating_add(rope), index: 0 });
        }
        Ok(match meta.number("attention.sliding_window").filter(|window| *window > 0 && !sees_all(layer)) {
            Some(window) => Keeps::Window { heads, window },
            None => Keeps::All(heads),
        })
    };
    (0..many).map(one).collect()
}

fn heads(meta: &Meta<'_>, layer: u64, window: bool) -> Result<Heads, String> {
    let all = meta.of_layer("attention.head_count", layer);
    let count = meta
        .of_layer("attention.head_count_kv", layer)
        .or(all)
        .ok_or("its header has no `attention.head_count`")?;
    let width = || {
        let (hidden, heads) = (meta.number("embedding_length")?, all.filter(|heads| *heads > 0)?);
        (hidden % heads == 0).then_some(hidden / heads)
    };
    let own = |key: &str| if window { meta.number(&format!("{key}_swa")) } else { None };
    let key = own("attention.key_length").or_else(|| meta.number("attention.key_length")).or_else(width);
    let key = key.ok_or("its header does not say how wide a head is")?;
    let value =
        own("attention.value_length").or_else(|| meta.number("attention.value_length")).unwrap_or(key);
    Ok(Heads { count, key, value })
}

/// Which layers see all tokens. Files of some architectures leave it to llama.cpp (src/llama-model.cpp,
/// `set_swa_pattern`): the last of so many does.
fn windows(meta: &Meta<'_>, notes: &mut Vec<String>) -> impl Fn(u64) -> bool + use<> {
    let every = match meta.architecture {
        "gemma2" | "gpt-oss" => Some(2),
        "gemma3n" => Some(5),
        "gemma3" => Some(6),
        "cohere2" | "llama4" | "exaone4" | "olmo2" | "smallthinker" => Some(4),
        _ => None,
    };
    let key = meta.key("attention.sliding_window_pattern");
    let list = match meta.header.metadata.get(&key) {
        Some(Value::List(list)) => list.clone(),
        _ => vec![],
    };
    let every =
        meta.number("attention.sliding_window_pattern").filter(|n| list.is_empty() && *n > 0).or(every);
    let window = meta.number("attention.sliding_window").unwrap_or(0);
    if window > 0 && every.is_none() && list.is_empty() {
        notes.push(format!("Which layers have the window of {window} tokens is not in the file; all count as if they had none, so it may need less."));
    }
    move |layer| match (usize::try_from(layer).ok().and_then(|layer| list.get(layer)), every) {
        (Some(is_window), _) => *is_window == 0,
        (None, Some(every)) => (layer + 1) % every == 0,
        (None, None) => true,
    }
}

/// Which layers keep a state: those without heads, or all but each so-manieth.
fn recurrent(meta: &Meta<'_>) -> impl Fn(u64) -> bool {
    let interval = match meta.architecture {
        "qwen3next" | "qwen35" | "qwen35moe" => {
            Some(meta.number("full_attention_interval").filter(|n| *n > 0).unwrap_or(4))
        }
        _ => None,
    };
    move |layer| match interval {
        Some(interval) => (layer + 1) % interval != 0,
        None => {
            meta.of_layer("attention.head_count_kv", layer) == Some(0)
                || meta.of_layer("attention.head_count", layer) == Some(0)
        }
    }
}

/// A layer's state, as float32 (src/llama-hparams.cpp, `n_embd_r` and `n_embd_s`).
fn state(meta: &Meta<'_>, layer: u64) -> Result<Keeps, String> {
    const FLOAT: u64 = 4;
    let product = |numbers: &[u64]| numbers.iter().fold(1_u64, |all, number| all.saturating_mul(*number));
    if let Some(kernel) = meta.number("shortconv.l_cache") {
        let hidden = meta.number("embedding_length").ok_or("its header has no `embedding_length`")?;
        return Ok(Keeps::State { bytes: product(&[kernel.saturating_sub(1), hidden, FLOAT]) });
    }
    let number = |key: &str| {
        meta.number(key).ok_or_else(|| format!("layers with a state, and no `{}`", meta.key(key)))
    };
    if !meta.has("ssm.")
        || meta.of_layer("feed_forward_length", layer).is_some_and(|wide| wide > 0)
            && matches!(meta.header.metadata.get(&meta.key("feed_forward_length")), Some(Value::List(_)))
    {
        // Neither heads nor a state (Nemotron-H), or a layer without attention.
        return Ok(Keeps::Nothing);
    }
    let (kernel, inner, size) =
        (number("ssm.conv_kernel")?, number("ssm.inner_size")?, number("ssm.state_size")?);
    let groups = meta.number("ssm.group_count").unwrap_or(0);
    let width = inner.saturating_add(product(&[2, groups, size]));
    let conv = product(&[kernel.saturating_sub(1), width, FLOAT]);
    Ok(Keeps::State { bytes: conv.saturating_add(product(&[size, inner, FLOAT])) })
}
