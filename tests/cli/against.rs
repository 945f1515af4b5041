//! Plans without a host: offline, and one state of an inventory against another.

use crate::program::{FINE, Test};

/// What stands below every plan that was made against a base.
const UNKNOWN: &str = "\
Not known offline: what really runs (the base counts as deployed as it stands); free ports, images, networks and GPUs; \
home directories (shown as ~); addresses from ssh's own configuration.
";

/// An inventory and what it was before.
fn against(base: &str, head: &str) -> Test {
    let test = Test::new().file("base/inventory.yml", base).file("inventory.yml", head);
    test.args(["plan", "--offline", "--against", "base"])
}

fn changes(base: &str, head: &str, plan: &str) {
    let _ = against(base, head).stdout(&format!("{plan}{UNKNOWN}")).run();
}

#[test]
fn offline_reads_no_secret_and_runs_nothing() {
    let secrets =
        "environment: {A: {env: NOT_SET}, B: {file: not-there}, C: {command: [/bin/sh, -c, \": > ran\"]}}";
    let inventory = FINE.replace("gpu: none}", &format!("gpu: none, {secrets}}}"));
    let inventory = inventory
        .replace("{engine: litellm}", "{engine: litellm, master_key: {command: [/bin/sh, -c, \": > ran\"]}}");
    for args in [&["plan", "--offline", "--diff"][..], &["plan", "--offline", "--against", "."], &["render"]]
    {
        // No ssh and no docker are to be found, and no home.
        let test = Test::new().file("inventory.yml", &inventory).args(args.iter().copied());
        let ran = test.env("PATH", "/var/empty").env("DOCKER_HOST", "tcp://127.0.0.1:1").run();
        assert!(!ran.path("ran").exists(), "{args:?} ran a command");
        if args[0] == "plan" {
            assert!(ran.stdout.contains("; values of secrets.\n"), "{}", ran.stdout);
        }
    }
}

#[test]
fn what_a_change_would_do() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    changes(
        FINE,
        &head,
        "\
box
  ~ write compose.yml
  ~ replace tiny: --ctx-size 8192 is new  (interrupts it)
    ask the gateway for tiny: a model behind it changed
  - remove tiny's previous version

Plan: 2 to change, 1 to remove; 1 service is interrupted.
",
    );
}

#[test]
fn nothing_changes_where_nothing_did() {
    changes(FINE, FINE, "Nothing changes on 1 host.\n");
    let _ = against(FINE, FINE).args(["--detailed-exitcode"]).code(0).run();
    let head = FINE.replace("8080", "8081");
    let _ = against(FINE, &head).args(["--detailed-exitcode"]).stdout_holds("~ replace tiny").code(2).run();
}

#[test]
fn a_new_host_and_one_that_is_gone() {
    let other = FINE.replace("    box:\n", "    nas:\n      ansible_host: 10.0.0.8\n      models: {more: {engine: llama_cpp, model: /m, port: 1, gpu: none}}\n    box:\n");
    let ran = against(FINE, &other).run();
    assert!(ran.stdout.contains("nas\n  + make network homelab_default\n"), "{}", ran.stdout);
    let ran = against(&other, FINE).run();
    assert!(
        ran.stdout.contains("\nnas is no longer in the inventory, but what homelab made there stays: `homelab down --dropped` removes it.\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_gateway_that_moves_brings_new_keys() {
    let base = FINE.replace("    box:\n", "    nas: {ansible_host: 10.0.0.8}\n    box:\n");
    let head = FINE
        .replace("    box:\n", "    nas: {ansible_host: 10.0.0.8, gateway: {engine: litellm}}\n    box:\n")
        .replace("      gateway: {engine: litellm}\n", "");
    let ran = against(&base, &head).run();
    for part in [
        "  + make the root key\n",
        "  ~ replace tiny: secrets  (interrupts it)\n",
        "  - remove litellm: the inventory does not name it  (interrupts it)\n",
    ] {
        assert!(ran.stdout.contains(part), "{part}{}", ran.stdout);
    }
}

#[test]
fn another_project_finds_its_ports_taken() {
    let head = FINE.replace("    box:\n", "    box:\n      homelab_project: other\n");
    let ran = against(FINE, &head).code(1).run();
    assert!(
        ran.stdout.contains(
            "! tiny: looking for a place for tiny: port 8080 is taken by container homelab-tiny-1\n"
        ),
        "{}",
        ran.stdout
    );
}

#[test]
fn another_directory_means_other_containers_and_files() {
    let head = FINE.replace("    box:\n", "    box:\n      homelab_dir: /srv/models\n");
    let _ = against(FINE, &head)
        .stdout_holds("  + write compose.yml\n")
        .stdout_holds("~ replace tiny: homelab_dir ~/homelab/homelab → /srv/models  (interrupts it)\n")
        .run();
}

#[test]
fn a_network_that_somebody_makes_is_taken_to_be_there() {
    let head =
        FINE.replace("gpu: none}", "gpu: none, networks: [traefik], pull_policy: never, image: mine:1}");
    let _ = against(FINE, &head)
        .stdout_holds("Plan: 2 to change, 1 to remove; 1 service is interrupted.\n")
        .run();
}

#[test]
fn the_base_is_found_beside_the_inventory_s_own_path() {
    let test = Test::new().file("base/lab/home.yml", FINE).file("lab/home.yml", FINE);
    let _ = test
        .args(["-i", "lab/home.yml", "plan", "--offline", "--against", "base"])
        .stdout_holds("Nothing changes")
        .run();
    let test = Test::new().file("old.yml", FINE).file("inventory.yml", FINE);
    let _ = test.args(["plan", "--offline", "--against", "old.yml"]).stdout_holds("Nothing changes").run();
}

#[test]
fn a_limit_is_about_the_inventory_not_the_base() {
    let head = FINE.replace("    box:\n", "    new: {}\n    box:\n").replace("8080", "8081");
    let _ = against(FINE, &head).args(["--limit", "new"]).stdout_holds("Nothing changes on 1 host.\n").run();
}

#[test]
fn a_base_that_cannot_be_read_is_named() {
    against("all:\n  hosts: [box]\n", FINE).wrong(
        "error: expected a map, found a list\n --> base/inventory.yml:2:10\n  |\n2 |   hosts: [box]\n  |          ^^^^^\n  \
         hint: write each name as a key, `name:`, without the `-` before it",
    );
}

#[test]
fn against_is_for_offline_alone() {
    let _ = Test::new()
        .file("inventory.yml", FINE)
        .args(["plan", "--against", "base"])
        .stdout("")
        .stderr("error: the following required arguments were not provided:\n  --offline\n\nUsage: homelab plan --offline --against <DIR>\n\nFor more information, try '--help'.\n")
        .code(64)
        .run();
}
