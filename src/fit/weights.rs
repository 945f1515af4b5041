//! How many bytes of weights load, from what is known of the files, and what a quantisation makes of them.
//! Sizes come from files or from the hub's counts; a number of parameters alone gives an estimate and says so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::keys::Keys;
use super::{Options, Shape, Weights};

/// What is known of the files of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Bytes of its tensors: of the files that load, or `total_size` of the index.
    pub bytes: Option<u64>,
    /// How many numbers there are of each type, as safetensors and the hub call it: `BF16`, `F8_E4M3`, `I32`.
    pub numbers: BTreeMap<String, u64>,
}

/// Bytes of a number of a type of safetensors (<https://github.com/huggingface/safetensors>, `Dtype`); none if it is not
/// known. Two numbers of `F4` share a byte and are counted apart.
fn size(of: &str) -> Option<u64> {
    match of {
        "F64" | "I64" | "U64" => Some(8),
        "F32" | "I32" | "U32" => Some(4),
        "BF16" | "F16" | "I16" | "U16" => Some(2),
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "I8" | "U8" | "BOOL" => Some(1),
        _ => None,
    }
}

impl Files {
    /// All bytes by the types' sizes, unless one of them is not known.
    fn by_numbers(&self) -> Option<u64> {
        let one = |(of, many): (&String, &u64)| Some(size(of)?.saturating_mul(*many));
        let all: Option<Vec<u64>> = self.numbers.iter().map(one).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.into_iter().fold(0, u64::saturating_add))
    }
}

/// Of the files of a repository or directory, with their bytes, those that vLLM loads: what the index names; else the
/// safetensors at its top without a second copy under Mistral's names (`consolidated…`); else PyTorch's own
/// (vllm/model_executor/model_loader/weight_utils.py).
#[must_use]
pub fn that_load<'a>(files: &'a BTreeMap<String, u64>, index: Option<&str>) -> Vec<(&'a str, u64)> {
    let all = |keep: &dyn Fn(&str) -> bool| -> Vec<(&'a str, u64)> {
        files.iter().filter(|(name, _)| keep(name)).map(|(name, bytes)| (name.as_str(), *bytes)).collect()
    };
    if let Some(named) = index.and_then(named) {
        let found = all(&|name| named.contains(name));
        if found.len() == named.len() {
            return found;
        }
    }
    let top = |name: &str, end: &str| name.ends_with(end) && !name.contains('/');
    let tries: [&dyn Fn(&str) -> bool; 3] = [
        &|name| {
            top(name, ".safetensors") && !name.starts_with("consolidated") && !name.starts_with("adapter_")
        },
        &|name| top(name, ".safetensors") && !name.starts_with("adapter_"),
        &|name| top(name, ".bin") && name.starts_with("pytorch_model"),
    ];
    tries.into_iter().map(all).find(|found| !found.is_empty()).unwrap_or_default()
}

/// The files that an index names.
fn named(index: &str) -> Option<BTreeSet<String>> {
    let index: Value = serde_json::from_str(index).ok()?;
    let map = index.get("weight_map")?.as_object()?;
    Some(map.values().filter_map(|file| Some(file.as_str()?.to_owned())).collect())
}

/// The weights of a model with a config.
pub(super) fn of(keys: Keys<'_>, shape: &Shape, files: &Files, notes: &mut Vec<String>) -> Weights {
    let quantized = keys.anywhere("quantization_config");
    let dtype = keys.anywhere("torch_dtype").or_else(|| keys.anywhere("dtype")).and_then(Value::as_str);
    let types: BTreeSet<Option<u64>> = files.numbers.keys().map(|of| size(of)).collect();
    let one_size = types.first().copied().flatten().filter(|_| types.len() == 1);
    let element = one_size.or_else(|| of_dtype(dtype?)).filter(|_| quantized.is_none());
    let bytes = files.by_numbers().or(files.bytes);
    if bytes.is_none() {
        notes.push("The size of the weights is not known.".to_owned());
    }
    let parameters = match quantized {
        None => bytes.zip(element).map(|(bytes, element)| bytes / element),
        // Eight-bit numbers are not packed; the few scales beside them do not count.
        Some(_) if files.numbers.keys().any(|of| ["I32", "U8", "I8"].contains(&of.as_str())) => None,
        Some(_) => {
            Some(files.numbers.values().fold(0_u64, |all, n| all.saturating_add(*n))).filter(|n| *n > 0)
        }
    };
    let format = quantized.map_or_else(|| dtype.unwrap_or("?").to_owned(), method);
    // A table of tokens that is stored once in a file smaller than the config's numbers is none of ours to judge.
    let parameters = parameters.filter(|all| *all >= shape.tables() / 2);
    Weights { bytes, parameters, format, quantized: quantized.is_some(), element, ..Weights::default() }
}

