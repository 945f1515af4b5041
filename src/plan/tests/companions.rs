//! What stands beside the gateway: last, for itself, and out of the way where others need its port.

use expect_test::expect;

use crate::plan::{Condition, status};
use crate::service::label;
use crate::survey::{Health, State};

use super::bench::{Bench, companion, gateway, model, running, stopped};

#[test]
fn companions_come_after_the_gateway_side_by_side_and_nothing_waits_for_them() {
    let bench = Bench::new(&["gpu", "edge"])
        .wants("gpu", "alpha", "0", 8000)
        .wants_beside("edge", "grafana", 3000)
        .wants_beside("edge", "web", 8080)
        .wants_beside("gpu", "node", 9100)
        .has("edge", "grafana", running(companion(3000, 1)));
    expect![[r#"
        models
          gpu: create alpha, await alpha [unmake alpha]
        gateway
          edge: ask for [alpha]
        companions
          edge: !aside #grafana-1 | create grafana, await grafana [unmake grafana, back #grafana-1, await grafana]
          edge: create web, await web [unmake web]
          gpu: create node, await node [unmake node]
        tidy
          edge: remove #grafana-1 after edge/grafana
    "#]]
    .assert_eq(&bench.outline());
}

#[test]
fn one_whose_port_another_needs_leaves_it_first_and_comes_back_if_that_fails() {
    // Two that change places, one that makes way for a model, and one for the gateway.
    let bench = Bench::new(&["edge"])
        .wants("edge", "alpha", "0", 8000)
        .wants_beside("edge", "grafana", 3000)
        .wants_beside("edge", "web", 3001)
        .wants_beside("edge", "moved", 8080)
        .has("edge", "grafana", running(companion(3001, 2)))
        .has("edge", "web", running(companion(3000, 2)))
        .has("edge", "moved", running(companion(8000, 2)));
    expect![[r#"
        models
          edge: !aside #moved-1 | create alpha, await alpha [unmake alpha]; [unmake moved, back #moved-1, await moved]
        gateway
          edge: ask for [alpha]
        companions
          edge: create moved, await moved [unmake moved, back #moved-1, await moved]
          edge: !aside #grafana-1, !aside #web-1 | create grafana, await grafana [unmake grafana, back #grafana-1, await grafana]; create web, await web [unmake web, back #web-1, await web]
        tidy
          edge: remove #grafana-1 after edge/grafana; remove #moved-1 after edge/moved; remove #web-1 after edge/web
    "#]]
    .assert_eq(&bench.outline());
    let bench = Bench::new(&["edge"])
        .has("edge", "litellm", running(gateway(1)))
        .wants_beside("edge", "moved", 8080)
        .has("edge", "moved", running(companion(4000, 2)));
    expect![[r#"
        gateway
          edge: !aside #litellm-1, !aside #moved-1 | create litellm, ask for [] [unmake litellm, back #litellm-1, ask for []]; [unmake moved, back #moved-1, await moved]
        companions
          edge: create moved, await moved [unmake moved, back #moved-1, await moved]
        tidy
          edge: remove #litellm-1 after edge/litellm; remove #moved-1 after edge/moved
    "#]]
    .assert_eq(&bench.outline());
}

#[test]
fn a_leftover_leaves_its_port_to_a_companion_and_one_that_is_not_wanted_goes_last() {
    let bench = Bench::new(&["edge"])
        .wants_beside("edge", "web", 8000)
        .has("edge", "old", running(model("old", "0", 8000, 1)))
        .has("edge", "grafana", running(companion(3000, 2)));
    expect![[r#"
        companions
          edge: !aside #old-1 | create web, await web [unmake web]; [back #old-1, await old] after edge/web
        tidy
          edge: !remove #grafana-1; remove #old-1 after edge/web
    "#]]
    .assert_eq(&bench.outline());
}

#[test]
fn one_that_cannot_be_asked_is_well_while_it_runs() {
    let mut silent = companion(9100, 2);
    silent.labels.remove(label::HEALTH);
    silent.ports.clear();
    let mut bench = Bench::new(&["edge"]).wants_beside("edge", "node", 9100);
    let wanted = bench.desired.hosts.values_mut().flat_map(|host| host.services.values_mut());
    for service in wanted.filter(|service| service.service.image == "web:v2") {
        (service.service, service.port) = (silent.clone(), None);
    }
    assert_eq!(bench.outline(), "companions\n  edge: create node [unmake node]\n");
    let mut seen = running(silent.clone());
    seen.health = Health::NotAsked;
    let bench = bench.has("edge", "node", seen);
    assert_eq!(bench.outline(), "");
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    let row = rows.iter().find(|row| row.service.as_ref().is_some_and(|name| name.as_str() == "node"));
    assert_eq!(row.map(|row| (&row.condition, &row.endpoint)), Some((&Condition::InSync, &None)));
    let ended = stopped(silent);
    assert_eq!(ended.state, State::Exited { code: 0, oom: false });
    assert_eq!(bench.has("edge", "node", ended).outline(), "companions\n  edge: start #node-1\n");
}

#[test]
fn one_that_is_there_for_its_own_host_says_so() {
    let bench = Bench::new(&["edge"]).wants_beside("edge", "prometheus", 9090).has(
        "edge",
        "prometheus",
        running(companion(9090, 2)),
    );
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    let of = |name: &str| {
        rows.iter().find(|row| row.service.as_ref().is_some_and(|service| service.as_str() == name)).unwrap()
    };
    assert_eq!(of("prometheus").endpoint.as_deref(), Some("http://127.0.0.1:9090"));
    assert_eq!(of("litellm").endpoint.as_deref(), Some("http://edge:4000"));
}
