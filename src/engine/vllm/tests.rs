//! Whole command lines, as they reach Docker.
//! What single options become is tested in `command_line`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Gpus;
use super::super::testing::{World, sorted_and_plain};
use super::*;

fn world() -> World {
    World { image: "vllm/vllm-openai:v0.33.0", model: Some("Qwen/Qwen3-4B-AWQ"), ..World::new("qwen3-4b") }
}

fn drafted(world: &World) -> Draft {
    world.with(|serve| {
        assert_eq!(Vllm.check(serve), Ok(()));
        Vllm.draft(serve)
    })
}

fn refused(world: &World) -> (&'static str, String) {
    world.with(|serve| Vllm.check(serve)).unwrap_err()
}

fn options(pairs: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(pairs).unwrap()
}

#[test]
fn the_table_is_sorted_and_plain() {
    sorted_and_plain(&Vllm);
    assert_eq!(options::OPTIONS.len(), 304);
}

#[test]
fn a_small_model_on_a_share_of_a_gpu() {
    let draft = drafted(&World {
        options: options(json!({
            "max_model_len": 8192, "gpu_memory_utilization": 0.25, "max_num_batched_tokens": 4096,
            "max_num_seqs": 64, "tool_call_parser": "hermes", "enable_auto_tool_choice": true,
        })),
        args: vec!["--enable-chunked-prefill".to_owned()],
        ..world()
    });
    assert_eq!(draft.entrypoint, ["vllm", "serve"]);
    assert_eq!(
        draft.command.join(" "),
        "Qwen/Qwen3-4B-AWQ --served-model-name qwen3-4b --host 0.0.0.0 --port 8000 \
         --enable-auto-tool-choice --gpu-memory-utilization 0.25 --max-model-len 8192 \
         --max-num-batched-tokens 4096 --max-num-seqs 64 --tool-call-parser hermes --enable-chunked-prefill"
    );
    assert_eq!(
        draft.volumes,
        ["~/.cache/huggingface:/root/.cache/huggingface", "~/.cache/vllm:/root/.cache/vllm"]
    );
    assert_eq!(draft.environment["VLLM_NO_USAGE_STATS"], "1");
    assert_eq!(draft.api_key_variable.as_deref(), Some("VLLM_API_KEY"));
    assert!(draft.ipc_host);
}

#[test]
fn a_large_model_in_nvidias_image() {
    let draft = drafted(&World {
        name: "qwen3-30b",
        model: Some("Qwen/Qwen3-30B-A3B-GPTQ-Int4"),
        image: "nvcr.io/nvidia/vllm:26.01-py3",
        gpus: Gpus::Some([0, 1].into()),
        options: options(json!({
            "max_model_len": 32768, "gpu_memory_utilization": 0.6, "max_num_batched_tokens": 8192,
            "max_num_seqs": 32, "tool_call_parser": "hermes", "enable_chunked_prefill": true,
        })),
        ..world()
    });
    assert_eq!(draft.entrypoint, ["/opt/nvidia/nvidia_entrypoint.sh", "vllm", "serve"]);
    assert_eq!(
        draft.command.join(" "),
        "Qwen/Qwen3-30B-A3B-GPTQ-Int4 --served-model-name qwen3-30b --host 0.0.0.0 --port 8000 \
         --enable-auto-tool-choice --enable-chunked-prefill --gpu-memory-utilization 0.6 \
         --max-model-len 32768 --max-num-batched-tokens 8192 --max-num-seqs 32 \
         --tensor-parallel-size 2 --tool-call-parser hermes"
    );
}

#[test]
fn only_nvidias_image_is_entered_through_its_script() {
    let cases = [
        ("nvcr.io/nvidia/vllm:26.01-py3", true),
        ("nvcr.io/nvidia/vllm@sha256:0123", true),
        ("registry.lan:5000/nvidia/vllm", true),
        ("registry.lan:5000/vllm/vllm-openai:v0.33.0", false),
        ("vllm/vllm-openai", false),
        ("example/notnvidia/vllm-nvidia/vllm2:1", false),
    ];
    for (image, expected) in cases {
        assert_eq!(is_nvidia(image), expected, "{image}");
    }
}

