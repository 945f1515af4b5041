//! Two who deploy at once: one does, the other hears who it is; and no lock outlives its holder.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::faults::ending::counted;
use crate::lab::{Lab4, lab, lab4, until};
use crate::process::Going;
use crate::running::Running;

/// A change of `alpha` whose server takes its time to start.
fn change(cluster: &mut Cluster, ctx_size: u32, seconds: u32) {
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(ctx_size);
    cluster.slow("lab1", "alpha", seconds);
}

/// A deploy that holds the lock and waits for `alpha`.
fn begin(cluster: &Cluster) -> Going {
    let mut going = cluster.begin(&["deploy", "--yes"]);
    going.says("alpha: waiting until");
    going
}

fn end(cluster: &Cluster, going: Going, code: i32) {
    let run = going.end();
    cluster.heard(&["deploy", "--yes"], &run);
    let _ = run.exits(code);
}

#[test]
fn of_two_deploys_one_is_told_who_the_other_is_or_waits_for_it() {
    let mut cluster = Running::borrow("two-deploys");
    change(&mut cluster, 1024, 4);
    let first = begin(&cluster);
    let refused = cluster.run(&["deploy", "--yes"]).exits(1).says("\nNothing was changed.\n");
    let error = refused.first_error();
    assert!(error.starts_with("error: lab1: taking the lock: "), "{error}");
    assert!(error.contains("(homelab deploy, process "), "{error}");
    assert!(error.contains(") changes this host, for "), "{error}");
    // Looking is free.
    cluster.run(&["plan"]).exits(0);
    // Who waits finds it done.
    let waited = cluster.run(&["deploy", "--yes", "--lock-wait", "100"]).exits(0);
    end(&cluster, first, 0);
    let waited = waited.says("lab1: waiting up to 100 s for ").says(" was at work on lab1. Looking again.");
    assert!(waited.stdout.contains("Nothing to do"), "{}", waited.stdout);
    cluster.answers("alpha");
}

/// Two who begin at the same moment, as often as that: one does it, or both find it done.
fn two_at_once(rounds: u32) {
    let mut cluster = Running::borrow("two-at-once");
    let first = cluster.containers();
    let elsewhere = tempfile::tempdir().unwrap();
    for round in 1..=rounds {
        change(&mut cluster, 768 + 32 * round, 0);
        // Every command writes the inventory anew: both come first.
        let mut both = [0, 1].map(|_| cluster.command(&["deploy", "--yes"]));
        // The second one has a login of its own, as from another machine.
        both[1].env("XDG_RUNTIME_DIR", elsewhere.path());
        let both = both.each_mut().map(Going::start);
        let codes = both.map(|going| {
            let run = going.end();
            if run.code != Some(0) {
                assert!(run.first_error().contains(": taking the lock: "), "{}", run.stderr);
            }
            run.code
        });
        assert!(codes.contains(&Some(0)), "{codes:?}");
        cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
    let after = cluster.containers();
    assert_eq!(after.keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>());
    assert_eq!(after["lab1-beta-1"], first["lab1-beta-1"]);
    cluster.answers("alpha");
}

#[test]
fn two_deploys_at_once_leave_what_one_of_them_wanted() {
    two_at_once(4);
}

#[test]
#[ignore = "make test-faults"]
fn two_deploys_at_once_twenty_times() {
    two_at_once(20);
    counted("two deploys at once, from two logins", 20, 20);
}

/// Other users of the host meet at the same lock.
#[test]
fn another_ssh_user_meets_the_same_lock() {
    let mut cluster = Running::borrow("two-users");
    change(&mut cluster, 704, 5);
    cluster.vars["homelab_dir"] = json!(format!("/home/lab/homelab/{}", cluster.project));
    let first = begin(&cluster);
    cluster.vars["ansible_user"] = json!("root");
    let refused = cluster.run(&["deploy", "--yes"]).exits(1);
    assert!(refused.first_error().contains(": taking the lock: "), "{}", refused.first_error());
    cluster.vars["ansible_user"] = json!("lab");
    end(&cluster, first, 0);
    cluster.vars.as_object_mut().unwrap().remove("homelab_dir");
}

#[test]
fn no_lock_outlives_its_holder() {
    let whole = lab4();
    let mut cluster = Cluster::new("holders");
    cluster.model("lab4", "alpha", 1);
    cluster.deploy();
    a_killed_homelab_or_sshd_leaves_no_lock(&mut cluster);
    whoever_is_cut_off_stops_before_anybody_else_may_begin(&whole, &mut cluster);
}

fn a_killed_homelab_or_sshd_leaves_no_lock(cluster: &mut Cluster) {
    cluster.slow("lab4", "alpha", 100);
    let killed = begin(cluster);
    killed.signal("KILL");
    let _ = killed.end();
    let mut cut = cluster.begin(&["deploy", "--yes"]);
    cut.says("alpha: waiting until");
    // Every session of the SSH user on the host, as when sshd is killed with its children.
    lab().root("lab4", "pkill -KILL -u lab sshd; true");
    let run = cut.end();
    cluster.heard(&["deploy", "--yes"], &run);
    let _ = run.exits(1).says(" broke off");
    cluster.slow("lab4", "alpha", 0);
    cluster.deploy();
    cluster.answers("alpha");
}

fn whoever_is_cut_off_stops_before_anybody_else_may_begin(whole: &Lab4, cluster: &mut Cluster) {
    cluster.slow("lab4", "alpha", 300);
    let cut = begin(cluster);
    whole.lab("cut");
    let since = Instant::now();
    let run = cut.end();
    let took = since.elapsed();
    whole.lab("mend");
    cluster.heard(&["deploy", "--yes"], &run);
    let _ = run.exits(1).says("the connection broke off, and with it the lock on the host");
    // The host frees the lock 30 s after the last beat that arrived.
    assert!(took < Duration::from_secs(30), "it went on for {took:?}");
    cluster.slow("lab4", "alpha", 0);
    until("the lock is free", Duration::from_secs(35), || {
        let run = cluster.run(&["deploy", "--yes"]);
        let busy = run.stderr.contains("taking the lock");
        assert!(busy || run.code == Some(0), "{}", run.stderr);
        (!busy).then_some(())
    });
    cluster.answers("alpha");
}
