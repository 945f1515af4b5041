//! Optional hosts that do not answer: nothing is done there, nobody is asked for what only they serve, and all of it is said.

use expect_test::expect;

use super::bench::{Bench, gateway, model, running};
use super::check;
use crate::cluster::Role;
use crate::names::{HostName, ModelName, ProjectName, ServiceName};
use crate::plan::{Condition, Row, Unserved, down, status};

fn name(name: &str) -> ModelName {
    ModelName::new(name).unwrap()
}

fn falls_back(mut bench: Bench, from: &str, to: &[&str]) -> Bench {
    bench.desired.stands_in.insert(name(from), to.iter().map(|to| name(to)).collect());
    bench
}

/// A laptop that is away, and a box and a gateway that are there.
fn household() -> Bench {
    Bench::new(&["box", "laptop", "nas"])
        .wants("box", "big", "0", 8000)
        .wants("laptop", "small", "none", 8001)
        .away("laptop")
}

#[test]
fn what_only_an_absent_host_serves_is_neither_made_nor_asked_for() {
    check(
        &household(),
        &expect![[r#"
            models
              box: create big, await big [unmake big]
            gateway
              nas: ask for [big]
        "#]],
    );
}

#[test]
fn a_gateway_that_changes_meanwhile_is_asked_for_the_others_only() {
    let bench = household().has("box", "big", running(model("big", "0", 8000, 2)));
    check(
        &bench.has("nas", "litellm", running(gateway(1))),
        &expect![[r#"
            gateway
              nas: !aside #litellm-1 | create litellm, ask for [big] [unmake litellm, back #litellm-1, ask for []]
            tidy
              nas: remove #litellm-1 after nas/litellm
        "#]],
    );
}

#[test]
fn the_plan_says_which_names_are_gone_and_what_stands_in() {
    let bench = falls_back(household(), "small", &["big"]);
    expect![[r"
        box
          + create big: it is not there
        laptop
          ? away: no route to host
          ? small: served nowhere else; big stands in
        nas
            ask the gateway for big: a model behind it changed

        Plan: 1 to add; nothing that serves is interrupted; 1 host is away, and picked up by the next deploy once it is back.
    "]]
    .assert_eq(&bench.text());
}

#[test]
fn nothing_to_do_is_nothing_to_do_although_somebody_is_away() {
    let bench = household().has("box", "big", running(model("big", "0", 8000, 2)));
    assert!(bench.plan().is_empty());
    expect![[r"
        laptop
          ? away: no route to host
          ? small: served nowhere else, and nothing stands in: requests fail until it is back

        Nothing to do: 2 hosts are in sync; 1 host is away, and picked up by the next deploy once it is back.
    "]]
    .assert_eq(&bench.text());
}

#[test]
fn a_name_with_another_host_goes_on_and_fallbacks_are_followed_as_the_gateway_does() {
    let with_twin = household().wants("box", "small", "none", 8001);
    assert_eq!(with_twin.plan().away[0].names, []);
    // First in the list is another one that is gone; its own fallback takes over, in a circle or not.
    let mut bench = household().wants("laptop", "tiny", "none", 8002);
    for (from, to) in [("small", &["tiny", "cloud"][..]), ("tiny", &["small", "big"])] {
        bench = falls_back(bench, from, to);
    }
    let names = bench.plan().away.remove(0).names;
    let one = |it: &str, other: &str| Unserved { name: name(it), stands_in: Some(name(other)) };
    assert_eq!(names, [one("small", "big"), one("tiny", "cloud")]);
    // What none of our hosts serves is somebody else's, and there.
    let bench = falls_back(household(), "small", &["cloud"]);
    assert_eq!(bench.plan().away[0].names, [one("small", "cloud")]);
}

#[test]
fn a_limit_leaves_out_who_is_away_too() {
    let only = |host: &str| household().plan().limited_to(&[HostName::new(host).unwrap()].into());
    assert!(only("box").away.is_empty());
    assert_eq!(only("laptop").away.len(), 1);
}

#[test]
fn the_status_of_who_is_away_is_fine() {
    let bench = household().has("box", "big", running(model("big", "0", 8000, 2)));
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    let small = rows.iter().find(|row| row.host.as_str() == "laptop").unwrap();
    assert_eq!(small.condition, Condition::Away("no route to host".into()));
    assert!(rows.iter().all(Row::is_fine), "{rows:?}");
    // A host without a service has a line of its own.
    let bench = Bench::new(&["spare", "nas"]).away("spare");
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    assert!(matches!(rows.last().unwrap().condition, Condition::Away(_) | Condition::InSync));
    assert_eq!(rows.iter().filter(|row| row.host.as_str() == "spare").count(), 1);
}

#[test]
fn down_does_not_forget_who_is_away() {
    let plan = down(&ProjectName::homelab(), &household().survey);
    assert_eq!(plan.blocked.len(), 1);
    assert_eq!(
        plan.blocked[0].why.hint.as_deref(),
        Some("what homelab made there stays: run homelab down again when it is back")
    );
}

#[test]
fn two_that_are_away_serve_nothing_together() {
    let bench = Bench::new(&["a", "b", "nas"])
        .wants("a", "small", "none", 8001)
        .wants("b", "small", "none", 8001)
        .away("a")
        .away("b");
    let plan = bench.plan();
    assert!(plan.is_empty() && plan.away.iter().all(|away| away.names.len() == 1), "{plan:?}");
    let roles = &bench.desired.hosts[&HostName::new("nas").unwrap()].services[&ServiceName::gateway()].role;
    assert!(matches!(roles, Role::Gateway { names, .. } if names.len() == 1), "the gateway keeps the name");
}
