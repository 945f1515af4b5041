//! GPUs: their memory is waited for where something leaves them and something else loads.

use expect_test::expect;

use super::bench::{Bench, model, running, stopped};
use super::{check, one};
use crate::plan::{Condition, status};
use crate::service::label;
use crate::survey::{Container, Health};

#[test]
fn memory_that_something_leaves_is_waited_for_before_anything_loads() {
    let bench =
        one().gpus("box", &[Some(20_412), Some(9)]).has("box", "a", running(model("a", "0", 8000, 1)));
    check(
        &bench,
        &expect![[r#"
            models
              box: !aside #a-1 | memory of [0], create a, await a [unmake a, memory of [0], back #a-1, await a]
            gateway
              box: ask for [a]
            tidy
              box: remove #a-1 after box/a
        "#]],
    );
}

#[test]
fn nothing_is_waited_for_where_nothing_left_or_nobody_can_tell() {
    let changed = || one().has("box", "a", running(model("a", "0", 8000, 1)));
    let lines = |bench: Bench| bench.outline().lines().nth(1).unwrap_or_default().trim().to_owned();
    // The memory is the system's own.
    let shared = lines(changed().gpus("box", &[None]));
    assert_eq!(shared, "box: !aside #a-1 | create a, await a [unmake a, back #a-1, await a]");
    // No command tells of GPUs.
    assert_eq!(lines(changed()), shared);
    // It did not run, so it holds nothing.
    let idle = one().gpus("box", &[Some(9)]).has("box", "a", stopped(model("a", "0", 8000, 1)));
    assert_eq!(lines(idle), "box: remove #a-1 | create a, await a [unmake a]");
}

#[test]
fn a_model_that_takes_anothers_gpu_waits_for_it_and_so_does_what_comes_back() {
    let bench = Bench::new(&["box"]).wants("box", "new", "0", 8000).gpus("box", &[Some(20_412)]).has(
        "box",
        "old",
        running(model("old", "all", 9000, 1)),
    );
    check(
        &bench,
        &expect![[r#"
            models
              box: !aside #old-1 | memory of [0], create new, await new [unmake new]; [memory of [0], back #old-1, await old] after box/new
            gateway
              box: ask for [new]
            tidy
              box: remove #old-1 after box/new
        "#]],
    );
}

#[test]
fn a_hung_model_is_restarted_only_when_what_leaves_its_gpu_is_gone() {
    let hung = Container { health: Health::Hung("silence".into()), ..running(model("a", "0", 8000, 2)) };
    let bench = one().gpus("box", &[Some(20_412)]).has("box", "a", hung);
    let with_other = |bench: Bench| bench.has("box", "old", running(model("old", "0", 9000, 1)));
    check(
        &with_other(bench),
        &expect![[r#"
            models
              box: !aside #old-1 | memory of [0], restart #a-1, await a; [memory of [0], back #old-1, await old] after box/a
            gateway
              box: ask for [a]
            tidy
              box: remove #old-1 after box/a
        "#]],
    );
}

#[test]
fn a_container_that_lost_its_gpu_is_restarted_replica_by_replica() {
    let lost = || Container { lost_gpu: true, ..running(model("a", "0", 8000, 2)) };
    let bench = Bench::new(&["one", "two"]).wants("one", "a", "0", 8000).wants("two", "a", "0", 8000);
    let bench = bench.has("one", "a", lost()).has("two", "a", lost());
    check(
        &bench,
        &expect![[r#"
        models 1
          one: !restart #a-1, await a
        models 2
          two: !restart #a-1, await a after one/a
        gateway
          two: ask for [a]
    "#]],
    );
    let plan = bench.plan();
    let rows = status(&bench.desired, &bench.survey, &plan);
    let why = "its container has lost the GPU".to_owned();
    assert_eq!(rows[0].condition, Condition::Unhealthy(why));
    expect![[r#"
        one
          ~ restart a: its container has lost the GPU  (interrupts it)
        two
          ~ restart a: its container has lost the GPU  (interrupts it)
            ask the gateway for a: a model behind it changed

        Plan: 2 to change; 2 services are interrupted.
    "#]]
    .assert_eq(&bench.text());
}

#[test]
fn a_start_that_may_freeze_the_host_says_so() {
    let mut bench = one().has("box", "a", running(model("a", "0", 8000, 1)));
    let desired = bench.desired.hosts.values_mut().flat_map(|host| host.services.values_mut());
    for service in desired.filter(|service| service.service.labels.contains_key(label::MODEL)) {
        service.service.labels.insert(label::MEMORY.into(), "shared".into());
    }
    expect![[r#"
        box
          ~ replace a: image vllm:v1 → vllm:v2, --max-model-len 1000 → 2000, labels.dev.homelab.memory shared is new  (interrupts it)
              hint: GPU and system share their memory: a start that takes too much can freeze the host, and no way back undoes that
            ask the gateway for a: a model behind it changed
          - remove a's previous version

        Plan: 1 to change, 1 to remove; 1 service is interrupted.
    "#]].assert_eq(&bench.text());
}
