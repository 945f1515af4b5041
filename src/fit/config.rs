//! From a config.json, as transformers writes it, to facts.
//! It computes nothing of memory, and what a key means is known by its name, never by the name of a model.

use serde_json::Value;

use super::keys::Keys;
use super::weights::{self, Files};
use super::{ModelFacts, Shape, attention};

/// The facts of a model from the text of its config.json and what is known of its files.
///
/// # Errors
/// Why the text is no config.
pub fn from_config(text: &str, files: &Files) -> Result<ModelFacts, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON: {e}"))?;
    let outer = value.as_object().ok_or("it is no map")?;
    let keys = Keys::of(outer);
    let mut notes = Vec::new();
    let layers = match outer.get("is_encoder_decoder").and_then(Value::as_bool) {
        Some(true) => Err("an encoder with a decoder keeps more than these formulas know".to_owned()),
        _ => attention::layers(keys, &mut notes),
    };
    let shape = shape(keys);
    let weights = weights::of(keys, &shape, files, &mut notes);
    Ok(ModelFacts {
        architecture: keys.architecture(),
        weights,
        layers,
        context: context(keys),
        shape,
        notes,
    })
}

/// How many tokens a model was made for (vllm/transformers_utils/model_arch_config_convertor.py has the same names).
fn context(keys: Keys<'_>) -> Option<u64> {
    keys.number(&[
        "max_position_embeddings",
        "n_positions",
        "max_seq_len",
        "seq_length",
        "model_max_length",
        "max_sequence_length",
    ])
}

fn shape(keys: Keys<'_>) -> Shape {
    let hidden = keys.hidden().unwrap_or(0);
    let dense = keys.number(&[
        "intermediate_size",
        "ffn_hidden_size",
        "n_inner",
        "ffn_dim",
        "ffn_config.ffn_hidden_size",
    ]);
    let experts =
        keys.number(&["num_experts_per_tok", "num_experts_per_token", "moe_topk", "ffn_config.moe_top_k"]);
    let expert = keys.number(&["moe_intermediate_size", "expert_ffn_hidden_size"]).or(dense);
    let sparse = experts.zip(expert).map_or(0, |(many, wide)| many.saturating_mul(wide));
    Shape {
        hidden,
        // GPT-2 and its like leave it to a rule.
        intermediate: dense.unwrap_or(hidden.saturating_mul(4)).max(sparse),
        vocabulary: keys.number(&["vocab_size", "padded_vocab_size"]).unwrap_or(0),
        // transformers' own default is true, and every family here that has two tables says false.
        tied: keys.anywhere("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(true),
    }
}
