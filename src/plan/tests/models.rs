//! Models: made, swapped, started, in the order their GPUs and replicas allow.

use expect_test::expect;

use crate::service::label;

use super::bench::{Bench, model, running, stopped};
use super::{check, one};
use crate::survey::{Container, Health, State};

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let bench = one().has("box", "a", running(model("a", "0", 8000, 2)));
    check(&bench, &expect![""]);
    assert_eq!(bench.text(), "Nothing to do: 1 host is in sync.\n");
}

#[test]
fn what_is_missing_is_made_and_waited_for() {
    check(
        &one(),
        &expect![[r"
            models
              box: create a, await a [unmake a]
            gateway
              box: ask for [a]
        "]],
    );
}

#[test]
fn a_change_is_swapped_stop_first_with_a_way_back() {
    let bench = one().has("box", "a", running(model("a", "0", 8000, 1)));
    check(
        &bench,
        &expect![[r"
            models
              box: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
            gateway
              box: ask for [a]
            tidy
              box: remove #a-1 after box/a
        "]],
    );
    expect![[r"
        box
          ~ replace a: image vllm:v1 → vllm:v2, --max-model-len 1000 → 2000  (interrupts it)
            ask the gateway for a: a model behind it changed
          - remove a's previous version

        Plan: 1 to change, 1 to remove; 1 service is interrupted.
    "]]
    .assert_eq(&bench.text());
}

#[test]
fn what_does_not_run_is_started_restarted_or_waited_for() {
    let with = |state: State, health: Health| {
        let found = Container { state, health, ..running(model("a", "0", 8000, 2)) };
        let text = one().has("box", "a", found).text();
        text.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    let asked = || Health::NotAsked;
    for (state, health, line) in [
        (State::Running, Health::Hung("no answer in 5 s".into()), "~ restart a: it hangs: no answer in 5 s"),
        (State::Running, Health::NotReady("503".into()), "wait for a: it does not answer yet: 503"),
        (
            State::Running,
            Health::Lacks(vec!["h/b".into()]),
            "~ restart a: it no longer has h/b  (interrupts it)",
        ),
        (State::Restarting, asked(), "wait for a: it does not answer yet: it keeps restarting (0 times)"),
        (State::Paused, asked(), "~ restart a: it is paused"),
        (State::Created, asked(), "~ start a: it was never started"),
        (State::Exited { code: 3, oom: false }, asked(), "~ start a: it exited with code 3"),
        (State::Exited { code: 137, oom: true }, asked(), "~ start a: it ran out of memory and was killed"),
        (State::Dead, asked(), "~ replace a: it is dead"),
    ] {
        assert_eq!(with(state, health), line);
    }
}

#[test]
fn on_one_gpu_everything_leaves_before_anything_loads() {
    let bench = Bench::new(&["box"])
        .wants("box", "a", "0", 8000)
        .wants("box", "b", "0,1", 8001)
        .wants("box", "c", "2", 8002)
        .has("box", "a", running(model("a", "0", 8000, 1)))
        .has("box", "b", running(model("b", "0,1", 8001, 1)))
        .has("box", "x", running(model("x", "1", 8005, 1)));
    check(
        &bench,
        &expect![[r#"
            models
              box: create c, await c [unmake c]
              box: !aside #a-1, !aside #b-1, !aside #x-1 | create a, await a [unmake a, back #a-1, await a]; create b, await b [unmake b, back #b-1, await b]; [back #x-1, await x] after box/b
            gateway
              box: ask for [a b c]
            tidy
              box: remove #a-1 after box/a; remove #b-1 after box/b; remove #x-1 after box/b
        "#]],
    );
}

#[test]
fn what_leaves_a_gpu_for_another_is_gone_before_its_place_is_taken() {
    let bench = Bench::new(&["box"]).wants("box", "a", "1", 8000).wants("box", "b", "0", 8001).has(
        "box",
        "a",
        running(model("a", "0", 8000, 1)),
    );
    check(
        &bench,
        &expect![[r"
            models
              box: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]; create b, await b [unmake b]
            gateway
              box: ask for [a b]
            tidy
              box: remove #a-1 after box/a
        "]],
    );
}

#[test]
fn what_loads_already_is_waited_for_first() {
    let loading = Container { health: Health::NotReady("503".into()), ..running(model("b", "0", 8001, 2)) };
    let bench = one().wants("box", "b", "0", 8001).has("box", "b", loading);
    check(
        &bench,
        &expect![[r"
            models
              box: await b; create a, await a [unmake a]
            gateway
              box: ask for [a b]
        "]],
    );
}

#[test]
fn replicas_are_replaced_one_wave_after_the_other_with_all_that_shares_their_gpu() {
    let mut bench = Bench::new(&["h1", "h2", "nas"]);
    for at in ["h1", "h2"] {
        bench = bench.wants(at, "a", "0", 8000).has(at, "a", running(model("a", "0", 8000, 1)));
    }
    // It shares the GPU of `a`, so it goes in its wave.
    bench = bench.wants("h2", "b", "0", 8001).has("h2", "b", stopped(model("b", "0", 8001, 2)));
    check(
        &bench,
        &expect![[r"
            models 1
              h1: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
            models 2
              h2: !aside #a-1 | create a, await a [unmake a, back #a-1, await a] after h1/a; start #b-1, await b
            gateway
              nas: ask for [a b]
            tidy
              h1: remove #a-1 after h1/a
              h2: remove #a-1 after h2/a
        "]],
    );
}

#[test]
fn a_swap_that_was_cut_off_is_finished() {
    let old = || stopped(model("a", "0", 8000, 1));
    let new = || running(model("a", "0", 8000, 2));
    let cases = [
        ("before the new one was made", one().had("box", "a", old())),
        (
            "while it loaded",
            one().had("box", "a", old()).has(
                "box",
                "a",
                Container { health: Health::NotReady("503".into()), ..new() },
            ),
        ),
        ("before the old one went", one().had("box", "a", old()).has("box", "a", new())),
        ("and wanted back", one().had("box", "a", stopped(model("a", "0", 8000, 2)))),
        (
            "and changed since",
            one().had("box", "a", old()).has("box", "a", stopped(model("a", "0", 8000, 3))),
        ),
    ];
    let told: String = cases.iter().map(|(when, bench)| format!("# {when}\n{}", bench.outline())).collect();
    expect![[r"
        # before the new one was made
        models
          box: create a, await a [unmake a, back #a-1.previous, await a]
        gateway
          box: ask for [a]
        tidy
          box: remove #a-1.previous after box/a
        # while it loaded
        models
          box: await a [remove #a-1, back #a-1.previous, await a]
        gateway
          box: ask for [a]
        tidy
          box: remove #a-1.previous after box/a
        # before the old one went
        tidy
          box: remove #a-1.previous
        # and wanted back
        models
          box: back #a-1.previous, await a
        gateway
          box: ask for [a]
        # and changed since
        models
          box: remove #a-1 | create a, await a [unmake a, back #a-1.previous, await a]
        gateway
          box: ask for [a]
        tidy
          box: remove #a-1.previous after box/a
    "]]
    .assert_eq(&told);
}

#[test]
fn a_previous_version_that_runs_all_the_same_makes_room_first() {
    let runs = || running(model("a", "0", 8000, 1));
    let started = one().had("box", "a", runs());
    check(
        &started,
        &expect![[r"
            models
              box: !aside #a-1.previous | create a, await a [unmake a, back #a-1.previous, await a]
            gateway
              box: ask for [a]
            tidy
              box: remove #a-1.previous after box/a
        "]],
    );
    let beside = one().had("box", "a", runs()).has("box", "a", running(model("a", "0", 8000, 2)));
    check(
        &beside,
        &expect![[r"
            models
              box: !remove #a-1.previous |
        "]],
    );
}

#[test]
fn a_container_whose_files_lie_elsewhere_is_replaced() {
    let mut there = running(model("a", "0", 8000, 2));
    there.labels.insert(label::WORKING_DIR.into(), "/home/me/old".into());
    let bench = one().has("box", "a", there.clone());
    let text = bench.text();
    assert!(text.contains("replace a: homelab_dir /home/me/old → /home/me/homelab/homelab"), "{text}");
    there.labels.insert(label::WORKING_DIR.into(), "/home/me/homelab/homelab".into());
    assert!(one().has("box", "a", there).plan().is_empty());
}
