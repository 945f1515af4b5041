//! The cache of every kind of attention, from the configs of published models.
//! The cards have 24 GiB, so vLLM works on 2,048 tokens at once: a layer with a window of W tokens holds W - 1 + 2048 of
//! them, in whole pages of 16, and a page more.

use homelab::fit::{self, Element, Keeps, ModelFacts, Options, Server};

use super::{card, facts};

/// Bytes of one more token, and of 32,768.
fn cache(facts: &ModelFacts, options: &Options) -> (u64, u64) {
    let cache = fit::cache(facts, options, &card(24), 32_768).unwrap();
    (cache.per_token, cache.bytes)
}

fn vllm(name: &str) -> (u64, u64) {
    cache(&facts(name, 0), &Options::of(Server::Vllm))
}

const LONG: u64 = 32_768;

/// Two bytes each, keys and values.
const BOTH: u64 = 2 * 2;

#[test]
fn plain_attention_keeps_two_numbers_for_each_head_dimension_and_layer() {
    let cases = [
        // layers × heads × width of a head
        ("llama-3.1-8b", 32 * 8 * 128),
        ("llama-3.3-70b", 80 * 8 * 128),
        // head_dim is typed: 1024 / 16 would be 64.
        ("qwen3-0.6b", 28 * 8 * 128),
        ("qwen3-4b", 36 * 8 * 128),
        ("qwen3-14b", 40 * 8 * 128),
        // All experts are weights; the cache knows none.
        ("qwen3-30b-a3b", 48 * 4 * 128),
        ("mixtral-8x7b", 32 * 8 * 128),
        // As many key heads as query heads.
        ("codellama-7b", 32 * 32 * 128),
        ("gpt2", 12 * 12 * 64),
        ("opt-1.3b", 24 * 32 * 64),
        ("mpt-7b", 32 * 32 * 128),
        // One head for all queries.
        ("starcoder", 40 * 128),
        ("falcon-7b", 32 * 64),
        // Falcon's newer form has groups, whatever `multi_query` says.
        ("falcon-40b", 60 * 8 * 64),
        ("glm-4-9b", 40 * 2 * 128),
        // It has a window, and does not use it.
        ("qwen2.5-coder-7b", 28 * 4 * 128),
    ];
    for (name, numbers) in cases {
        assert_eq!(vllm(name), (numbers * BOTH, numbers * BOTH * LONG), "{name}");
    }
}

#[test]
fn published_sizes_of_a_token_come_out() {
    // The sums above once more, in bytes, as they are written elsewhere.
    for (name, bytes) in [
        ("qwen3-0.6b", 114_688),
        ("qwen3-30b-a3b", 98_304),
        ("llama-3.1-8b", 131_072),
        ("codellama-7b", 524_288),
    ] {
        assert_eq!(vllm(name).0, bytes, "{name}");
    }
}

/// Tokens that a layer with a window holds.
const fn held(window: u64) -> u64 {
    (window - 1 + 2048).div_ceil(16) * 16 + 16
}

#[test]
fn a_window_ends_what_a_layer_keeps() {
    assert_eq!(held(4096), 6160, "4095 + 2048 = 6143, in pages 6144, and a page");
    assert_eq!(held(128), 2192, "127 + 2048 = 2175, in pages 2176, and a page");
    let cases = [
        // numbers of a layer × BOTH; layers that see all, layers with a window
        ("mistral-7b-v0.1", 8 * 128, (0, 32), 4096),
        ("phi-3-mini-4k", 32 * 96, (0, 32), 2047),
        // Every second, sixth, sixth, fourth layer sees all: 42/2, 62/6 = 10, 34/6 = 5, 32/4.
        ("gemma-2-9b", 8 * 256, (21, 21), 4096),
        ("gemma-3-27b", 16 * 128, (10, 52), 1024),
        // What its config leaves out is what the class of its family says: 4 heads of 256.
        ("gemma-3-4b", 4 * 256, (5, 29), 1024),
        ("command-r7b", 8 * 128, (8, 24), 4096),
        ("gpt-oss-20b", 8 * 64, (12, 12), 128),
        // Chunks of 8,192 tokens; every fourth of 48 layers sees all.
        ("llama-4-scout", 8 * 128, (12, 36), 8192),
        // 35 layers, the last 15 use what others keep: of 20, every fifth sees all.
        ("gemma-3n-e4b", 2 * 256, (4, 16), 512),
    ];
    for (name, numbers, (full, windows), window) in cases {
        let expected = numbers * BOTH * (full * LONG + windows * held(window));
        assert_eq!(vllm(name), (numbers * BOTH * full, expected), "{name}");
    }
}

