//! Hosts that left the inventory, as `homelab.lock` remembers them.

use crate::program::{FINE, Test};

const LOCK: &str = "\
version: 1
hosts:
  box: {project: homelab, dir: ~/homelab/homelab, address: 10.0.0.9}
  old-box: {project: homelab, dir: ~/homelab/homelab, address: 10.0.0.8, user: me}
";

const NOTE: &str = "old-box is no longer in the inventory, but what homelab made there stays: `homelab down --dropped` removes it.\n";

#[test]
fn a_plan_points_out_a_host_that_left() {
    let ran = Test::plan(FINE).file("homelab.lock", LOCK).stdout_holds(NOTE).run();
    assert_eq!(ran.stdout.matches("no longer in the inventory").count(), 1, "{}", ran.stdout);
    let json = Test::plan(FINE).file("homelab.lock", LOCK).args(["--json"]).run().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["dropped"], serde_json::json!(["old-box"]));
    let markdown = Test::plan(FINE).file("homelab.lock", LOCK).args(["--format", "markdown"]).run().stdout;
    assert!(markdown.contains("\n> ``old-box is no longer in the inventory, but"), "{markdown}");
}

#[test]
fn the_lock_lies_beside_the_inventory() {
    let test = Test::new().file("deep/inventory.yml", FINE).file("deep/homelab.lock", LOCK);
    let _ = test.args(["-i", "deep/inventory.yml", "plan", "--offline"]).stdout_holds(NOTE).run();
}

#[test]
fn without_a_host_that_left_there_is_nothing_to_take_down() {
    let down = |lock: &str| {
        Test::new().file("inventory.yml", FINE).file("homelab.lock", lock).args(["down", "--dropped"])
    };
    let lock = LOCK.split("  old-box").next().unwrap();
    let _ = down(lock).stdout("No host has left the inventory.\n").run();
    let _ = down(LOCK)
        .args(["--limit", "box"])
        .stdout("")
        .stderr("error: --limit chooses among the inventory's hosts, --dropped means those that left it\n")
        .code(64)
        .run();
}

#[test]
fn a_lock_that_cannot_be_read_is_named() {
    Test::plan(FINE).file("homelab.lock", "version: 1\nhosts:\n  box: {project: homelab}\n").wrong(
        "error: homelab.lock cannot be read: hosts.box: missing field `dir` at line 3 column 8\n --> homelab.lock:3:8\n  |\n\
         3 |   box: {project: homelab}\n  |        ^\n  hint: put it back from your repository; a newer homelab may have written it",
    );
}
