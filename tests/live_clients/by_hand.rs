//! What has no file: the commands that are printed are run as they are printed.

use std::process::Command;

use crate::home::Home;
use crate::process::run;
use crate::stack::{MODEL, stack};

#[test]
#[ignore = "needs the lab: make test-clients"]
fn curl_as_printed_gets_an_answer() {
    let cluster = stack();
    let home = Home::new();
    let script = home.homelab(&cluster, &["clients", "curl", "--with-secrets"]).exits(0).stdout;
    let begin = script.find("HOMELAB_API_KEY=").unwrap();
    let end = script[begin..].find("\nTry it").map_or(script.len(), |at| begin + at);
    let answer = run(Command::new("sh").args(["-c", &script[begin..end]])).exits(0).stdout;
    assert!(answer.contains("\"choices\"") && answer.contains(MODEL), "{answer}");
}

#[test]
#[ignore = "needs the lab: make test-clients"]
fn the_key_that_is_printed_is_the_one_on_the_gateways_host() {
    let cluster = stack();
    let home = Home::new();
    let key = home.homelab(&cluster, &["clients", "--key"]).exits(0).stdout;
    assert_eq!(key, cluster.master_key() + "\n");
}

#[test]
#[ignore = "needs the lab: make test-clients"]
fn the_key_shows_only_where_it_is_asked_for() {
    let cluster = stack();
    let (home, key) = (Home::new(), cluster.master_key());
    for client in homelab::client::ALL {
        let mut all = vec![home.homelab(&cluster, &["clients", client.name()])];
        if !["jetbrains", "openai", "anthropic", "curl"].contains(&client.name()) {
            for args in [["--check", "--small-model=small"], ["--write", "--yes"], ["--write", "--yes"]] {
                all.push(home.homelab(&cluster, &[&["clients", client.name()], &args[..]].concat()));
            }
        }
        for run in all {
            assert!(!run.stdout.contains(&key) && !run.stderr.contains(&key), "{}", client.name());
        }
    }
}
