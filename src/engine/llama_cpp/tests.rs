//! Whole command lines, as they reach Docker.
//! What single options become is tested in `command_line`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Gpus;
use super::super::testing::{World, sorted_and_plain};
use super::*;

fn world() -> World {
    World { model: Some("Qwen/Qwen3-4B-GGUF:Q4_K_M"), ..World::new("qwen3-4b") }
}

fn drafted(world: &World) -> Draft {
    world.with(|serve| {
        assert_eq!(LlamaCpp.check(serve), Ok(()));
        LlamaCpp.draft(serve)
    })
}

fn refused(world: &World) -> (&'static str, String) {
    world.with(|serve| LlamaCpp.check(serve)).unwrap_err()
}

fn options(pairs: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(pairs).unwrap()
}

#[test]
fn the_table_is_sorted_and_plain() {
    sorted_and_plain(&LlamaCpp);
    assert_eq!(options::OPTIONS.len(), 260);
}

#[test]
fn a_repository_of_hugging_face() {
    let draft = drafted(&World {
        options: options(json!({
            "ctx_size": 32768, "n_gpu_layers": "all", "parallel": 4, "flash_attn": "on",
            "cache_type_k": "q8_0", "metrics": true, "warmup": false, "props": false,
        })),
        args: vec!["-lv".to_owned(), "4".to_owned()],
        ..world()
    });
    assert_eq!(draft.entrypoint, ["/app/llama-server"]);
    assert_eq!(
        draft.command.join(" "),
        "--hf-repo Qwen/Qwen3-4B-GGUF:Q4_K_M --alias qwen3-4b --host 0.0.0.0 --port 8080 \
         --cache-type-k q8_0 --ctx-size 32768 --flash-attn on --metrics --n-gpu-layers all --parallel 4 \
         --no-warmup -lv 4"
    );
    assert_eq!(
        draft.volumes,
        ["~/.cache/huggingface:/root/.cache/huggingface", "~/.cache/llama.cpp:/root/.cache/llama.cpp"]
    );
    assert_eq!(draft.api_key_variable.as_deref(), Some("LLAMA_API_KEY"));
    assert!(!draft.ipc_host && draft.environment.is_empty());
}

#[test]
fn files_and_urls_go_by_their_own_flags() {
    let cases = [
        ("/models/gemma-3-270m.gguf", "--model"),
        ("./a", "--model"),
        ("sub/a.GGUF", "--model"),
        ("https://example.com/a.gguf?download=true", "--model-url"),
        ("ggml-org/gemma-3-270m-GGUF", "--hf-repo"),
    ];
    for (model, flag) in cases {
        let draft = drafted(&World { model: Some(model), gpus: Gpus::None, ..world() });
        assert_eq!(draft.command[..2], [flag, model]);
        assert_eq!(draft.command.len(), 8);
    }
}

#[test]
fn vectors_and_scores_are_asked_for_once() {
    for (kind, flag, typed) in
        [(Kind::Embedding, "--embeddings", "embedding"), (Kind::Rerank, "--reranking", "reranking")]
    {
        assert_eq!(drafted(&World { kind, ..world() }).command[8..], [flag]);
        let draft = drafted(&World { kind, options: options(json!({ typed: true })), ..world() });
        assert_eq!(draft.command[8..], [format!("--{typed}")]);
    }
}

#[test]
fn hostile_values_stay_whole_and_take_no_equals_sign() {
    let draft = drafted(&World {
        options: options(json!({
            "chat_template": "--host \"a\"\n'b'",
            "chat_template_kwargs": {"enable_thinking": false},
            "lora": ["/a.gguf", "/b.gguf"],
            "reverse_prompt": ["User:", "-"],
            "seed": -1,
            "control_vector_layer_range": [1, 2],
        })),
        ..world()
    });
    assert_eq!(
        draft.command[8..],
        [
            "--chat-template",
            "--host \"a\"\n'b'",
            "--chat-template-kwargs",
            "{\"enable_thinking\":false}",
            "--control-vector-layer-range",
            "1",
            "2",
            "--lora",
            "/a.gguf,/b.gguf",
            "--reverse-prompt",
            "User:",
            "--reverse-prompt",
            "-",
            "--seed",
            "-1",
        ]
    );
}

#[test]
fn what_cannot_work_is_said_with_its_key() {
    assert_eq!(refused(&World { model: None, ..world() }).0, "model");
    for model in ["gemma", "a/b/c", "~/a.gguf", "~/models/a", "a/", "-a/b", "a/b:"] {
        assert_eq!(refused(&World { model: Some(model), ..world() }).0, "model", "{model}");
    }
    let cases = [
        (Kind::Chat, "embedding", true),
        (Kind::Embedding, "reranking", true),
        (Kind::Rerank, "rerank", false),
        (Kind::Embedding, "embeddings", false),
    ];
    for (kind, key, value) in cases {
        assert_eq!(refused(&World { kind, options: options(json!({ key: value })), ..world() }).0, key);
    }
}

