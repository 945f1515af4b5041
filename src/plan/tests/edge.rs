//! The gateway behind an edge: what is replaced without anybody noticing, and what a run that was killed leaves.

use expect_test::expect;

use super::bench::{Bench, edge, gateway, running, stopped, unpublished};
use super::check;
use crate::gateway::CADDYFILE;
use crate::plan::Condition;
use crate::survey::{FileSeen, Health};

fn behind() -> Bench {
    Bench::new(&["box"]).behind_edge("box")
}

#[test]
fn a_gateway_that_answers_behind_its_edge_is_left_alone() {
    check(&behind(), &expect![[""]]);
}

#[test]
fn a_new_gateway_stands_beside_the_old_one_until_it_answers() {
    let bench = behind().has("box", "litellm", running(unpublished(1)));
    check(
        &bench,
        &expect![[r#"
            gateway
              box: beside #litellm-1 | create litellm, ask for [], switch to litellm [switch to #litellm-1, unmake litellm, back #litellm-1, ask for []]
            tidy
              box: drain #litellm-1, remove #litellm-1 after box/litellm
        "#]],
    );
    expect![[r#"
        box
          ~ replace litellm: image litellm:v1 → litellm:v2
          - remove litellm's previous version

        Plan: 1 to change, 1 to remove; nothing that serves is interrupted.
    "#]]
    .assert_eq(&bench.text());
}

#[test]
fn what_a_killed_run_left_is_gone_on_with() {
    let old = || running(unpublished(1));
    // Between the new name of the old one and the new one.
    let mut bench = behind().had("box", "litellm", old()).leads_to("box", &["#litellm-1.previous"]);
    bench.seen("box").containers.remove("homelab-litellm-1");
    check(
        &bench,
        &expect![[r#"
            gateway
              box: create litellm, ask for [], switch to litellm [switch to #litellm-1.previous, unmake litellm, back #litellm-1.previous, ask for []]
            tidy
              box: drain #litellm-1.previous, remove #litellm-1.previous after box/litellm
        "#]],
    );
    // It comes up.
    let mut coming = running(unpublished(2));
    coming.health = Health::NotReady("connection refused".into());
    let bench = behind().has("box", "litellm", coming).had("box", "litellm", old());
    check(
        &bench.leads_to("box", &["#litellm-1.previous"]),
        &expect![[r#"
            gateway
              box: ask for [], switch to litellm [switch to #litellm-1.previous, remove #litellm-1, back #litellm-1.previous, ask for []]
            tidy
              box: drain #litellm-1.previous, remove #litellm-1.previous after box/litellm
        "#]],
    );
    // It answers, and nothing leads to it yet.
    let bench = behind().had("box", "litellm", old()).leads_to("box", &["#litellm-1.previous"]);
    check(
        &bench,
        &expect![[r#"
        gateway
          box: switch to litellm
        tidy
          box: drain #litellm-1.previous, remove #litellm-1.previous after box/litellm
    "#]],
    );
    // Half of a switch.
    let bench = behind().had("box", "litellm", old());
    check(
        &bench.leads_to("box", &["#litellm-1", "#litellm-1.previous"]),
        &expect![[r#"
        gateway
          box: switch to litellm
        tidy
          box: drain #litellm-1.previous, remove #litellm-1.previous after box/litellm
    "#]],
    );
}

#[test]
fn what_a_run_that_was_killed_late_left_goes_or_leads_on() {
    let old = || running(unpublished(1));
    // The old one has not gone, or has ended.
    check(
        &behind().had("box", "litellm", old()),
        &expect![[r#"
        tidy
          box: drain #litellm-1.previous, remove #litellm-1.previous
    "#]],
    );
    check(
        &behind().had("box", "litellm", stopped(unpublished(1))),
        &expect![[r#"
        tidy
          box: remove #litellm-1.previous
    "#]],
    );
    // The inventory has changed since.
    let bench = behind().has("box", "litellm", running(unpublished(3))).had("box", "litellm", old());
    check(
        &bench.leads_to("box", &["#litellm-1.previous"]),
        &expect![[r#"
            gateway
              box: switch to litellm, drain #litellm-1.previous, remove #litellm-1.previous, beside #litellm-1 | create litellm, ask for [], switch to litellm [switch to #litellm-1, unmake litellm, back #litellm-1, ask for []]
            tidy
              box: drain #litellm-1, remove #litellm-1 after box/litellm
        "#]],
    );
}

#[test]
fn a_changed_config_is_reloaded_and_a_changed_edge_replaced() {
    let other = FileSeen { sha256: "0".into(), mode: 0o644 };
    let mut bench = behind();
    bench.seen("box").files.insert(CADDYFILE.into(), other.clone());
    check(
        &bench,
        &expect![[r#"
            gateway
              box: reload caddy, await caddy, write edge/Caddyfile [reload caddy as it was] after box/litellm
        "#]],
    );
    let mut bench = bench.has("box", "caddy", running(edge(1)));
    check(
        &bench,
        &expect![[r#"
            gateway
              box: reload caddy, write edge/Caddyfile, !aside #caddy-1 | create caddy, await caddy [unmake caddy, back #caddy-1] after box/litellm
            tidy
              box: remove #caddy-1 after box/caddy
        "#]],
    );
    // What was set aside and started again by somebody serves until it goes, whatever else is done.
    let started = behind().had("box", "caddy", running(edge(1)));
    check(
        &started,
        &expect![[r#"
        models
          box: !remove #caddy-1.previous |
    "#]],
    );
    bench = bench.has("box", "caddy", running(edge(2))).had("box", "caddy", running(edge(1)));
    check(
        &bench,
        &expect![[r#"
            models
              box: !remove #caddy-1.previous |
            gateway
              box: reload caddy, await caddy, write edge/Caddyfile [reload caddy as it was] after box/litellm
        "#]],
    );
    // One that does not run finds its config written.
    bench.seen("box").containers.remove("homelab-caddy-1.previous");
    bench = bench.has("box", "caddy", stopped(edge(2)));
    check(
        &bench,
        &expect![[r#"
        prepare
          box: write edge/Caddyfile
        gateway
          box: start #caddy-1, await caddy after box/litellm
    "#]],
    );
    let mut broken = running(edge(2));
    broken.health = Health::NotReady("it takes no connections yet".into());
    check(
        &bench.has("box", "caddy", broken),
        &expect![[r#"
        prepare
          box: write edge/Caddyfile
        gateway
          box: restart #caddy-1, await caddy after box/litellm
    "#]],
    );
}

#[test]
fn a_gateway_that_compose_made_is_told_of_as_such_even_if_the_edge_leads_elsewhere() {
    let mut compose = running(unpublished(2));
    (compose.service, compose.health) = (Err("missing".into()), Health::NotAsked);
    let bench = behind().has("box", "litellm", compose).had("box", "litellm", running(unpublished(1)));
    let bench = bench.leads_to("box", &["#litellm-1.previous"]);
    // What answers goes on until the new one does.
    check(
        &bench,
        &expect![[r#"
        gateway
          box: !remove #litellm-1 | create litellm, ask for [], switch to litellm [switch to #litellm-1.previous, unmake litellm, back #litellm-1.previous, ask for []]
        tidy
          box: drain #litellm-1.previous, remove #litellm-1.previous after box/litellm
    "#]],
    );
    let rows = crate::plan::status(&bench.desired, &bench.survey, &bench.plan());
    let row = rows.iter().find(|row| row.service.as_ref().is_some_and(|name| name.as_str() == "litellm"));
    assert_eq!(
        row.map(|row| &row.condition),
        Some(&Condition::Differs("docker compose made it, not homelab".into()))
    );
}

#[test]
fn an_edge_that_is_new_takes_the_port_over_and_gives_it_back_if_it_fails() {
    let mut bench = behind().has("box", "litellm", running(gateway(1))).leads_to("box", &[]);
    let seen = bench.seen("box");
    seen.containers.remove("homelab-caddy-1");
    seen.files.clear();
    check(
        &bench,
        &expect![[r#"
        prepare
          box: write edge/Caddyfile
        gateway
          box: !aside #litellm-1 | create litellm, ask for [], switch to litellm, create caddy, await caddy [unmake caddy, unmake litellm, back #litellm-1, ask for []]
        tidy
          box: remove #litellm-1 after box/litellm
    "#]],
    );
    expect![[r#"
        box
          + write edge/Caddyfile
          ~ replace litellm: image litellm:v1 → litellm:v2, ports ["0.0.0.0:4000:4000"] → ["127.0.0.1::4000"]  (interrupts it)
              hint: the gateway is away until the new one answers, for about half a minute; its edge spares you that from then on
          + create caddy: it is not there
          - remove litellm's previous version

        Plan: 2 to add, 1 to change, 1 to remove; 1 service is interrupted.
    "#]].assert_eq(&bench.text());
    // Where it cannot come, the gateway stays what it was.
    bench.seen("box").taken.insert(4000, "container shop".into());
    check(
        &bench,
        &expect![[r#"
        blocked box caddy: port 4000 is taken by container shop
        blocked box litellm: clients would reach it through the edge alone, which cannot come
        prepare
          box: write edge/Caddyfile
    "#]],
    );
}

#[test]
fn an_edge_that_goes_gives_its_port_to_the_gateway() {
    let mut bench = Bench::new(&["box"]).has("box", "litellm", running(unpublished(2)));
    bench = bench.has("box", "caddy", running(edge(2))).leads_to("box", &["#litellm-1"]);
    check(
        &bench,
        &expect![[r#"
        gateway
          box: !aside #litellm-1, !aside #caddy-1 | create litellm, ask for [] [unmake litellm, back #litellm-1, ask for []]; [back #caddy-1] after box/litellm
        tidy
          box: remove #litellm-1 after box/litellm; remove #caddy-1 after box/litellm; unlink edge/upstream/#litellm-1 after box/litellm box/litellm box/caddy
    "#]],
    );
}
