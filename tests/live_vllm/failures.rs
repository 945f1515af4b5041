//! What vLLM refuses ends the wait at once, with its last lines. All of it in one deploy: each
//! takes the time of vLLM's imports, and several at once take no longer than the cores need.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::process::{Going, Run};
use crate::vllm::serve;

/// Something wrong with a model, and how that must be told.
struct Wrong {
    name: &'static str,
    keys: Value,
    /// How it ended.
    ended: &'static str,
    /// Words of the lines that are shown.
    shown: &'static str,
}

/// Nanoseconds between the end of a container and what homelab did about it. Generous for a machine
/// whose cores are taken by imports; the models' own `ready_timeout` is an hour.
const AT_ONCE: u64 = 10_000_000_000;

fn all_wrong() -> Vec<Wrong> {
    let wrong = |name, keys, ended, shown| Wrong { name, keys, ended, shown };
    let exited = "it exited";
    vec![wrong(
        "bad-flag",
        json!({"args": ["--bogus-flag", "3"]}),
        exited,
        "unrecognized arguments: --bogus-flag 3",
    )]
}

/// What happened to a project's containers on a host, as Docker saw it: time, event and name.
fn watch(cluster: &Cluster, host: &str) -> Going {
    let format = "{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}";
    let watch = format!(
        "exec docker events --filter type=container --filter label=com.docker.compose.project={} --format '{format}'",
        cluster.project
    );
    Going::start(&mut lab().ssh_command("lab", host, &watch))
}

/// From a container's first end to its removal, by name.
fn reactions(events: &str) -> BTreeMap<String, u64> {
    let (mut died, mut took) = (BTreeMap::new(), BTreeMap::new());
    for line in events.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [time, event, name] = words[..] else { continue };
        let time: u64 = time.parse().unwrap();
        match event {
            "die" => {
                died.entry(name.to_owned()).or_insert(time);
            }
            "destroy" => {
                took.insert(name.to_owned(), time - died[name]);
            }
            _ => {}
        }
    }
    took
}

/// What homelab said of a model in the end: the error and the lines below it.
fn told<'a>(run: &'a Run, name: &str) -> (&'a str, Vec<&'a str>) {
    let mut lines = run.stderr.lines();
    let error = lines.find(|line| line.starts_with("error: ") && line.contains(&format!(": {name}: ")));
    let log = lines.skip(1).take_while(|line| line.starts_with("    | ")).collect();
    (error.unwrap_or_else(|| panic!("nothing of {name}")), log)
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn what_vllm_refuses_ends_the_wait_at_once_with_its_last_lines() {
    let mut cluster = Cluster::new("vllm-fails");
    cluster.hosts.as_object_mut().unwrap().remove("lab3");
    let all = all_wrong();
    for (n, wrong) in (0_u16..).zip(&all) {
        // Two hosts, as a person would spread them.
        let host = if n % 2 == 0 { "lab1" } else { "lab2" };
        serve(&mut cluster, (host, n / 2), wrong.name, &wrong.keys);
    }
    let watching = ["lab1", "lab2"].map(|host| watch(&cluster, host));
    let failed = cluster.run(&["deploy"]).exits(1);
    let mut took = BTreeMap::new();
    for watch in watching {
        watch.signal("TERM");
        took.extend(reactions(&watch.end().stdout));
    }
    for Wrong { name, ended, shown, .. } in &all {
        let (error, log) = told(&failed, name);
        assert!(error.contains(&format!(": {name}: waiting until it answers: {ended}")), "{error}");
        assert!(log.iter().any(|line| line.contains(shown)), "{name}: `{shown}` is not in {log:#?}");
        let took = took[&cluster.container(name)];
        assert!(took < AT_ONCE, "{name}: homelab heard of its end after {} ms", took / 1_000_000);
        eprintln!("{name}: seen after {} ms", took / 1_000_000);
    }
    assert_eq!(cluster.containers().len(), 0, "nothing is left that restarts for ever");
}
