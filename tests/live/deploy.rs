//! From nothing to answers, and from one inventory to the next.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::running::Running;
use crate::web;

/// How often a model's server was asked for something.
pub(crate) fn requests(cluster: &Cluster, host: &str, service: &str) -> usize {
    let log = lab().ssh(host, &format!("docker logs {} 2>&1", cluster.container(service)));
    log.lines().filter(|line| line.contains("processing task")).count()
}

#[test]
fn a_first_deploy_ends_with_every_name_answering_and_a_second_does_nothing() {
    let mut cluster = Cluster::new("first");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "beta", 1);
    cluster.hosts["lab1"]["models"]["alpha"]["aliases"] = json!(["first"]);
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"alpha": ["beta"]});
    cluster.deploy().says("3 names answer through the gateway");
    let key = cluster.master_key();
    for name in ["alpha", "first", "beta"] {
        cluster.answers(name);
        let message = web::message(&cluster.gateway(), &key, name);
        assert_eq!((message.status, &message.body["type"]), (200, &json!("message")), "{name}: {message:?}");
    }

    let (before, asked) = (cluster.containers(), requests(&cluster, "lab1", "alpha"));
    assert!(asked > 0);
    let again = cluster.deploy();
    assert_eq!(again.stdout, "Nothing to do: 3 hosts are in sync.\n");
    // Nothing but what it has to say of the inventory, such as tags that float.
    assert_eq!(again.stderr, cluster.run(&["plan", "--offline"]).stderr);
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["status"]).exits(0);
    assert_eq!(cluster.containers(), before);
    assert_eq!(requests(&cluster, "lab1", "alpha"), asked, "nobody was asked for a token");

    // The fallback stands in when its model is gone.
    lab().ssh("lab1", &format!("docker stop -t 1 {}", cluster.container("alpha")));
    cluster.answers("alpha");
    cluster.run(&["deploy"]).exits(0).says("start alpha: it exited with code");
}

#[test]
fn a_host_that_waits_for_another_one_stays_connected() {
    let mut cluster = Cluster::new("waits");
    cluster.model("lab1", "alpha", 1);
    // The ssh master of the gateway's host would end after a minute without work.
    cluster.slow("lab1", "alpha", 65);
    cluster.deploy();
    cluster.answers("alpha");
}

#[test]
fn a_change_replaces_only_what_it_changes() {
    let mut cluster = Running::borrow("change");
    let first = cluster.containers();

    // A model.
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    let refused = cluster.run(&["deploy"]).exits(1);
    assert_eq!(refused.first_error(), "error: this stops what serves now: alpha on lab1");
    assert_eq!(cluster.containers(), first);
    cluster.deploy().says("replace alpha: --ctx-size 512 → 1024  (interrupts it)");
    let second = cluster.containers();
    assert_ne!(second["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_eq!(second["lab1-beta-1"], first["lab1-beta-1"]);
    assert_eq!(second["lab3-litellm-1"], first["lab3-litellm-1"]);
    assert_eq!(second.len(), 3);
    cluster.answers("alpha");

    // The gateway.
    cluster.hosts["lab3"]["gateway"]["timeout"] = json!(60);
    cluster.deploy().says("replace litellm: the content of /etc/litellm/config.yml  (interrupts it)");
    let third = cluster.containers();
    assert_eq!(third["lab1-alpha-1"], second["lab1-alpha-1"]);
    assert_eq!(third["lab1-beta-1"], second["lab1-beta-1"]);
    assert_ne!(third["lab3-litellm-1"].id, second["lab3-litellm-1"].id);
    cluster.answers("beta");
    cluster.run(&["status"]).exits(0);
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn a_model_that_left_the_inventory_leaves_its_host_and_the_gateway() {
    let mut cluster = Running::borrow("leave");
    let before = cluster.containers();
    assert!(cluster.remote_files("lab1").iter().any(|f| f.starts_with("./env/beta-")));

    cluster.hosts["lab1"]["models"].as_object_mut().unwrap().remove("beta");
    cluster.run(&["status"]).exits(1).says("not in the inventory");
    cluster.deploy().says("remove beta: the inventory does not name it");
    let after = cluster.containers();
    assert_eq!(after.keys().collect::<Vec<_>>(), ["lab1-alpha-1", "lab3-litellm-1"]);
    assert_eq!(after["lab1-alpha-1"], before["lab1-alpha-1"]);
    assert!(!cluster.remote_files("lab1").iter().any(|f| f.contains("beta")));
    let gone = cluster.ask("beta");
    assert_eq!(gone.status, 400, "{gone:?}");
    cluster.answers("alpha");
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn two_projects_on_the_same_hosts_do_not_touch_each_other() {
    let one = Running::borrow("one");
    let mut two = Cluster::new("two");
    two.model("lab1", "alpha", 1);
    let before = one.containers();
    two.deploy();
    assert_eq!(one.containers(), before);
    one.run(&["status"]).exits(0);
    assert_ne!(one.master_key(), two.master_key());
    let refused = web::chat(&two.gateway(), &one.master_key(), "alpha");
    assert_ne!(refused.status, 200, "the other project's key: {refused:?}");
    two.run(&["down", "--yes"]).exits(0);
    assert_eq!(two.containers().len(), 0);
    assert_eq!(one.containers(), before);
    one.answers("alpha");
    one.run(&["status"]).exits(0);
}
