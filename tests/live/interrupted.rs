//! A deploy that is cut off is finished by the next one, or leads back what it began.

use serde_json::json;

use crate::cluster::Cluster;
use crate::running::Running;

#[test]
fn a_deploy_that_was_killed_in_a_swap_is_finished_or_taken_back_by_the_next() {
    let mut cluster = Running::borrow("killed-deploy");
    let first = cluster.containers();
    for (n, last) in ["alpha: stopping it", "alpha: starting it", "alpha: waiting until"].iter().enumerate() {
        cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024 + n);
        cluster.slow("lab1", "alpha", 1);
        let mut cut = cluster.begin(&["deploy", "--yes"]);
        cut.says(last);
        cut.signal("KILL");
        let cut = cut.end();
        cluster.heard(&["deploy", "--yes"], &cut);
        assert_eq!(cut.code, None);
        cluster.deploy();
        let after = cluster.containers();
        assert_eq!(after.keys().collect::<Vec<_>>(), ["lab1-alpha-1", "lab1-beta-1", "lab3-litellm-1"]);
        assert_ne!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
        assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
        cluster.answers("alpha");
        cluster.run(&["status"]).exits(0);
    }
    taken_back(&mut cluster);
}

/// Whoever deployed wants the old one again.
fn taken_back(cluster: &mut Cluster) {
    let first = cluster.containers();
    let old = cluster.hosts.clone();
    cluster.slow("lab1", "alpha", 30);
    let mut cut = cluster.begin(&["deploy", "--yes"]);
    cut.says("alpha: waiting until");
    cut.signal("KILL");
    cluster.heard(&["deploy", "--yes"], &cut.end());
    cluster.hosts = old;
    cluster.deploy();
    let after = cluster.containers();
    assert_eq!(after.keys().collect::<Vec<_>>(), ["lab1-alpha-1", "lab1-beta-1", "lab3-litellm-1"]);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
    cluster.answers("alpha");
    cluster.run(&["status"]).exits(0);
}

#[test]
fn ctrl_c_while_a_model_loads_brings_the_old_one_back_and_says_what_was_done() {
    let mut cluster = Running::borrow("ctrl-c");
    let first = cluster.containers();
    cluster.slow("lab1", "alpha", 60);
    cluster.slow("lab1", "beta", 2);
    let mut cut = cluster.begin(&["deploy", "--yes"]);
    cut.says("beta: waiting until it answers: done after ");
    cut.signal("INT");
    let cut = cut.end();
    cluster.heard(&["deploy", "--yes"], &cut);
    let cut = cut.exits(130).says("alpha on lab1 is back on its previous version and answers.\n");
    assert_eq!(cut.first_error(), "error: lab1: alpha: waiting until it answers: interrupted");
    let _ =
        cut.says("Not done: litellm on lab3.\nDone: beta on lab1.\n`homelab deploy` goes on from here.\n");
    let after = cluster.containers();
    assert_eq!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_ne!(after["lab1-beta-1"].id, first["lab1-beta-1"].id);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
    assert_eq!(after.len(), 3);
    cluster.answers("alpha");
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_next_deploy_goes_on() {
    let mut cluster = Running::borrow("ctrl-c-twice");
    let first = cluster.containers();
    let good = cluster.hosts.clone();
    // It takes the whole of its grace period to end, so that the way back is still under way.
    cluster.hosts["lab1"]["models"]["alpha"]["entrypoint"] =
        json!(["/bin/sh", "-c", "trap '' TERM; sleep 60", "llama-server"]);
    let mut left = cluster.begin(&["deploy", "--yes"]);
    left.says("alpha: waiting until");
    left.signal("INT");
    left.says("Once more to leave at once.");
    left.signal("INT");
    let left = left.end();
    cluster.heard(&["deploy", "--yes"], &left);
    let _ = left.exits(130).says("Left at once. `homelab deploy` goes on from here.\n");
    cluster.hosts = good;
    cluster.deploy();
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    let after = cluster.containers();
    assert_eq!(after.keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>());
    assert_eq!(after["lab1-beta-1"], first["lab1-beta-1"]);
    cluster.answers("alpha");
}
