//! The types of a cache's numbers, as engines name them.
//! It knows how many bytes they take, and nothing of what is in a cache.

/// The type of a cache's numbers: bytes that 32 of them take, scales and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element(pub u64);

impl Element {
    /// Two bytes each.
    pub const HALF: Self = Self(64);
    /// Four bytes each.
    pub const FLOAT: Self = Self(128);

    /// vLLM's `kv_cache_dtype` (vllm/config/cache.py); none for `auto` and what is not known here.
    #[must_use]
    pub fn of_vllm(name: &str) -> Option<Self> {
        match name {
            "float16" | "bfloat16" | "half" => Some(Self::HALF),
            "float32" => Some(Self::FLOAT),
            "nvfp4" => Some(Self(18)),
            // A scale for each head of a token is small beside the head.
            "int4_per_token_head" => Some(Self(17)),
            "int8_per_token_head" | "fp8_per_token_head" => Some(Self(33)),
            name if name.starts_with("fp8") => Some(Self(32)),
            _ => None,
        }
    }

    /// llama.cpp's `cache_type_k` and `cache_type_v` (ggml's blocks of 32, ggml/src/ggml-common.h).
    #[must_use]
    pub fn of_ggml(name: &str) -> Option<Self> {
        Some(Self(match name {
            "f32" => 128,
            "f16" | "bf16" => 64,
            "q8_0" => 34,
            "q5_1" => 24,
            "q5_0" => 22,
            "q4_1" => 20,
            "q4_0" | "iq4_nl" => 18,
            _ => return None,
        }))
    }

    pub(super) fn bytes(self, numbers: u64) -> u64 {
        let all = (u128::from(numbers) * u128::from(self.0)).div_ceil(32);
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}
