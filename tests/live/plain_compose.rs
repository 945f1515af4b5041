//! Without homelab a person goes on with `docker compose`.

use std::process::{Command, Stdio};

use crate::cluster::Cluster;
use crate::lab::{lab, until};
use crate::running::Running;
use crate::web;

/// Copies a rendered host's files to where homelab would have put them.
fn copy(cluster: &Cluster, host: &str) {
    let mut tar = Command::new("tar")
        .args(["-C", &cluster.path(&format!("out/{host}")).display().to_string(), "-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let place = format!("~/homelab/{}", cluster.project);
    let mut unpack = lab().ssh_command("lab", host, &format!("mkdir -p {place} && tar -C {place} -x"));
    let status = unpack.stdin(tar.stdout.take().unwrap()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success() && tar.wait().unwrap().success());
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn rendered_files_run_with_plain_compose_and_homelab_can_take_over() {
    let mut cluster = Cluster::new("by-hand");
    cluster.model("lab1", "alpha", 1);
    cluster.run(&["render", "--with-secrets", "--out", "out"]).exits(0);
    for host in ["lab1", "lab3"] {
        copy(&cluster, host);
        lab().ssh(host, &format!("cd ~/homelab/{} && docker compose up -d", cluster.project));
    }
    let key = cluster.master_key();
    until("an answer", crate::LIMIT, || web::chat(&cluster.gateway(), &key, "alpha").is_chat().then_some(()));
    cluster.run(&["status"]).exits(1).says("differs: docker compose made it, not homelab");
    cluster.deploy();
    cluster.answers("alpha");
    assert_eq!(cluster.containers().keys().collect::<Vec<_>>(), ["lab1-alpha-1", "lab3-litellm-1"]);
    cluster.run(&["status"]).exits(0);
}

#[test]
fn compose_on_the_host_sees_homelab_s_containers() {
    let cluster = Running::borrow("compose-sees");
    let compose = |words: &str| lab().ssh("lab1", &format!("docker compose -p {} {words}", cluster.project));
    let listed = compose("ps --format '{{.Service}} {{.State}}'");
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, ["alpha running", "beta running"]);
    assert!(compose("logs alpha").contains("listening on http"));
    lab().ssh("lab1", &format!("cd ~/homelab/{} && docker compose config --quiet", cluster.project));
    compose("down -t 1");
    assert_eq!(cluster.containers().keys().collect::<Vec<_>>(), ["lab3-litellm-1"]);
    cluster.run(&["status"]).exits(1).says(" missing ");
}
