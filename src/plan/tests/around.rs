//! Replicas whose gateway leads requests around them: when that can be, and what a run that was killed leaves.

use expect_test::expect;

use super::bench::{Bench, model, running, stopped};
use super::check;
use crate::survey::{Container, FileSeen, Health};

fn two() -> Bench {
    Bench::new(&["h1", "h2", "nas"]).leads_around("nas").wants("h1", "a", "0", 8000).wants("h2", "a", "0", 8000)
}

fn old() -> Container {
    running(model("a", "0", 8000, 1))
}

#[test]
fn each_replica_ends_its_answers_while_the_other_one_gets_the_requests() {
    let bench = two().has("h1", "a", old()).has("h2", "a", old());
    check(&bench, &expect![[""]]);
    expect![[""]].assert_eq(&bench.text());
}

#[test]
fn nobody_is_led_around_the_only_one_that_answers() {
    check(&two().has("h1", "a", old()).has("h2", "a", stopped(model("a", "0", 8000, 1))), &expect![[""]]);
    let loading = Container { health: Health::NotReady("503".into()), ..old() };
    check(&two().has("h1", "a", old()).has("h2", "a", loading), &expect![[""]]);
}

#[test]
fn a_gateway_that_does_not_heed_it_yet_is_not_relied_upon() {
    let mut bench = two().has("h1", "a", old()).has("h2", "a", old());
    for container in bench.seen("nas").containers.values_mut() {
        container.service.as_mut().unwrap().volumes.clear();
    }
    check(&bench, &expect![[""]]);
}

#[test]
fn a_replica_that_lost_its_gpu_is_spared_too() {
    let new = || running(model("a", "0", 8000, 2));
    let bench = two().has("h1", "a", Container { lost_gpu: true, ..new() }).has("h2", "a", new());
    check(&bench, &expect![[""]]);
}

#[test]
fn what_a_killed_run_left_is_forgotten_first() {
    let new = || running(model("a", "0", 8000, 2));
    let mut bench = two().has("h1", "a", new()).has("h2", "a", new());
    let left = FileSeen { sha256: "1".into(), mode: 0o644 };
    bench.seen("nas").files.insert("around/h1.a.url".into(), left);
    check(&bench, &expect![[""]]);
    expect![[""]].assert_eq(&bench.text());
}
