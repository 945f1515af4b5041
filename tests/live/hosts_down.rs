//! A host that cannot be used fails alone. These tests have lab4 to themselves.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{lab, lab4};

#[test]
#[ignore = "starts gateways: make test-more"]
fn a_host_that_is_down_fails_alone_and_is_caught_up_with_later() {
    let whole = lab4();
    let mut cluster = Cluster::new("host-down");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab4", "beta", 1);
    whole.lab("stop");
    let failed = cluster.run(&["deploy"]).exits(1);
    let address = lab().address("lab4");
    let error = format!("error: lab4: connecting: {address} does not answer on port 22");
    assert!(failed.first_error().starts_with(&error), "{}", failed.first_error());
    cluster.answers("alpha");
    cluster.run(&["status"]).exits(1).says("unreachable: ");
    cluster.run(&["plan"]).exits(1).says(" does not answer on port 22");

    whole.lab("start");
    let before = cluster.ask("alpha");
    assert!(before.is_chat());
    cluster.deploy();
    cluster.answers("beta");
    cluster.run(&["status"]).exits(0);

    // The host comes back by itself after a power failure.
    whole.lab("stop");
    whole.lab("start");
    cluster.run(&["deploy"]).exits(0);
    cluster.answers("beta");
}

#[test]
fn a_docker_that_is_stopped_is_an_error_with_a_way_out() {
    let whole = lab4();
    let mut cluster = Cluster::new("docker-stopped");
    cluster.model("lab4", "alpha", 1);
    let lab3 = cluster.hosts.as_object_mut().unwrap().remove("lab3").unwrap();
    cluster.hosts["lab4"]["gateway"] = lab3["gateway"].clone();
    whole.lab("docker-stop");
    let failed = cluster.run(&["deploy"]).exits(1).says("hint: start it on the host: sudo systemctl ");
    let error = failed.first_error();
    assert!(error.starts_with("error: lab4: asking Docker: Docker does not run: "), "{error}");
    cluster.run(&["status"]).exits(1).says("unreachable: Docker does not run");
    whole.lab("docker-start");
    cluster.run(&["plan"]).exits(0);
    cluster.hosts["lab4"]["ansible_user"] = json!("guest");
    let refused = cluster.run(&["deploy"]).exits(1);
    assert_eq!(
        refused.first_error(),
        "error: lab4: asking Docker: guest may not use Docker: /var/run/docker.sock is closed to them"
    );
    cluster.hosts["lab4"]["ansible_user"] = json!("lab");
    assert!(cluster.remote_files("lab4").is_empty());
}
