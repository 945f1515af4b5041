//! What vLLM refuses ends the wait at once, with its last lines. All of it in one deploy: each
//! takes the time of vLLM's imports, and several at once take no longer than the cores need.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::process::Run;
use crate::vllm::serve;

/// Something wrong with a model, and how that must be told.
struct Wrong {
    name: &'static str,
    keys: Value,
    /// How it ended.
    ended: &'static str,
    /// Words of the lines that are shown.
    shown: &'static str,
}

/// Nanoseconds between the end of a container and its removal. Generous for a machine whose cores are
/// taken by imports, and less than a server gets that is asked to stop; the models' own
/// `ready_timeout` is an hour.
const AT_ONCE: u64 = 10_000_000_000;

fn all_wrong() -> Vec<Wrong> {
    let wrong = |name, keys, shown| Wrong { name, keys, ended: "it exited with code 1", shown };
    let model = |name: &str| json!({"model": format!("/models/{name}")});
    vec![
        Wrong {
            ended: "it exited with code 2",
            ..wrong(
                "bad-flag",
                json!({"args": ["--bogus-flag", "3"]}),
                "unrecognized arguments: --bogus-flag 3",
            )
        },
        wrong(
            "bad-tool-parser",
            json!({"enable_auto_tool_choice": true, "tool_call_parser": "hermess"}),
            "invalid tool call parser: hermess",
        ),
        wrong(
            "context-too-long",
            json!({"max_model_len": 131_072}),
            "User-specified max_model_len (131072) is greater than the derived max_model_len",
        ),
        wrong(
            "unsupported-architecture",
            model("unsupported-architecture"),
            "Model architectures ['FooForCausalLM'] are not supported",
        ),
        // Nothing that the lab's hosts ask a name server for is found. It asks for minutes; a download ahead would end
        // before it.
        wrong(
            "no-network",
            json!({"model": "acme/no-such-model", "prefetch": false}),
            "couldn't connect to 'https://huggingface.co'",
        ),
        Wrong {
            ended: "it ran out of memory and was killed",
            ..wrong("out-of-memory", json!({"mem_limit": "1g"}), "(EngineCore pid=")
        },
        wrong("no-directory", model("tiny-qwen"), "Repo id must be in the form"),
        wrong(
            "no-config",
            model("no-config"),
            "Invalid repository ID or local directory specified: '/models/no-config'",
        ),
        wrong("unknown-quantization", json!({"quantization": "awqq"}), "Unknown quantization method: awqq"),
        wrong(
            "two-parts",
            json!({"tensor_parallel_size": 3}),
            "must be divisible by tensor parallel size (3)",
        ),
        // What ended these is far above the last lines, which are the server's own and refer to it.
        wrong(
            "truncated-weights",
            model("truncated-weights"),
            "SafetensorError: Error while deserializing header",
        ),
        wrong(
            "kv-cache-too-small",
            json!({"max_model_len": 4_194_304, "hf_overrides": {"max_position_embeddings": 4_194_304}}),
            "one request with the model's max seq len (4194304)",
        ),
    ]
}

/// The clock of a host, in seconds.
fn now(host: &str) -> String {
    lab().ssh(host, "date +%s").trim().to_owned()
}

/// What happened to a project's containers on a host, as Docker saw it: time, event and name. Docker
/// keeps the last 256 events.
fn events(cluster: &Cluster, host: &str, since: &str) -> String {
    let format = "{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}";
    let project = format!("label=com.docker.compose.project={}", cluster.project);
    let ask = format!(
        "docker events --since {since} --until 0s --filter type=container --filter {project} --format '{format}'"
    );
    lab().ssh(host, &ask)
}

/// From a container's first end to its removal, by name.
fn reactions(events: &str) -> BTreeMap<String, u64> {
    let (mut died, mut took) = (BTreeMap::new(), BTreeMap::new());
    for line in events.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [time, event, name] = words[..] else { continue };
        let time: u64 = time.parse().unwrap();
        match event {
            "die" => {
                died.entry(name.to_owned()).or_insert(time);
            }
            "destroy" => {
                took.insert(name.to_owned(), time - died[name]);
            }
            _ => {}
        }
    }
    took
}

/// What homelab said of a model in the end: the error and the lines below it.
fn told<'a>(run: &'a Run, name: &str) -> (&'a str, Vec<&'a str>) {
    let mut lines = run.stderr.lines();
    let error = lines.find(|line| line.starts_with("error: ") && line.contains(&format!(": {name}: ")));
    let log = lines.skip(1).take_while(|line| line.starts_with("    | ")).collect();
    (error.unwrap_or_else(|| panic!("nothing of {name}")), log)
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn what_vllm_refuses_ends_the_wait_at_once_with_its_last_lines() {
    let mut cluster = Cluster::new("vllm-fails");
    let all = all_wrong();
    for (n, wrong) in (0_u16..).zip(&all) {
        // Two hosts, as a person would spread them.
        let host = if n % 2 == 0 { "lab1" } else { "lab2" };
        serve(&mut cluster, (host, n / 2), wrong.name, &wrong.keys);
    }
    let since = ["lab1", "lab2"].map(|host| (host, now(host)));
    let failed = cluster.run(&["deploy"]).exits(1);
    let mut took = BTreeMap::new();
    for (host, since) in since {
        took.extend(reactions(&events(&cluster, host, &since)));
    }
    for Wrong { name, ended, shown, .. } in &all {
        let (error, log) = told(&failed, name);
        // vLLM says that it gave up before it has taken itself down, which may take longer than is waited for.
        let endings = [ended, "it gave up, but its container still runs"];
        let ends = |ending: &&str| error.contains(&format!(": {name}: waiting until it answers: {ending}"));
        assert!(endings.iter().any(ends), "{error}");
        assert!(log.iter().any(|line| line.contains(shown)), "{name}: `{shown}` is not in {log:#?}");
        let took = took[&cluster.container(name)];
        assert!(took < AT_ONCE, "{name}: homelab heard of its end after {} ms", took / 1_000_000);
        eprintln!("{name}: seen after {} ms", took / 1_000_000);
    }
    let left = cluster.containers().into_keys().collect::<Vec<_>>();
    assert_eq!(left, ["lab3-litellm-1"], "nothing is left that restarts for ever");
}
