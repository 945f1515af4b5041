//! Downloads: before anything stops, once for all that need the same, and only where something starts.

use expect_test::expect;

use crate::cluster::Weights;
use crate::service::label;
use crate::survey::{Container, FileSeen};

use super::bench::{Bench, host, model, running, service};
use super::check;

fn weights(what: &str, key: &str) -> Weights {
    Weights {
        what: what.into(),
        repositories: vec![what.into()],
        key: key.into(),
        entrypoint: vec![],
        command: vec![],
        cache: "/hub".into(),
        on_host: "/srv/hub".into(),
        commits: [].into(),
        open_key: None,
        moved_by: "hf_home",
    }
}

fn needs(mut bench: Bench, names: &[&str]) -> Bench {
    for name in names {
        needed(&mut bench, name, vec![weights("a/b", "0123456789abcdef")]);
    }
    bench
}

fn needed(bench: &mut Bench, name: &str, weights: Vec<Weights>) {
    let services = &mut bench.desired.hosts.get_mut(&host("box")).unwrap().services;
    services.get_mut(&service(name)).unwrap().weights = weights;
}

fn two() -> Bench {
    let bench = Bench::new(&["box"]).wants("box", "a", "0", 8000).wants("box", "b", "1", 8001);
    needs(bench, &["a", "b"])
}

fn unfinished(bench: &mut Bench, name: &str) {
    let labels = [(label::FETCH.to_owned(), "a".to_owned())].into();
    let left = Container {
        id: "#left".into(),
        labels,
        service: Err("none".into()),
        ..running(model("a", "0", 1, 1))
    };
    bench.seen("box").containers.insert(name.into(), left);
}

#[test]
fn what_two_models_need_is_fetched_once_after_their_image() {
    let mut bench = two().has("box", "a", running(model("a", "0", 8000, 1)));
    bench.seen("box").images.0.remove("vllm:v2");
    check(
        &bench,
        &expect![[r#"
            prepare 1
              box: pull vllm:v2
            prepare 2
              box: fetch a/b
            models
              box: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
              box: create b, await b [unmake b]
            gateway
              box: ask for [a b]
            tidy
              box: remove #a-1 after box/a
        "#]],
    );
    assert!(bench.text().contains("+ fetch a/b: while the old version serves\n"), "{}", bench.text());
}

#[test]
fn what_one_service_needs_comes_one_after_the_other_and_first_what_others_wait_for() {
    let mut bench = Bench::new(&["box"]).wants("box", "a", "0", 8000).wants("box", "b", "1", 8001);
    let shared = || weights("z/shared", "0");
    needed(&mut bench, "a", vec![weights("y/own", "1"), weights("x/own", "2"), shared()]);
    needed(&mut bench, "b", vec![shared(), weights("b/own", "3")]);
    let there = FileSeen { sha256: "0".into(), mode: 0o644 };
    check(
        &bench,
        &expect![[r#"
        prepare
          box: fetch z/shared; fetch x/own; fetch y/own
          box: fetch b/own
        models
          box: create a, await a [unmake a]
          box: create b, await b [unmake b]
        gateway
          box: ask for [a b]
    "#]],
    );
    bench.seen("box").files.extend(["0", "2"].map(|key| (format!("fetched/{key}.txt"), there.clone())));
    unfinished(&mut bench, "homelab-fetch-1");
    unfinished(&mut bench, "homelab-fetch-2");
    check(
        &bench,
        &expect![[r#"
        prepare
          box: fetch y/own
          box: fetch b/own
        models
          box: create a, await a [unmake a]
          box: create b, await b [unmake b]
        gateway
          box: ask for [a b]
        tidy
          box: unfetch #left
    "#]],
    );
}

#[test]
fn what_is_there_or_serves_already_is_not_fetched() {
    let serves = two().has("box", "a", running(model("a", "0", 8000, 2))).has(
        "box",
        "b",
        running(model("b", "1", 8001, 2)),
    );
    check(&serves, &expect![[""]]);
    let mut there = two().has("box", "a", running(model("a", "0", 8000, 2)));
    let marker = FileSeen { sha256: "0".into(), mode: 0o644 };
    there.seen("box").files.insert("fetched/0123456789abcdef.txt".into(), marker);
    check(
        &there,
        &expect![[r#"
            models
              box: create b, await b [unmake b]
            gateway
              box: ask for [b]
        "#]],
    );
}

#[test]
fn what_an_earlier_run_left_goes_or_gives_way_to_the_next() {
    let mut bench = two().has("box", "a", running(model("a", "0", 8000, 2)));
    unfinished(&mut bench, "homelab-fetch-0123456789abcdef");
    unfinished(&mut bench, "homelab-fetch-00");
    check(
        &bench,
        &expect![[r#"
            prepare
              box: fetch a/b
            models
              box: create b, await b [unmake b]
            gateway
              box: ask for [b]
            tidy
              box: unfetch #left
        "#]],
    );
}

#[test]
fn what_makes_room_waits_for_what_may_not_come() {
    let bench = needs(Bench::new(&["box"]).wants("box", "a", "0", 8000), &["a"]).has(
        "box",
        "old",
        running(model("old", "0", 8009, 1)),
    );
    check(
        &bench,
        &expect![[r#"
            prepare
              box: fetch a/b
            models
              box: !aside #old-1 | create a, await a [unmake a]; [back #old-1, await old] after box/a
            gateway
              box: ask for [a]
            tidy
              box: remove #old-1 after box/a
        "#]],
    );
}
