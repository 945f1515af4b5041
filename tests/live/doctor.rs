//! `homelab doctor` on hosts with something wrong. lab1's `nvidia-smi` prints a recorded table, and its runtime
//! `nvidia` is runc under a second name: no container sees a GPU there, and that is what doctor has to find out. What
//! plays `nvidia-smi` in a container or on lab4 is a script of the test's own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::{lab, lab4, until};
use crate::process::Run;
use crate::refusals::HOLD;
use crate::running::Running;

/// The label of the one container that doctor makes.
const OURS: &str = "docker ps -aq --filter label=dev.homelab.doctor";
const LIMIT: Duration = Duration::from_secs(30);

/// What a check found on a host, as JSON; exactly one finding that is not fine.
#[track_caller]
fn found(run: &Run, host: &str, check: &str) -> Value {
    let all: Value = serde_json::from_str(&run.stdout).unwrap();
    let hosts = all["hosts"].as_array().unwrap();
    let host = hosts.iter().find(|examined| examined["host"] == host).unwrap();
    let checks = host["checks"].as_array().unwrap();
    let bad: Vec<&Value> = checks.iter().filter(|c| c["check"] == check && c["is"] != "ok").collect();
    assert_eq!(bad.len(), 1, "{check}: {host:#}");
    bad[0].clone()
}

#[track_caller]
fn wrong(run: &Run, host: &str, check: &str, seen: &str) {
    let found = found(run, host, check);
    assert_eq!((&found["is"], &found["seen"]), (&json!("wrong"), &json!(seen)));
    assert!(found["fix"].is_string(), "{found}");
}

/// An image on lab1 with a script for `nvidia-smi`, gone with this.
struct Image(String);

impl Image {
    fn new(name: &str, script: &str) -> Self {
        let (name, pause) = (format!("promise-{name}"), lab().fact("LAB_IMAGE_PAUSE"));
        let make = format!(
            "dir=$(mktemp -d) && printf '#!/bin/busybox sh\\n%s\\n' '{script}' >$dir/nvidia-smi && chmod 755 $dir/nvidia-smi &&
             docker create --name {name} {pause} >/dev/null && docker cp $dir/nvidia-smi {name}:/bin/nvidia-smi &&
             docker commit {name} {name}:1 && docker rm {name} && rm -r $dir"
        );
        lab().ssh("lab1", &make);
        Self(format!("{name}:1"))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        lab().try_ssh("lab1", &format!("docker rmi -f {}", self.0));
    }
}

#[test]
fn a_broken_host_hides_no_other_and_each_finding_has_its_fix() {
    let mut cluster = Cluster::new("doctor");
    cluster.model("lab1", "alpha", 1);
    let hosts = cluster.hosts.clone();
    cluster.hosts["lab1"]["models"]["alpha"]["gpu"] = json!(0);
    cluster.hosts["lab2"] = json!({"ansible_host": lab().address("lab2"), "ansible_user": "guest"});
    cluster.hosts["gone"] = json!({"ansible_host": lab().address("lab2"), "ansible_port": 1});
    let hold = format!("setsid python3 -c '{HOLD}' {} >/dev/null 2>&1 </dev/null & echo $!", cluster.port(1));
    let pid = lab().ssh("lab1", &hold);
    let held =
        || lab().try_ssh("lab1", &format!("ss -ltn | grep -q :{}", cluster.port(1))).code.filter(|c| *c == 0);
    until("the stranger to listen", LIMIT, held);
    let run = cluster.run(&["doctor", "--json"]).exits(1);
    lab().ssh("lab1", &format!("kill {pid}"));
    let address = lab().address("lab2");
    wrong(&run, "gone", "ssh", &format!("connecting: {address} refuses connections on port 1"));
    let seen = "asking Docker: guest may not use Docker: /var/run/docker.sock is closed to them";
    wrong(&run, "lab2", "docker", seen);
    assert!(found(&run, "lab2", "docker")["fix"].as_str().unwrap().contains("usermod -aG docker guest"));
    let seen = "a container sees no GPU: the runtime nvidia brings no nvidia-smi into it";
    wrong(&run, "lab1", "gpu-container", seen);
    let port = cluster.port(1);
    let seen = format!("port {port}, which alpha wants, is taken by python3 (process {})", pid.trim());
    wrong(&run, "lab1", "ports", &seen);

    let one = cluster.run(&["doctor", "lab3"]).exits(0).says("lab3\n  ✓ ssh: ").says("  ✓ docker: Docker ");
    assert!(!one.stdout.contains("lab1"), "{}", one.stdout);
    // Nothing is wrong that was not looked for.
    cluster.run(&["doctor", "lab1", "--no-container"]).exits(0).says("GPU 0: NVIDIA GeForce RTX 4090");
    cluster.run(&["doctor", "lab2", "--limit", "lab1"]).exits(64);
    cluster.hosts = hosts;
}

