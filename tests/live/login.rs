//! A login that cannot work says why, before anything is changed.

use std::process::Command;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;

/// A cluster whose hosts all have this variable.
fn refused(name: &str, variable: &str, value: &str) -> String {
    let mut cluster = Cluster::new(name);
    cluster.model("lab3", "alpha", 1);
    let old = cluster.vars.clone();
    cluster.vars[variable] = json!(value);
    let failed = cluster.run(&["deploy"]).exits(1);
    let error = failed.first_error().to_owned();
    cluster.run(&["status"]).exits(1).says("unreachable: ");
    cluster.vars = old;
    assert!(cluster.remote_files("lab3").is_empty());
    error
}

fn known_hosts(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let args = format!("-o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null", path.display());
    (dir, args)
}

/// A new key pair; gives the private key's path and the public key.
fn key(dir: &std::path::Path) -> (String, String) {
    let path = dir.join("key").display().to_string();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path]).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(format!("{path}.pub")).unwrap();
    (path, public)
}

#[test]
fn a_host_key_nobody_has_seen_is_not_trusted() {
    let (_dir, args) = known_hosts("empty", "");
    let error = refused("unknown-key", "ansible_ssh_common_args", &args);
    let address = lab().address("lab3");
    assert_eq!(error, format!("error: lab3: connecting: the host key of {address} is not known here"));
}

#[test]
fn a_host_key_that_changed_is_not_trusted() {
    let keys = tempfile::tempdir().unwrap();
    let address = lab().address("lab3");
    let (_dir, args) = known_hosts("other", &format!("{address} {}", key(keys.path()).1));
    let error = refused("changed-key", "ansible_ssh_common_args", &args);
    assert_eq!(
        error,
        format!("error: lab3: connecting: the host key of {address} is not the one it had before")
    );
}

#[test]
fn a_key_the_host_does_not_take_is_named() {
    let keys = tempfile::tempdir().unwrap();
    let error = refused("wrong-key", "ansible_ssh_private_key_file", &key(keys.path()).0);
    let address = lab().address("lab3");
    assert_eq!(error, format!("error: lab3: connecting: {address} accepts no key of yours for lab"));
}

#[test]
fn a_user_the_host_does_not_know_is_named() {
    let error = refused("wrong-user", "ansible_user", "nobody-here");
    let address = lab().address("lab3");
    assert_eq!(error, format!("error: lab3: connecting: {address} accepts no key of yours for nobody-here"));
}

#[test]
fn a_port_where_no_sshd_listens_is_named() {
    let error = refused("wrong-port", "ansible_port", "1");
    let address = lab().address("lab3");
    assert_eq!(error, format!("error: lab3: connecting: {address} refuses connections on port 1"));
}
