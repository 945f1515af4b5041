//! Models that their host runs by itself: real systemd, the real llama.cpp from Debian, and no Docker there. `make
//! test-native`. A host is as its installer left it when a test begins, but for llama.cpp's package.

use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{lab, until};

pub(crate) const HOST: &str = "bare13";
/// Debian has the package from its next release on.
pub(crate) const INSTALL: &str = "echo 'deb http://apt.lab:3142/debian sid main' >/etc/apt/sources.list.d/sid.list && \
    apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qy install -t sid llama.cpp-tools >/dev/null 2>&1 && \
    rm /etc/apt/sources.list.d/sid.list && apt-get -q update >/dev/null";

/// A cluster on a bare host, the gateway on lab3.
pub(crate) fn cluster(name: &str) -> Cluster {
    let renewed = lab().script(&["renew", HOST]);
    assert_eq!(renewed.code, Some(0), "lab renew: {}{}", renewed.stdout, renewed.stderr);
    let mut cluster = Cluster::new(name);
    cluster.host(HOST);
    // A connection to the host that had this address before would be found again.
    let own = cluster.path("run");
    std::fs::DirBuilder::new().mode(0o700).create(&own).unwrap();
    cluster.env("XDG_RUNTIME_DIR", own.to_str().unwrap());
    cluster
}

/// A small model as a service of the host's own.
pub(crate) fn model(cluster: &mut Cluster, name: &str, port: u16) {
    cluster.hosts[HOST]["models"][name] = json!({
        "engine": "llama_cpp",
        "runtime": "native",
        "model": lab().fact("LAB_MODEL").replace("/models/", &format!("{}/", lab().fact("LAB_MODELS_DIR"))),
        "port": cluster.port(port),
        "gpu": "none",
        "ctx_size": 512,
        "parallel": 1,
        "threads": 1,
    });
}

/// The server itself knows its key, and nobody gets anything without it.
pub(crate) fn refuses_strangers(cluster: &Cluster) {
    let at = format!("{}:{}", lab().address(HOST), cluster.port(1));
    assert_eq!(crate::web::chat(&at, "sk-stranger", "alpha").status, 401);
}

const SYSTEMCTL: &str = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user";

/// What systemd says of a service of the SSH user's: its process and whether it comes back with the machine.
fn unit(cluster: &Cluster, name: &str) -> (String, String) {
    let unit = format!("{}-{name}-1.service", cluster.project);
    let show = format!("{SYSTEMCTL} show -P MainPID -P ActiveState -P UnitFileState {unit}");
    let said = lab().ssh(HOST, &show);
    let mut lines = said.lines();
    let pid = lines.next().unwrap_or_default().to_owned();
    (pid, lines.collect::<Vec<_>>().join(" "))
}

/// Everything of this project that is on the host: units, links to them, files, processes.
pub(crate) fn left(cluster: &Cluster) -> String {
    let project = &cluster.project;
    lab().root(
        HOST,
        &format!(
            "find /home/lab/.config/systemd /etc/systemd/system /home/lab/homelab /root/homelab -name '*{project}*' 2>/dev/null; \
             pgrep -a llama-server; true"
        ),
    )
}

