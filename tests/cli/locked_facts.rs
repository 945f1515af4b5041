//! What `homelab.lock` knows of models judges them where no hub, no host and no cache tells anything.

use std::collections::BTreeMap;

use homelab::fit::{Files, from_config};
use homelab::lock::{Lock, LockedModel, Pins};

use crate::program::Test;

/// What a lock keeps of a model of tests/data/fit, with weights of so many bytes.
fn model(config: &str, bytes: u64) -> LockedModel {
    let path = format!("{}/tests/data/fit/configs/{config}.json", env!("CARGO_MANIFEST_DIR"));
    let files = Files { bytes: Some(bytes), ..Files::default() };
    let facts = from_config(&std::fs::read_to_string(path).unwrap(), &files).unwrap();
    LockedModel { commit: "a".repeat(40), gguf: false, besides: vec![], facts }
}

fn lock(models: &[(&str, &str, u64)]) -> String {
    let mut lock = Lock::new(BTreeMap::new(), Pins::default());
    lock.models =
        models.iter().map(|(name, config, bytes)| ((*name).to_owned(), model(config, *bytes))).collect();
    lock.text().unwrap()
}

/// How it ends and what it says of that.
fn refused(test: &Test) -> (Option<i32>, String) {
    let ended = test.command().output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

/// Two models on one card of 24 GB, as a well-known set-up has them, with names that there are.
fn inventory(large: &str, small: &str, gpus: &str) -> String {
    format!(
        "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      gpus: {gpus}
      models:
        qwen3-4b: {{engine: vllm, model: {small}, port: 8000, gpu: 0, gpu_memory_utilization: 0.25, max_model_len: 8192}}
        qwen3-30b: {{engine: vllm, model: {large}, port: 8001, gpu: 0, gpu_memory_utilization: 0.6, max_model_len: 65536}}
      gateway: {{engine: litellm}}
"
    )
}

const BOTH: [(&str, &str, u64); 2] =
    [("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b", 61_064_245_248), ("Qwen/Qwen3-4B", "qwen3-4b", 8_044_936_192)];

#[test]
fn what_cannot_fit_is_refused_without_a_host_or_a_hub() {
    let inventory = inventory("Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-4B", "24GB");
    let (code, said) = refused(&Test::plan(&inventory).file("homelab.lock", &lock(&BOTH)));
    assert_eq!(code, Some(65));
    for (at, sentence) in [
        (7, "`qwen3-4b` on box: the weights alone take 7.49 GiB, and there are 6.00 GiB"),
        (8, "`qwen3-30b` on box: the weights alone take 56.87 GiB, and there are 14.40 GiB"),
    ] {
        let text = inventory.lines().nth(at - 1).unwrap();
        let column = text.find("Qwen/").unwrap() + 1;
        let sums = said.lines().find(|line| line.starts_with(&format!("error: {sentence} (weights ")));
        let sums = sums.unwrap_or_else(|| panic!("{said}"));
        assert!(said.contains(&format!("{sums}\n --> inventory.yml:{at}:{column}\n")), "{said}");
    }
    assert!(said.contains("AWQ or GPTQ"), "{said}");
}

#[test]
fn what_nobody_knows_is_not_judged() {
    let of = |gpus: &str, lock: &str| {
        let inventory = inventory("Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-4B", gpus);
        refused(&Test::plan(&inventory).file("homelab.lock", lock)).1
    };
    assert_eq!(of("null", &lock(&BOTH)), "");
    assert_eq!(of("24GB", "version: 3\nhosts: {}\n"), "");
    // Of another commit than the pinned one nothing is known.
    let pinned = lock(&BOTH).replace(
        "models:",
        &format!(
            "pins:\n  revisions:\n    Qwen/Qwen3-30B-A3B: {0}\n    Qwen/Qwen3-4B: {0}\nmodels:",
            "b".repeat(40)
        ),
    );
    assert_eq!(of("24GB", &pinned), "");
    assert!(of("24GB", &pinned.replace(&"b".repeat(40), &"a".repeat(40))).starts_with("error: "));
}

#[test]
fn what_does_fit_is_planned_and_a_card_of_another_size_decides_otherwise() {
    let quantised = [
        ("Qwen/Qwen3-30B-A3B-GPTQ-Int4", "qwen3-30b-a3b-gptq-int4", 16_800_000_000),
        ("Qwen/Qwen3-4B-AWQ", "qwen3-4b-awq", 2_670_000_000),
    ];
    let inventory =
        inventory("Qwen/Qwen3-30B-A3B-GPTQ-Int4", "Qwen/Qwen3-4B-AWQ", "[{name: RTX 6000, memory: 48GB}]");
    let inventory = inventory.replace("max_model_len: 65536", "max_model_len: 32768");
    let _ = Test::plan(&inventory).file("homelab.lock", &lock(&quantised)).run();
    let smaller = inventory.replace("48GB", "24GB");
    let (code, said) = refused(&Test::plan(&smaller).file("homelab.lock", &lock(&quantised)));
    let sentence = "error: `qwen3-30b` on box: the weights alone take 15.65 GiB, and there are 14.40 GiB";
    assert!(code == Some(65) && said.starts_with(sentence), "{said}");
}

#[test]
fn fit_needs_no_hub_for_what_the_lock_knows() {
    let inventory = inventory("Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-4B", "24GB");
    let test = Test::new().file("inventory.yml", &inventory).file("homelab.lock", &lock(&BOTH));
    let ran = test
        .env("HF_ENDPOINT", "http://127.0.0.1:1")
        .args(["fit", "qwen3-4b", "--gpu", "24GB"])
        .code(1)
        .run();
    assert!(ran.stdout.contains("from: homelab.lock"), "{}", ran.stdout);
}

/// Two models on a card of 24 GB behind one server, which keeps so many of them.
fn several(at_once: u64) -> String {
    format!(
        "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      gpus: 24GB
      servers:
        chat: {{engine: llama_cpp, port: 8080, gpu: 0, models_max: {at_once}, ctx_size: 8192}}
      models:
        large: {{server: chat, model: Qwen/Large-GGUF}}
        small: {{server: chat, model: Qwen/Small-GGUF}}
      gateway: {{engine: litellm}}
"
    )
}

#[test]
fn of_models_behind_one_server_as_many_count_as_it_keeps() {
    let known = [
        ("Qwen/Large-GGUF", "qwen3-30b-a3b", 18_000_000_000),
        ("Qwen/Small-GGUF", "qwen3-4b", 8_044_936_192),
    ];
    let of = |at_once: u64, asked: &[&str], code: i32| {
        let inventory = several(at_once);
        let test = Test::new().file("inventory.yml", &inventory).file("homelab.lock", &lock(&known));
        let args: Vec<&str> = ["fit"].iter().chain(asked).copied().chain(["--gpu", "24GB"]).collect();
        test.env("HF_ENDPOINT", "http://127.0.0.1:1").args(args).code(code).run().stdout
    };
    let told = |said: &str| -> Vec<String> {
        said.lines()
            .filter(|line| line.contains(" on box"))
            .map(|line| line.split(" on").next().unwrap().to_owned())
            .collect()
    };
    let (alone, both) = (["✓ fits: large", "✓ fits: small"], ["! spills: large", "! spills: small"]);
    assert_eq!(told(&of(1, &[], 0)), alone);
    assert_eq!(told(&of(2, &[], 0)), both);
    assert!(of(2, &[], 0).contains("without 9.37 GiB of other models"));
    // The server's name asks about all of them, a model's about it beside the others.
    assert_eq!(told(&of(2, &["chat"], 0)), both);
    assert_eq!(told(&of(2, &["small"], 0)), both[1..]);
}
