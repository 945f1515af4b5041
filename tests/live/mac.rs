//! Models that a Mac runs by itself: the whole way over a real sshd, with the real llama.cpp. No Mac is in it: a bare Debian passes for
//! one. `tests/lab/mac` stands in there for launchd and launchctl, which really runs what a plist says, and for the tools whose
//! options are others than those of Linux; what macOS lacks (flock, timeout, sha256sum, setsid) is taken away. `make test-native`.

use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{lab, until};
use crate::native::{HOST, INSTALL, back_from_a_bad_option, cluster, model, refuses_strangers};

const STAND_IN: &str = include_str!("../lab/mac");
/// What the stand-ins need, and where Homebrew has its programs.
const BEFORE: &str = "apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qy install python3 perl >/dev/null 2>&1 && \
    mkdir -p /opt/homebrew/bin /usr/local/libexec && chmod 755 /usr/local/libexec/mac && /usr/local/libexec/mac install";
const MAC: &str = "/usr/local/libexec/mac";

/// A cluster on what passes for a Mac, at whose screen nobody is, the gateway on lab3.
fn mac(name: &str) -> Cluster {
    let cluster = cluster(name);
    // Debian's own tools, before they are others.
    let text = STAND_IN.replace('\'', "'\\''");
    lab().root(HOST, &format!("mkdir -p /usr/local/libexec; printf '%s' '{text}' >{MAC}"));
    lab().root(HOST, &format!("{INSTALL} && {BEFORE}"));
    cluster
}

/// Homebrew's llama.cpp.
fn brew() {
    lab().root(HOST, "mv /usr/bin/llama-server /opt/homebrew/bin/");
}

/// What launchd says of a service: its process, and all it says.
fn job(cluster: &Cluster, domain: &str) -> (String, String) {
    let said =
        lab().root(HOST, &format!("launchctl print {domain}/{}-alpha-1 2>&1 || true", cluster.project));
    let pid = said.lines().find_map(|line| line.strip_prefix("\tpid = ")).unwrap_or_default();
    (pid.to_owned(), said)
}

const GUI: &str = "gui/1000";

fn running(cluster: &Cluster) -> String {
    let (pid, said) = job(cluster, GUI);
    assert!(said.contains("\n\tstate = running\n"), "{said}");
    pid
}

fn previous() -> String {
    lab().ssh(HOST, "ls ~/Library/LaunchAgents | grep -c previous || true")
}

