//! homelab's own clock is a day off, as after a dead battery: nothing it does goes by it.
//! The clock is Debian's libfaketime; timers are left alone, as a wrong date leaves them.

use serde_json::json;

use super::ending::{Stranger, converges, counted};
use crate::cluster::Cluster;
use crate::process::Going;

const ALL: [&str; 2] = ["lab1-alpha-1", "lab3-litellm-1"];

/// Lets homelab see another date.
fn shifted(cluster: &Cluster, args: &[&str], by: &str) -> std::process::Command {
    let library =
        ["x86_64", "aarch64"].map(|arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1"));
    let library = library.into_iter().find(|path| std::path::Path::new(path).exists());
    let mut command = cluster.command(args);
    command.env("LD_PRELOAD", library.expect("libfaketime: apt-get install faketime"));
    command.env("FAKETIME", by).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

#[test]
#[ignore = "make test-faults"]
fn a_clock_that_is_a_day_off_changes_nothing() {
    let mut cluster = Cluster::new("clock");
    cluster.model("lab1", "alpha", 1);
    let stranger = Stranger::on("lab1", &cluster);
    cluster.deploy();
    for (n, by) in (1..).zip(["-1d", "+1d"]) {
        cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(512 + 32 * n);
        cluster.slow("lab1", "alpha", 4);
        let mut off = Going::start(&mut shifted(&cluster, &["deploy", "--yes"], by));
        off.says("alpha: waiting until");
        // Its lock holds for who has the right date.
        let refused = cluster.run(&["deploy", "--yes"]).exits(1);
        assert!(refused.first_error().contains(": taking the lock: "), "{}", refused.first_error());
        let run = off.end();
        cluster.heard(&["deploy", "--yes"], &run);
        let _ = run.exits(0);
        converges(&cluster, &ALL);
        // And nobody's of the past or future keeps it out.
        cluster.slow("lab1", "alpha", 100);
        let mut killed = cluster.begin(&["deploy", "--yes"]);
        killed.says("alpha: waiting until");
        killed.signal("KILL");
        cluster.heard(&["deploy", "--yes"], &killed.end());
        cluster.slow("lab1", "alpha", 0);
        let run = crate::process::run(&mut shifted(&cluster, &["deploy", "--yes", "--lock-wait", "60"], by));
        cluster.heard(&["deploy", "--yes"], &run);
        let _ = run.exits(0);
        converges(&cluster, &ALL);
        cluster.answers("alpha");
    }
    counted("homelab's clock is a day off", 2, 2);
    stranger.untouched();
}
