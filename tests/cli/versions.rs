//! What `homelab.lock` pins, and what is said of secrets, without a host.

use crate::program::{FINE, Test};

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server-v0.7.0";
const LITELLM: &str = "ghcr.io/berriai/litellm:v1.109.1";

fn lock(images: &[&str]) -> String {
    let digest = "0a".repeat(32);
    let lines: String = images.iter().map(|image| format!("    {image}: sha256:{digest}\n")).collect();
    format!("version: 3\nhosts: {{}}\npins:\n  images:\n{lines}")
}

#[test]
fn a_lock_that_is_not_whole_ends_a_locked_plan() {
    let _ = Test::plan(FINE).file("homelab.lock", &lock(&[LLAMA])).args(["--locked"]).stdout("").code(65).stderr(&format!(
        "error: --locked, and homelab.lock is not whole: it does not pin {LITELLM}\n  \
         hint: commit what homelab update (for images and models) or a deploy without --locked writes; images that \
         only their host has say pull_policy: never\n"
    )).run();
}

#[test]
fn what_is_pinned_is_pulled_by_its_digest() {
    let ran = Test::plan(FINE).file("homelab.lock", &lock(&[LLAMA, LITELLM])).args(["--locked"]).run();
    assert!(ran.stdout.contains(&format!("+ pull {LLAMA}@sha256:0a0a0a0a0a0a\n")), "{}", ran.stdout);
    let ran = Test::plan(FINE).run();
    assert!(ran.stdout.contains(&format!("+ pull {LLAMA}\n")), "{}", ran.stdout);
}

#[test]
fn a_lock_that_is_new_replaces_nothing_and_a_pin_that_moved_does() {
    let against = |base: &str, head: &str| {
        let test = Test::plan(FINE).file("homelab.lock", head).file("base/inventory.yml", FINE);
        let test = if base.is_empty() { test } else { test.file("base/homelab.lock", base) };
        test.args(["--against", "base"]).run().stdout
    };
    let whole = lock(&[LLAMA, LITELLM]);
    assert!(against("", &whole).starts_with("Nothing changes on 1 host."), "{}", against("", &whole));
    let moved = against(&whole.replacen("0a", "0b", 1), &whole);
    let change = format!("~ replace tiny: image {LLAMA} sha256:0b0a0a0a0a0a → sha256:0a0a0a0a0a0a");
    assert!(moved.contains(&change) && !moved.contains("replace litellm"), "{moved}");
}

#[test]
fn an_update_of_what_nothing_uses_is_wrong_usage() {
    let _ = Test::new()
        .file("inventory.yml", FINE)
        .args(["update", "ghcr.io/berriai/litellm:v1.109.2"])
        .stdout("")
        .stderr(&format!(
            "error: the inventory uses no image or repository ghcr.io/berriai/litellm:v1.109.2 that could be pinned\n  \
             hint: did you mean {LITELLM}?\n"
        ))
        .code(64)
        .run();
}

#[test]
fn secrets_are_listed_by_name_and_source() {
    let inventory = FINE.replace(
        "gpu: none}",
        "gpu: none, environment: {A: {env: TOKEN_OF_MINE}, B: {command: [pass, show, hunter2]}}}",
    );
    let inventory = inventory.replace(
        "      gateway:",
        "      registry_auth: {ghcr.io: {username: me, password: {file: ~/token}}}\n      gateway:",
    );
    let ran = Test::new().file("inventory.yml", &inventory).args(["secrets"]).run();
    let words: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        "SECRET FROM USED BY",
        "A env TOKEN_OF_MINE box/tiny",
        "B command pass box/tiny",
        "KEY_TINY_8950 key model/tiny box/litellm",
        "LITELLM_MASTER_KEY key gateway box/litellm",
        "LLAMA_API_KEY key model/tiny box/tiny",
        "login of ghcr.io file ~/token box",
    ];
    let lines: Vec<String> = words.iter().map(|line| line.join(" ")).collect();
    assert_eq!(lines, expected);
}