#[test]
fn latent_attention_keeps_one_vector_on_every_gpu() {
    // (512 + 64) numbers of two bytes, 27 and 61 layers.
    assert_eq!(vllm("deepseek-coder-v2-lite"), (31_104, 31_104 * LONG));
    assert_eq!(vllm("deepseek-v3"), (70_272, 70_272 * LONG));
    // With an index: 128 bytes and a scale of 4 for each token and layer besides.
    assert_eq!(vllm("deepseek-v3.2").0, 61 * (576 * 2 + 128 + 4));
    let two = Options { tensor: 2, ..Options::of(Server::Vllm) };
    assert_eq!(cache(&facts("deepseek-v3", 0), &two).0, 70_272, "each GPU has all of it");
    let fp8 = Options { cache_k: Some(Element(32)), cache_v: Some(Element(32)), ..two };
    assert_eq!(cache(&facts("deepseek-v3.2", 0), &fp8).0, 61 * (576 + 132), "the index keeps its own type");
}

#[test]
fn layers_with_a_state_take_the_same_however_long_a_request_is() {
    let cases = [
        // 12 of 48 layers with 2 heads of 256. Else a convolution over 2 × 16 × 128 + 32 × 128 = 8192 numbers, 3 back, of two
        // bytes, and 32 matrices of 128 × 128 in float32.
        ("qwen3-next-80b-a3b", 12 * 2 * 256, 36 * (3 * 8192 * 2 + 32 * 128 * 128 * 4)),
        // 4 of 32 layers; the others are 2 × 4096 wide, with 16 numbers of state each.
        ("jamba-v0.1", 4 * 8 * 128, 28 * (3 * 8192 * 2 + 8192 * 16 * 4)),
        // 52 layers: 24 Mamba, 4 attention, 24 nothing. 128 × 64 + 2 × 8 × 128 = 10,240 numbers wide.
        ("nemotron-h-8b", 4 * 8 * 128, 24 * (3 * 10_240 * 2 + 128 * 64 * 128 * 4)),
        // 48 × 64 + 2 × 128 = 3,328 numbers wide.
        ("granite-4.0-h-tiny", 4 * 4 * 128, 36 * (3 * 3328 * 2 + 48 * 64 * 128 * 4)),
        // 128 × 64 + 2 × 128 = 8,448 numbers wide.
        ("bamba-9b", 3 * 8 * 128, 29 * (3 * 8448 * 2 + 128 * 64 * 128 * 4)),
        ("minimax-text-01", 10 * 8 * 128, 70 * 64 * 128 * 128 * 4),
        // Two tokens back of 2,048 numbers.
        ("lfm2-1.2b", 6 * 8 * 64, 10 * 2 * 2048 * 2),
    ];
    for (name, numbers, state) in cases {
        assert_eq!(vllm(name), (numbers * BOTH, numbers * BOTH * LONG + state), "{name}");
    }
    // 7 of 27 layers are latent; the others have three convolutions over 32 × 128 numbers and 32 matrices of 128 × 128.
    let state = 20 * (3 * 3 * 32 * 128 * 2 + 32 * 128 * 128 * 4);
    assert_eq!(vllm("kimi-linear-48b-a3b"), (7 * 576 * 2, 7 * 576 * 2 * LONG + state));
}

#[test]
fn what_the_formulas_do_not_know_stays_unknown() {
    let cases = [
        ("unknown-mamba", "`state_size` in config.json is not known here"),
        ("unknown-t5", "an encoder with a decoder keeps more than these formulas know"),
        ("unknown-recurrentgemma", "`attention_window_size` in config.json is not known here"),
        ("unknown-minicpm3", "`kv_lora_rank` in a config of the family minicpm3 is not known here"),
        ("unknown-falcon-h1", "`mamba_d_ssm` in config.json is not known here"),
        ("unknown-rwkv", "config.json does not say how many attention heads there are"),
    ];
    for (name, why) in cases {
        assert_eq!(facts(name, 0).layers, Err(why.to_owned()), "{name}");
    }
}

