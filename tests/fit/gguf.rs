//! Headers of GGUF files, made by llama.cpp's own Python package (tests/data/fit/gguf/make.py), whole, cut and hostile.

use std::collections::BTreeMap;
use std::fs;

use homelab::fit::{self, Element, Header, Heads, Keeps, ModelFacts, Options, Read, Run, Server};
use serde_json::Value;

use super::{card, data};

fn bytes(name: &str) -> Vec<u8> {
    fs::read(data(&format!("gguf/{name}.gguf"))).unwrap()
}

fn header(name: &str) -> Header {
    match Header::read(&bytes(name)).unwrap() {
        Read::Whole(header) => header,
        Read::More => panic!("{name} is cut"),
    }
}

fn facts(name: &str) -> ModelFacts {
    fit::from_gguf(&header(name), None)
}

fn sizes() -> Value {
    serde_json::from_str(&fs::read_to_string(data("gguf/sizes.json")).unwrap()).unwrap()
}

#[test]
fn tensors_have_the_sizes_that_the_package_gave_them() {
    for (file, tensors) in sizes()["tensors"].as_object().unwrap() {
        let name = file.trim_end_matches(".gguf");
        let read: BTreeMap<String, u64> =
            header(name).tensors.into_iter().map(|(name, size)| (name, size.unwrap())).collect();
        let expected: BTreeMap<String, u64> = serde_json::from_value(tensors.clone()).unwrap();
        assert_eq!(read, expected, "{name}");
        assert_eq!(facts(name).weights.bytes, Some(expected.values().sum()), "{name}");
    }
}

/// A header with one tensor of 256 × 2 numbers of a type.
fn one_tensor(kind: u32) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend(1_u64.to_le_bytes());
    out.extend(b"t");
    out.extend(2_u32.to_le_bytes());
    out.extend(256_u64.to_le_bytes());
    out.extend(2_u64.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    out
}

#[test]
fn every_type_of_the_package_is_known_with_its_size() {
    let types = sizes()["types"].clone();
    assert!(types.as_object().unwrap().len() > 30);
    for (name, numbers) in types.as_object().unwrap() {
        let [kind, block, size] = [0, 1, 2].map(|i| numbers[i].as_u64().unwrap());
        let Ok(Read::Whole(header)) = Header::read(&one_tensor(u32::try_from(kind).unwrap())) else {
            panic!("{name}")
        };
        assert_eq!(header.tensors[0].1, Some(512 / block * size), "{name}");
        assert_eq!(header.types.keys().collect::<Vec<_>>(), [name]);
    }
    let Ok(Read::Whole(header)) = Header::read(&one_tensor(99)) else { panic!() };
    assert_eq!(header.tensors[0].1, None);
    assert_eq!(fit::from_gguf(&header, Some(77)).weights.bytes, Some(77), "then the file's size counts");
}

#[test]
fn a_header_tells_layers_shape_and_context() {
    let qwen = facts("qwen3");
    let heads = Heads { count: 2, key: 64, value: 64 };
    assert_eq!(qwen.layers, Ok(vec![Run { count: 4, keeps: Keeps::All(heads) }]));
    assert_eq!((qwen.architecture.as_str(), qwen.context), ("qwen3", Some(40960)));
    let shape = qwen.shape;
    assert_eq!((shape.hidden, shape.intermediate, shape.vocabulary, shape.tied), (256, 768, 1000, false));
    // Q4_K: 256 numbers have 144 bytes. Of each layer 256 × 256 + 256 × 768 numbers, and 256 of four bytes.
    assert_eq!(qwen.weights.blocks, [(256 * 256 + 256 * 768) / 256 * 144 + 256 * 4; 4]);
    // Q6_K: 210 bytes. The table of tokens stays in the system's memory.
    assert_eq!(qwen.weights.table, 1000 * 256 / 256 * 210);
    assert_eq!(qwen.weights.format, "Q4_K", "262,144 numbers a layer, and 512,000 of Q6_K");
    assert_eq!(facts("gemma3").weights.table, 0, "it serves for output, too, and is on the GPU");
    assert_eq!(facts("deepseek2").shape.intermediate, 1024, "6 experts of 128 are less");
}

/// Bytes of one more token, and of 32,768 in four slots.
fn cache(facts: &ModelFacts) -> (u64, u64) {
    let options = Options { slots: Some(4), ..Options::of(Server::LlamaCpp) };
    let cache = fit::cache(facts, &options, &card(24), 32_768).unwrap();
    (cache.per_token, cache.bytes)
}

