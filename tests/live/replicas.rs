//! Two hosts under one name.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::cluster::Cluster;
use crate::deploy::requests;
use crate::lab::{lab, until};
use crate::web;

/// How many ask at the same time, each its next request as soon as it has an answer; every other one has it streamed.
const CLIENTS: usize = 4;

/// How many requests are asked at least while replicas are replaced. docs/reliability.md has the figures of a run
/// with 1,000, which takes many swaps.
fn wanted() -> usize {
    std::env::var("HOMELAB_TEST_REQUESTS").map_or(25, |number| number.parse().unwrap())
}

#[test]
fn replicas_are_replaced_one_after_the_other_and_nothing_is_lost() {
    let mut cluster = Cluster::new("replicas");
    for host in ["lab1", "lab2"] {
        cluster.model(host, "alpha", 1);
        cluster.hosts[host]["models"]["alpha"]["parallel"] = json!(2);
    }
    cluster.deploy();
    only_the_other_one_is_asked(&cluster);
    let (gateway, key) = (cluster.gateway(), cluster.master_key());
    let (asked, over, lost) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(vec![]));
    let client = |streams: bool| {
        while !over.load(Ordering::Relaxed) {
            asked.fetch_add(1, Ordering::Relaxed);
            let messages = json!([{"role": "user", "content": "Tell me a long story."}]);
            let tokens = if streams { 50 } else { 3 };
            let body =
                json!({"model": "alpha", "messages": messages, "max_tokens": tokens, "stream": streams});
            let answer = web::post(&gateway, "/v1/chat/completions", &key, &body);
            let ends = |body: &str| body.trim_end().ends_with("data: [DONE]");
            let whole = if streams { answer.body.as_str().is_some_and(ends) } else { answer.is_chat() };
            if !whole || answer.status != 200 {
                lost.lock().unwrap().push(answer);
            }
        }
    };
    let mut swaps = 0;
    thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(move || client(n % 2 == 0))).collect();
        // Whatever fails below, the clients end, or the scope never would.
        let swapped = catch_unwind(AssertUnwindSafe(|| {
            while asked.load(Ordering::Relaxed) < wanted() || swaps == 0 {
                swap(&mut cluster, swaps);
                swaps += 1;
            }
        }));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        swapped.unwrap_or_else(|why| resume_unwind(why));
    });
    let (asked, lost) = (asked.into_inner(), lost.into_inner().unwrap());
    let stops = 2 * swaps;
    eprintln!("replicas: {asked} requests by {CLIENTS} clients during {stops} swaps, {} lost", lost.len());
    assert!(lost.is_empty(), "of {asked}: {lost:?}");
    let left = cluster.remote_files("lab3");
    assert!(!left.iter().any(|file| file.ends_with(".url")), "{left:?}");
}

/// While a file names a replica, the gateway asks it for nothing; the same gateway asks it again when that is gone.
fn only_the_other_one_is_asked(cluster: &Cluster) {
    let asked = || ["lab1", "lab2"].map(|host| requests(cluster, host, "alpha"));
    let file = format!("~/homelab/{}/around/by-hand.url", cluster.project);
    let [first, second] = asked();
    lab().ssh("lab3", &format!("printf 'http://%s/v1\n' {} >{file}", cluster.backend("lab1", 1)));
    (0..8).for_each(|_| cluster.answers("alpha"));
    assert_eq!(asked(), [first, second + 8]);
    cluster.run(&["plan"]).exits(0).says("around/by-hand.url: an earlier deploy was cut off");
    cluster.deploy();
    until("a request to the first one", crate::LIMIT, || {
        cluster.answers("alpha");
        (asked()[0] > first).then_some(())
    });
}

/// Replaces both replicas and sees that the gateway stays and that one waits for the other.
fn swap(cluster: &mut Cluster, number: usize) {
    let first = cluster.containers();
    for host in ["lab1", "lab2"] {
        cluster.hosts[host]["models"]["alpha"]["ctx_size"] = json!(1024 + number);
    }
    cluster.run(&["plan"]).exits(0).says("others answer meanwhile");
    let deploy = cluster.deploy();
    let at = |words: &str| deploy.stderr.find(words).unwrap_or_else(|| panic!("no `{words}`"));
    assert!(at("lab1 · alpha: leading requests around it") < at("lab1 · alpha: stopping it"));
    assert!(at("lab1 · alpha: checking that lab3 reaches it") < at("lab2 · alpha: stopping it"));
    let after = cluster.containers();
    assert_ne!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_ne!(after["lab2-alpha-1"].id, first["lab2-alpha-1"].id);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
}
