//! `--diff`: what changes in every file, and nothing of a secret.

use crate::program::{FINE, Test};

fn diff(base: &str, head: &str) -> Test {
    let test = Test::new().file("base/inventory.yml", base).file("inventory.yml", head);
    test.args(["plan", "--offline", "--against", "base", "--diff"])
}

/// The part of a diff about one file.
fn part(stdout: &str, header: &str) -> String {
    let from = stdout.find(header).unwrap_or_else(|| panic!("{header} is not in\n{stdout}"));
    let text = &stdout[from..];
    text[..text.find("\n\n").unwrap_or(text.len())].to_owned() + "\n"
}

#[test]
fn a_file_that_changes_shows_its_lines() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    let ran = diff(FINE, &head).run();
    let compose = part(&ran.stdout, "--- box/compose.yml\n+++ box/compose.yml\n@@ ");
    let changed: Vec<&str> = compose.lines().skip(3).filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(changed.len(), 2, "{compose}");
    assert!(changed[0].starts_with('-') && !changed[0].contains("--ctx-size"), "{compose}");
    assert!(changed[1].starts_with('+') && changed[1].contains("\"--ctx-size\",\"8192\""), "{compose}");
    let (diffs, plan) = ran.stdout.split_at(ran.stdout.find("\nbox\n").unwrap());
    assert!(plan.contains("~ replace tiny") && !diffs.contains("~ replace"), "the plan comes last");
}

#[test]
fn without_a_base_every_file_is_new() {
    let ran = Test::plan(FINE).args(["--diff"]).run();
    for file in
        ["compose.yml", "env/litellm-328d991c.env", "env/tiny-21b0c795.env", "litellm/config-f01fd8ba.yml"]
    {
        assert!(
            ran.stdout.contains(&format!("--- /dev/null\n+++ box/{file}\n@@ -0,0 +1")),
            "{file}:\n{}",
            ran.stdout
        );
    }
    assert_eq!(
        part(&ran.stdout, "--- /dev/null\n+++ box/env/tiny"),
        "--- /dev/null\n+++ box/env/tiny-21b0c795.env\n@@ -0,0 +1 @@\n+LLAMA_API_KEY=<redacted>\n"
    );
}

#[test]
fn an_env_file_shows_names_and_what_becomes_of_each() {
    let with = |environment: &str| {
        FINE.replace("gpu: none}", &format!("gpu: none, environment: {{{environment}}}}}"))
    };
    let base = with("KEPT: {env: K}, GONE: {env: G}, MOVED: {env: M}");
    let head = with("KEPT: {env: K}, MOVED: {file: m.txt}, NEW: {env: N}");
    let ran = diff(&base, &head).env("K", "k-hunter2").env("M", "m-hunter2").file("m.txt", "f-hunter2").run();
    let env = part(&ran.stdout, "--- box/env/tiny-");
    let body: Vec<&str> = env.lines().skip(3).collect();
    assert_eq!(
        body,
        [
            "-GONE=<redacted>",
            " KEPT=<redacted>",
            " LLAMA_API_KEY=<redacted>",
            "-MOVED=<redacted>",
            "+MOVED=<redacted: another value>",
            "+NEW=<redacted>"
        ]
    );
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    // Where values were not read, nothing of them is in a file's name either.
    let other = diff(&base, &head).env("K", "other").file("m.txt", "other").run();
    assert_eq!(ran.stdout, other.stdout);
}

#[test]
fn a_file_of_ones_own_is_followed_through_its_names() {
    let inventory = FINE.replace("gpu: none}", "gpu: none, configs: {/t.md: t.md, /b.bin: b.bin}}");
    let ran = diff(&inventory, &inventory)
        .file("base/t.md", "one\ntwo\n")
        .file("t.md", "one\n\u{1b}]0;x\n2\u{1b}[31m\n")
        .file("base/b.bin", "text")
        .run_with_bytes("b.bin", b"\xff\xfe");
    let file = part(&ran.stdout, "--- box/configs/tiny/t-");
    let body: Vec<&str> = file.lines().skip(2).collect();
    assert_eq!(body, ["@@ -1,2 +1,3 @@", " one", "-two", "+", "+2"]);
    assert!(part(&ran.stdout, "--- box/configs/tiny/b-").ends_with("\n(not text)\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[test]
fn a_diff_has_colours_for_those_who_want_them() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    let plain = diff(FINE, &head).run().stdout;
    let colored = diff(FINE, &head).args(["--color", "always"]).run().stdout;
    assert!(colored.contains("\u{1b}[1m--- box/compose.yml\u{1b}[0m\n"), "{colored}");
    assert!(colored.contains("\u{1b}[36m@@ "), "{colored}");
    let stripped: String =
        colored.split('\u{1b}').map(|p| p.split_once('m').map_or(p, |(_, rest)| rest)).collect();
    assert_eq!(stripped, plain, "colours change no text");
}

#[test]
fn json_has_diffs_when_they_are_asked_for() {
    let head = FINE.replace("gpu: none}", "gpu: none, ctx_size: 8192}");
    let ran = diff(FINE, &head).args(["--json"]).run();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["against"], "base");
    assert_eq!(json["diffs"][0]["old"], "compose.yml");
    assert!(json["diffs"][0]["unified"].as_str().unwrap().starts_with("--- box/compose.yml\n"));
    let without: serde_json::Value =
        serde_json::from_str(&Test::plan(FINE).args(["--format", "json"]).run().stdout).unwrap();
    assert_eq!((without.get("diffs"), &without["against"]), (None, &"nothing".into()));
}
