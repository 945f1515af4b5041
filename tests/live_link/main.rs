//! The link and the survey on the lab's real hosts: `tests/lab/lab up` makes them.
//! Whoever runs these without the lab is told so; nothing is skipped.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod claims;
mod containers;
mod login;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use homelab::connection::Connection;
use homelab::host::{
    Ask, Claim, Claimed, Counts, Hands, Link, Look, Placed, container_body, default_network, network_labels,
    survey,
};
use homelab::names::{HostName, Port, ProjectName, Secret, ServiceName};
use homelab::service::Service;
use homelab::survey::{Failure, Health, Look as Looked, Seen, State};

/// Ends a script and tells its stdout; a script that fails is the test's failure.
fn lab(args: &[&str]) -> String {
    let script = match std::env::var_os("HOMELAB_LAB") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"),
    };
    let output = Command::new(&script).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("{}: {e}", script.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the lab is needed: run {} up ({args:?}: {said})", script.display());
    String::from_utf8(output.stdout).unwrap()
}

fn facts() -> BTreeMap<String, String> {
    let pairs = lab(&["env"]);
    pairs.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// A connection of its own: no other test and no other program finds its master again.
fn to(host: &str) -> Connection {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let facts = facts();
    let fact =
        |key: &str| facts.get(key).unwrap_or_else(|| panic!("the lab has no {key}: run lab up")).clone();
    let mark = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    Connection {
        address: fact(&format!("LAB_ADDRESS_{host}")),
        user: Some("lab".into()),
        identity: Some(fact("LAB_KEY").into()),
        ssh_options: vec![
            ("UserKnownHostsFile".into(), fact("LAB_KNOWN_HOSTS")),
            ("SetEnv".into(), format!("HOMELAB_TEST={now}-{mark}")),
        ],
        ..Connection::new(HostName::new(host).unwrap())
    }
}

fn known_hosts(connection: &mut Connection, file: &Path) {
    connection.ssh_options[0].1 = file.display().to_string();
}

async fn refused(connection: &Connection) -> Failure {
    Look::open(connection).await.err().unwrap()
}
