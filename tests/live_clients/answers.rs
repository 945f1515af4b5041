//! Claude Code, opencode and Codex each get an answer.
//!
//! Checked of each: it ends well and prints something; the gateway's own log has a request for the path that this
//! client uses, answered with 200, which it gives to none without the right key and a name it knows; and the model's
//! server has meanwhile read a prompt about as long as the documentation says this agent's first one is. The name has a
//! slash and a colon in it.

use std::os::unix::fs::PermissionsExt as _;

use homelab::client;

use crate::cluster::Cluster;
use crate::home::Home;
use crate::lab::lab;
use crate::process::Run;
use crate::stack::stack;

/// How many requests to a path the gateway has answered with 200 so far.
fn answered(cluster: &Cluster, path: &str) -> usize {
    let log = lab().ssh("lab3", &format!("docker logs {} 2>&1", cluster.container("litellm")));
    log.lines().filter(|line| line.contains(&format!("POST {path}")) && line.contains(" 200")).count()
}

/// How many tokens the model's server has read of each prompt so far, in order.
fn prompts(cluster: &Cluster) -> Vec<u64> {
    let service = cluster.container("tiny-agent-270m");
    let log = lab().ssh("lab1", &format!("docker logs {service} 2>&1"));
    let tokens = |line: &str| {
        line.split_once("prompt eval time = ")?
            .1
            .split_once(" tokens")?
            .0
            .split(' ')
            .next_back()?
            .parse()
            .ok()
    };
    log.lines().filter_map(tokens).collect()
}

/// Writes a client's settings, then asks with them.
#[track_caller]
fn asks(name: &str, path: &str, program: &str, args: &[&str]) -> (Home, Run) {
    let cluster = stack();
    let home = Home::new();
    home.homelab(&cluster, &["clients", name, "--write", "--yes"]).exits(0);
    home.homelab(&cluster, &["clients", name, "--check"]).exits(0);
    let (before, read) = (answered(&cluster, path), prompts(&cluster).len());
    let run = home.client(program, args).exits(0);
    let after = answered(&cluster, path);
    assert!(after > before, "{name} did not get an answer from {path} of the gateway: {before}, {after}");
    let longest = prompts(&cluster)[read..].iter().copied().max().unwrap_or(0);
    let first = client::by_name(name).unwrap().first_request().unwrap();
    eprintln!("{name} sent {longest} tokens");
    assert!(
        (first / 2..=first).contains(&longest),
        "{name} is said to send {first} tokens, and sent {longest}"
    );
    (home, run)
}

/// A file that holds the key is for its owner alone.
#[track_caller]
fn is_private(home: &Home, path: &str) {
    let mode = std::fs::metadata(home.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{path}");
}

#[test]
#[ignore = "needs clients from npm: make test-clients"]
fn claude_code_gets_an_answer() {
    let (home, run) = asks("claude-code", "/v1/messages", "claude", &["-p", "Say banana."]);
    assert!(!run.stdout.trim().is_empty(), "it printed nothing: {}", run.stderr);
    is_private(&home, ".claude/settings.json");
}

#[test]
#[ignore = "needs clients from npm: make test-clients"]
fn opencode_gets_an_answer() {
    let (home, run) = asks("opencode", "/v1/chat/completions", "opencode", &["run", "Say banana."]);
    assert!(!run.stdout.trim().is_empty(), "it printed nothing: {}", run.stderr);
    is_private(&home, ".local/share/opencode/auth.json");
}

#[test]
#[ignore = "needs clients from npm: make test-clients"]
fn codex_gets_an_answer() {
    let (home, run) =
        asks("codex", "/v1/responses", "codex", &["exec", "--skip-git-repo-check", "Say banana."]);
    assert!(!run.stdout.trim().is_empty(), "it printed nothing: {}", run.stderr);
    is_private(&home, ".codex/.env");
}
