//! Verdicts: budgets, what is left, and what would fit instead, with the sums beside them.

use homelab::fit::{self, Context, Extra, Gpu, Layers, ModelFacts, Options, Outcome, Run, Server, Verdict};

use super::{card, data, facts};

const GIB: u64 = 1 << 30;

/// The published bytes of the tensors of some models.
const QWEN3_4B: u64 = 8_044_936_192;
const QWEN3_30B: u64 = 61_064_245_248;

fn vllm(part: f64, tokens: u64) -> Options {
    Options { part, context: Context::Tokens(tokens), ..Options::of(Server::Vllm) }
}

fn bytes(verdict: &Verdict, what: &str) -> u64 {
    verdict
        .lines
        .iter()
        .find(|line| line.what == what)
        .and_then(|line| line.bytes)
        .unwrap_or_else(|| panic!("{what}: {verdict:#?}"))
}

#[test]
fn two_models_that_a_post_puts_on_a_card_of_24_gb_are_refused_with_the_right_reason() {
    // 0.25 of 24 GiB are 6 GiB; 4,022,468,096 numbers of two bytes are 7.49 GiB.
    let small = fit::judge(&facts("qwen3-4b", QWEN3_4B), &[], &vllm(0.25, 8192), &card(24));
    assert_eq!(small.outcome, Outcome::TooLarge);
    assert_eq!(small.sentence, "the weights alone take 7.49 GiB, and there are 6.00 GiB");
    assert_eq!(bytes(&small, "weights"), QWEN3_4B);
    assert!(
        small.instead[0]
            .starts_with("With gpu_memory_utilization 0.92, alone on the GPU, it fits with 8,192 tokens."),
        "{small:#?}"
    );
    // Tables: 151,936 × 2560 numbers of two bytes; the rest of 4.156 bits: 2.48 GiB, but 1.5 GiB of overhead and a cache of
    // 147,456 × 8192 bytes beside it.
    assert!(
        small.instead[1].starts_with(
            "A version with 4-bit weights (AWQ or GPTQ, about 2.48 GiB) fits with 8,192 tokens."
        ),
        "{small:#?}"
    );

    // 0.60 are 14.4 GiB; 30,532,122,624 numbers are 56.87.
    let large = fit::judge(&facts("qwen3-30b-a3b", QWEN3_30B), &[], &vllm(0.60, 65_536), &card(24));
    assert_eq!(large.outcome, Outcome::TooLarge);
    assert_eq!(large.sentence, "the weights alone take 56.87 GiB, and there are 14.40 GiB");
    // As GPTQ it has 16.8 GB: 15.65 GiB, still more.
    let packed =
        fit::judge(&facts("qwen3-30b-a3b-gptq-int4", 16_800_000_000), &[], &vllm(0.60, 65_536), &card(24));
    assert_eq!(
        (packed.outcome, packed.sentence.as_str()),
        (Outcome::TooLarge, "the weights alone take 15.65 GiB, and there are 14.40 GiB")
    );
}

#[test]
fn what_is_left_is_the_budget_without_weights_and_overhead() {
    let verdict =
        fit::judge(&facts("qwen3-30b-a3b-gptq-int4", 16_800_000_000), &[], &vllm(0.92, 40_960), &card(24));
    // CUDA sees 2 % less than 24 GiB; vLLM gets 0.92 of that.
    let seen = 24 * GIB - 24 * GIB / 50;
    let budget = seen * 92 / 100;
    assert_eq!(bytes(&verdict, "budget"), budget);
    // 1 GiB for CUDA and graphs; 2048 tokens × (3 × 6144, which 8 experts of 768 are too, + 4 × 2048) numbers of two
    // bytes; scores of 256 requests × 151,936 tokens, ten bytes each.
    let overhead = GIB + 2048 * (3 * 6144 + 4 * 2048) * 2 + 256 * 151_936 * 10;
    assert_eq!(bytes(&verdict, "overhead"), overhead);
    let room = budget - 16_800_000_000 - overhead;
    assert_eq!(bytes(&verdict, "left for the cache"), room);
    // 48 layers × 4 heads × 128 × 2 × 2 bytes.
    assert_eq!(bytes(&verdict, "cache"), 98_304 * 40_960);
    assert_eq!(verdict.longest, Some((room / 98_304 / 16 * 16).min(40_960)));
    assert_eq!(verdict.takes, budget);
}

