//! Two hosts under one name.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::web;

/// How many ask at the same time, each its next request as soon as it has an answer.
const CLIENTS: usize = 4;

/// How many requests are asked at least while replicas are replaced. docs/reliability.md has the figures of a run
/// with 1,000, which takes many swaps.
fn wanted() -> usize {
    std::env::var("HOMELAB_TEST_REQUESTS").map_or(50, |number| number.parse().unwrap())
}

#[test]
fn replicas_are_replaced_one_after_the_other_and_only_what_was_in_flight_on_one_may_be_lost() {
    let mut cluster = Cluster::new("replicas");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "alpha", 1);
    cluster.deploy();
    let (gateway, key) = (cluster.gateway(), cluster.master_key());
    let (asked, over, lost) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(vec![]));
    let client = || {
        while !over.load(Ordering::Relaxed) {
            asked.fetch_add(1, Ordering::Relaxed);
            let began = Instant::now();
            let answer = web::chat(&gateway, &key, "alpha");
            if !answer.is_chat() {
                lost.lock().unwrap().push((began, Instant::now(), answer));
            }
        }
    };
    let mut stops: Vec<Stop> = vec![];
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        // Whatever fails below, the clients end, or the scope never would.
        let swapped = catch_unwind(AssertUnwindSafe(|| {
            while asked.load(Ordering::Relaxed) < wanted() || stops.is_empty() {
                let stopped = swap(&mut cluster, stops.len());
                stops.extend(stopped);
            }
        }));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        swapped.unwrap_or_else(|why| resume_unwind(why));
    });
    let (asked, lost) = (asked.into_inner(), lost.into_inner().unwrap());
    eprintln!(
        "replicas: {asked} requests by {CLIENTS} clients during {} swaps, {} lost",
        stops.len(),
        lost.len()
    );
    // The gateway asks the other one, unless that one has just failed this very request while it was loading.
    let in_flight = |(began, ended): (Instant, Instant)| {
        stops.iter().any(|stop| began <= stop.done && ended + Duration::from_millis(200) >= stop.begun)
    };
    let beyond: Vec<_> = lost.iter().filter(|(began, ended, _)| !in_flight((*began, *ended))).collect();
    assert!(beyond.is_empty(), "of {asked}, {} lost, not in flight: {beyond:?}", lost.len());
}

/// When a replica was stopped, as progress tells: a little late, but in this order.
struct Stop {
    begun: Instant,
    done: Instant,
}

/// Replaces both replicas and sees that the gateway stays and that one waits for the other.
fn swap(cluster: &mut Cluster, number: usize) -> [Stop; 2] {
    let first = cluster.containers();
    for host in ["lab1", "lab2"] {
        cluster.hosts[host]["models"]["alpha"]["ctx_size"] = json!(1024 + number);
    }
    let mut deploy = cluster.begin(&["deploy", "--yes"]);
    let stops = ["lab1", "lab2"].map(|host| {
        let mut seen = |what: &str| {
            deploy.says(&format!("{host} · alpha: {what}"));
            Instant::now()
        };
        Stop { begun: seen("stopping it"), done: seen("starting it") }
    });
    let deploy = deploy.end();
    cluster.heard(&["deploy", "--yes"], &deploy);
    let deploy = deploy.exits(0);
    let at = |words: &str| deploy.stderr.find(words).unwrap_or_else(|| panic!("no `{words}`"));
    assert!(at("lab1 · alpha: checking that lab3 reaches it") < at("lab2 · alpha: stopping it"));
    let after = cluster.containers();
    assert_ne!(after["lab1-alpha-1"].id, first["lab1-alpha-1"].id);
    assert_ne!(after["lab2-alpha-1"].id, first["lab2-alpha-1"].id);
    assert_eq!(after["lab3-litellm-1"], first["lab3-litellm-1"]);
    stops
}