#[test]
fn a_slot_has_its_part_of_the_context_unless_each_may_have_all() {
    let context = |options: Value, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        World { options: self::options(options), args, ..world() }.with(|serve| LlamaCpp.context(serve))
    };
    assert_eq!(context(json!({"ctx_size": 8192, "parallel": 4}), &[]), Some(2048));
    assert_eq!(context(json!({"ctx_size": 8192, "parallel": 4, "kv_unified": true}), &[]), Some(8192));
    assert_eq!(context(json!({"ctx_size": 8192}), &[]), Some(8192));
    assert_eq!(context(json!({"ctx_size": 0}), &[]), None);
    assert_eq!(context(json!({"ctx_size": 8192, "kv_unified_per_slot": 1024}), &[]), None);
    assert_eq!(context(json!({"ctx_size": 8192}), &["-np", "2"]), None);
}

fn fetched(world: &World) -> Option<(String, String)> {
    let fetch = world.with(|serve| LlamaCpp.fetches(serve)).pop()?;
    assert!(fetch.runs_server && fetch.offline.is_none());
    Some((fetch.what.join(", "), fetch.command.join(" | ")))
}

#[test]
fn the_server_itself_downloads_and_is_told_only_what() {
    let given = json!({
        "ctx_size": 32768, "hf_file": "b.gguf", "spec_draft_hf": "a/draft:Q8_0", "no_mmproj": true, "device": "CUDA0",
    });
    let (what, command) = fetched(&World { options: options(given), ..world() }).unwrap();
    assert_eq!(what, "Qwen/Qwen3-4B-GGUF:Q4_K_M, a/draft:Q8_0");
    assert_eq!(
        command,
        "Qwen/Qwen3-4B-GGUF a/draft | --hf-repo | Qwen/Qwen3-4B-GGUF:Q4_K_M | --hf-file | b.gguf | --spec-draft-hf | \
         a/draft:Q8_0 | --no-mmproj | --host | 127.0.0.1 | --port | 8080 | --ctx-size | 512 | --parallel | 1 | \
         --gpu-layers | 0 | --no-warmup"
    );
}

#[test]
fn what_is_pinned_is_put_into_its_cache_and_it_is_offline_then() {
    let (model, draft) = ("a".repeat(40), "b".repeat(40));
    let world = |pins: &[(&str, &String)]| World {
        options: options(json!({"spec_draft_hf": "a/draft:Q8_0"})),
        revisions: pins.iter().map(|(name, commit)| ((*name).to_owned(), (*commit).clone())).collect(),
        ..self::world()
    };
    let pins = [("Qwen/Qwen3-4B-GGUF", &model), ("a/draft", &draft)];
    let fetch = world(&pins).with(|serve| LlamaCpp.fetches(serve)).pop().unwrap();
    assert_eq!(fetch.command[0], format!("Qwen/Qwen3-4B-GGUF:Q4_K_M@{model} a/draft:Q8_0@{draft}"));
    assert_eq!(fetch.offline, Some("LLAMA_ARG_OFFLINE"));
    // It is offline for all of them or for none.
    let fetch = world(&pins[..1]).with(|serve| LlamaCpp.fetches(serve)).pop().unwrap();
    assert_eq!((fetch.command[0].as_str(), fetch.offline), ("Qwen/Qwen3-4B-GGUF a/draft", None));
    let open = world(&pins[..1]).with(|serve| LlamaCpp.repositories(serve));
    assert!(open.len() == 2 && open.iter().all(|one| one.commit.is_none()));
    // Nor where it needs something of a URL, too.
    let mut seeing = world(&pins);
    seeing.options.insert("mmproj_url".to_owned(), json!("https://example.org/mmproj.gguf"));
    assert_eq!(seeing.with(|serve| LlamaCpp.repositories(serve)), []);
    assert_eq!(seeing.with(|serve| LlamaCpp.fetches(serve)).pop().unwrap().offline, None);
}

#[test]
fn what_only_the_server_can_find_is_left_to_it() {
    for model in ["/models/a.gguf", "https://example.org/a.gguf"] {
        assert_eq!(fetched(&World { model: Some(model), ..world() }), None, "{model}");
    }
    assert_eq!(fetched(&World { options: options(json!({"offline": true})), ..world() }), None);
    let hostile = World { options: options(json!({"spec_draft_hf": "a/$(id)"})), ..world() };
    assert_eq!(fetched(&hostile), None);
}

#[test]
fn tools_are_called_unless_templates_are_off() {
    let of = |options: Value, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        World { options: self::options(options), args, ..world() }
            .with(|serve| (LlamaCpp.calls_tools(serve), LlamaCpp.longest_answer(serve)))
    };
    assert_eq!(of(json!({}), &[]), (Some(true), None));
    assert_eq!(of(json!({"jinja": false}), &[]).0, Some(false));
    assert_eq!(of(json!({}), &["--no-jinja"]).0, None);
    assert_eq!(of(json!({"n_predict": 9}), &[]).1, Some(9));
    assert_eq!(of(json!({"predict": -1}), &[]).1, None);
}

#[test]
fn what_it_is_answering_is_counted_by_its_slots() {
    let count = LlamaCpp.occupied().unwrap().count;
    assert_eq!(
        count(br#"[{"id":0,"is_processing":true},{"id":1,"is_processing":false,"n_ctx":512}]"#),
        Some(1)
    );
    assert_eq!(count(b"[]"), Some(0));
    // A router tells of none, and neither does one that was told not to.
    assert_eq!(count(br#"{"error":{"code":400,"message":"model name is missing from the request"}}"#), None);
    assert_eq!(count(b"not found"), None);
}
