//! `homelab inventory`: exit codes, and what Ansible has no word for. What it prints is tested beside Ansible.

use crate::program::Test;

const HOSTS: &str = "\
web:
  hosts:
    h1: {port: \"{{ base + 1 }}\", url: \"{{ missing }}\"}
    h2:
  vars: {base: 8000, why: !unsafe \"{{ base }}\"}
";

fn asked(args: &str) -> Test {
    Test::new().file("inventory.yml", HOSTS).args(["inventory"]).args(args.split_whitespace())
}

#[test]
fn resolved_evaluates_what_it_can() {
    let _ = asked("--host h1 --resolved")
        .stdout(
            "{\n    \"base\": 8000,\n    \"port\": 8001,\n    \"url\": \"{{ missing }}\",\n    \"why\": \"{{ base }}\"\n}\n",
        )
        .run();
    let _ = asked("--graph --vars --resolved").stdout_holds("  |  |  |--{port = 8001}\n").run();
    let _ = asked("--list --resolved").stdout_holds("\"port\": 8001,\n").run();
}

#[test]
fn one_thing_is_shown_at_a_time() {
    for args in ["", "--list --graph", "--list --vars", "--list web"] {
        let output = asked(args).command().output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_host_or_group_that_is_not_there_is_wrong_usage() {
    for (args, words) in [
        ("--host h3", "the inventory has no host or group `h3`; did you mean `h1`?"),
        ("--host web", "--host takes one host, and `web` means 2"),
        ("--graph wbe", "the inventory has no group `wbe`"),
        ("--list --limit h3", "--limit: the inventory has no host or group `h3`; did you mean `h1`?"),
    ] {
        let _ = asked(args).stdout("").stderr(&format!("error: {words}\n")).code(64).run();
    }
}

#[test]
fn what_a_terminal_would_obey_does_not_reach_it() {
    let ran = Test::new()
        .file("inventory.yml", "web: {hosts: {h: {v: \"a\\e[31mb\\x9bc\"}}}\n")
        .args(["inventory", "--graph", "--vars"])
        .run();
    assert!(ran.stdout.contains("{v = ab\u{fffd}c}"), "{:?}", ran.stdout);
    let ran = Test::new()
        .file("inventory.yml", "web: {hosts: {h: {v: \"a\\e[31mb\\x9bc\"}}}\n")
        .args(["inventory", "--list"])
        .run();
    assert!(ran.stdout.contains("\"a\\u001b[31mb\\u009bc\""), "{:?}", ran.stdout);
}
