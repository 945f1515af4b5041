//! Replicas whose gateway leads requests around them: when that can be, and what a run that was killed leaves.

use expect_test::expect;

use super::bench::{Bench, model, running, stopped};
use super::check;
use crate::survey::{Container, FileSeen, Health};

fn two() -> Bench {
    Bench::new(&["h1", "h2", "nas"])
        .leads_around("nas")
        .wants("h1", "a", "0", 8000)
        .wants("h2", "a", "0", 8000)
}

fn old() -> Container {
    running(model("a", "0", 8000, 1))
}

#[test]
fn each_replica_ends_its_answers_while_the_other_one_gets_the_requests() {
    let bench = two().has("h1", "a", old()).has("h2", "a", old());
    check(
        &bench,
        &expect![[r#"
        models 1
          h1: around http://a:8000/v1, !aside #a-1 | create a, await a, again to a [unmake a, back #a-1, await a, again to a]
        models 2
          h2: around http://a:8000/v1, !aside #a-1 | create a, await a, again to a [unmake a, back #a-1, await a, again to a] after h1/a
        gateway
          nas: ask for [a]
        tidy
          h1: remove #a-1 after h1/a
          h2: remove #a-1 after h2/a
    "#]],
    );
    expect![[r#"
        h1
          ~ replace a: image vllm:v1 → vllm:v2, --max-model-len 1000 → 2000  (interrupts it; others answer meanwhile)
          - remove a's previous version
        h2
          ~ replace a: image vllm:v1 → vllm:v2, --max-model-len 1000 → 2000  (interrupts it; others answer meanwhile)
          - remove a's previous version
        nas
            ask the gateway for a: a model behind it changed

        Plan: 2 to change, 2 to remove; 2 services are interrupted.
    "#]].assert_eq(&bench.text());
}

#[test]
fn nobody_is_led_around_the_only_one_that_answers() {
    check(
        &two().has("h1", "a", old()).has("h2", "a", stopped(model("a", "0", 8000, 1))),
        &expect![[r#"
        models
          h1: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
          h2: remove #a-1 | create a, await a [unmake a]
        gateway
          nas: ask for [a]
        tidy
          h1: remove #a-1 after h1/a
    "#]],
    );
    let loading = Container { health: Health::NotReady("503".into()), ..old() };
    check(
        &two().has("h1", "a", old()).has("h2", "a", loading),
        &expect![[r#"
        models
          h1: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
          h2: aside #a-1 | create a, await a [unmake a, back #a-1, await a]
        gateway
          nas: ask for [a]
        tidy
          h1: remove #a-1 after h1/a
          h2: remove #a-1 after h2/a
    "#]],
    );
}

#[test]
fn a_gateway_that_does_not_heed_it_yet_is_not_relied_upon() {
    let mut bench = two().has("h1", "a", old()).has("h2", "a", old());
    for container in bench.seen("nas").containers.values_mut() {
        container.service.as_mut().unwrap().volumes.clear();
    }
    check(
        &bench,
        &expect![[r#"
        models 1
          h1: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
        models 2
          h2: !aside #a-1 | create a, await a [unmake a, back #a-1, await a] after h1/a
        gateway
          nas: !aside #litellm-1 | create litellm, ask for [a] [unmake litellm, back #litellm-1, ask for []]
        tidy
          h1: remove #a-1 after h1/a
          h2: remove #a-1 after h2/a
          nas: remove #litellm-1 after nas/litellm
    "#]],
    );
}

#[test]
fn a_replica_that_lost_its_gpu_is_spared_too() {
    let new = || running(model("a", "0", 8000, 2));
    let bench = two().has("h1", "a", Container { lost_gpu: true, ..new() }).has("h2", "a", new());
    check(
        &bench,
        &expect![[r#"
        models
          h1: around http://a:8000/v1, !restart #a-1, await a, again to a [again to a]
        gateway
          nas: ask for [a]
    "#]],
    );
}

#[test]
fn what_a_killed_run_left_is_forgotten_first() {
    let new = || running(model("a", "0", 8000, 2));
    let mut bench = two().has("h1", "a", new()).has("h2", "a", new());
    let left = FileSeen { sha256: "1".into(), mode: 0o644 };
    bench.seen("nas").files.insert("around/h1.a.url".into(), left);
    check(
        &bench,
        &expect![[r#"
        prepare
          nas: unlink around/h1.a.url
    "#]],
    );
    expect![[r#"
        nas
          - remove around/h1.a.url: an earlier deploy was cut off

        Plan: 1 to remove; nothing that serves is interrupted.
    "#]]
    .assert_eq(&bench.text());
}
