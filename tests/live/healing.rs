//! What broke by itself is seen and made good.

use std::time::Duration;

use crate::lab::{lab, until};
use crate::running::Running;

#[test]
fn a_server_that_was_killed_or_paused_is_seen_and_runs_again_after_a_deploy() {
    let cluster = Running::borrow("killed");
    let first = cluster.containers();
    let alpha = cluster.container("alpha");

    lab().ssh("lab1", &format!("docker kill {alpha}"));
    cluster.run(&["status"]).exits(1).says("missing: it exited with code 137");
    cluster.run(&["deploy"]).exits(0).says("start alpha: it exited with code 137");
    let second = cluster.containers();
    assert_eq!(second["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_ne!(second["lab1-alpha-1"].started, first["lab1-alpha-1"].started);
    assert_eq!(second["lab3-litellm-1"], first["lab3-litellm-1"]);
    cluster.answers("alpha");

    lab().ssh("lab1", &format!("docker pause {alpha}"));
    cluster.run(&["status"]).exits(1).says("missing: it is paused");
    cluster.deploy().says("restart alpha: it is paused");
    cluster.answers("alpha");

    lab().ssh("lab1", &format!("docker rm -f {alpha}"));
    cluster.run(&["status"]).exits(1).says(" missing ");
    cluster.run(&["deploy"]).exits(0).says("create alpha: it is not there");
    cluster.answers("alpha");
    cluster.run(&["status"]).exits(0);
}

#[test]
fn a_server_that_hangs_is_unhealthy_until_a_deploy() {
    let cluster = Running::borrow("hangs");
    let pid = "docker inspect --format '{{.State.Pid}}' ".to_owned() + &cluster.container("alpha");
    lab().root("lab1", &format!("kill -STOP $({pid})"));
    cluster.run(&["status"]).exits(1).says("unhealthy: it hangs: ");
    cluster.deploy().says("restart alpha: it hangs: ");
    cluster.answers("alpha");
    cluster.run(&["status"]).exits(0);
}

#[test]
fn a_model_that_still_loads_is_waited_for_and_not_restarted() {
    let mut cluster = Running::borrow("loading");
    cluster.slow("lab1", "alpha", 5);
    let mut first = cluster.begin(&["deploy", "--yes"]);
    first.says("alpha: waiting until it answers");
    // Whoever deployed lost patience.
    first.signal("KILL");
    cluster.heard(&["deploy", "--yes"], &first.end());
    let loading = until("the container", Duration::from_secs(5), || {
        cluster.containers().get("lab1-alpha-1").filter(|c| c.state == "running").cloned()
    });
    cluster.run(&["status"]).exits(1).says("starting: ");
    cluster.run(&["deploy"]).exits(0).says("wait for alpha: it does not answer yet");
    assert_eq!(cluster.containers()["lab1-alpha-1"], loading);
    cluster.answers("alpha");
}