#[test]
fn a_request_that_is_too_long_is_told_how_long_it_may_be() {
    let model = facts("qwen3-14b-awq", 9_980_000_000);
    let verdict = fit::judge(&model, &[], &vllm(0.92, 40_960), &card(16));
    assert_eq!(verdict.outcome, Outcome::Short);
    let longest = bytes(&verdict, "left for the cache") / 163_840 / 16 * 16;
    assert_eq!(verdict.longest, Some(longest));
    assert_eq!(verdict.instead[0], format!("max_model_len: {longest} fits."));
    let fits = fit::judge(&model, &[], &vllm(0.92, longest), &card(16));
    assert_eq!(fits.outcome, Outcome::Tight, "nothing is to spare");
    assert_eq!(fit::judge(&model, &[], &vllm(0.92, longest + 16), &card(16)).outcome, Outcome::Short);
    assert_eq!(fit::judge(&model, &[], &vllm(0.92, 8192), &card(24)).outcome, Outcome::Fits);
}

#[test]
fn weights_are_spread_and_everything_beside_them_is_counted() {
    let model = facts("llama-3.3-70b", 141_107_412_992);
    let two = Options { tensor: 4, ..vllm(0.92, 8192) };
    let verdict = fit::judge(&model, &[], &two, &card(48));
    assert_eq!(bytes(&verdict, "weights"), 141_107_412_992 / 4);
    assert_eq!(bytes(&verdict, "cache"), 80 * 2 * 128 * 2 * 2 * 8192, "2 of 8 heads on each");
    let extra = |bytes| [Extra { what: "the draft model x".to_owned(), bytes }];
    let with = fit::judge(&model, &extra(Some(10 * GIB)), &two, &card(48));
    assert_eq!(bytes(&with, "besides"), 10 * GIB);
    let unknown = fit::judge(&model, &extra(None), &two, &card(48));
    assert_eq!(unknown.notes, ["The size of the draft model x is not known."]);
}

#[test]
fn what_an_engine_makes_of_weights_while_it_loads_counts() {
    let loaded = |name: &str, stored, options: Options| {
        bytes(&fit::judge(&facts(name, stored), &[], &options, &card(80)), "weights")
    };
    let numbers = QWEN3_4B / 2;
    // The table of 151,936 × 2560 numbers stays as it is.
    let table = 151_936 * 2560;
    let fp8 = Options { quantization: Some("fp8".to_owned()), ..vllm(0.92, 4096) };
    assert_eq!(loaded("qwen3-4b", QWEN3_4B, fp8), (numbers - table) * 8010 / 8000 + table * 2);
    let four = Options { quantization: Some("bitsandbytes".to_owned()), ..vllm(0.92, 4096) };
    assert_eq!(loaded("qwen3-4b", QWEN3_4B, four), (numbers - table) * 4127 / 8000 + table * 2);
    let float = Options { dtype: Some("float32".to_owned()), ..vllm(0.92, 4096) };
    assert_eq!(loaded("qwen3-4b", QWEN3_4B, float), numbers * 4);
    // Gemma 2's files have float32 in its config: vLLM makes halves of it.
    assert_eq!(loaded("gemma-2-9b", 36_000_000_000, vllm(0.92, 4096)), 18_000_000_000);
    let odd = Options { quantization: Some("newone".to_owned()), ..vllm(0.92, 4096) };
    assert_eq!(fit::judge(&facts("qwen3-4b", QWEN3_4B), &[], &odd, &card(80)).outcome, Outcome::Unknown);
}

#[test]
fn a_model_nobody_knows_gets_no_number() {
    let verdict = fit::judge(&facts("unknown-mamba", 5_000_000_000), &[], &vllm(0.92, 4096), &card(24));
    assert_eq!((verdict.outcome, verdict.longest), (Outcome::Unknown, None));
    assert_eq!(
        verdict.sentence,
        "whether it fits is unknown: the cache of its requests is. `state_size` in config.json is not known here"
    );
    // That the weights alone are too large is certain all the same.
    assert_eq!(
        fit::judge(&facts("unknown-mamba", 30 * GIB), &[], &vllm(0.92, 4096), &card(24)).outcome,
        Outcome::TooLarge
    );
    assert_eq!(
        fit::judge(&facts("qwen3-4b", 0), &[], &vllm(0.92, 4096), &card(24)).outcome,
        Outcome::Unknown
    );
}

#[test]
fn others_on_the_gpu_and_shared_memory_are_taken_off() {
    let model = facts("qwen3-4b-awq", 2_670_000_000);
    let busy = Gpu { taken: 12 * GIB, ..card(24) };
    let crowded = fit::judge(&model, &[], &vllm(0.60, 4096), &busy);
    assert_eq!(
        (crowded.outcome, crowded.sentence.as_str()),
        (Outcome::Crowded, "vLLM asks for 14.11 GiB when it starts, and other models leave 11.52 GiB")
    );
    assert_eq!(fit::judge(&model, &[], &vllm(0.40, 4096), &busy).outcome, Outcome::Fits);
    // llama.cpp and a GPU that shares 120 GiB: a sixth stays, and it leaves 1 GiB free.
    let shared = Gpu { bytes: 120 * GIB, shared: true, taken: 0 };
    let verdict = fit::judge(&model, &[], &Options::of(Server::LlamaCpp), &shared);
    assert_eq!(bytes(&verdict, "budget"), 99 * GIB);
}