#[test]
fn what_was_typed_wins_over_what_follows() {
    let typed = |pairs: Value, args: &[&str]| {
        let args = args.iter().map(|&a| a.to_owned()).collect();
        let gpus = Gpus::Some([2, 3].into());
        drafted(&World { options: options(pairs), args, gpus, ..world() }).command[7..].join(" ")
    };
    assert_eq!(typed(json!({}), &[]), "--tensor-parallel-size 2");
    assert_eq!(typed(json!({"pipeline_parallel_size": 2}), &[]), "--pipeline-parallel-size 2");
    assert_eq!(typed(json!({}), &["-tp", "1"]), "-tp 1");
    assert_eq!(
        typed(json!({"enable_auto_tool_choice": false, "tool_call_parser": "hermes"}), &["-tp=1"]),
        "--no-enable-auto-tool-choice --tool-call-parser hermes -tp=1"
    );
    assert_eq!(
        typed(json!({"tool_call_parser": "hermes"}), &["-tp=1", "--no-enable-auto-tool-choice"]),
        "--tool-call-parser hermes -tp=1 --no-enable-auto-tool-choice"
    );
}

#[test]
fn a_model_that_gives_vectors_or_scores_pools() {
    for kind in [Kind::Embedding, Kind::Rerank] {
        assert_eq!(drafted(&World { kind, ..world() }).command[7..], ["--runner", "pooling"]);
        let convert = options(json!({"convert": "classify"}));
        let draft = drafted(&World { kind, options: convert, ..world() });
        assert_eq!(draft.command[7..], ["--convert", "classify"]);
    }
}

#[test]
fn maps_are_json_and_hostile_values_stay_whole() {
    let draft = drafted(&World {
        options: options(json!({
            "default_chat_template_kwargs": {"enable_thinking": false},
            "chat_template": "{% if 'a' %} \"b\"\n{% endif %}",
            "max_model_len": -1,
            "reasoning_parser_plugin": "--port=1",
            "hf_overrides": "{\"a\": 1}",
        })),
        ..world()
    });
    assert_eq!(
        draft.command[7..],
        [
            "--chat-template",
            "{% if 'a' %} \"b\"\n{% endif %}",
            "--default-chat-template-kwargs",
            "{\"enable_thinking\":false}",
            "--hf-overrides",
            "{\"a\": 1}",
            "--max-model-len=-1",
            "--reasoning-parser-plugin=--port=1",
        ]
    );
}

#[test]
fn what_cannot_work_is_said_with_its_key() {
    assert_eq!(refused(&World { model: None, ..world() }).0, "model");
    assert_eq!(refused(&World { model: Some("--help"), ..world() }).0, "model");
    for model in ["/models/q.GGUF", "Qwen/Qwen3-4B-GGUF:Q4_K_M"] {
        assert!(refused(&World { model: Some(model), ..world() }).1.contains("llama_cpp"), "{model}");
        let plugin = options(json!({"load_format": "gguf"}));
        drafted(&World { model: Some(model), options: plugin, ..world() });
    }
    drafted(&World { model: Some("s3://bucket/model"), ..world() });
    assert_eq!(refused(&World { gpus: Gpus::None, ..world() }).0, "image");
    drafted(&World { gpus: Gpus::None, image: "vllm/vllm-openai-cpu:v0.33.0", ..world() });

    let cases = [
        ("gpu_memory_utilization", json!({"gpu_memory_utilization": 1.1})),
        ("gpu_memory_utilization", json!({"gpu_memory_utilization": 0})),
        ("enable_auto_tool_choice", json!({"enable_auto_tool_choice": true})),
        ("enable_log_outputs", json!({"enable_log_outputs": true})),
        (
            "enable_per_request_metrics",
            json!({"enable_per_request_metrics": true, "disable_log_stats": true}),
        ),
        ("tensor_parallel_size", json!({"tensor_parallel_size": 4})),
        ("runner", json!({"runner": "pooling"})),
        ("ignore_patterns", json!({"ignore_patterns": ["a", "-b"]})),
    ];
    for (key, pairs) in cases {
        let gpus = Gpus::Some([0, 1].into());
        assert_eq!(refused(&World { options: options(pairs), gpus, ..world() }).0, key);
    }
    let generate = options(json!({"runner": "generate"}));
    assert_eq!(refused(&World { kind: Kind::Embedding, options: generate, ..world() }).0, "runner");
}

