//! Which layers of a model are which, where a config says it by a rule and not by a list.
//! Each rule is that of transformers' or vLLM's own class of the family.

use serde_json::Value;

use super::keys::Keys;

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Full,
    Window(u64),
    Linear,
    Mamba,
    Conv,
    Nothing,
}

/// One letter for each layer (Nemotron-H): `M` Mamba, `*` attention, `-` and `E` layers without a cache.
pub(super) fn letters(pattern: &str, many: u64) -> Result<Vec<Kind>, String> {
    let one = |letter: char| match letter {
        'M' => Ok(Kind::Mamba),
        '*' => Ok(Kind::Full),
        '-' | 'E' => Ok(Kind::Nothing),
        other => Err(format!("`{}` in `hybrid_override_pattern` is not known here", other.escape_debug())),
    };
    if pattern.len() as u64 != many {
        return Err(format!("`hybrid_override_pattern` has {} letters for {many} layers", pattern.len()));
    }
    pattern.chars().map(one).collect()
}

/// Attention only in every n-th layer, or in those that a list of numbers names.
pub(super) fn by_number(keys: Keys<'_>, many: u64) -> Result<Option<Vec<Kind>>, String> {
    let each = |is_full: &dyn Fn(u64) -> bool, other: Kind| {
        Ok(Some((0..many).map(|i| if is_full(i) { Kind::Full } else { other }).collect()))
    };
    // Jamba.
    if let Some(period) = keys.number(&["attn_layer_period"]) {
        let offset = keys.get("attn_layer_offset").and_then(Value::as_u64).unwrap_or(0);
        return each(&|i| i % period == offset % period, Kind::Mamba);
    }
    // Bamba.
    if let Some(list) = keys.list("attn_layer_indices") {
        return each(&|i| list.iter().any(|n| n.as_u64() == Some(i)), Kind::Mamba);
    }
    // MiniMax: 1 is attention.
    if let Some(list) = keys.list("attn_type_list") {
        if list.len() as u64 != many {
            return Err(format!("`attn_type_list` names {} layers of {many}", list.len()));
        }
        let full = |value: &Value| if value.as_u64() == Some(1) { Kind::Full } else { Kind::Linear };
        return Ok(Some(list.iter().map(full).collect()));
    }
    // Kimi Linear: numbers from 1.
    if let Some(linear) = keys.get("linear_attn_config") {
        let list = linear.get("full_attn_layers").and_then(Value::as_array);
        let list = list.ok_or("`linear_attn_config` has no `full_attn_layers`")?;
        return each(&|i| list.iter().any(|n| n.as_u64() == Some(i + 1)), Kind::Linear);
    }
    // Qwen3-Next and its successors.
    if keys.number(&["linear_num_value_heads"]).is_some() {
        let interval = keys
            .number(&["full_attention_interval"])
            .ok_or("linear attention, and no `full_attention_interval`")?;
        return each(&|i| (i + 1) % interval == 0, Kind::Linear);
    }
    match keys.names().find(|key| key.starts_with("mamba_d_") || key.starts_with("mamba_n_")) {
        Some(key) => Err(format!("`{key}`, and nothing that says which layers are Mamba")),
        None => Ok(None),
    }
}

/// Families in which a `sliding_window` is that of every layer.
const EVERY: [&str; 5] = ["mistral", "mixtral", "starcoder2", "phi3", "phimoe"];

/// All layers are attention; some may see only the last tokens.
pub(super) fn windows(keys: Keys<'_>, many: u64, notes: &mut Vec<String>) -> Result<Vec<Kind>, String> {
    let mixed = |window: u64, is_full: &dyn Fn(u64) -> bool| {
        (0..many).map(|i| if is_full(i) { Kind::Full } else { Kind::Window(window) }).collect()
    };
    if let Some(chunk) = keys.number(&["attention_chunk_size"]) {
        // Llama 4: 0 in the list is a layer without positions, which sees everything; else every fourth.
        let list = keys.list("no_rope_layers");
        let every = keys.number(&["no_rope_layer_interval"]).unwrap_or(4);
        return Ok(mixed(chunk, &|i| match list {
            Some(list) => usize::try_from(i).ok().and_then(|i| list.get(i)?.as_u64()) == Some(0),
            None => (i + 1) % every == 0,
        }));
    }
    let plain = || vec![Kind::Full; usize::try_from(many).unwrap_or(0)];
    let window = keys.number(&["sliding_window", "sliding_window_size"]);
    let Some(window) = window.filter(|_| keys.flag("use_sliding_window") != Some(false)) else {
        return Ok(plain());
    };
    let family = keys.family();
    let by_class = match family {
        "gemma3_text" => Some(6),
        "cohere2" => Some(4),
        "gemma2" => Some(2),
        _ => None,
    };
    if let Some(pattern) = keys.number(&["sliding_window_pattern", "_sliding_window_pattern"]).or(by_class) {
        return Ok(mixed(window, &|i| (i + 1) % pattern == 0));
    }
    // Qwen2 and Qwen3, where it is switched on: the first layers see everything.
    if let Some(first) = keys.number(&["max_window_layers"]).filter(|_| family.starts_with("qwen")) {
        return Ok(mixed(window, &|i| i < first));
    }
    if EVERY.contains(&family) {
        return Ok(mixed(window, &|_| false));
    }
    notes.push(format!(
        "Which layers have the window of {window} tokens is not known for the family {family}; all count as if they had none, so it may need less."
    ));
    Ok(plain())
}