fn running(cluster: &Cluster, name: &str) -> String {
    let (pid, state) = unit(cluster, name);
    assert_eq!(state, "active enabled");
    pid
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn a_model_of_the_host_s_own_is_deployed_swapped_led_back_and_removed_as_a_container_is() {
    let mut cluster = cluster("native");
    model(&mut cluster, "alpha", 1);

    // What is missing is said, with the way to it; nothing is installed by the way.
    let missing = cluster.run(&["deploy", "--yes"]).exits(1);
    missing
        .says("there is no program llama-server on the host")
        .says("hint: Homebrew has it (brew install llama.cpp)");
    cluster
        .run(&["bootstrap", "--yes"])
        .exits(0)
        .says("+ install libpam-systemd: ")
        .says("+ let services of lab linger: ");
    assert_eq!(
        lab().ssh(HOST, "ls /usr/bin/dockerd /usr/sbin/dockerd 2>/dev/null; ls /var/lib/systemd/linger"),
        "lab\n"
    );
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up");
    lab().root(HOST, INSTALL);

    cluster.deploy();
    cluster.answers("alpha");
    refuses_strangers(&cluster);
    let first = running(&cluster, "alpha");
    let argv = lab().ssh(HOST, &format!("tr '\\0' ' ' </proc/{first}/cmdline"));
    let key = cluster.secret(HOST, "alpha", "LLAMA_API_KEY");
    assert!(argv.starts_with("/usr/bin/llama-server --model ") && !argv.contains(&key), "{argv}");
    let shown = lab().ssh(HOST, &format!("{SYSTEMCTL} cat {}-alpha-1", cluster.project));
    assert!(shown.contains("EnvironmentFile=") && !shown.contains(&key), "{shown}");
    assert_eq!(lab().ssh(HOST, &format!("stat -c %a ~/homelab/{}/env/*", cluster.project)), "600\n");

    cluster.run(&["deploy"]).exits(0).says("Nothing to do: 2 hosts are in sync.");
    cluster.run(&["status"]).exits(0);
    assert_eq!(running(&cluster, "alpha"), first);

    // Another option: stopped and started, and nothing is left of the one before.
    let gateway = cluster.containers();
    cluster.hosts[HOST]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.run(&["plan"]).exits(0).says("~ replace alpha: --ctx-size 512 → 1024  (interrupts it)");
    cluster.deploy();
    let second = running(&cluster, "alpha");
    assert_ne!(second, first);
    assert_eq!(lab().ssh(HOST, "ls ~/.config/systemd/user | grep -c previous || true"), "0\n");
    cluster.answers("alpha");
    assert_eq!(cluster.containers(), gateway);

    led_back(&mut cluster);
    healed(&cluster);
    cut_off(&mut cluster);
    rebooted(&cluster);

    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
}

/// A broken option ends the wait at once; the old one is back, and its log tells why. Gives the process that serves then.
pub(crate) fn back_from_a_bad_option(cluster: &mut Cluster, running: impl Fn(&Cluster) -> String) -> String {
    cluster.hosts[HOST]["models"]["alpha"]["args"] = json!(["--no-such-flag"]);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    // On a busy machine it was started again before anybody looked.
    let first = failed.first_error();
    assert!(first.starts_with("error: bare13: alpha: waiting until it answers: it exited "), "{first}");
    failed.says("no-such-flag").says("alpha on bare13 is back on its previous version");
    cluster.answers("alpha");
    let pid = running(cluster);
    let argv = lab().ssh(HOST, &format!("tr '\\0' ' ' </proc/{pid}/cmdline"));
    assert!(argv.contains("--ctx-size 1024") && !argv.contains("no-such-flag"), "{argv}");
    pid
}

fn led_back(cluster: &mut Cluster) {
    let good = cluster.hosts.clone();
    let pid = back_from_a_bad_option(cluster, |cluster| running(cluster, "alpha"));
    // A program that is there and cannot be run never starts.
    cluster.hosts[HOST]["models"]["alpha"]["args"] = json!([]);
    cluster.hosts[HOST]["models"]["alpha"]["command"] = json!("/usr/bin/nowhere");
    cluster.run(&["deploy", "--yes"]).exits(1).says("there is no program /usr/bin/nowhere on the host");
    cluster.hosts = good;
    // The unit that was pushed is the old one again; what runs is.
    cluster.deploy();
    assert_eq!(running(cluster, "alpha"), pid);
}

/// What somebody did by hand is seen and mended.
fn healed(cluster: &Cluster) {
    let unit = format!("{}-alpha-1", cluster.project);
    lab().ssh(HOST, &format!("{SYSTEMCTL} stop {unit}"));
    cluster.run(&["status"]).exits(1).says("alpha");
    cluster.run(&["plan"]).exits(0).says("~ start alpha: it exited with code 0");
    cluster.deploy();
    cluster.answers("alpha");
    lab().ssh(HOST, &format!("{SYSTEMCTL} disable {unit} 2>/dev/null"));
    cluster.run(&["plan"]).exits(0).says("at boot: its unit says enabled, systemd says disabled");
    cluster.deploy();
    assert_eq!(unit_state(cluster), "active enabled");
    // systemd brings back what dies, as Docker does.
    let pid = running(cluster, "alpha");
    lab().ssh(HOST, &format!("kill -9 {pid}"));
    until("systemd to start it again", Duration::from_secs(30), || {
        let (now, state) = self::unit(cluster, "alpha");
        (now != pid && now != "0" && state == "active enabled").then_some(())
    });
    cluster.run(&["deploy", "--yes"]).exits(0);
}

fn unit_state(cluster: &Cluster) -> String {
    unit(cluster, "alpha").1
}

/// Killed between any two steps of a swap: the next run finishes it.
fn cut_off(cluster: &mut Cluster) {
    for (n, at) in (1..).enumerate() {
        cluster.hosts[HOST]["models"]["alpha"]["ctx_size"] = json!(2048 + 32 * n);
        let mut command = cluster.command(&["deploy", "--yes"]);
        let run = crate::process::run(command.env("HOMELAB_DIE_AT", at.to_string()));
        cluster.heard(&["deploy", "--yes"], &run);
        if run.code == Some(0) {
            assert!(at > 5, "it was never killed in the middle");
            break;
        }
        cluster.deploy();
        running(cluster, "alpha");
        assert_eq!(lab().ssh(HOST, "ls ~/.config/systemd/user | grep -c previous || true"), "0\n");
        cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    }
    cluster.answers("alpha");
}

/// The machine comes back with its model, and nobody of homelab's was there.
fn rebooted(cluster: &Cluster) {
    lab().restart(HOST);
    until("the model to be back", Duration::from_secs(60), || cluster.ask("alpha").is_chat().then_some(()));
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn a_gateway_in_docker_reaches_a_native_model_on_its_own_host_and_a_model_changes_its_runtime() {
    let mut cluster = cluster("native-own");
    lab().root(HOST, INSTALL);
    // One machine for all: the gateway in Docker, the model beside it.
    let mut gateway = cluster.hosts["lab3"]["gateway"].clone();
    // The kernel here has given the memory controller to cgroup v1, so that Docker cannot limit there.
    gateway["mem_limit"] = json!(0);
    cluster.hosts.as_object_mut().unwrap().remove("lab3");
    cluster.hosts[HOST]["gateway"] = gateway;
    model(&mut cluster, "alpha", 1);
    cluster.run(&["deploy", "--bootstrap", "--yes"]).exits(0);
    let answers = |cluster: &Cluster| {
        let at = format!("{}:{}", lab().address(HOST), cluster.port(0));
        let key = cluster.secret(HOST, "litellm", "LITELLM_MASTER_KEY");
        let answer = crate::web::chat(&at, &key, "alpha");
        assert!(answer.is_chat(), "{answer:?}");
    };
    answers(&cluster);
    cluster.run(&["deploy"]).exits(0).says("Nothing to do: 1 host is in sync.");

    // Into a container and back: what is set aside is of the other kind.
    let native = cluster.hosts.clone();
    cluster.model(HOST, "alpha", 1);
    cluster.run(&["plan"]).exits(0).says("~ replace alpha: runtime native → docker  (interrupts it)");
    cluster.deploy();
    assert_eq!(left(&cluster).lines().filter(|line| line.contains(".service")).count(), 0);
    answers(&cluster);
    cluster.hosts = native;
    cluster.hosts[HOST]["models"]["alpha"]["args"] = json!(["--no-such-flag"]);
    cluster.run(&["deploy", "--yes"]).exits(1).says("alpha on bare13 is back on its previous version");
    answers(&cluster);
    cluster.hosts[HOST]["models"]["alpha"]["args"] = json!([]);
    cluster.deploy();
    assert_eq!(cluster.containers().into_keys().collect::<Vec<_>>(), ["bare13-litellm-1"]);
    answers(&cluster);
    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn root_s_services_are_the_system_s() {
    let mut cluster = cluster("native-root");
    lab().root(HOST, INSTALL);
    cluster.hosts[HOST]["ansible_user"] = json!("root");
    model(&mut cluster, "alpha", 1);
    cluster.deploy();
    cluster.answers("alpha");
    let unit = format!("{}-alpha-1", cluster.project);
    assert_eq!(
        lab().root(HOST, &format!("systemctl show -P ActiveState -P UnitFileState {unit}")),
        "active\nenabled\n"
    );
    cluster.hosts[HOST]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.deploy();
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    // A unit of that name that somebody else wrote is left alone.
    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
    let theirs = format!("/etc/systemd/system/{unit}.service");
    lab().root(HOST, &format!("printf '[Service]\\nExecStart=/bin/sleep 1\\n' >{theirs}"));
    cluster.run(&["deploy", "--yes"]).exits(1).says("and homelab did not make it");
    cluster.run(&["down", "--yes"]).exits(0);
    lab().root(HOST, &format!("rm {theirs}"));
}
