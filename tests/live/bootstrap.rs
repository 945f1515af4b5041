//! Bare hosts, Debian 12 and 13 with systemd and nothing of Docker, to an answering model in one command:
//! `make test-bootstrap`. Each test has one of them as its installer left it.

use std::os::unix::fs::DirBuilderExt as _;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;

/// A cluster on bare hosts; the gateway is lab3's, since the bare ones cannot limit memory: the kernel here has given that
/// controller to cgroup v1.
pub(crate) fn bare(name: &str, hosts: &[&str]) -> Cluster {
    let renewed = lab().script(&[&["renew"], hosts].concat());
    assert_eq!(renewed.code, Some(0), "lab renew: {}{}", renewed.stdout, renewed.stderr);
    let mut cluster = Cluster::new(name);
    for host in hosts {
        cluster.host(host);
    }
    // A connection to the host that had this address before would be found again.
    let own = cluster.path("run");
    std::fs::DirBuilder::new().mode(0o700).create(&own).unwrap();
    cluster.env("XDG_RUNTIME_DIR", own.to_str().unwrap());
    cluster
}

#[test]
#[ignore = "needs bare hosts: make test-bootstrap"]
fn from_nothing_to_an_answering_model_in_one_command() {
    let mut cluster = bare("bare-both", &["bare12", "bare13"]);
    cluster.model("bare12", "alpha", 1);
    cluster.model("bare13", "beta", 1);
    let pointed = cluster.run(&["deploy", "--yes"]).exits(1);
    assert_eq!(
        pointed.first_error(),
        "error: bare12: asking Docker: Docker is not installed: there is no /var/run/docker.sock and no docker command"
    );
    pointed.says("hint: homelab bootstrap installs it, homelab deploy --bootstrap does both");

    let shown = cluster.run(&["bootstrap", "--dry-run"]).exits(0).says("Set up: 6 to do on 2 hosts.");
    assert!(shown.stdout.contains("  + install docker.io: there is no Docker\n"), "{}", shown.stdout);
    cluster.run(&["bootstrap"]).exits(1).says("nobody is there to ask; say --yes if that is fine");
    for host in ["bare12", "bare13"] {
        assert_eq!(
            lab().ssh(host, "ls /usr/sbin/dockerd /usr/bin/dockerd 2>/dev/null; id -nG"),
            "lab sudo\n"
        );
    }

    cluster.run(&["deploy", "--bootstrap", "--yes"]).exits(0).says("Done. 2 hosts are set up.");
    cluster.answers("alpha");
    cluster.answers("beta");
    for host in ["bare12", "bare13"] {
        let state = "systemctl is-enabled docker; systemctl is-active docker; id -nG";
        assert_eq!(lab().ssh(host, state), "enabled\nactive\nlab sudo docker\n");
    }

    // What is there stays as it is, to the second that Docker was started.
    let started = |host| {
        lab().ssh(host, "systemctl show -P ActiveEnterTimestamp docker; stat -c %Y /var/lib/dpkg/status")
    };
    let before = (started("bare12"), started("bare13"), cluster.containers());
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up: 3 hosts have what serving needs.");
    cluster.run(&["deploy", "--bootstrap"]).exits(0).says("Nothing to do: 3 hosts are in sync.");
    assert_eq!((started("bare12"), started("bare13"), cluster.containers()), before);
}

#[test]
#[ignore = "needs bare hosts: make test-bootstrap"]
fn what_stops_an_installation_is_told_with_its_step_and_goes_on_from_there() {
    let mut cluster = bare("bare-failing", &["bare13"]);
    cluster.hosts.as_object_mut().unwrap().remove("lab3");
    // The same machine by other users: one whose sudo asks, one who has none of its rights.
    cluster.hosts["bare13"]["ansible_user"] = json!("asks");
    let asks = cluster.run(&["bootstrap", "--yes"]).exits(1);
    asks.says("! setting it up: sudo asks asks for a password there")
        .says("hint: say -K to be asked for it once");
    cluster.run(&["bootstrap", "--yes", "-K"]).exits(1).says("-K asks on a terminal. Nothing was changed");

    cluster.hosts["bare13"]["ansible_user"] = json!("lab");
    let sources = "/etc/apt/sources.list";
    lab().root(
        "bare13",
        &format!("mv {sources} {sources}.kept; echo 'deb http://apt.lab:3142/nowhere x main' >{sources}"),
    );
    let failed = cluster.run(&["bootstrap", "--yes"]).exits(1).says("  it said:\n    | ");
    let error = failed.first_error();
    assert!(error.starts_with("error: bare13: install docker.io: apt-get ended with "), "{error}");

    lab().root("bare13", &format!("mv {sources}.kept {sources}"));
    // An installation that lost its connection half way leaves packages unpacked.
    lab().root(
        "bare13",
        "apt-get update -q && cd /tmp && apt-get download runc && dpkg --unpack ./runc_*.deb && rm runc_*",
    );
    cluster.run(&["bootstrap", "--dry-run"]).exits(0).says("  + finish what dpkg left half done: ");
    lab().root("bare13", "dpkg --purge runc");
    cluster.run(&["bootstrap", "--yes"]).exits(0).says("Done. 1 host is set up.");
    // Who has Docker, but not started, gets it started; and the next login is anew.
    lab().root("bare13", "systemctl disable --now docker.service docker.socket; gpasswd -d lab docker");
    let left = cluster.run(&["bootstrap", "--yes"]).exits(0);
    left.says("  + start Docker, now and at every boot: it does not run\n")
        .says("  + add lab to the group docker: ");
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up");
}

#[test]
#[ignore = "needs bare hosts: make test-bootstrap"]
fn a_password_for_sudo_is_typed_once_and_stands_nowhere() {
    let mut cluster = bare("bare-password", &["bare12"]);
    cluster.hosts.as_object_mut().unwrap().remove("lab3");
    cluster.hosts["bare12"]["ansible_user"] = json!("asks");
    for (password, code, says) in
        [("wrong-password", 1, "becoming root: sudo refuses"), ("lab-password", 0, "1 host is set up.")]
    {
        let typed = cluster.typing(&["bootstrap", "--yes", "-K"], "Password of sudo on the hosts", password);
        assert_eq!(typed.code, Some(code), "{}", typed.stdout);
        assert!(typed.stdout.contains(says) && !typed.stdout.contains(password), "{}", typed.stdout);
    }
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up");
    let traces = "grep -rl lab-password /var/log /etc/docker /etc/apt /home /tmp /root 2>/dev/null; journalctl -q --grep lab-password; true";
    assert_eq!(lab().root("bare12", traces), "");
    cluster.hosts["bare12"]["ansible_user"] = json!("root");
    cluster.run(&["bootstrap"]).exits(0).says("Nothing to set up");
}
