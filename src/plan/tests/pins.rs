//! Images that `homelab.lock` pins: what is pulled, what is replaced, and what is learnt.

use std::collections::BTreeMap;

use expect_test::expect;

use crate::plan::learnt;
use crate::survey::{Container, Images};

use super::bench::{Bench, host, model, running, service};
use super::check;

fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

/// Images by their ids; a name of one letter is a digest of `vllm`.
fn images(all: &[(&str, &str)]) -> Images {
    let name = |name: &str| match name.chars().next() {
        Some(of) if name.len() == 1 => format!("vllm@{}", digest(of)),
        _ => name.to_owned(),
    };
    Images(all.iter().map(|(n, id)| (name(n), (*id).to_owned())).collect())
}

fn pinned(mut bench: Bench, to: char) -> Bench {
    let pins = BTreeMap::from([("vllm:v2".to_owned(), digest(to))]);
    bench.desired = bench.desired.pinned(&pins);
    bench
}

/// A model that runs from an image with this id.
fn one(id: &str, there: &[(&str, &str)]) -> Bench {
    let found = Container { image: id.into(), ..running(model("a", "0", 8000, 2)) };
    let mut bench = Bench::new(&["box"]).wants("box", "a", "0", 8000).has("box", "a", found);
    bench.seen("box").images = images(there);
    bench
}

#[test]
fn what_runs_the_pinned_image_stays_by_whatever_name_it_was_made() {
    for there in [&[("vllm:v2", "i1"), ("a", "i1")][..], &[("vllm:v2", "i2"), ("b", "i2"), ("a", "i1")]] {
        check(&pinned(one("i1", there), 'a'), &expect![""]);
    }
    // The host forgot what it was, or containerd keeps it under its digest.
    check(&pinned(one("i1", &[]), 'a'), &expect![""]);
    check(&pinned(one(&digest('a'), &[("vllm:v2", &digest('a'))]), 'a'), &expect![""]);
}

#[test]
fn a_pin_that_moved_brings_its_image_before_anything_stops() {
    let bench = pinned(one("i1", &[("vllm:v2", "i1"), ("a", "i1")]), 'b');
    check(
        &bench,
        &expect![[r#"
        prepare
          box: pull vllm:v2@sha256:bbbbbbbbbbbb
        models
          box: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
        gateway
          box: ask for [a]
        tidy
          box: remove #a-1 after box/a
    "#]],
    );
    expect![[r#"
        box
          + pull vllm:v2@sha256:bbbbbbbbbbbb: homelab.lock pins another one than is there
          ~ replace a: image vllm:v2 sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb  (interrupts it)
            ask the gateway for a: a model behind it changed
          - remove a's previous version

        Plan: 1 to add, 1 to change, 1 to remove; 1 service is interrupted.
    "#]]
    .assert_eq(&bench.text());
}

#[test]
fn a_tag_that_was_moved_by_hand_does_not_count() {
    // Nothing runs yet, and the tag on the host means another image than the pin.
    let mut bench = Bench::new(&["box"]).wants("box", "a", "0", 8000);
    bench.seen("box").images = images(&[("vllm:v2", "i1"), ("a", "i1")]);
    check(
        &pinned(bench, 'b'),
        &expect![[r#"
        prepare
          box: pull vllm:v2@sha256:bbbbbbbbbbbb
        models
          box: create a, await a [unmake a]
        gateway
          box: ask for [a]
    "#]],
    );
}

#[test]
fn an_image_that_is_never_pulled_is_not_pinned() {
    let mut bench = one("i1", &[("vllm:v2", "i1"), ("a", "i1")]);
    let site = bench.desired.hosts.get_mut(&host("box")).unwrap();
    let wanted = site.services.get_mut(&service("a")).unwrap();
    wanted.service.pull_policy = Some("never".into());
    let found = Container { image: "i1".into(), ..running(wanted.service.clone()) };
    check(&pinned(bench.has("box", "a", found), 'b'), &expect![""]);
}

#[test]
fn what_hosts_agree_on_is_learnt_and_what_a_container_runs_counts_before_its_tag() {
    let two = |second: &[(&str, &str)], id: &str| {
        let found = Container { image: id.into(), ..running(model("a", "0", 8000, 2)) };
        let mut bench = Bench::new(&["box", "nas"]).wants("box", "a", "0", 8000).wants("nas", "a", "0", 8000);
        bench.seen("box").images = images(&[("vllm:v2", "i1"), ("a", "i1"), ("c", "i1")]);
        bench = bench.has("nas", "a", found);
        bench.seen("nas").images = images(second);
        learnt(&bench.desired, &bench.survey)
    };
    let pin = BTreeMap::from([("vllm:v2".to_owned(), digest('c'))]);
    // One image may have several digests; the container on nas runs an older one than the tag means.
    let agreed = two(&[("vllm:v2", "i9"), ("b", "i9"), ("c", "i1")], "i1");
    assert_eq!((agreed.pins, agreed.apart.len()), (pin, 0));
    let apart = two(&[("vllm:v2", "i2"), ("b", "i2")], "i2");
    assert!(apart.pins.is_empty());
    assert_eq!(apart.apart["vllm:v2"], [host("box"), host("nas")].into());
    // One that was built there says nothing.
    let built = two(&[("vllm:v2", "i2")], "i2");
    assert!(built.pins.is_empty() && built.apart.is_empty());
}
