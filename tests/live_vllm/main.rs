//! What homelab promises, kept with the real vLLM on CPUs, on the lab's lab1 and lab2 behind the
//! real LiteLLM on lab3: `make test-vllm`. The models are tiny and random, so what they say means
//! nothing; that they say it is the point. One test after the other: a start takes two cores.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "the harness shows it only where a test fails")]

#[path = "../live/cluster.rs"]
#[expect(dead_code, reason = "the tests of other engines use the rest")]
mod cluster;
mod failures;
#[path = "../live/hub.rs"]
#[expect(dead_code, reason = "the tests of other engines use the rest")]
mod hub;
#[path = "../live/lab.rs"]
#[expect(dead_code, reason = "the tests of other engines use the rest")]
mod lab;
#[path = "../live/others.rs"]
mod others;
mod prefetch;
#[path = "../live/process.rs"]
#[expect(dead_code, reason = "the tests of other engines use the rest")]
mod process;
mod serving;
mod stack;
mod swap;
mod together;
mod vllm;
#[path = "../live/web.rs"]
mod web;

/// No program that these tests run may take longer.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(600);
