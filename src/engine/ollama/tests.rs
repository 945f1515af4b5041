//! Whole services as they come from options.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::testing::{World, sorted_and_plain};
use super::super::{Engine as _, Kind, Load, Native, Serve, Several};
use super::{Ollama, REQUESTS, SCRIPT};

fn world(model: &'static str, options: Value) -> World {
    let options: BTreeMap<String, Value> = serde_json::from_value(options).unwrap();
    World { options, model: Some(model), ..World::new("qwen3-14b") }
}

#[test]
fn the_tables_are_sorted_and_plain() {
    sorted_and_plain(&Ollama);
}

#[test]
fn a_service_gives_each_model_its_name_and_parameters_and_loads_what_it_should() {
    let chat = world("qwen3:14b", json!({"num_ctx": 32768, "stop": ["\"a\"", "é"], "keep_alive": "2h"}));
    let vectors = World { kind: Kind::Embedding, name: "Vec/tors", ..world("nomic-embed-text", json!({})) };
    let server = World {
        options: [
            ("OLLAMA_NUM_PARALLEL".to_owned(), json!(2)),
            ("OLLAMA_FLASH_ATTENTION".to_owned(), json!("true")),
        ]
        .into(),
        ..World::new("ollama")
    };
    chat.with(|chat| {
        vectors.with(|vectors| {
            server.with(|server| {
                let members = vec![
                    Serve { member: true, load: Load::Startup, ..chat.clone() },
                    Serve { member: true, load: Load::OnDemand, ..vectors.clone() },
                ];
                assert_eq!(Ollama.slots(server), Some(2));
                let server = Serve { several: Some(Several { models_max: 9, members }), ..server.clone() };
                let draft = Ollama.draft(&server);
                assert_eq!(
                    draft.entrypoint,
                    ["bash", "/etc/homelab/serve.sh", "/etc/homelab/models.txt", "ollama", "serve"]
                );
                assert_eq!((draft.port, draft.health.as_str()), (11434, "/v1/models"));
                assert_eq!(
                    draft.environment.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
                    "OLLAMA_FLASH_ATTENTION=true OLLAMA_HOST=0.0.0.0:11434 OLLAMA_NUM_PARALLEL=2"
                );
                assert_eq!(
                    draft.files[REQUESTS],
                    concat!(
                        r#"create /api/create {"from":"qwen3:14b","model":"homelab/qwen3-14b:latest","parameters":{"num_ctx":32768,"stop":["\"a\"","é"]},"stream":false}"#,
                        "\n",
                        r#"create /api/create {"from":"nomic-embed-text","model":"homelab/vec-tors:latest","stream":false}"#,
                        "\n",
                        r#"load /api/generate {"keep_alive":"2h","model":"homelab/qwen3-14b:latest","stream":false}"#,
                        "\n"
                    )
                );
                let fetch = Ollama.fetches(&server).pop().unwrap();
                assert_eq!(fetch.what, ["nomic-embed-text", "qwen3:14b"]);
                assert_eq!(
                    fetch.command.join(" "),
                    "nomic-embed-text registry.ollama.ai/library/nomic-embed-text/latest qwen3:14b registry.ollama.ai/library/qwen3/14b"
                );
                assert_eq!(fetch.cache(&draft.environment), "/root/.ollama/models");
            });
        });
    });
}

#[test]
fn a_host_s_own_listens_where_it_is_told_and_keeps_its_models_where_it_always_does() {
    let program = ["/opt/ollama/bin/ollama".to_owned()];
    for (host, listens) in [("0.0.0.0", "0.0.0.0:11500"), ("fd00::5", "[fd00::5]:11500")] {
        let draft = world("qwen3:14b", json!({})).with(|serve| {
            let native = Some(Native { program: &program, host, port: 11500 });
            Ollama.draft(&Serve { native, ..serve.clone() })
        });
        assert_eq!(
            draft.entrypoint,
            ["/bin/bash", SCRIPT, REQUESTS, "/opt/ollama/bin/ollama", "serve"].map(str::to_owned)
        );
        assert_eq!((draft.port, draft.environment["OLLAMA_HOST"].as_str()), (11500, listens));
        assert!(draft.volumes.is_empty());
    }
}

#[test]
fn what_is_loaded_at_the_start_stays_unless_somebody_says_otherwise() {
    for (options, load, kept) in [
        (json!({}), Load::Startup, json!(-1)),
        (json!({"keep_alive": "3600"}), Load::Startup, json!(3600)),
        (json!({"keep_alive": "1h30m"}), Load::Startup, json!("1h30m")),
        (json!({}), Load::OnDemand, Value::Null),
    ] {
        let found = world("qwen3", options).with(|serve| {
            let serve = Serve { load, ..serve.clone() };
            assert_eq!(Ollama.check(&serve), Ok(()));
            Ollama.loading(&serve).unwrap()
        });
        assert_eq!((found.path, &found.json["keep_alive"]), ("/api/generate", &kept));
    }
}

#[test]
fn the_context_is_the_models_own_or_its_servers() {
    for (options, context) in [
        (json!({"num_ctx": 8192, "OLLAMA_CONTEXT_LENGTH": 4096}), Some(8192)),
        (json!({"OLLAMA_CONTEXT_LENGTH": 4096}), Some(4096)),
        (json!({}), None),
    ] {
        assert_eq!(world("qwen3", options).with(|serve| Ollama.context(serve)), context);
    }
}

#[test]
fn what_cannot_work_is_said_with_its_key() {
    let cases = [
        (World::new("a"), "model"),
        (world("/models/a.gguf", json!({})), "model"),
        (World { kind: Kind::Rerank, ..world("bge", json!({})) }, "kind"),
        (world("a", json!({"num_ctx": 0})), "num_ctx"),
        (world("a", json!({"keep_alive": "for ever"})), "keep_alive"),
        (World { args: vec!["--x".to_owned()], ..world("a", json!({})) }, "args"),
    ];
    for (world, key) in cases {
        assert_eq!(world.with(|serve| Ollama.check(serve)).unwrap_err().0, key);
    }
    let on_demand = world("a", json!({"keep_alive": "1h"}));
    on_demand.with(|serve| {
        let serve = Serve { load: Load::OnDemand, ..serve.clone() };
        assert_eq!(Ollama.check(&serve).unwrap_err().0, "keep_alive");
    });
}
