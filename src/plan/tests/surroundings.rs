//! Everything around the models: leftovers, the gateway, files, what is in the way, the status.

use expect_test::expect;

use super::bench::{Bench, gateway, host, model, outline, running, service, stopped};
use super::{check, one};
use crate::diagnosis::{Evidence, find};
use crate::names::ProjectName;
use crate::plan::{Condition, down, status};
use crate::secret::Content;
use crate::service::label;
use crate::survey::{Container, FileSeen, Health, Look, RootKey};

#[test]
fn leftovers_go_last_and_only_those_in_the_way_go_first() {
    let bench = one()
        .has("box", "free", running(model("free", "1", 8005, 1)))
        .has("box", "gpu", running(model("gpu", "0", 8006, 1)))
        .has("box", "port", running(model("port", "none", 8000, 1)))
        .has("box", "still", stopped(model("still", "0", 8000, 1)))
        .had("box", "gpu", stopped(model("gpu", "0", 8006, 1)));
    check(
        &bench,
        &expect![[r#"
            models
              box: remove #gpu-1.previous, !aside #gpu-1, !aside #port-1 | create a, await a [unmake a]; [back #gpu-1, await gpu] after box/a; [back #port-1, await port] after box/a
            gateway
              box: ask for [a]
            tidy
              box: !remove #free-1; remove #gpu-1 after box/a; remove #port-1 after box/a; remove #still-1
        "#]],
    );
}

#[test]
fn a_leftover_on_the_gateways_port_makes_room_for_it() {
    let bench = Bench::new(&["box"]).has("box", "litellm", stopped(gateway(1))).has(
        "box",
        "x",
        running(model("x", "none", 4000, 1)),
    );
    check(
        &bench,
        &expect![[r#"
            gateway
              box: remove #litellm-1, !aside #x-1 | create litellm, ask for [] [unmake litellm]; [back #x-1, await x] after box/litellm
            tidy
              box: remove #x-1 after box/litellm
        "#]],
    );
}

#[test]
fn what_compose_made_is_replaced_and_may_be_anywhere() {
    let mut compose = running(model("a", "0", 8000, 2));
    (compose.service, compose.health) = (Err("missing".into()), Health::NotAsked);
    let bench = one().wants("box", "b", "1", 8001).has("box", "a", compose);
    check(
        &bench,
        &expect![[r"
            models
              box: !aside #a-1 | create a, await a [unmake a, back #a-1]; create b, await b [unmake b]
            gateway
              box: ask for [a b]
            tidy
              box: remove #a-1 after box/a
        "]],
    );
}

#[test]
fn the_gateway_follows_its_models_and_is_asked_for_what_changed() {
    let bench = Bench::new(&["gpu", "nas"])
        .wants("gpu", "a", "0", 8000)
        .wants("gpu", "b", "1", 8001)
        .has("gpu", "a", running(model("a", "0", 8000, 2)))
        .has("gpu", "x", running(model("x", "1", 8005, 1)))
        .has("nas", "litellm", running(gateway(1)));
    check(
        &bench,
        &expect![[r#"
            models
              gpu: !aside #x-1 | create b, await b [unmake b]; [back #x-1, await x] after gpu/b
            gateway
              nas: !aside #litellm-1 | create litellm, ask for [a b] [unmake litellm, back #litellm-1, ask for []] after gpu/x
            tidy
              gpu: remove #x-1 after gpu/b
              nas: remove #litellm-1 after nas/litellm
        "#]],
    );
}

#[test]
fn a_model_that_moves_takes_the_gateway_along_and_one_that_cannot_leaves_it() {
    let mut bench = Bench::new(&["gpu", "nas"])
        .wants("gpu", "a", "0", 8001)
        .has("gpu", "a", running(model("a", "0", 8000, 2)))
        .has("nas", "litellm", running(gateway(1)));
    check(
        &bench,
        &expect![[r"
            models
              gpu: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]
            gateway
              nas: !aside #litellm-1 | create litellm, ask for [a] [unmake litellm, back #litellm-1, ask for []] after gpu/a
            tidy
              gpu: remove #a-1 after gpu/a
              nas: remove #litellm-1 after nas/litellm
        "]],
    );
    bench.seen("gpu").taken.insert(8001, "a process".into());
    check(
        &bench,
        &expect![[r"
            blocked gpu a: port 8001 is taken by a process
        "]],
    );
}

#[test]
fn files_networks_and_images_come_first_the_compose_file_last() {
    let mut bench = one();
    bench.survey.root_key = RootKey::Absent;
    let site = bench.desired.hosts.get_mut(&host("box")).unwrap();
    site.files.insert("compose.yml".into(), Content::plain("c"));
    site.files.insert("env/a-1.env".into(), Content::plain("e"));
    site.files.insert("zzz".into(), Content::plain("z"));
    let seen = bench.seen("box");
    (seen.images, seen.networks) = Default::default();
    seen.files.insert("env/a-0.env".into(), FileSeen { sha256: "0".into(), mode: 0o600 });
    seen.files.insert("zzz".into(), FileSeen { sha256: "0".into(), mode: 0o644 });
    seen.files.insert("mine.txt".into(), FileSeen { sha256: "0".into(), mode: 0o644 });
    check(
        &bench,
        &expect![[r"
            prepare 1
              box: root key
            prepare 2
              box: network homelab_default, write env/a-1.env, write zzz, write compose.yml after box
              box: pull vllm:v2 after box
            models
              box: create a, await a [unmake a]
            gateway
              box: ask for [a]
            tidy
              box: unlink env/a-0.env after box/a box/litellm
        "]],
    );
}

#[test]
fn a_host_without_services_keeps_nothing_of_ours() {
    let mut bench = Bench::new(&["old", "nas"]).has("old", "x", running(model("x", "0", 8000, 1)));
    let seen = bench.seen("old");
    for path in ["compose.yml", "env/x.env", "mine.txt"] {
        seen.files.insert(path.into(), FileSeen { sha256: "0".into(), mode: 0o600 });
    }
    let site = bench.desired.hosts.get_mut(&host("old")).unwrap();
    site.files.insert("compose.yml".into(), Content::plain("services: {}"));
    check(
        &bench,
        &expect![[r"
            tidy
              old: !remove #x-1; unlink compose.yml, unlink env/x.env, unnet homelab_default after old/x
        "]],
    );
}

#[test]
fn what_is_in_the_way_is_said_and_the_rest_goes_on() {
    let mut bench = Bench::new(&["box", "gone", "nas"])
        .wants("box", "free", "1", 8001)
        .wants("box", "mine", "0", 8000)
        .wants("box", "netless", "0", 8003)
        .wants("box", "port", "0", 8002)
        .wants("box", "never", "0", 8004)
        .wants("box", "odd", "0", 8005)
        .wants("gone", "a", "0", 8000)
        .down("gone");
    let site = bench.desired.hosts.get_mut(&host("box")).unwrap();
    site.services.get_mut(&service("netless")).unwrap().service.networks = vec!["traefik".into()];
    let never = &mut site.services.get_mut(&service("never")).unwrap().service;
    (never.image, never.pull_policy) = ("mine:1".into(), Some("never".into()));
    let seen = bench.seen("box");
    seen.strangers.insert("homelab-mine-1".into());
    seen.taken.insert(8002, "a process".into());
    let mut odd = running(model("odd", "0", 8005, 2));
    (odd.service, odd.health) = (Err("unknown field `x`".into()), Health::NotAsked);
    odd.labels.insert(label::SERVICE.into(), "{\"x\":1}".into());
    let bench = bench.has("box", "odd", odd);
    expect![[r"
        box
          ! mine: looking for a place for mine: a container homelab-mine-1 is there, and homelab did not make it
              hint: remove it (docker rm -f homelab-mine-1), or choose another homelab_project
          ! netless: looking for a place for netless: there is no network traefik
              hint: make it (docker network create traefik), or drop it from `networks`
          ! odd: reading the label of odd: its label `dev.homelab.service` cannot be read: unknown field `x`
              hint: a newer homelab may have made it; else remove it: docker rm -f #odd-1
          ! port: looking for a place for port: port 8002 is taken by a process
              hint: stop it, or give port another `port`
          ! never: looking for its image: the image mine:1 is not on the host, and pull_policy is never
              hint: build or load it there, or drop pull_policy
          + create free: it is not there
        gone
          ! connecting: no route to host
        nas
            ask the gateway for free: a model behind it changed

        Plan: 1 to add, 6 things in the way; nothing that serves is interrupted.
    "]]
    .assert_eq(&bench.text());
}

#[test]
fn the_status_says_of_each_service_what_the_plan_would_change() {
    let loading = |restarts| Container {
        health: Health::NotReady("503".into()),
        restarts,
        ..running(model("d", "3", 8003, 2))
    };
    let bench = Bench::new(&["box", "gone"])
        .down("gone")
        .wants("box", "a", "0", 8000)
        .wants("box", "b", "1", 8001)
        .wants("box", "c", "2", 8002)
        .wants("box", "d", "3", 8003)
        .wants("box", "e", "4", 8004)
        .has("box", "a", running(model("a", "0", 8000, 2)))
        .has("box", "b", running(model("b", "1", 8001, 1)))
        .has("box", "d", loading(0))
        .has("box", "e", running(model("e", "4", 8004, 2)))
        .had("box", "e", stopped(model("e", "4", 8004, 1)))
        .has("box", "x", running(model("x", "5", 8005, 1)));
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    let conditions: Vec<(&str, &Condition)> =
        rows.iter().map(|row| (row.service.as_ref().map_or("-", |s| s.as_str()), &row.condition)).collect();
    let changed = "image vllm:v1 → vllm:v2, --max-model-len 1000 → 2000".to_owned();
    assert_eq!(
        conditions,
        [
            ("a", &Condition::InSync),
            ("b", &Condition::Differs(changed)),
            ("c", &Condition::Missing(String::new())),
            ("d", &Condition::Starting("503".into())),
            ("e", &Condition::Differs("its previous version is still there".into())),
            ("x", &Condition::NotInInventory),
            ("litellm", &Condition::Unreachable("no route to host".into())),
        ]
    );
}

#[test]
fn the_status_says_what_stands_behind_what_is_not_well() {
    let bench = Bench::new(&["box"])
        .wants("box", "a", "0", 8000)
        .wants("box", "b", "1", 8001)
        .has("box", "a", stopped(model("a", "0", 8000, 2)))
        .has("box", "b", running(model("b", "1", 8001, 2)));
    let lines = vec!["LiteLLM proxy refused to start: no master key is set, so".to_owned()];
    let found = || find([crate::gateway::CAUSES], &Evidence { lines: &lines, ..Evidence::default() });
    let rows = status(&bench.desired, &bench.survey, &bench.plan());
    let explained: Vec<_> = rows.into_iter().map(|row| row.explained(found())).collect();
    assert!(
        matches!(&explained[0].condition, Condition::Missing(why) if why.ends_with(": it has no master key"))
    );
    assert_eq!(explained[0].finding, found());
    // What is well needs no reason.
    assert_eq!((&explained[1].condition, &explained[1].finding), (&Condition::InSync, &None));
}

#[test]
fn down_removes_what_is_ours_in_order() {
    let mut bench = Bench::new(&["box", "gone"])
        .down("gone")
        .has("box", "a", running(model("a", "0", 8000, 1)))
        .had("box", "a", stopped(model("a", "0", 8000, 1)));
    for path in ["root.key", "mine.txt", "configs/a/x-1.json"] {
        bench.seen("box").files.insert(path.into(), FileSeen { sha256: "0".into(), mode: 0o600 });
    }
    expect![[r"
        blocked gone -: no route to host
        tidy
          box: !remove #a-1, remove #a-1.previous; unlink configs/a/x-1.json, unlink root.key, unnet homelab_default after box/a
    "]]
    .assert_eq(&outline(&down(&ProjectName::homelab(), &bench.survey)));
}

#[test]
fn offline_everything_is_missing_and_nothing_is_in_the_way() {
    let mut bench = one();
    let site = bench.desired.hosts.get_mut(&host("box")).unwrap();
    let wanted = &mut site.services.get_mut(&service("a")).unwrap().service;
    (wanted.pull_policy, wanted.networks) = (Some("never".into()), vec!["traefik".into()]);
    bench.survey.hosts.insert(host("box"), Look::NotAsked);
    check(
        &bench,
        &expect![[r"
            prepare
              box: network homelab_default
              box: pull litellm:v2
            models
              box: create a, await a [unmake a]
            gateway
              box: create litellm, ask for [a] [unmake litellm]
        "]],
    );
}
