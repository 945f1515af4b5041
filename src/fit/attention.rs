//! What each layer of a model keeps, from its config: heads, windows, latent vectors, states.
//! A key that hints at a cache of a kind not known here makes the answer "unknown".

use serde_json::Value;

use super::keys::{Keys, MOST_LAYERS};
use super::pattern::Kind;
use super::{Heads, Keeps, Run, pattern, runs, state};

/// What all layers keep.
///
/// # Errors
/// Why that is not known.
pub(super) fn layers(keys: Keys<'_>, notes: &mut Vec<String>) -> Result<Vec<Run>, String> {
    stranger(keys)?;
    let many = keys
        .number(&["num_hidden_layers", "n_layer", "n_layers", "num_layers"])
        .ok_or("config.json does not say how many layers there are")?;
    if many > MOST_LAYERS {
        return Err(format!("config.json speaks of {many} layers"));
    }
    let all =
        kinds(keys, many, notes)?.into_iter().map(|kind| keeps(keys, kind)).collect::<Result<_, _>>()?;
    Ok(runs(shared(keys, all)?))
}

fn keeps(keys: Keys<'_>, kind: Kind) -> Result<Keeps, String> {
    Ok(match kind {
        Kind::Full => full(keys)?,
        Kind::Window(window) => Keeps::Window { heads: heads(keys, true)?, window },
        Kind::Linear => Keeps::State { bytes: state::linear(keys)? },
        Kind::Mamba => Keeps::State { bytes: state::mamba(keys)? },
        Kind::Conv => Keeps::State { bytes: state::conv(keys)? },
        Kind::Nothing => Keeps::Nothing,
    })
}

/// Families whose latent vectors are kept as they are (vllm/transformers_utils/model_arch_config_convertor.py,
/// `is_deepseek_mla`). Others have the key, too, and keep whole keys and values.
const LATENT: [&str; 10] = [
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "deepseek_vl_v2",
    "glm4_moe_lite",
    "glm_moe_dsa",
    "kimi_k2",
    "kimi_linear",
    "longcat_flash",
    "pangu_ultra_moe",
];

/// A byte for each number of an index's key, and four for a scale (vllm/model_executor/layers/sparse_attn_indexer.py).
const INDEX_SCALE: u64 = 4;

fn full(keys: Keys<'_>) -> Result<Keeps, String> {
    let Some(rank) = keys.number(&["kv_lora_rank"]) else { return Ok(Keeps::All(heads(keys, false)?)) };
    if !LATENT.contains(&keys.family()) {
        return Err(format!("`kv_lora_rank` in a config of the family {} is not known here", keys.family()));
    }
    let rope = keys
        .number(&["qk_rope_head_dim"])
        .ok_or("config.json has `kv_lora_rank` without `qk_rope_head_dim`")?;
    let index = match keys.number(&["index_topk"]) {
        Some(_) => {
            keys.number(&["index_head_dim"]).ok_or("config.json has `index_topk` without `index_head_dim`")?
                + INDEX_SCALE
        }
        None => 0,
    };
    Ok(Keeps::Latent { width: rank.saturating_add(rope), index })
}

/// The heads of a layer; those with a window may have their own.
fn heads(keys: Keys<'_>, window: bool) -> Result<Heads, String> {
    let own: [&[&str]; 3] = match window {
        true => [&["swa_num_key_value_heads"], &["swa_head_dim"], &["swa_v_head_dim"]],
        false => [&["num_global_key_value_heads"], &["global_head_dim"], &[]],
    };
    let count = match keys.number(own[0]) {
        Some(count) => count,
        None => kv_heads(keys)?,
    };
    let key = match keys.number(own[1]) {
        Some(key) => key,
        None => head_dim(keys)?,
    };
    let value = keys.number(own[2]).or_else(|| keys.number(&["v_head_dim"])).unwrap_or(key);
    Ok(Heads { count, key, value })
}

fn query_heads(keys: Keys<'_>) -> Result<u64, String> {
    let names = ["num_attention_heads", "n_head", "n_heads", "num_heads"];
    let by_class = match keys.family() {
        // transformers' Gemma3TextConfig; the published files leave it out.
        "gemma3_text" => Some(8),
        _ => None,
    };
    keys.number(&names)
        .or(by_class)
        .ok_or_else(|| "config.json does not say how many attention heads there are".to_owned())
}

fn kv_heads(keys: Keys<'_>) -> Result<u64, String> {
    let grouped = keys.flag("multi_query_attention") != Some(false);
    let names = ["num_key_value_heads", "num_kv_heads", "n_kv_heads", "attn_config.kv_n_heads"];
    // Falcon has both keys, and only its newer form goes by the number.
    let one = keys.flag("multi_query") == Some(true) && keys.flag("new_decoder_architecture") != Some(true);
    let by_class = match keys.family() {
        "gemma3_text" => Some(4),
        _ => None,
    };
    match (one, keys.number(&names), keys.number(&["multi_query_group_num"])) {
        (true, ..) => Ok(1),
        (_, Some(count), _) => Ok(count),
        (_, None, Some(groups)) if grouped => Ok(groups),
        _ => by_class.map_or_else(|| query_heads(keys), Ok),
    }
}

