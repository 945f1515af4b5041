//! What homelab promises, tried on thousands of random clusters: whatever is there, whatever
//! fails, wherever it is cut off.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod arbitrary;
mod dice;
mod edge;
mod executor;
mod outcomes;
mod plans;
mod printed;
#[path = "../common/schema.rs"]
mod schema;
mod surroundings;
mod world;

use proptest::prelude::*;

/// Bytes that make a world, and bytes that choose what happens in it.
fn bytes() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    use proptest::collection::vec;
    (vec(any::<u8>(), 0..160), vec(any::<u8>(), 0..60))
}

/// As many cases as a property is given, or more if the environment says so.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    // Worlds that failed are kept as unit tests of the plan, where a person can read them.
    ProptestConfig { cases: cases.max(asked), failure_persistence: None, ..ProptestConfig::default() }
}