/// Two models of the hub's, one of each engine.
const OF_THE_HUB: &str = "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      models:
        big: {engine: vllm, model: q/big, port: 8000, gpu: none}
        small: {engine: llama_cpp, model: \"q/small:Q8_0\", port: 8080, gpu: none}
      gateway: {engine: litellm}
";

fn revisions(pins: &[(&str, char)]) -> String {
    let lines: String =
        pins.iter().map(|(name, of)| format!("    {name}: {}\n", of.to_string().repeat(40))).collect();
    format!("version: 3\nhosts: {{}}\npins:\n  revisions:\n{lines}")
}

#[test]
fn revisions_that_are_pinned_are_loaded_and_replace_nothing_by_themselves() {
    let against = |base: &str, head: &str| {
        let test = Test::plan(OF_THE_HUB).file("homelab.lock", head).file("base/inventory.yml", OF_THE_HUB);
        let test = if base.is_empty() { test } else { test.file("base/homelab.lock", base) };
        test.args(["--against", "base"]).run().stdout
    };
    let pinned = revisions(&[("q/big", 'a'), ("q/small", 'b')]);
    assert!(against("", &pinned).starts_with("Nothing changes on 1 host."), "{}", against("", &pinned));
    let moved = against(&pinned, &revisions(&[("q/big", 'c'), ("q/small", 'b')]));
    let change = format!("~ replace big: --revision {} → {}", "a".repeat(40), "c".repeat(40));
    assert!(moved.contains(&change) && !moved.contains("replace small"), "{moved}");
    let moved = against(&pinned, &revisions(&[("q/big", 'a'), ("q/small", 'd')]));
    assert!(moved.contains("~ replace small: revision q/small@bbbb"), "{moved}");
    let render = |lock: &str| {
        let test = Test::new().file("inventory.yml", OF_THE_HUB);
        let test = if lock.is_empty() { test } else { test.file("homelab.lock", lock) };
        let ran = test.args(["render", "--out", "out"]).run();
        std::fs::read_to_string(ran.path("out/box/compose.yml")).unwrap()
    };
    let text = render(&pinned);
    assert!(text.contains(&"a".repeat(40)) && text.contains("LLAMA_ARG_OFFLINE"), "{text}");
    assert!(!render("").contains("--revision") && !render("").contains("LLAMA_ARG_OFFLINE"));
}

#[test]
fn a_repository_without_a_pin_ends_a_locked_plan() {
    let lock = |images: bool, pins: &[(&str, char)]| {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let names = [LLAMA, LITELLM, "vllm/vllm-openai-cpu:v0.33.0"];
        let lines: String = names.iter().map(|name| format!("    {name}: {digest}\n")).collect();
        revisions(pins) + &if images { format!("  images:\n{lines}") } else { String::new() }
    };
    let locked = |lock: &str| Test::plan(OF_THE_HUB).file("homelab.lock", lock).args(["--locked"]);
    let ended = locked(&lock(true, &[("q/big", 'a')])).command().output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("error: --locked, and homelab.lock is not whole: it does not pin q/small\n"),
        "{said}"
    );
    assert_eq!(ended.status.code(), Some(65));
    let _ = locked(&lock(true, &[("q/big", 'a'), ("q/small", 'b')])).run();
}

#[test]
fn a_key_that_is_not_there_or_not_homelab_s_is_not_replaced() {
    let inventory = FINE.replace("gpu: none}", "gpu: none, environment: {A: {env: TOKEN_OF_MINE}}}");
    let rotate = |name: &str, stderr: &str| {
        let test = Test::new().file("inventory.yml", &inventory).env("TOKEN_OF_MINE", "hunter2");
        let _ = test.args(["secrets", "rotate", name]).stdout("").stderr(stderr).code(64).run();
    };
    rotate("model/tini", "error: there is no key model/tini\n  hint: did you mean model/tiny?\n");
    rotate("zzz", "error: there is no key zzz\n  hint: homelab made these: gateway, model/tiny\n");
    rotate(
        "A",
        "error: A is a secret of yours, not a key of homelab's\n  hint: change it where it comes from, then homelab \
         deploy: homelab secrets lists both\n",
    );
    let test =
        Test::new().file("inventory.yml", FINE).args(["secrets", "rotate", "gateway", "--limit", "box"]);
    let said = "error: secrets rotate takes no --limit\n  hint: a key changes on all hosts that use it, or it fits nowhere\n";
    let _ = test.stdout("").stderr(said).code(64).run();
}