#[test]
fn a_context_is_written_with_units_too() {
    let context = |options: Value| {
        World { options: self::options(options), ..world() }.with(|serve| Vllm.context(serve))
    };
    for (typed, tokens) in [
        (json!(8192), Some(8192)),
        (json!("32k"), Some(32_000)),
        (json!("32K"), Some(32_768)),
        (json!("25.6k"), Some(25_600)),
        (json!("1M"), Some(1 << 20)),
        (json!("auto"), None),
        (json!(-1), None),
        (json!("1kk"), None),
    ] {
        assert_eq!(context(json!({"max_model_len": typed})), tokens, "{typed}");
    }
}

#[test]
fn a_share_is_of_the_gpus_that_surely_are_used() {
    let share = |gpus: Gpus, options: Value| {
        let world = World { options: self::options(options), gpus, ..world() };
        world.with(|serve| Vllm.share(serve)).map(|share| (share.part, share.gpus))
    };
    assert_eq!(share(Gpus::All, json!({})), Some((0.92, [0].into())));
    assert_eq!(
        share(Gpus::All, json!({"tensor_parallel_size": 2, "pipeline_parallel_size": 2})).unwrap().1,
        [0, 1, 2, 3].into()
    );
    assert_eq!(
        share(Gpus::Some([3].into()), json!({"gpu_memory_utilization": 0.5})),
        Some((0.5, [3].into()))
    );
    assert_eq!(share(Gpus::None, json!({})), None);
    assert_eq!(share(Gpus::All, json!({"kv_cache_memory_bytes": "4G"})), None);
}

fn fetched(world: &World) -> Option<(Vec<String>, Value, bool)> {
    let fetch = world.with(|serve| Vllm.fetches(serve)).pop()?;
    assert_eq!((fetch.runs_server, fetch.own_cache), (false, None));
    let [asked] = &fetch.command[..] else { panic!("{:?}", fetch.command) };
    Some((fetch.what, serde_json::from_str(asked).unwrap(), fetch.offline == Some("HF_HUB_OFFLINE")))
}

#[test]
fn what_is_downloaded_is_named_with_all_that_belongs_to_it() {
    let (what, asked, offline) = fetched(&world()).unwrap();
    assert_eq!((what, offline), (vec!["Qwen/Qwen3-4B-AWQ".to_owned()], true));
    let whole = json!({"id": "Qwen/Qwen3-4B-AWQ", "revision": null, "weights": true,
        "load_format": "auto", "ignore": ["original/**/*"]});
    assert_eq!(asked, json!([whole]));
    let (what, asked, offline) = fetched(&World {
        options: options(json!({
            "revision": "v1", "tokenizer": "a/tokens", "speculative_config": {"model": "a/draft", "method": "eagle"},
            "ignore_patterns": "*.pt",
        })),
        ..world()
    })
    .unwrap();
    assert_eq!((what.join(" "), offline), ("Qwen/Qwen3-4B-AWQ@v1 a/draft a/tokens".to_owned(), true));
    assert_eq!([&asked[1]["weights"], &asked[2]["weights"]], [&json!(true), &json!(false)]);
    assert_eq!(asked[0]["ignore"], json!(["*.pt"]));
}

