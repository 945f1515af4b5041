//! Servers that are not one of homelab's own engines, and several models behind one server.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::lab;

/// A server that somebody else started by hand, under a name that homelab would not give.
struct Stranger {
    name: String,
    port: u16,
}

impl Stranger {
    fn start(port: u16) -> Self {
        let (image, models, model) =
            (lab().fact("LAB_IMAGE_LLAMA"), lab().fact("LAB_MODELS_DIR"), lab().fact("LAB_MODEL"));
        let name = format!("promise-stranger-{}", std::process::id());
        lab().ssh(
            "lab2",
            &format!(
                "docker run -d --name {name} -p {port}:8080 -v {models}:/models:ro {image} \
                 --model {model} --alias theirs --host 0.0.0.0 --port 8080 --ctx-size 512 --parallel 1 --threads 1"
            ),
        );
        Self { name, port }
    }

    fn url(&self) -> String {
        format!("http://{}:{}/v1", lab().address("lab2"), self.port)
    }

    /// Its id, when it was started, and how often it was restarted.
    fn seen(&self) -> String {
        let format = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{.State.Status}}";
        lab().ssh("lab2", &format!("docker inspect --format '{format}' {}", self.name))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        lab().try_ssh("lab2", &format!("docker rm -f {}", self.name));
    }
}

fn row(cluster: &Cluster, code: i32, model: &str) -> Value {
    let said = cluster.run(&["status", "--json"]).exits(code);
    let status: Value = serde_json::from_str(&said.stdout).unwrap();
    let rows = status["services"].as_array().unwrap();
    rows.iter().find(|row| row["model"] == model).unwrap_or_else(|| panic!("no {model}: {rows:?}")).clone()
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn what_somebody_else_runs_is_routed_to_and_never_touched_and_any_other_server_runs_by_its_image() {
    let mut cluster = Cluster::new("elsewhere");
    let stranger = Stranger::start(cluster.port(5));
    let before = stranger.seen();
    let catalogue = json!({
        "box": {"engine": "external", "api_base": stranger.url(), "models": {"one": "theirs", "two": "theirs"}},
        "paid": {"engine": "external", "litellm_provider": "anthropic", "model": "claude-x", "api_key": {"env": "PAID"}},
    });
    cluster.env("PAID", "sk-none");
    cluster.vars["models"] = catalogue;
    cluster.host("lab1");
    let model = |alias: &str| {
        json!([
            "--model",
            lab().fact("LAB_MODEL"),
            "--alias",
            alias,
            "--host",
            "0.0.0.0",
            "--port",
            "7000",
            "--ctx-size",
            "512",
            "--parallel",
            "1",
            "--threads",
            "1"
        ])
    };
    cluster.hosts["lab1"]["homelab_models"]["any"] = json!({
        "engine": "openai",
        "image": lab().fact("LAB_IMAGE_LLAMA"),
        "command": model("its-own-name"),
        "container_port": 7000,
        "health": "/v1/health",
        "api_key_variable": "LLAMA_API_KEY",
        "model": "its-own-name",
        "port": cluster.port(1),
        "gpu": "none",
        "volumes": [format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"))],
    });
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"any": ["one"]});
    cluster.deploy();
    for name in ["one", "two", "any"] {
        cluster.answers(name);
    }
    // The server of the project asks for the key that homelab made.
    let direct = crate::web::chat(&cluster.backend("lab1", 1), "sk-wrong", "its-own-name");
    assert_eq!(direct.status, 401, "{direct:?}");
    assert_eq!(cluster.containers().into_keys().collect::<Vec<_>>(), ["lab1-any-1", "lab3-litellm-1"]);
    assert_eq!(row(&cluster, 0, "box")["condition"]["is"], "in_sync");
    assert_eq!(row(&cluster, 0, "paid")["condition"]["is"], "not_asked");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);

    // It is gone: the status says so, and no deploy has anything to do with it.
    lab().ssh("lab2", &format!("docker stop -t 0 {}", stranger.name));
    assert_eq!(row(&cluster, 1, "box")["condition"]["is"], "unhealthy");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    lab().ssh("lab2", &format!("docker start {}", stranger.name));
    let again = stranger.seen();
    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(stranger.seen(), again);
    assert_eq!(before.split(' ').next(), again.split(' ').next());
}

#[test]
fn models_behind_one_server_are_loaded_on_demand_and_no_wait_or_look_loads_one() {
    let mut cluster = Cluster::new("several");
    cluster.host("lab1");
    cluster.hosts["lab1"]["servers"]["chat"] = json!({
        "engine": "llama_cpp",
        "image": lab().fact("LAB_IMAGE_LLAMA"),
        "port": cluster.port(1),
        "gpu": "none",
        "models_max": 1,
        "ctx_size": 512,
        "parallel": 1,
        "threads": 1,
        "volumes": [format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"))],
    });
    let model = |load: &str| json!({"server": "chat", "model": lab().fact("LAB_MODEL"), "load": load});
    cluster.hosts["lab1"]["models"] = json!({"first": model("startup"), "org/second:4b": model("on_demand")});
    cluster.deploy();
    let loaded = |cluster: &Cluster| -> Vec<String> {
        let row = row(cluster, 0, "chat");
        let all = row["models"].as_array().unwrap().iter().filter(|model| model["loaded"] == true);
        all.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    };
    // The one that is loaded at the start has answered; whatever was asked of the gateway loaded no other.
    assert_eq!(loaded(&cluster), ["first"]);
    let loads = |cluster: &Cluster| {
        let log = lab().ssh("lab1", &format!("docker logs {} 2>&1", cluster.container("chat")));
        log.lines().filter(|line| line.contains("spawning server instance with name=")).count()
    };
    assert_eq!(loads(&cluster), 1);
    cluster.answers("org/second:4b");
    assert_eq!(loaded(&cluster), ["org/second:4b"]);
    cluster.run(&["status"]).exits(0).says("first, org/second:4b (loaded)");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!((loaded(&cluster), loads(&cluster)), (vec!["org/second:4b".to_owned()], 2));
    cluster.answers("first");
    assert_eq!(loaded(&cluster), ["first"]);

    // One that cannot be loaded when the server starts: the old server is back, and the key is that model's.
    let good = cluster.hosts.clone();
    cluster.hosts["lab1"]["models"]["first"]["model"] = json!("/models/no-such-file.gguf");
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = "first could not be loaded, with exit code 1: there is no file /models/no-such-file.gguf in its container";
    assert!(failed.first_error().ends_with(error), "{}", failed.first_error());
    let line = std::fs::read_to_string(cluster.path("inventory.yml")).unwrap();
    let line = 1 + line.lines().position(|line| line.ends_with("no-such-file.gguf")).unwrap();
    failed
        .says(&format!("correct `model` (inventory.yml:{line}:"))
        .says("chat on lab1 is back on its previous version");
    cluster.answers("first");
    cluster.hosts = good;
    cluster.deploy();
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(cluster.containers().into_keys().collect::<Vec<_>>(), ["lab1-chat-1", "lab3-litellm-1"]);
}
