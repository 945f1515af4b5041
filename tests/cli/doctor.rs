//! `homelab doctor` without a lab: which hosts it takes, and a machine whose Docker is not there.

use serde_json::Value;

use crate::program::{FINE, Test};

/// This machine, with a socket where no Docker listens, and a host that refuses every connection.
const BROKEN: &str = "\
all:
  hosts:
    gone: {ansible_host: 127.0.0.1, ansible_port: 1}
    here:
      ansible_connection: local
      homelab_docker_socket: /nonexistent/docker.sock
      gateway: {engine: litellm}
";

fn doctor(inventory: &str, args: &[&str]) -> Test {
    Test::new().file("inventory.yml", inventory).args(["doctor"]).args(args.iter().copied())
}

#[test]
fn a_host_that_is_not_in_the_inventory_is_wrong_usage() {
    let _ = doctor(FINE, &["bxo"])
        .stdout("")
        .stderr("error: there is no host bxo in the inventory, or --limit leaves it out\n  hint: did you mean box?\n")
        .code(64)
        .run();
    let _ = doctor(FINE, &["\u{1b}[2Jx"])
        .stdout("")
        .stderr(
            "error: there is no host x in the inventory, or --limit leaves it out\n  \
             hint: homelab inventory --graph shows what there is\n",
        )
        .code(64)
        .run();
}

#[test]
fn a_machine_without_docker_is_told_and_so_is_the_rest() {
    let ran = doctor(BROKEN, &["--json"]).code(1).run();
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["ok"], false);
    let [gone, here] = &json["hosts"].as_array().unwrap()[..] else { panic!("{json:#}") };
    let is = |host: &Value, check: &str| {
        let found = host["checks"].as_array().unwrap().iter().find(|c| c["check"] == check);
        found.map(|c| c["is"].as_str().unwrap().to_owned())
    };
    assert_eq!((gone["checks"].as_array().unwrap().len(), is(gone, "ssh").as_deref()), (1, Some("wrong")));
    assert_eq!(is(here, "docker").as_deref(), Some("wrong"));
    assert_eq!((is(here, "ssh").as_deref(), is(here, "sessions")), (Some("ok"), None));
    assert!(is(here, "disk").is_some() && is(here, "memory").is_some(), "{json:#}");
    let _ = doctor(BROKEN, &["here"]).code(1).stdout_holds("here\n  ✓ ssh: this machine, as ").run();
}
