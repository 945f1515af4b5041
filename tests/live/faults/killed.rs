//! SIGKILL between any two steps of a first deploy, a swap and a removal.

use serde_json::json;

use super::ending::{Stranger, converges, counted};
use crate::cluster::Cluster;

const ALL: [&str; 3] = ["lab1-alpha-1", "lab1-beta-1", "lab3-litellm-1"];

fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::new(name);
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab1", "beta", 2);
    cluster
}

/// Deploys once for every boundary that a whole deploy has, and kills it there; `again` makes the next one have as
/// much to do. How often it was killed.
fn at_every_boundary(
    cluster: &mut Cluster,
    containers: &[&str],
    mut again: impl FnMut(&mut Cluster, usize),
) -> usize {
    let mut killed = 0;
    loop {
        again(cluster, killed);
        let mut command = cluster.command(&["deploy", "--yes"]);
        let run = crate::process::run(command.env("HOMELAB_DIE_AT", (killed + 1).to_string()));
        cluster.heard(&["deploy", "--yes"], &run);
        if run.code == Some(0) {
            return killed;
        }
        assert_eq!(run.code, None, "{}", run.stderr);
        killed += 1;
        converges(cluster, containers);
        cluster.forget();
    }
}

#[test]
#[ignore = "make test-faults"]
fn a_swap_that_is_killed_between_any_two_steps_is_finished_by_the_next() {
    let mut cluster = cluster("killed-swap");
    let stranger = Stranger::on("lab1", &cluster);
    cluster.deploy();
    let gateway = cluster.containers()["lab3-litellm-1"].clone();
    let killed = at_every_boundary(&mut cluster, &ALL, |cluster, n| {
        cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(544 + 32 * n);
    });
    counted("homelab is killed between two steps of a swap", killed, 6);
    assert_eq!(cluster.containers()["lab3-litellm-1"], gateway);
    cluster.answers("alpha");
    stranger.untouched();
}

#[test]
#[ignore = "make test-faults"]
fn a_first_deploy_that_is_killed_between_any_two_steps_is_finished_by_the_next() {
    let mut cluster = cluster("killed-first");
    let stranger = Stranger::on("lab1", &cluster);
    let killed = at_every_boundary(&mut cluster, &ALL, |cluster, _| {
        cluster.run(&["down", "--yes"]).exits(0);
    });
    counted("homelab is killed between two steps of a first deploy", killed, 12);
    cluster.answers("alpha");
    cluster.answers("beta");
    stranger.untouched();
}

#[test]
#[ignore = "make test-faults"]
fn a_removal_that_is_killed_between_any_two_steps_is_finished_by_the_next() {
    let mut cluster = cluster("killed-removal");
    let stranger = Stranger::on("lab1", &cluster);
    let killed = at_every_boundary(&mut cluster, &["lab1-alpha-1", "lab3-litellm-1"], |cluster, _| {
        cluster.model("lab1", "beta", 2);
        cluster.deploy();
        cluster.hosts["lab1"]["models"].as_object_mut().unwrap().remove("beta");
    });
    counted("homelab is killed between two steps of a removal", killed, 6);
    cluster.answers("alpha");
    stranger.untouched();
}
