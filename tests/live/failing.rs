//! A new version that does not come up gives its place back to the old one.

use serde_json::json;

use crate::lab::lab;
use crate::running::Running;

#[test]
fn a_model_that_dies_while_loading_gives_way_to_the_old_one() {
    let mut cluster = Running::borrow("dies");
    let first = cluster.containers();
    let good = cluster.hosts["lab1"]["models"]["alpha"].clone();
    for last_words in ["no-such-file.gguf", "unknown model architecture: 'qwen99'"] {
        cluster.hosts["lab1"]["models"]["alpha"] = good.clone();
        match last_words {
            "no-such-file.gguf" => {
                cluster.hosts["lab1"]["models"]["alpha"]["model"] = json!("/models/no-such-file.gguf");
            }
            // The gateway must not be led to where nobody answers.
            _ => {
                cluster.broken("lab1", "alpha");
                cluster.hosts["lab1"]["models"]["alpha"]["port"] = json!(cluster.port(3));
            }
        }
        let failed = cluster.run(&["deploy", "--yes"]).exits(1);
        let error = failed.first_error();
        assert!(error.starts_with("error: lab1: alpha: waiting until it answers: it exited"), "{error}");
        let log: Vec<&str> = failed.stderr.lines().filter(|line| line.starts_with("    | ")).collect();
        assert!(log.iter().any(|line| line.contains(last_words)), "{log:?}");
        let failed = failed.says("alpha on lab1 is back on its previous version and answers.");
        assert!(!failed.stderr.contains("litellm: starting it"), "{}", failed.stderr);

        let after = cluster.containers();
        assert_eq!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
        assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
        assert_eq!(after.len(), 3, "{after:?}");
        cluster.answers("alpha");
        cluster.run(&["plan", "--detailed-exitcode"]).exits(2).says("replace alpha: ");
        cluster.run(&["status"]).exits(1).says("differs: ");
    }
    // The way out that the last line names.
    cluster.hosts["lab1"]["models"]["alpha"] = good;
    cluster.deploy();
    assert_eq!(cluster.containers()["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    cluster.run(&["status"]).exits(0);
}

#[test]
fn a_model_that_never_came_up_leaves_nothing_that_restarts_for_ever() {
    let mut cluster = Running::borrow("never");
    lab().ssh("lab1", &format!("docker rm -f {}", cluster.container("alpha")));
    cluster.broken("lab1", "alpha");
    let failed = cluster.run(&["deploy"]).exits(1);
    assert!(failed.first_error().starts_with("error: lab1: alpha: waiting until it answers: it exited"));
    // The others are there all the same.
    cluster.answers("beta");
    assert_eq!(cluster.containers().keys().collect::<Vec<_>>(), ["lab1-beta-1", "lab3-litellm-1"]);
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn a_renamed_model_takes_the_port_over_or_gives_it_back() {
    let mut cluster = Running::borrow("rename");
    let first = cluster.containers();

    // The new one does not come up: the old one is back under its old name.
    cluster.hosts["lab1"]["models"].as_object_mut().unwrap().remove("alpha");
    cluster.model("lab1", "gamma", 1);
    cluster.broken("lab1", "gamma");
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    assert!(failed.first_error().starts_with("error: lab1: gamma: waiting until it answers: it exited"));
    let after = cluster.containers();
    assert_eq!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
    assert_eq!(after.len(), 3, "{after:?}");
    cluster.answers("alpha");

    // It comes up: the old one goes, and the gateway knows the new name only.
    cluster.model("lab1", "gamma", 1);
    cluster.deploy().says("set alpha aside: the inventory does not name it  (interrupts it)");
    let after = cluster.containers();
    assert_eq!(after.keys().collect::<Vec<_>>(), ["lab1-beta-1", "lab1-gamma-1", "lab3-litellm-1"]);
    cluster.answers("gamma");
    assert_ne!(cluster.ask("alpha").status, 200);
    cluster.run(&["status"]).exits(0);
}