#[test]
fn the_one_container_sees_the_gpu_without_a_network_and_is_gone_afterwards() {
    // With a network it would see a GPU less.
    let gpu = "[ -e /sys/class/net/eth0 ] || echo \"570.211.01, 0, NVIDIA GeForce RTX 4090, 24564, 412\"";
    let (image, hangs) = (Image::new("doctor-sees", gpu), Image::new("doctor-hangs", "exec sleep 300"));
    let mut cluster = Cluster::new("doctor-gpu");
    cluster.model("lab1", "alpha", 1);
    let hosts = cluster.hosts.clone();
    cluster.hosts["lab1"]["models"]["alpha"]["gpu"] = json!(0);
    cluster.hosts["lab1"]["models"]["alpha"]["image"] = json!(image.0);
    cluster.run(&["doctor", "lab1"]).exits(0).says("✓ gpu-container: a container sees 1 of 1 GPUs");
    let gone = || lab().ssh("lab1", OURS).is_empty().then_some(());
    until("Docker to remove it", LIMIT, gone);

    cluster.hosts["lab1"]["models"]["alpha"]["image"] = json!("promise-doctor-nowhere:1");
    cluster
        .run(&["doctor", "lab1"])
        .exits(0)
        .says("? unknown: gpu-container: no image of a model is on the host yet");

    // Ctrl-C in the middle of it.
    cluster.hosts["lab1"]["models"]["alpha"]["image"] = json!(hangs.0);
    let going = cluster.begin(&["doctor", "lab1"]);
    let running = format!("{OURS} --filter status=running");
    until("the container to run", LIMIT, || (!lab().ssh("lab1", &running).is_empty()).then_some(()));
    going.signal("INT");
    let run = going.end();
    cluster.heard(&["doctor", "lab1"], &run);
    assert_eq!(run.exits(130).stdout, "");
    assert_eq!(lab().ssh("lab1", OURS), "");
    cluster.hosts = hosts;
}

#[test]
fn a_model_that_the_gateway_cannot_reach_is_told_apart_from_one_that_does_not_answer() {
    let cluster = Running::borrow("doctor-reach");
    let (port, address) = (cluster.port(1), lab().address("lab1"));
    let to = format!("alpha on lab1 at {address}:{port}");
    let ran = cluster.run(&["doctor"]).exits(0).says(&format!("✓ reach: the gateway reaches {to}\n"));
    assert!(ran.stdout.contains(&format!("free or homelab's own: {port} (alpha)")), "{}", ran.stdout);
    let rule = |what: &str| {
        let from = lab().address("lab3");
        format!("iptables {what} DOCKER-USER -s {from} -p tcp -m conntrack --ctorigdstport {port} -j REJECT")
    };
    lab().root("lab1", &rule("-I"));
    let run = cluster.run(&["doctor", "--json"]);
    lab().root("lab1", &rule("-D"));
    let found = found(&run.exits(1), "lab3", "reach");
    let seen = found["seen"].as_str().unwrap();
    assert!(
        seen.starts_with(&format!("the gateway does not reach {to}, which answers on its own host: ")),
        "{seen}"
    );
}

