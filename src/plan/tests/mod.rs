//! The rules of the plan, one by one: what should be, what is, and what is done in which order.

mod around;
mod away;
mod bench;
mod companions;
mod edge;
mod fetch;
mod gpus;
mod models;
mod pins;
mod revisions;
mod surroundings;

use bench::Bench;
use expect_test::Expect;

fn check(bench: &Bench, outline: &Expect) {
    outline.assert_eq(&bench.outline());
}

/// One model on one GPU.
fn one() -> Bench {
    Bench::new(&["box"]).wants("box", "a", "0", 8000)
}
