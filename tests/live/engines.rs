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
