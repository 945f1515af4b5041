//! Machines that lose power come back as they were, without homelab: the gateway's host, a host in the middle of a swap, a
//! bare host with systemd. `make test-hosts`; what befalls a model's host after a deploy is in [`crate::faults`].

use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{lab, lab4, until};
use crate::web;

/// How long a host may take to serve again by itself; most of it is LiteLLM's start on a busy machine.
const BACK: Duration = Duration::from_secs(180);

#[test]
#[ignore = "LiteLLM starts twice: make test-hosts"]
fn a_gateway_s_host_that_restarts_serves_again_by_itself() {
    let whole = lab4();
    let mut cluster = Cluster::new("reboot-gateway");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab4", "beta", 2);
    let lab3 = cluster.hosts.as_object_mut().unwrap().remove("lab3").unwrap();
    cluster.hosts["lab4"]["gateway"] = lab3["gateway"].clone();
    cluster.deploy();
    let key = cluster.secret("lab4", "litellm", "LITELLM_MASTER_KEY");
    let ids = |cluster: &Cluster| -> Vec<(String, String)> {
        cluster.containers().into_iter().map(|(name, seen)| (name, seen.id)).collect()
    };
    let before = ids(&cluster);

    whole.lab("stop");
    whole.lab("start");
    let gateway = cluster.backend("lab4", 0);
    for model in ["alpha", "beta"] {
        until(model, BACK, || web::chat(&gateway, &key, model).is_chat().then_some(()));
    }
    assert_eq!(ids(&cluster), before);
    // A gateway that has just started on a busy machine may still take its time.
    let settled = || (cluster.run(&["plan", "--detailed-exitcode"]).code == Some(0)).then_some(());
    until("nothing to do", BACK, settled);
}

#[test]
#[ignore = "lab4 boots in the middle of a swap: make test-hosts"]
fn a_host_that_restarts_half_way_through_a_swap_serves_and_the_next_deploy_ends_it() {
    let whole = lab4();
    let mut cluster = Cluster::new("reboot-swap");
    cluster.model("lab4", "beta", 1);
    cluster.deploy();
    cluster.hosts["lab4"]["models"]["beta"]["ctx_size"] = json!(256);
    cluster.slow("lab4", "beta", 20);
    let mut going = cluster.begin(&["deploy", "--yes"]);
    going.says("waiting until it answers");
    whole.lab("stop");
    let run = going.end();
    cluster.heard(&["deploy", "--yes"], &run);
    run.exits(1);
    whole.lab("start");
    // Nobody runs homelab: whichever version stood there comes up.
    let (backend, key) =
        (cluster.backend("lab4", 1), cluster.secret("lab3", "litellm", "LITELLM_MASTER_KEY"));
    let gateway = cluster.gateway();
    until(&format!("beta at {backend}"), BACK, || web::chat(&gateway, &key, "beta").is_chat().then_some(()));
    cluster.deploy();
    cluster.answers("beta");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(cluster.containers().len(), 2, "nothing is left of the swap");
}

#[test]
#[ignore = "needs bare hosts: make test-hosts"]
fn a_bare_host_with_systemd_that_restarts_serves_again_by_itself() {
    let mut cluster = crate::bootstrap::bare("reboot-bare", &["bare13"]);
    cluster.model("bare13", "alpha", 1);
    cluster.run(&["deploy", "--bootstrap", "--yes"]).exits(0);
    let before = cluster.containers();
    lab().restart("bare13");
    until("alpha", BACK, || cluster.ask("alpha").is_chat().then_some(()));
    let id =
        |all: &std::collections::BTreeMap<String, crate::cluster::Seen>| all["bare13-alpha-1"].id.clone();
    assert_eq!(id(&cluster.containers()), id(&before));
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up");
}
