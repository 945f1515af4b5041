//! What goes to stdout: plans as text and JSON, colours, files; and a reader who goes away.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::program::{FINE, Test};

const PLAN: &str = "\
box
  + make network homelab_default
  + write env/litellm-328d991c.env
  + write env/tiny-21b0c795.env
  + write litellm/config-f01fd8ba.yml
  + write compose.yml
  + pull ghcr.io/berriai/litellm:v1.109.1
  + pull ghcr.io/ggml-org/llama.cpp:server-v0.7.0
  + create tiny: it is not there
  + create litellm: it is not there

Plan: 9 to add; nothing that serves is interrupted.
Not known offline: what runs on the hosts (everything counts as missing); free ports, images, networks and GPUs; \
home directories (shown as ~); addresses from ssh's own configuration.
";

/// An inventory with secrets of every source, and their values.
fn with_secrets() -> Test {
    let environment = "environment: {A: {env: A_KEY}, B: {file: b.txt}, C: {command: [echo, c-hunter2]}}";
    let inventory = FINE.replace("gpu: none}", &format!("gpu: none, {environment}}}"));
    Test::new().file("inventory.yml", &inventory).file("b.txt", "b-hunter2\n").env("A_KEY", "a-hunter2")
}

#[test]
fn a_plan_says_what_and_why() {
    let _ = Test::plan(FINE).stdout(PLAN).run();
}

#[test]
fn a_plan_within_a_limit_is_about_those_hosts() {
    let more = FINE.replace("  hosts:\n", "  hosts:\n    nas: {}\n    zoo: {}\n");
    let _ = Test::plan(&more).args(["--limit", "box"]).stdout(PLAN).run();
    let _ = Test::plan(&more)
        .args(["--limit", "nas,zoo"])
        .stdout_holds("Nothing to do: 2 hosts without a service.\n")
        .run();
}

#[test]
fn pending_changes_are_2_only_when_asked() {
    let _ = Test::plan(FINE).code(0).run();
    let _ = Test::plan(FINE).args(["--detailed-exitcode"]).stdout(PLAN).code(2).run();
    let empty = FINE.replace("  hosts:\n", "  hosts:\n    nas: {}\n");
    let _ = Test::plan(&empty).args(["--detailed-exitcode", "--limit", "nas"]).code(0).run();
}

#[test]
fn a_plan_as_json_has_a_version_and_no_secret() {
    let ran = with_secrets().args(["plan", "--offline", "--json"]).run();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["plan"]["stages"][0]["name"], "prepare");
    assert_eq!(json["plan"]["blocked"], serde_json::json!([]));
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
}

#[test]
fn no_secret_is_in_a_plan_or_a_rendered_file() {
    let plan = with_secrets().args(["plan", "--offline"]).run();
    assert!(!plan.stdout.contains("hunter2"), "{}", plan.stdout);
    let render = with_secrets().args(["render"]).run();
    let mut secret = 0;
    for path in render.stdout.lines() {
        let text = std::fs::read_to_string(render.path(path)).unwrap();
        assert!(!text.contains("hunter2"), "{path}: {text}");
        secret += usize::from(text.contains("A=<env A_KEY>\nB=<file b.txt>\nC=<command echo>\n"));
    }
    assert_eq!(secret, 1);
}

#[test]
fn render_writes_below_a_directory_and_says_what() {
    let ran = Test::new().file("inventory.yml", FINE).args(["render", "--out", "there/deep"]).run();
    let start: Vec<&str> = ran.stdout.lines().take(2).collect();
    assert_eq!(start, ["there/deep/box/compose.yml", "there/deep/box/env/litellm-328d991c.env"]);
    let mode = |path| std::fs::metadata(ran.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(start[0]), mode(start[1])), (0o644, 0o600));
}

#[test]
fn render_says_what_it_cannot_write() {
    let _ = Test::new()
        .file("inventory.yml", FINE)
        .file("taken", "")
        .args(["render", "--out", "taken"])
        .stdout("")
        .stderr("error: writing taken/box/compose.yml: Not a directory (os error 20)\n")
        .code(1)
        .run();
}

#[test]
fn colours_are_for_those_who_want_them() {
    let escapes = |test: Test| test.run().stdout.contains('\u{1b}');
    assert!(!escapes(Test::plan(FINE)), "nobody looks on");
    assert!(escapes(Test::plan(FINE).args(["--color", "always"])));
    assert!(escapes(Test::plan(FINE).args(["--color", "always"]).env("NO_COLOR", "1")), "said aloud it wins");
    assert!(!escapes(Test::plan(FINE).args(["--color", "never"]).env("CLICOLOR_FORCE", "1")));
    assert!(!escapes(Test::plan(FINE).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1")), "NO_COLOR wins");
    let plain = Test::plan(FINE).args(["--color", "always"]).run().stdout;
    let stripped: String =
        plain.split('\u{1b}').map(|p| p.split_once('m').map_or(p, |(_, rest)| rest)).collect();
    assert_eq!(stripped, PLAN, "colours change no text");
}

#[test]
fn a_reader_who_goes_away_is_no_failure() {
    for args in [&["plan", "--offline", "--json"][..], &["completions", "bash"], &["--help"]] {
        let test = Test::new().file("inventory.yml", FINE).args(args.iter().copied());
        let mut child = test.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}: {:?}", output.status);
    }
}