#[test]
fn a_host_without_docker_a_tight_sshd_and_strangers_on_the_gpu_are_told() {
    let host = lab4();
    let mut cluster = Cluster::new("doctor-lab4");
    let (hosts, address) = (cluster.hosts.clone(), lab().address("lab4"));
    cluster.model("lab4", "alpha", 1);
    cluster.hosts["lab4"]["models"]["alpha"]["gpu"] = json!(0);
    let run = cluster.run(&["doctor", "lab4", "--json"]).exits(1);
    wrong(&run, "lab4", "gpu", "a model wants an NVIDIA GPU, and none is there: no nvidia-smi, no card");
    let toolkit = "Docker has no runtime nvidia, and the NVIDIA Container Toolkit is not installed";
    if !lab().ssh("lab4", "docker info --format '{{json .Runtimes}}'").contains("nvidia") {
        wrong(&run, "lab4", "gpu-toolkit", toolkit);
    }

    // A stranger's container computes there, if one believes this nvidia-smi.
    let (stranger, pause) = (format!("{}-stranger", cluster.project), lab().fact("LAB_IMAGE_PAUSE"));
    lab().ssh("lab4", &format!("docker run -d --name {stranger} {pause}"));
    let pid = lab().ssh("lab4", &format!("docker inspect --format '{{{{.State.Pid}}}}' {stranger}"));
    let script = format!(
        "case $1 in *driver_version*) echo 570.211.01, 0, NVIDIA GeForce RTX 4090, 24564, 9000;; \
         *apps*) echo {}, python3, 8123;; esac",
        pid.trim()
    );
    let smi = "/usr/local/bin/nvidia-smi";
    lab().root("lab4", &format!("printf '#!/bin/sh\\n%s\\n' '{script}' >{smi}; chmod 755 {smi}"));
    let run = cluster.run(&["doctor", "lab4", "--no-container", "--json"]);
    lab().root("lab4", &format!("rm {smi}"));
    lab().ssh("lab4", &format!("docker rm -f {stranger}"));
    let user = found(&run, "lab4", "gpu-users");
    let seen = format!(
        "the container {stranger}, not homelab's, computes on a GPU: python3 (process {}, user root), 8123 MiB",
        pid.trim()
    );
    assert_eq!((&user["is"], &user["seen"]), (&json!("warning"), &json!(seen)));

    host.lab("docker-stop");
    let tight = "/usr/sbin/sshd -p 2299 -o MaxSessions=2 -o PidFile=/run/promise-sshd.pid";
    lab().root("lab4", tight);
    cluster.hosts["lab4"]["ansible_port"] = json!(2299);
    let args = cluster.vars["ansible_ssh_common_args"].as_str().unwrap().to_owned();
    cluster.hosts["lab4"]["ansible_ssh_common_args"] = json!(format!("{args} -o HostKeyAlias={address}"));
    let run = cluster.run(&["doctor", "lab4", "--json"]);
    lab().root("lab4", "kill $(cat /run/promise-sshd.pid); rm -f /run/promise-sshd.pid");
    let docker = found(&run, "lab4", "docker");
    assert!(docker["seen"].as_str().unwrap().contains("Docker does not run: "), "{docker}");
    assert!(docker["fix"].as_str().unwrap().contains("systemctl"), "{docker}");
    let sessions = found(&run, "lab4", "sessions");
    assert_eq!(
        sessions["seen"],
        "sshd gives 2 sessions at once on one connection; 4 let two homelabs look at the same time"
    );
    // What needs no Docker is told all the same.
    assert!(run.stdout.contains("free of"), "{}", run.stdout);
    cluster.hosts = hosts;
}
