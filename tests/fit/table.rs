//! The table of docs/hardware.md, from the configs in tests/data/fit and the published sizes of the weights
//! (`UPDATE_GOLDEN=1` writes it).

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use homelab::fit::{self, Context, Options, Outcome, Server};

use super::{card, facts};

/// A repository, its config here, the bytes of its weights, and the context that is asked for.
const MODELS: [(&str, &str, u64); 11] = [
    ("Qwen/Qwen3-4B", "qwen3-4b", 8_044_936_192),
    ("Qwen/Qwen3-4B-AWQ", "qwen3-4b-awq", 2_670_000_000),
    ("Qwen/Qwen3-8B", "qwen3-8b", 16_381_470_720),
    ("Qwen/Qwen3-14B", "qwen3-14b", 29_536_614_400),
    ("Qwen/Qwen3-14B-AWQ", "qwen3-14b-awq", 9_980_000_000),
    ("Qwen/Qwen3-32B", "qwen3-32b", 65_524_246_528),
    ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b", 61_064_245_248),
    ("Qwen/Qwen3-30B-A3B-GPTQ-Int4", "qwen3-30b-a3b-gptq-int4", 16_800_000_000),
    ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", 16_060_522_496),
    ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b", 141_107_412_992),
    ("openai/gpt-oss-20b", "gpt-oss-20b", 13_800_000_000),
];

const CARDS: [u64; 6] = [8, 12, 16, 24, 32, 48];

fn cell(model: &fit::ModelFacts, gib: u64) -> String {
    let options = Options { context: Context::Memory, ..Options::of(Server::Vllm) };
    let verdict = fit::judge(model, &[], &options, &card(gib));
    match (verdict.outcome, verdict.longest) {
        (Outcome::TooLarge, _) => "no".to_owned(),
        (_, Some(most)) => fit::tokens(most),
        _ => "weights only".to_owned(),
    }
}

fn table() -> String {
    let mut out = "| model | weights | 8 GB | 12 GB | 16 GB | 24 GB | 32 GB | 48 GB |\n| --- | --: | --: | --: | --: | --: | --: | --: |\n".to_owned();
    for (repository, config, bytes) in MODELS {
        let model = facts(config, bytes);
        let cells: Vec<String> = CARDS.iter().map(|gib| cell(&model, *gib)).collect();
        writeln!(out, "| {repository} | {} | {} |", fit::gib(bytes), cells.join(" | ")).unwrap();
    }
    out
}

#[test]
fn the_table_of_hardware_is_what_fit_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hardware.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- what fits -->\n").unwrap();
    let (there, after) = rest.split_once("<!-- end -->").unwrap();
    let table = table();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}<!-- what fits -->\n{table}<!-- end -->{after}")).unwrap();
        return;
    }
    assert_eq!(there, table, "UPDATE_GOLDEN=1 writes it");
}