/// A file of 10 layers of 1 GiB, and 2 GiB besides, 1 of them the table of tokens.
fn ten_layers() -> ModelFacts {
    let mut model = facts("llama-3.1-8b", 12 * GIB);
    let Ok(runs) = &model.layers else { panic!() };
    model.layers = Ok(vec![Run { count: 10, ..runs[0].clone() }]);
    model.weights.blocks = vec![GIB; 10];
    model.weights.table = GIB;
    model
}

#[test]
fn llama_cpp_puts_as_many_layers_on_the_gpu_as_fit() {
    let model = ten_layers();
    let options = |layers, tokens| Options {
        layers,
        context: Context::Tokens(tokens),
        ..Options::of(Server::LlamaCpp)
    };
    let all = fit::judge(&model, &[], &options(Layers::Fitting, 8192), &card(24));
    assert_eq!(
        (all.outcome, bytes(&all, "weights")),
        (Outcome::Fits, 11 * GIB),
        "the table stays with the system"
    );
    // Of 8 GiB 7.84 are seen, less 1 GiB; overhead: 400 MiB, 512 × (3 × 14336 + 4 × 4096) × 4 and 512 × 128256 × 4 bytes are
    // 0.75 GiB. 1 GiB of weights that are no layer, then 1 GiB and 8192 × 4096 bytes a layer: 4.
    let some = fit::judge(&model, &[], &options(Layers::Fitting, 8192), &card(8));
    assert_eq!(some.outcome, Outcome::Spills);
    assert!(
        some.sentence.starts_with("with 8,192 tokens about 4 of 10 layers fit on the GPU"),
        "{}",
        some.sentence
    );
    // Typed: all of them are more than there is, five and the output are not.
    let typed = fit::judge(&model, &[], &options(Layers::All, 8192), &card(8));
    assert_eq!(
        (typed.outcome, typed.sentence.as_str()),
        (Outcome::TooLarge, "the weights alone take 11.00 GiB, and there are 8.00 GiB")
    );
    let five = fit::judge(&model, &[], &options(Layers::Some(6), 8192), &card(8));
    assert_eq!((bytes(&five, "weights"), bytes(&five, "cache")), (6 * GIB, 5 * 4096 * 8192));
    let off = Options { cache_on_gpu: false, ..options(Layers::Some(6), 8192) };
    assert_eq!(bytes(&fit::judge(&model, &[], &off, &card(8)), "cache"), 0);
    // Two cards are one pool.
    let two = Options { pipeline: 2, ..options(Layers::Fitting, 8192) };
    assert_eq!(bytes(&fit::judge(&model, &[], &two, &card(8)), "budget"), 2 * (8 * GIB - 8 * GIB / 50 - GIB));
}

#[test]
fn of_a_repository_only_the_files_that_load_count() {
    let files =
        |names: &[(&str, u64)]| names.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
    let names = |all: &[(&str, u64)], index: Option<&str>| {
        let files = files(all);
        fit::that_load(&files, index).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let both = [
        ("consolidated.safetensors", 9),
        ("model-1.safetensors", 5),
        ("model-2.safetensors", 4),
        ("original/x.safetensors", 7),
        ("pytorch_model.bin", 9),
    ];
    assert_eq!(names(&both, None), ["model-1.safetensors", "model-2.safetensors"]);
    assert_eq!(
        names(&both, Some(r#"{"weight_map": {"a": "model-2.safetensors", "b": "model-2.safetensors"}}"#)),
        ["model-2.safetensors"]
    );
    assert_eq!(names(&both, Some("no JSON")), ["model-1.safetensors", "model-2.safetensors"]);
    assert_eq!(names(&both[..1], None), ["consolidated.safetensors"]);
    assert_eq!(names(&both[4..], None), ["pytorch_model.bin"]);
    assert!(data("configs").is_dir());
}

#[test]
fn numbers_by_type_are_bytes_by_type() {
    let text = std::fs::read_to_string(data("configs/qwen3-4b.json")).unwrap();
    let numbers =
        [("BF16".to_owned(), 100), ("F32".to_owned(), 10), ("F8_E4M3".to_owned(), 7), ("I64".to_owned(), 1)]
            .into();
    let facts = fit::from_config(&text, &fit::Files { bytes: Some(1), numbers }).unwrap();
    assert_eq!(facts.weights.bytes, Some(100 * 2 + 10 * 4 + 7 + 8));
    let odd = [("F4".to_owned(), 100)].into();
    let facts = fit::from_config(&text, &fit::Files { bytes: Some(5), numbers: odd }).unwrap();
    assert_eq!(facts.weights.bytes, Some(5), "with a type nobody knows the files count");
}