#[test]
fn a_cache_follows_from_the_header() {
    const LONG: u64 = 32_768;
    // Keys and values of two bytes.
    assert_eq!(cache(&facts("qwen3")), (4 * 2 * 64 * 4, 4 * 2 * 64 * 4 * LONG));
    // 2 of 12 layers see all. The others: four windows of 512 and a batch of 512, 2560 tokens, a multiple of 256.
    assert_eq!(cache(&facts("gemma3")), (2 * 256 * 4, 256 * 4 * (2 * LONG + 10 * 2560)));
    // The list: three windows of 1024, so 4 × 1024 + 512 tokens. Heads of 128 / 2.
    assert_eq!(cache(&facts("windows")), (2 * 64 * 4, 2 * 64 * 4 * (LONG + 3 * 4608)));
    // One vector of 512 + 64 numbers, and no values.
    assert_eq!(cache(&facts("deepseek2")), (3 * 576 * 2, 3 * 576 * 2 * LONG));
    // 2 of 8 layers; each of four slots has 6 states in float32: 3 tokens of 4096 + 2 × 16 × 128 numbers, and 128 × 4096.
    assert_eq!(
        cache(&facts("qwen3next")),
        (2 * 2 * 256 * 4, 2 * 2 * 256 * 4 * LONG + 4 * 6 * 4 * (3 * 8192 + 128 * 4096))
    );
    // One attention, one Mamba (512 + 2 × 8 × 128 numbers wide), two without either.
    assert_eq!(
        cache(&facts("nemotron_h")),
        (2 * 128 * 4, 2 * 128 * 4 * LONG + 4 * 4 * (3 * 2560 + 128 * 512))
    );
    let why = facts("rwkv7").layers.unwrap_err();
    assert_eq!(why, "what `rwkv7.wkv.` keeps is not known here");
}

#[test]
fn a_cache_of_llama_cpp_has_ggmls_types() {
    let options = Options {
        cache_k: Element::of_ggml("q8_0"),
        cache_v: Element::of_ggml("q4_0"),
        ..Options::of(Server::LlamaCpp)
    };
    // 4 layers of 128 numbers: 34 bytes for 32 of a key, 18 of a value.
    let cache = fit::cache(&facts("qwen3"), &options, &card(24), 256).unwrap();
    assert_eq!(cache.per_token, 4 * (128 / 32 * 34 + 128 / 32 * 18));
}

#[test]
fn a_header_that_is_cut_anywhere_asks_for_more() {
    let all = bytes("qwen3");
    let end = (1..=all.len()).find(|end| matches!(Header::read(&all[..*end]), Ok(Read::Whole(_)))).unwrap();
    assert!(end > all.len() - 64, "but for the padding before the weights, {end} of {}", all.len());
    for cut in (4..end).step_by(7) {
        assert_eq!(Header::read(&all[..cut]), Ok(Read::More), "{cut}");
    }
}

/// `GGUF` 3 with so many tensors and keys, and what comes after.
fn made(tensors: u64, keys: u64, rest: &[u8]) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(tensors.to_le_bytes());
    out.extend(keys.to_le_bytes());
    out.extend(rest);
    out
}

#[test]
fn a_hostile_header_gives_a_reason_and_takes_no_memory() {
    let key = |kind: u32, value: &[u8]| {
        let mut out = 1_u64.to_le_bytes().to_vec();
        out.extend(b"k");
        out.extend(kind.to_le_bytes());
        out.extend(value);
        made(0, 1, &out)
    };
    let list = |kind: u32, many: u64| [&kind.to_le_bytes()[..], &many.to_le_bytes()[..]].concat();
    let cases = [
        (b"PK\x03\x04 and more".to_vec(), "it does not begin as a GGUF file does"),
        (b"GGUF\0\0\0\x03 and more".to_vec(), "version 50331648 of GGUF is not known here"),
        (made(u64::MAX, 0, &[]), "it claims 18446744073709551615 tensors and 0 keys"),
        (made(0, 5000, &[]), "it claims 0 tensors and 5000 keys"),
        (made(0, 1, &u64::MAX.to_le_bytes()), "it has a text of 18446744073709551615 bytes"),
        (key(8, &u64::MAX.to_le_bytes()), "it has a text of 18446744073709551615 bytes"),
        (key(77, &[]), "it has a value of the unknown type 77"),
        (key(9, &list(77, 10_000)), "it has a value of the unknown type 77"),
        (key(9, &list(10, u64::MAX)), "it has a list of 18446744073709551615 values"),
        (key(9, &list(9, 1)), "it has lists of lists"),
    ];
    for (bytes, why) in cases {
        assert_eq!(Header::read(&bytes), Err(why.to_owned()));
    }
    // Claims that the bytes do not hold: there may be more to come.
    assert_eq!(Header::read(&key(9, &list(8, u64::MAX))), Ok(Read::More));
    assert_eq!(Header::read(&key(9, &list(0, 1 << 50))), Ok(Read::More));
    let mut endless = made(0, 1, &[1, 0, 0, 0, 0, 0, 0, 0, b'k', 9, 0, 0, 0]);
    endless.extend(list(0, u64::MAX));
    endless.resize(fit::MOST_HEADER, 0);
    assert_eq!(Header::read(&endless), Err("its header does not end within 64 MiB".to_owned()));
}

#[test]
fn a_header_without_sense_leaves_the_cache_unknown() {
    let facts = fit::from_gguf(&Header::default(), Some(5));
    assert_eq!(facts.layers, Err("its header has no sensible `block_count`".to_owned()));
    let mut header = header("qwen3");
    for (key, number) in
        [("block_count", i64::MAX), ("attention.head_count_kv", -1), ("attention.key_length", i64::MAX)]
    {
        let mut header = header.clone();
        header.metadata.insert(format!("qwen3.{key}"), fit::GgufValue::Number(number));
        let facts = fit::from_gguf(&header, None);
        let told = fit::cache(&facts, &Options::of(Server::LlamaCpp), &card(24), 1);
        assert_eq!(told.is_err(), key == "block_count", "{key}: {told:?}");
    }
    header.metadata.clear();
    assert!(fit::from_gguf(&header, None).layers.is_err());
}
