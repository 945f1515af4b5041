//! The network is gone in the middle of what takes long: a pull, a wait. It comes back, or it does not.

use std::time::Duration;

use serde_json::json;

use super::befall::{ALL, cluster};
use super::ending::{Stranger, converges, counted};
use super::registry::{Between, through};
use crate::cluster::Cluster;
use crate::lab::{Lab4, lab, lab4};

/// Deploys, pulls lab4's cable when homelab has said `words`, and puts it back after three seconds, or when homelab
/// has given up.
fn cut_while(whole: &Lab4, cluster: &Cluster, words: &str, comes_back: bool) {
    let mut going = cluster.begin(&["deploy", "--yes"]);
    going.says(words);
    whole.lab("cut");
    if comes_back {
        std::thread::sleep(Duration::from_secs(3));
        whole.lab("mend");
    }
    let run = going.end();
    if !comes_back {
        whole.lab("mend");
    }
    cluster.heard(&["deploy", "--yes"], &run);
    let run = run.exits(if comes_back { 0 } else { 1 });
    if !comes_back {
        assert!(run.first_error().starts_with("error: lab4: "), "{}", run.first_error());
    }
    converges(cluster, &ALL);
    cluster.answers("alpha");
    cluster.forget();
}

#[test]
#[ignore = "make test-faults"]
fn the_network_is_gone_while_an_image_is_pulled() {
    let whole = lab4();
    let mut cluster = cluster("cut-pull");
    let stranger = Stranger::on("lab4", &cluster);
    cluster.deploy();
    for (n, comes_back) in [(1, true), (2, false)] {
        let port = cluster.port(5 + n);
        let image = through(port, "LAB_IMAGE_LLAMA");
        cluster.hosts["lab4"]["models"]["alpha"]["image"] = json!(image);
        let between = Between::on_lab4(port, "slow");
        cut_while(&whole, &cluster, &format!("alpha: pulling {image}"), comes_back);
        drop(between);
        lab().ssh("lab4", &format!("docker image rm -f {image}"));
    }
    counted("the network is gone while an image is pulled", 2, 2);
    stranger.untouched();
}

#[test]
#[ignore = "make test-faults"]
fn the_network_is_gone_while_a_model_is_waited_for() {
    let whole = lab4();
    let mut cluster = cluster("cut-wait");
    let stranger = Stranger::on("lab4", &cluster);
    cluster.deploy();
    for (seconds, comes_back) in [(8, true), (9, false)] {
        cluster.slow("lab4", "alpha", seconds);
        cut_while(&whole, &cluster, "alpha: waiting until", comes_back);
    }
    counted("the network is gone while a model is waited for", 2, 2);
    stranger.untouched();
}
