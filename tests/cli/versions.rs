//! What `homelab.lock` pins, and what is said of secrets, without a host.

use crate::program::{FINE, Test};

const LLAMA: &str = "ghcr.io/ggml-org/llama.cpp:server-v0.7.0";
const LITELLM: &str = "ghcr.io/berriai/litellm:v1.109.1";

fn lock(images: &[&str]) -> String {
    let digest = "0a".repeat(32);
    let lines: String = images.iter().map(|image| format!("    {image}: sha256:{digest}\n")).collect();
    format!("version: 2\nhosts: {{}}\npins:\n  images:\n{lines}")
}

#[test]
fn a_lock_that_is_not_whole_ends_a_locked_plan() {
    let _ = Test::plan(FINE).file("homelab.lock", &lock(&[LLAMA])).args(["--locked"]).stdout("").code(65).stderr(&format!(
        "error: --locked, and homelab.lock is not whole: it does not pin {LITELLM}\n  \
         hint: commit what homelab update (for images) or a deploy without --locked writes; images that only their \
         host has say pull_policy: never\n"
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
            "error: the inventory uses no image ghcr.io/berriai/litellm:v1.109.2 that could be pinned\n  \
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