#[test]
fn a_window_of_an_unknown_family_counts_as_none_and_says_so() {
    let text = r#"{"model_type": "newone", "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "sliding_window": 512}"#;
    let facts = fit::from_config(text, &fit::Files::default()).unwrap();
    assert!(matches!(facts.layers.as_ref().unwrap()[0].keeps, Keeps::All(_)));
    assert!(
        facts.notes[0]
            .starts_with("Which layers have the window of 512 tokens is not known for the family newone"),
        "{:?}",
        facts.notes
    );
}

#[test]
fn gpus_share_heads_until_each_has_one_and_layers_in_stages() {
    let model = facts("qwen3-30b-a3b", 0);
    let on = |tensor, pipeline| cache(&model, &Options { tensor, pipeline, ..Options::of(Server::Vllm) }).0;
    // 48 layers of 4 heads of 128.
    assert_eq!(on(2, 1), 48 * 2 * 128 * BOTH);
    assert_eq!(on(4, 1), 48 * 128 * BOTH);
    assert_eq!(on(8, 1), 48 * 128 * BOTH, "a head is on two GPUs");
    assert_eq!(on(1, 2), 24 * 4 * 128 * BOTH);
    assert_eq!(on(1, 5), 10 * 4 * 128 * BOTH, "48 in 5 stages: the largest has 10");
}

#[test]
fn a_smaller_type_makes_a_smaller_cache() {
    let model = facts("llama-3.1-8b", 0);
    let numbers = 32 * 8 * 128 * 2;
    let with = |k: Option<Element>, v: Option<Element>| {
        cache(&model, &Options { cache_k: k, cache_v: v, ..Options::of(Server::Vllm) }).0
    };
    assert_eq!(with(Element::of_vllm("fp8"), Element::of_vllm("fp8_e4m3")), numbers);
    assert_eq!(
        with(Element::of_vllm("nvfp4"), Element::of_vllm("nvfp4")),
        numbers * 9 / 16,
        "16 numbers: 8 bytes and a scale"
    );
    assert_eq!(Element::of_vllm("auto"), None);
    // 32 numbers: q8_0 has 34 bytes, q4_0 has 18; keys and values half of the numbers each.
    let halves = with(Element::of_ggml("q8_0"), Element::of_ggml("q4_0"));
    assert_eq!(halves, numbers / 2 * 34 / 32 + numbers / 2 * 18 / 32);
}

#[test]
fn hostile_configs_give_reasons_and_no_panic() {
    let huge = u64::MAX;
    for text in [
        "",
        "[]",
        "7",
        "{",
        "{}",
        r#"{"num_hidden_layers": -1}"#,
        &format!(r#"{{"num_hidden_layers": {huge}}}"#),
        r#"{"num_hidden_layers": 1e400}"#,
        r#"{"num_hidden_layers": 4000, "num_attention_heads": 1, "hidden_size": 1, "layer_types": []}"#,
        r#"{"num_hidden_layers": 5000, "num_attention_heads": 1, "hidden_size": 1}"#,
        r#"{"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 7}"#,
        r#"{"text_config": {"text_config": {"text_config": {}}}}"#,
        r#"{"num_hidden_layers": 2, "layer_types": ["full_attention", "\u001b[2J"], "num_attention_heads": 1, "hidden_size": 1}"#,
    ] {
        let told = fit::from_config(text, &fit::Files::default()).and_then(|facts| facts.layers.map(|_| ()));
        let why = match told {
            Err(why) => why,
            Ok(()) => {
                assert!(text.contains("4000"), "{text}");
                continue;
            }
        };
        assert!(!why.contains('\u{1b}') && why.len() < 200, "{why}");
    }
    let most = 1_u64 << 40;
    let text = format!(
        r#"{{"num_hidden_layers": 4096, "num_attention_heads": {most}, "head_dim": {most}, "vocab_size": {most}, "hidden_size": {most}}}"#
    );
    let facts = fit::from_config(&text, &fit::Files { bytes: Some(huge), ..Default::default() }).unwrap();
    assert_eq!(cache(&facts, &Options::of(Server::Vllm)), (huge, huge));
    let verdict = fit::judge(&facts, &[], &Options::of(Server::Vllm), &card(24));
    assert_eq!(verdict.outcome, fit::Outcome::TooLarge);
}
