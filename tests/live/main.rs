//! What homelab promises, kept on real hosts: the lab's sshd, dockerd, llama.cpp and LiteLLM.
//! `tests/lab/lab up --pull` makes the lab; every test has a project and ports of its own, so that
//! they run side by side. On two cores most of the time goes into LiteLLM's imports. `--show-output` shows what each took.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "the harness shows it only where a test fails")]

mod absent;
mod bootstrap;
mod cluster;
mod deploy;
mod diffs;
mod doctor;
mod down;
mod dropped;
mod edge;
mod engines;
mod failing;
mod fallbacks;
mod faults;
mod files;
mod gpu;
mod healing;
mod hosts_down;
mod hub;
mod interrupted;
mod lab;
mod locks;
mod login;
mod mac;
mod metrics;
mod native;
mod ollama;
mod ollama_native;
mod others;
mod plain_compose;
mod prefetch;
mod process;
mod provider;
mod reading;
mod reboots;
mod refusals;
mod replicas;
mod running;
mod secrets;
mod versions;
mod web;

/// No program that these tests run may take longer: it guards against what hangs, and says nothing of how fast anything is.
/// A machine with other work takes minutes to start LiteLLM.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(600);