/// Bytes of a number of a type as torch calls it.
pub(super) fn of_dtype(dtype: &str) -> Option<u64> {
    match dtype.trim_start_matches("torch.") {
        "float32" | "float" => Some(4),
        "bfloat16" | "float16" | "half" => Some(2),
        name if name.starts_with("float8") => Some(1),
        _ => None,
    }
}

/// A quantisation in the field's words.
fn method(config: &Value) -> String {
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    let name = text("quant_method").unwrap_or("an unknown method");
    let group = config.get("config_groups").and_then(|groups| groups.as_object()?.values().next());
    let of_group = group.and_then(|group| group.get("weights")?.get("num_bits")?.as_u64());
    let bits =
        ["bits", "w_bit", "weight_bits"].iter().find_map(|key| config.get(*key)?.as_u64()).or(of_group);
    let four = config.get("load_in_4bit").and_then(Value::as_bool) == Some(true);
    let more = match (bits, text("quant_algo")) {
        (Some(bits), _) => format!(", {bits} bits"),
        (None, Some(algorithm)) => format!(", {algorithm}"),
        (None, None) if four => ", 4 bits".to_owned(),
        (None, None) => String::new(),
    };
    let all = format!("{name}{more}");
    all.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Bytes of all tensors when the engine makes something else of them while it loads.
///
/// # Errors
/// Why they cannot be told.
pub(super) fn loaded(weights: &Weights, shape: &Shape, options: &Options) -> Result<(u64, String), String> {
    let bytes = weights.bytes.ok_or("the size of the weights is not known")?;
    let as_stored = |bytes| Ok((bytes, weights.format.clone()));
    if weights.quantized {
        return as_stored(bytes);
    }
    let Some(numbers) = weights.parameters else { return as_stored(bytes) };
    if let Some(method) = options.quantization.as_deref() {
        let bits = in_flight(method)
            .ok_or_else(|| format!("what `quantization: {method}` makes of them is not known"))?;
        return Ok((quantized(numbers, shape, bits), format!("{method} made while loading, estimated")));
    }
    // vLLM's `auto` makes halves of float32 (vllm/config/model.py, `_resolve_auto_dtype`).
    let element = match options.dtype.as_deref().and_then(of_dtype) {
        Some(typed) => typed,
        None => weights.element.unwrap_or(2).min(2),
    };
    match weights.element {
        Some(stored) if stored != element => Ok((
            numbers.saturating_mul(element),
            format!("{} loaded with {element} bytes each", weights.format),
        )),
        _ => as_stored(bytes),
    }
}

/// Bits of a number with what belongs to it, in thousandths: 4 bits in groups of 128 with a scale of 16 bits and a zero
/// of 4 are 4.156 (AWQ, GPTQ); bitsandbytes' nf4 has a scale of 8 bits for each 64, and a little for those.
fn in_flight(method: &str) -> Option<u64> {
    match method {
        "fp8" | "fp8_per_tensor" | "fp8_per_block" | "int8_per_channel_weight_only" | "experts_int8" => {
            Some(8_010)
        }
        "mxfp8" => Some(8_250),
        "bitsandbytes" => Some(4_127),
        _ => None,
    }
}

/// Four bits in groups of 128, as AWQ and GPTQ have it.
pub(super) const FOUR_BITS: u64 = 4_156;

/// Bytes of a model whose tables of tokens stay as they are, at 16 bits, with so many thousandths of a bit for each
/// other number.
pub(super) fn quantized(numbers: u64, shape: &Shape, millibits: u64) -> u64 {
    let tables = shape.tables().min(numbers);
    let rest = u128::from(numbers - tables) * u128::from(millibits) / 8_000;
    u64::try_from(rest).unwrap_or(u64::MAX).saturating_add(tables.saturating_mul(2))
}
