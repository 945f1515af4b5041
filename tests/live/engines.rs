//! Servers that are not one of homelab's own engines, and several models behind one server.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::hub::{COMMIT, Cache, GEMMA, Hub};
use crate::lab::lab;
use crate::others::{Stranger, any_server, server_of_several};

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
    any_server(&mut cluster, ("lab1", 1), "any");
    let own = cluster.hosts["lab1"].as_object_mut().unwrap().remove("models").unwrap();
    cluster.hosts["lab1"]["homelab_models"] = own;
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
    let (hub, cache) = (Hub::of_gemma(), Cache::on_lab1("several"));
    let mut cluster = Cluster::new("several");
    cluster.env("HF_HUB_OFFLINE", "0");
    cluster.host("lab1");
    server_of_several(&mut cluster, ("lab1", 1), "chat");
    let server = &mut cluster.hosts["lab1"]["servers"]["chat"];
    server["environment"] = json!({"HF_ENDPOINT": hub.endpoint, "HF_HOME": "/hf"});
    server["volumes"].as_array_mut().unwrap().push(json!(format!("{}:/hf", cache.0)));
    let model = |model: &str, load: &str| json!({"server": "chat", "model": model, "load": load});
    let file = lab().fact("LAB_MODEL");
    cluster.hosts["lab1"]["models"] = json!({"first": model(file, "startup"), "org/second:4b": model(GEMMA, "on_demand"),
            "torn": model("/models/torn.gguf", "on_demand")});
    cluster.run(&["plan"]).exits(0).says(&format!("+ fetch {GEMMA}"));
    cluster.deploy();
    // What is loaded on demand, too, was there and pinned before the server started, which asks for nothing more.
    let locked = std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    assert!(locked.contains(&format!("    {GEMMA}: {COMMIT}\n")), "{locked}");
    let asked = hub.asked().len();
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
    assert_eq!(hub.asked()[asked..], [""; 0]);
    cluster.run(&["status"]).exits(0).says("first, org/second:4b (loaded), torn");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!((loaded(&cluster), loads(&cluster)), (vec!["org/second:4b".to_owned()], 2));
    cluster.answers("first");
    assert_eq!(loaded(&cluster), ["first"]);

    // One that could not be loaded when somebody asked for it is told of.
    assert_eq!(cluster.ask("torn").status, 500);
    cluster.run(&["status"]).exits(0).says("torn (could not be loaded, with exit code 1)");

    // One that cannot be loaded when the server starts: the old server is back, and the key is that model's.
    let models = cluster.hosts["lab1"]["models"].as_object_mut().unwrap();
    models.remove("torn");
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
