//! Real clients get their answers through the real gateway with nothing but what `homelab clients --write` wrote:
//! `make test-clients`. The model is tiny and knows nothing of agents, so what it says means nothing; that it was asked
//! through the gateway, with the right key and name, and that the client printed what it said, is the point.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "the harness shows it only where a test fails")]

mod answers;
mod by_hand;
#[path = "../live/cluster.rs"]
#[expect(dead_code, reason = "the tests of the program use the rest")]
mod cluster;
mod home;
#[path = "../live/lab.rs"]
#[expect(dead_code, reason = "the tests of the program use the rest")]
mod lab;
#[path = "../live/process.rs"]
#[expect(dead_code, reason = "the tests of the program use the rest")]
mod process;
mod stack;
#[path = "../live/web.rs"]
#[expect(dead_code, reason = "the tests of the program use the rest")]
mod web;

/// No program that these tests run may take longer: agents send long prompts, and two cores read them.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(400);
