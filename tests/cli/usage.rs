//! Arguments: help, version, completions, and what is no way to call it.

use crate::program::Test;

#[test]
fn help_says_what_it_is_and_what_it_does() {
    let ran = Test::new().args(["--help"]).run();
    let start: Vec<&str> = ran.stdout.lines().take(25).collect();
    assert_eq!(
        start.join("\n"),
        "\
Serve language models on your own machines: one inventory, one command, one gateway

Usage: homelab [OPTIONS] <COMMAND>

Commands:
  plan         Show what deploy would do and why; reads only
  deploy       Make it so: start, swap and remove models until every one answers through the gateway
  status       Is it so: every service beside what the inventory says; exit 1 if something is amiss
  doctor       What is wrong with the hosts, and the fix: Docker, GPUs, disks, clocks, ports; exit 1
               if something is
  fit          Whether a model fits a GPU, and what would; needs no inventory and downloads no
               weights
  bootstrap    Set up hosts that have nothing yet: Docker, who may use it, NVIDIA's container
               toolkit; only what is missing
  render       Write every file that deploy would push
  clients      What Claude Code, opencode, Codex, JetBrains IDEs and SDKs must be told; writes it
               into their files if asked
  update       Pin images to what their tags mean now, in homelab.lock; a deploy then brings them to
               the hosts
  secrets      List secrets by name and source, never by value; replace the keys that homelab made
  down         Remove what homelab made, its keys too; images and model caches stay
  inventory    Show hosts, groups and variables as ansible-inventory does; reads only
  init         Write a first inventory: asks on a terminal, or takes what it needs from its options
  schema       Print the JSON Schema of inventories, for editors that complete and check
  completions  Print a completion script for a shell"
    );
    assert!(ran.stdout.contains("Exit codes: 0 done"), "{}", ran.stdout);
}

#[test]
fn every_verb_has_help() {
    for verb in [
        "plan",
        "deploy",
        "status",
        "doctor",
        "bootstrap",
        "render",
        "clients",
        "update",
        "secrets",
        "down",
        "inventory",
        "init",
        "schema",
        "completions",
    ] {
        let _ = Test::new().args([verb, "--help"]).stdout_holds(&format!("Usage: homelab {verb}")).run();
    }
}

#[test]
fn the_version_is_the_packages() {
    let version = format!("homelab {}\n", env!("CARGO_PKG_VERSION"));
    let _ = Test::new().args(["--version"]).stdout(&version).run();
}

#[test]
fn there_are_completions_for_the_usual_shells() {
    for (shell, mark) in
        [("bash", "complete -F _homelab"), ("zsh", "#compdef homelab"), ("fish", "complete -c homelab")]
    {
        let _ = Test::new().args(["completions", shell]).stdout_holds(mark).run();
    }
}

#[test]
fn what_is_no_verb_is_wrong_usage() {
    let _ = Test::new()
        .args(["plna"])
        .stdout("")
        .stderr(
            "error: unrecognized subcommand 'plna'\n\n  tip: a similar subcommand exists: 'plan'\n\n\
             Usage: homelab [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n",
        )
        .code(64)
        .run();
}

#[test]
fn what_is_no_option_is_wrong_usage() {
    let _ = Test::new()
        .args(["plan", "--ofline"])
        .stdout("")
        .stderr(
            "error: unexpected argument '--ofline' found\n\n  tip: a similar argument exists: '--offline'\n\n\
             Usage: homelab plan --offline\n\nFor more information, try '--help'.\n",
        )
        .code(64)
        .run();
}