/// What a config says, before what follows from the width: Qwen3 has heads of 128 whatever the width.
fn head_dim(keys: Keys<'_>) -> Result<u64, String> {
    if let Some(typed) = keys.number(&["head_dim", "kv_channels", "attention_head_dim"]) {
        return Ok(typed);
    }
    if keys.family() == "gemma3_text" {
        return Ok(256);
    }
    let hidden = keys.hidden().ok_or("config.json does not say how wide the model is")?;
    let heads = query_heads(keys)?;
    match hidden % heads {
        0 => Ok(hidden / heads),
        _ => Err(format!(
            "a width of {hidden} does not go into {heads} heads, and config.json has no `head_dim`"
        )),
    }
}

/// The last layers of Gemma 3n and 4 use what earlier ones keep.
fn shared(keys: Keys<'_>, mut all: Vec<Keeps>) -> Result<Vec<Keeps>, String> {
    let Some(many) = keys.number(&["num_kv_shared_layers"]) else { return Ok(all) };
    let many = usize::try_from(many).ok().filter(|many| *many < all.len());
    let own = all.len() - many.ok_or("`num_kv_shared_layers` is not below the number of layers")?;
    for keeps in &mut all[own..] {
        *keeps = Keeps::Nothing;
    }
    Ok(all)
}

/// What each layer is: by whatever key the family has for it.
fn kinds(keys: Keys<'_>, many: u64, notes: &mut Vec<String>) -> Result<Vec<Kind>, String> {
    let named =
        [("layer_types", keys.list("layer_types")), ("layers_block_type", keys.list("layers_block_type"))];
    if let Some((key, list)) = named.into_iter().find_map(|(key, list)| Some((key, list?))) {
        return by_name(keys, key, list, many);
    }
    if let Some(pattern) = keys.text("hybrid_override_pattern") {
        return pattern::letters(pattern, many);
    }
    if let Some(kinds) = pattern::by_number(keys, many)? {
        return Ok(kinds);
    }
    pattern::windows(keys, many, notes)
}

fn by_name(keys: Keys<'_>, key: &str, list: &[Value], many: u64) -> Result<Vec<Kind>, String> {
    let many = usize::try_from(many).unwrap_or(usize::MAX);
    if list.len() < many {
        return Err(format!("`{key}` names {} layers of {many}", list.len()));
    }
    let window = |name: &str, key: &str| {
        let window =
            keys.number(&[key]).ok_or_else(|| format!("layers of the kind `{name}`, and no `{key}`"))?;
        Ok(Kind::Window(window))
    };
    let one = |value: &Value| match value.as_str().unwrap_or_default() {
        "full_attention" | "attention" | "full" => Ok(Kind::Full),
        name @ "sliding_attention" => window(name, "sliding_window"),
        name @ "chunked_attention" => window(name, "attention_chunk_size"),
        "linear_attention" => Ok(Kind::Linear),
        "mamba" | "mamba2" => Ok(Kind::Mamba),
        "conv" => Ok(Kind::Conv),
        "moe" | "mlp" => Ok(Kind::Nothing),
        other => Err(format!(
            "layers of the kind `{}` are not known here",
            other.escape_debug().to_string().chars().take(40).collect::<String>()
        )),
    };
    list.iter().take(many).map(one).collect()
}

/// Words in a key that hint at a cache of another kind.
const HINTS: [&str; 20] = [
    "ssm",
    "mamba",
    "rwkv",
    "linear_",
    "recurrent",
    "state_size",
    "conv_",
    "lru_",
    "retention",
    "window",
    "kv_shar",
    "cla_",
    "mla",
    "lora_rank",
    "hybrid",
    "layer_type",
    "block_type",
    "block_configs",
    "chunk",
    "compress",
];

/// Keys with such a word that are known, or say nothing of a cache.
const KNOWN: [&str; 38] = [
    "sliding_window",
    "use_sliding_window",
    "max_window_layers",
    "sliding_window_pattern",
    "_sliding_window_pattern",
    "sliding_window_size",
    "linear_conv_kernel_dim",
    "linear_key_head_dim",
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_value_head_dim",
    "linear_attn_config",
    "mamba_ssm_dtype",
    "mamba_d_state",
    "mamba_d_conv",
    "mamba_expand",
    "mamba_n_heads",
    "mamba_d_head",
    "mamba_n_groups",
    "mamba_num_heads",
    "mamba_head_dim",
    "mamba_dt_rank",
    "mamba_chunk_size",
    "mamba_conv_bias",
    "mamba_proj_bias",
    "mamba_hidden_act",
    "mamba_inner_layernorms",
    "ssm_state_size",
    "conv_kernel",
    "conv_bias",
    "conv_L_cache",
    "hybrid_override_pattern",
    "num_kv_shared_layers",
    "kv_lora_rank",
    "q_lora_rank",
    "layer_types",
    "layers_block_type",
    "attention_chunk_size",
];

/// Keys of how a Mamba layer is computed, not what it keeps.
const HARMLESS: [&str; 9] = [
    "use_mamba_kernels",
    "use_conv_bias",
    "mamba_ssm_cache_dtype",
    "chunk_size_feed_forward",
    "chunk_size",
    "mamba_dt_init_floor",
    "mamba_rms_norm",
    "mamba_step_rank",
    "conv_dim",
];

fn stranger(keys: Keys<'_>) -> Result<(), String> {
    let hints = |key: &str| HINTS.iter().any(|hint| key.to_ascii_lowercase().contains(hint));
    let known = |key: &str| KNOWN.contains(&key) || HARMLESS.contains(&key);
    let odd = keys.names().find(|key| hints(key) && !known(key));
    match odd {
        Some(key) => Err(format!(
            "`{}` in config.json is not known here",
            key.escape_debug().to_string().chars().take(60).collect::<String>()
        )),
        None => Ok(()),
    }
}