#[test]
fn what_is_pinned_is_fetched_and_loaded_at_that_commit() {
    let [model, draft, tokens] = ["a", "b", "c"].map(|digit| digit.repeat(40));
    let pins: Vec<(&str, &String)> =
        vec![("Qwen/Qwen3-4B-AWQ@v1", &model), ("a/draft", &draft), ("a/tokens", &tokens)];
    let world = |pins: &[(&str, &String)]| World {
        options: options(json!({
            "revision": "v1", "tokenizer": "a/tokens", "speculative_config": {"model": "a/draft", "method": "eagle"},
        })),
        revisions: pins.iter().map(|(name, commit)| ((*name).to_owned(), (*commit).clone())).collect(),
        ..self::world()
    };
    let (what, asked, _) = fetched(&world(&pins)).unwrap();
    assert_eq!(what.join(" "), "Qwen/Qwen3-4B-AWQ@v1 a/draft a/tokens");
    let names = |key: &str| asked.as_array().unwrap().iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(names("revision"), [json!(model), json!(draft), json!(tokens)]);
    assert_eq!(names("ref"), [json!("v1"), json!("main"), json!("main")]);
    let command = |world: &World| world.with(|serve| Vllm.draft(serve)).command.join(" ");
    let all = command(&world(&pins));
    assert!(all.contains(&format!("--revision {model} ")), "{all}");
    assert!(all.contains(&format!("--tokenizer-revision {tokens}")), "{all}");
    assert!(all.contains(&format!(r#""revision":"{draft}""#)), "{all}");
    // The commit of one repository means nothing to another.
    let some = command(&world(&pins[..1]));
    assert!(some.contains("--tokenizer-revision main") && !some.contains(&draft), "{some}");
    assert!(command(&world(&[])).contains("--revision v1 "), "{}", command(&world(&[])));
    // Without a pin all is as it was: what was downloaded before counts.
    assert_eq!(fetched(&world(&[])).unwrap().1[0].get("ref"), None);
}

#[test]
fn what_args_say_by_hand_or_names_a_commit_is_not_pinned() {
    let pins: BTreeMap<String, String> = [("Qwen/Qwen3-4B-AWQ".to_owned(), "a".repeat(40))].into();
    let open = |options: Value, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let world = World { options: self::options(options), args, revisions: pins.clone(), ..world() };
        world.with(|serve| {
            (Vllm.repositories(serve).len(), Vllm.draft(serve).command.join(" ").contains(&"a".repeat(40)))
        })
    };
    assert_eq!(open(json!({}), &[]), (1, true));
    assert_eq!(open(json!({}), &["--revision=v1"]), (0, false));
    assert_eq!(open(json!({"revision": "0123456789abcdef0123456789abcdef01234567"}), &[]), (0, false));
    assert_eq!(open(json!({"hf_config_path": "a/config"}), &[]), (0, false));
    assert_eq!(open(json!({"download_dir": "/d"}), &[]), (1, true));
}

#[test]
fn what_may_need_more_is_fetched_and_not_kept_offline() {
    for option in ["trust_remote_code", "default_mm_loras"] {
        let model = World { options: options(json!({option: true})), ..world() };
        assert!(!fetched(&model).unwrap().2, "{option}");
    }
    let untrusted = World { options: options(json!({"trust_remote_code": false})), ..world() };
    assert!(fetched(&untrusted).unwrap().2);
}

#[test]
fn what_only_vllm_can_find_is_left_to_it() {
    for model in ["/models/qwen", "s3://bucket/qwen", "./qwen"] {
        assert_eq!(fetched(&World { model: Some(model), ..world() }), None, "{model}");
    }
    for given in [json!({"download_dir": "/d"}), json!({"load_format": "runai_streamer"})] {
        assert_eq!(fetched(&World { options: options(given.clone()), ..world() }), None, "{given}");
    }
    assert_eq!(fetched(&World { args: vec!["--revision=v1".to_owned()], ..world() }), None);
}

#[test]
fn tools_are_called_where_somebody_said_how() {
    let of = |options: Value, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        World { options: self::options(options), args, ..world() }
            .with(|serve| (Vllm.calls_tools(serve), Vllm.longest_answer(serve)))
    };
    assert_eq!(of(json!({}), &[]), (Some(false), None));
    assert_eq!(of(json!({"tool_call_parser": "hermes"}), &[]).0, Some(true));
    assert_eq!(of(json!({}), &["--tool-call-parser=hermes"]).0, Some(true));
    assert_eq!(
        of(json!({"tool_call_parser": "hermes", "enable_auto_tool_choice": false}), &[]).0,
        Some(false)
    );
    assert_eq!(of(json!({}), &["--enable-auto-tool-choice"]).0, None);
    assert_eq!(of(json!({"override_generation_config": {"max_new_tokens": 9}}), &[]).1, Some(9));
}

#[test]
fn what_it_is_answering_is_counted_with_what_waits_over_all_its_engines() {
    let count = Vllm.occupied().unwrap().count;
    let metrics = b"# TYPE vllm:num_requests_running gauge\n\
        vllm:num_requests_running{engine=\"0\",model_name=\"a b\"} 2.0\n\
        vllm:num_requests_running{engine=\"1\",model_name=\"a b\"} 1.0\n\
        vllm:num_requests_waiting{engine=\"0\",model_name=\"a b\"} 4.0\n\
        vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"capacity\"} 4.0\n";
    assert_eq!(count(metrics), Some(7));
    assert_eq!(count(b"vllm:num_requests_running 0.0\nvllm:num_requests_waiting 0.0\n"), Some(0));
    assert_eq!(count(b"vllm:num_requests_running NaN of what\n"), None);
    assert_eq!(count(b"other_metric 3\n"), None);
}
