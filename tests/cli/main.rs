//! The program as its users meet it: what it prints, where, and the exit code, to the byte.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod against;
mod asked;
mod ci;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod diffs;
mod doctor;
mod dropped;
mod files;
mod fit;
mod init;
mod inventory;
mod locked_facts;
mod markdown;
mod output;
mod program;
#[path = "../common/schema.rs"]
mod schema;
mod serve;
mod templates;
mod usage;
mod vault;
mod versions;
