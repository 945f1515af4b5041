//! Two hosts under one name.

use serde_json::json;

use crate::cluster::Cluster;
use crate::web;

#[test]
fn replicas_are_replaced_one_after_the_other_and_no_request_is_lost() {
    let mut cluster = Cluster::new("replicas");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "alpha", 1);
    cluster.deploy();
    let first = cluster.containers();
    let (gateway, key) = (cluster.gateway(), cluster.master_key());
    for host in ["lab1", "lab2"] {
        cluster.hosts[host]["models"]["alpha"]["ctx_size"] = json!(1024);
    }
    let mut deploy = cluster.begin(&["deploy", "--yes"]);
    let (mut asked, mut lost) = (0, Vec::new());
    while !deploy.is_over() || asked < 50 {
        let answer = web::chat(&gateway, &key, "alpha");
        asked += 1;
        if !answer.is_chat() {
            lost.push(answer);
        }
    }
    let deploy = deploy.end();
    cluster.heard(&["deploy", "--yes"], &deploy);
    let deploy = deploy.exits(0);
    assert_eq!(lost.len(), 0, "of {asked}: {lost:?}");
    let at = |words: &str| deploy.stderr.find(words).unwrap_or_else(|| panic!("no `{words}`"));
    assert!(at("lab1 · alpha: checking that lab3 reaches it") < at("lab2 · alpha: stopping it"));
    let after = cluster.containers();
    assert_ne!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_ne!(after["lab2-alpha-1"].id, first["lab2-alpha-1"].id);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
}