/// Everything of this project that is on the host: lists, logs, files, processes.
fn left(cluster: &Cluster) -> String {
    let project = &cluster.project;
    lab().root(
        HOST,
        &format!(
            "find /home/lab/Library /Library/LaunchDaemons /Library/Logs /home/lab/homelab /root/homelab -name '*{project}*' 2>/dev/null; \
             pgrep -af 'llama-server|homelab run' | grep -v pgrep; true"
        ),
    )
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn a_model_of_a_mac_s_own_is_deployed_swapped_led_back_and_removed() {
    let mut cluster = mac("mac");
    lab().root(HOST, "mv /usr/bin/llama-server /root/");
    model(&mut cluster, "alpha", 1);

    // Nothing is installed by the way, and what is missing is said.
    let alone = "lab is not logged in at the screen of this Mac, and launchd runs their services only then";
    cluster.run(&["bootstrap", "--yes"]).exits(1).says(alone);
    cluster.run(&["deploy", "--yes"]).exits(1).says("there is no program llama-server on the host");
    lab().root(HOST, "mv /root/llama-server /usr/bin/");
    brew();
    cluster.run(&["deploy", "--yes"]).exits(1).says(alone).says("hint: log in there");
    lab().root(HOST, &format!("{MAC} login lab"));
    let said = cluster.run(&["bootstrap"]).exits(0);
    said.says("Nothing to set up").says("Automatically log in as lab").says("sudo pmset -a sleep 0");
    cluster.run(&["doctor", HOST]).exits(0).says("available of");

    cluster.deploy();
    cluster.answers("alpha");
    refuses_strangers(&cluster);
    let first = running(&cluster);
    let argv = lab().ssh(HOST, &format!("tr '\\0' ' ' </proc/{first}/cmdline"));
    let key = cluster.secret(HOST, "alpha", "LLAMA_API_KEY");
    assert!(argv.starts_with("/opt/homebrew/bin/llama-server --model ") && !argv.contains(&key), "{argv}");
    let project = cluster.project.clone();
    let list = lab().ssh(HOST, &format!("cat ~/Library/LaunchAgents/{project}-alpha-1.plist"));
    assert!(list.contains(".env</string>") && !list.contains(&key), "{list}");
    let modes =
        format!("/usr/bin/stat -c %a ~/homelab/{project}/env/* ~/Library/Logs/homelab/{project}-alpha-1.log");
    assert_eq!(lab().ssh(HOST, &modes), "600\n600\n");
    // Who looks after the log has no key either.
    let seen = lab().root(HOST, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(seen.contains("homelab run") && !seen.contains(&key));

    cluster.run(&["deploy"]).exits(0).says("Nothing to do: 2 hosts are in sync.");
    cluster.run(&["status"]).exits(0);
    assert_eq!(running(&cluster), first);

    // Another option: stopped and started, and nothing is left of the one before.
    let gateway = cluster.containers();
    cluster.hosts[HOST]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.run(&["plan"]).exits(0).says("~ replace alpha: --ctx-size 512 → 1024  (interrupts it)");
    cluster.deploy();
    assert_ne!(running(&cluster), first);
    assert_eq!(previous(), "0\n");
    cluster.answers("alpha");
    assert_eq!(cluster.containers(), gateway);

    led_back(&mut cluster);
    healed(&cluster);
    cut_off(&mut cluster);
    rebooted(&cluster);

    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
}

fn led_back(cluster: &mut Cluster) {
    let good = cluster.hosts.clone();
    let pid = back_from_a_bad_option(cluster, running);
    cluster.hosts = good;
    // The list that was pushed is the old one again; what runs is.
    cluster.deploy();
    assert_eq!(running(cluster), pid);
}

/// What somebody did by hand is seen and mended.
fn healed(cluster: &Cluster) {
    let service = format!("{GUI}/{}-alpha-1", cluster.project);
    lab().ssh(HOST, &format!("launchctl bootout {service} 2>/dev/null; true"));
    until("launchd to end it", Duration::from_secs(30), || job(cluster, GUI).0.is_empty().then_some(()));
    cluster.run(&["status"]).exits(1).says("alpha");
    cluster.run(&["plan"]).exits(0).says("~ start alpha: it exited with code 0");
    cluster.deploy();
    cluster.answers("alpha");
    lab().ssh(HOST, &format!("launchctl disable {service}"));
    cluster.run(&["plan"]).exits(0).says("at boot: its plist says so, launchd has it disabled");
    cluster.deploy();
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    // launchd brings back what dies, as Docker does.
    let pid = running(cluster);
    lab().root(HOST, &format!("kill -9 {pid}"));
    until("launchd to start it again", Duration::from_secs(30), || {
        let (now, said) = job(cluster, GUI);
        (now != pid && said.contains("\n\tstate = running\n")).then_some(())
    });
    cluster.run(&["deploy", "--yes"]).exits(0);
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
        running(cluster);
        assert_eq!(previous(), "0\n");
        cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    }
    cluster.answers("alpha");
}

/// The Mac starts and logs its user in, and the model is back without homelab.
fn rebooted(cluster: &Cluster) {
    let list = "<plist version=\"1.0\"><dict><key>autoLoginUser</key><string>lab</string></dict></plist>";
    lab().root(HOST, &format!("echo '{list}' >/Library/Preferences/com.apple.loginwindow.plist"));
    lab().restart(HOST);
    until("the model to be back", Duration::from_secs(60), || cluster.ask("alpha").is_chat().then_some(()));
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
}

#[test]
#[ignore = "needs bare hosts: make test-native"]
fn root_s_services_on_a_mac_are_daemons_and_need_nobody_at_the_screen() {
    let mut cluster = mac("mac-root");
    brew();
    cluster.hosts[HOST]["ansible_user"] = json!("root");
    model(&mut cluster, "alpha", 1);
    cluster.deploy();
    cluster.answers("alpha");
    refuses_strangers(&cluster);
    assert!(job(&cluster, "system").1.contains("\n\tstate = running\n"));
    cluster.hosts[HOST]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.deploy();
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    // One that does not come back with the machine.
    cluster.hosts[HOST]["models"]["alpha"]["restart"] = json!("no");
    cluster.deploy();
    assert!(lab().root(HOST, "launchctl print-disabled system").contains("alpha-1\" => disabled"));
    cluster.hosts[HOST]["models"]["alpha"]["restart"] = json!("on-failure:3");
    cluster.run(&["deploy", "--yes"]).exits(1).says("launchd does not count tries");
    cluster.answers("alpha");
    cluster.hosts[HOST]["models"]["alpha"]["restart"] = json!("always");
    cluster.deploy();
    lab().restart(HOST);
    until("the model to be back", Duration::from_secs(60), || cluster.ask("alpha").is_chat().then_some(()));
    cluster.run(&["down", "--yes"]).exits(0);
    assert_eq!(left(&cluster), "");
    // A list of that name that somebody else wrote is left alone.
    let theirs = format!("/Library/LaunchDaemons/{}-alpha-1.plist", cluster.project);
    lab().root(HOST, &format!("echo '<plist version=\"1.0\"><dict/></plist>' >{theirs}"));
    let refused = cluster.run(&["deploy", "--yes"]).exits(1);
    refused.says("and homelab did not make it").says("launchctl bootout, and remove its plist");
    cluster.run(&["down", "--yes"]).exits(0);
    lab().root(HOST, &format!("rm {theirs}"));
}
