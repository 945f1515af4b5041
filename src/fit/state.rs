//! The state that a layer without keys and values keeps for each request.
//! Sizes are upper ones: where a config does not say how exact a state is, it counts as float32.

use serde_json::Value;

use super::keys::Keys;

/// Bytes of a number of a convolution's state: the model's own type.
const CONV: u64 = 2;

/// Bytes of a number of a recurrent state (`mamba_ssm_dtype`; without it, the safe side).
fn exact(keys: Keys<'_>) -> u64 {
    match keys.text("mamba_ssm_dtype") {
        Some("bfloat16" | "float16") => 2,
        _ => 4,
    }
}

fn product(numbers: &[u64]) -> u64 {
    numbers.iter().fold(1, |all, number| all.saturating_mul(*number))
}

/// Linear attention: gated delta nets (Qwen3-Next, vllm/model_executor/layers/mamba/mamba_utils.py), KDA (Kimi Linear)
/// and lightning attention (MiniMax).
pub(super) fn linear(keys: Keys<'_>) -> Result<u64, String> {
    let number = |key: &str| keys.number(&[key]).ok_or_else(|| format!("linear attention, and no `{key}`"));
    if let Some(config) = keys.get("linear_attn_config") {
        let number = |key: &str| {
            config
                .get(key)
                .and_then(Value::as_u64)
                .ok_or_else(|| format!("`linear_attn_config` has no `{key}`"))
        };
        let (heads, dim, kernel) =
            (number("num_heads")?, number("head_dim")?, number("short_conv_kernel_size")?);
        // Queries, keys and values have a convolution each.
        let conv = product(&[3, kernel.saturating_sub(1), heads, dim, CONV]);
        return Ok(conv.saturating_add(product(&[heads, dim, dim, exact(keys)])));
    }
    if keys.list("attn_type_list").is_some() {
        let (heads, dim) = (number("num_attention_heads")?, number("head_dim")?);
        return Ok(product(&[heads, dim, dim, exact(keys)]));
    }
    let (key_heads, key) = (number("linear_num_key_heads")?, number("linear_key_head_dim")?);
    let (value_heads, value) = (number("linear_num_value_heads")?, number("linear_value_head_dim")?);
    let kernel = number("linear_conv_kernel_dim")?;
    let width = product(&[2, key_heads, key]).saturating_add(product(&[value_heads, value]));
    let conv = product(&[kernel.saturating_sub(1), width, CONV]);
    Ok(conv.saturating_add(product(&[value_heads, key, value, exact(keys)])))
}

/// Mamba: the first form has one width, the second one heads and groups.
pub(super) fn mamba(keys: Keys<'_>) -> Result<u64, String> {
    let missing = |what: &str| format!("Mamba layers, and no `{what}`");
    let state = keys.number(&["mamba_d_state", "ssm_state_size"]).ok_or_else(|| missing("mamba_d_state"))?;
    let kernel = keys.number(&["mamba_d_conv", "conv_kernel"]).ok_or_else(|| missing("mamba_d_conv"))?;
    let back = kernel.saturating_sub(1);
    if let Some(heads) = keys.number(&["mamba_n_heads", "mamba_num_heads"]) {
        let dim = keys.number(&["mamba_d_head", "mamba_head_dim"]).ok_or_else(|| missing("mamba_d_head"))?;
        let groups = keys.number(&["mamba_n_groups", "n_groups"]).ok_or_else(|| missing("mamba_n_groups"))?;
        let width = product(&[heads, dim]).saturating_add(product(&[2, groups, state]));
        return Ok(product(&[back, width, CONV]).saturating_add(product(&[heads, dim, state, exact(keys)])));
    }
    let expand = keys.number(&["mamba_expand"]).ok_or_else(|| missing("mamba_expand"))?;
    let width = product(&[expand, keys.hidden().ok_or_else(|| missing("hidden_size"))?]);
    Ok(product(&[back, width, CONV]).saturating_add(product(&[width, state, exact(keys)])))
}

/// A short convolution (LFM2).
pub(super) fn conv(keys: Keys<'_>) -> Result<u64, String> {
    let kernel = keys.number(&["conv_L_cache"]).ok_or("convolutions, and no `conv_L_cache`")?;
    let hidden = keys.hidden().ok_or("config.json does not say how wide the model is")?;
    Ok(product(&[kernel.saturating_sub(1), hidden, CONV]))
}
