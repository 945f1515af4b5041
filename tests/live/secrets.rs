//! Secrets are where they are used and nowhere else.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::{HOSTS, lab, lab4};
use crate::process;
use crate::running::Running;
use crate::web;

const USER_SECRET: &str = "promise-a-secret-of-the-user-s";
const IN_A_FILE: &str = "promise-a-secret-in-a-file";
const FROM_A_COMMAND: &str = "promise-a-secret-from-a-command";
const OF_A_PROVIDER: &str = "promise-a-key-of-a-provider";

/// Every process of the lab and of this machine, as anybody sees it.
fn processes() -> String {
    let here = process::run(std::process::Command::new("ps").args(["-eo", "args"])).stdout;
    HOSTS.map(|host| lab().root(host, "ps -eo args")).concat() + &here
}

#[test]
fn secrets_are_only_where_they_are_used_and_a_wrong_key_opens_nothing() {
    // All hosts are looked at: nobody may cut one off meanwhile.
    let _whole = lab4();
    let mut cluster = Cluster::new("secrets");
    cluster.model("lab1", "alpha", 1);
    cluster.hosts["lab1"]["models"]["alpha"]["environment"] = json!({"THEIRS": {"env": "PROMISE_SECRET"}});
    cluster.env("PROMISE_SECRET", USER_SECRET);
    let _outside = planted(&mut cluster);
    let since = lab().ssh("lab1", "date +%s");
    let mut argv = String::new();
    let mut deploy = cluster.begin(&["deploy", "-v"]);
    while !deploy.is_over() {
        argv += &processes();
    }
    let deploy = deploy.end();
    cluster.heard(&["deploy", "-v"], &deploy);
    deploy.exits(0);
    let backend = cluster.secret("lab1", "alpha", "LLAMA_API_KEY");
    let root = lab().ssh("lab3", &format!("cat ~/homelab/{}/root.key", cluster.project));
    let secrets = [cluster.master_key(), backend.clone(), root.trim().to_owned()];
    let theirs = [USER_SECRET, IN_A_FILE, FROM_A_COMMAND, OF_A_PROVIDER].map(str::to_owned);
    let secrets: Vec<String> = secrets.into_iter().chain(theirs).collect();
    // The backend and the gateway need them.
    let variable = format!("docker exec {} printenv THEIRS", cluster.container("alpha"));
    assert_eq!(lab().ssh("lab1", &variable), format!("{USER_SECRET}\n"));
    keys_are_asked_for(&cluster);

    shown(&cluster);
    failing_runs(&mut cluster);
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.run(&["plan", "--json"]).exits(0);
    cluster.run(&["deploy", "--yes", "-v", "--json"]).exits(0);
    let rendered = lab_machine_files(cluster.dir());
    argv += &processes();
    let events = ["lab1", "lab3"]
        .map(|host| lab().ssh(host, &format!("docker events --since {} --until $(date +%s)", since.trim())));
    let labels = ["lab1", "lab3"].map(|host| {
        lab().ssh(
            host,
            "docker ps -q | xargs docker inspect --format '{{json .Config.Labels}} {{json .Config.Cmd}}'",
        )
    });
    let said = cluster.said();
    let places = [("argv", &argv), ("output", &said), ("rendered", &rendered)];
    let places = places.into_iter().chain(labels.iter().map(|text| ("labels", text)));
    let places = places.chain(events.iter().map(|text| ("events", text)));
    for (place, text) in places {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
        }
    }
    for host in HOSTS {
        for secret in &secrets {
            assert_eq!(holders(host, secret), Vec::<String>::new(), "{host}");
        }
    }
    rotated(&cluster, &backend);
}

/// Nothing shows where something fails: an image that cannot be had, a server that does not start, a secret that
/// cannot be read.
fn failing_runs(cluster: &mut Cluster) {
    let good = cluster.hosts.clone();
    cluster.hosts["lab1"]["models"]["alpha"]["image"] = json!("registry.lab:5000/no-such-image:1");
    cluster.run(&["deploy", "--yes", "-v"]).exits(1);
    cluster.hosts = good.clone();
    cluster.hosts["lab1"]["models"]["alpha"]["args"] = json!(["--no-such-flag"]);
    cluster.run(&["deploy", "--yes", "-v", "--json"]).exits(1);
    cluster.hosts = good.clone();
    cluster.hosts["lab1"]["hf_token"] = json!({"command": ["sh", "-c", "cat /nowhere"]});
    cluster.run(&["plan"]).exits(1);
    cluster.hosts = good;
    cluster.run(&["deploy", "--yes"]).exits(0);
}

/// New keys open everything, and the old ones nothing.
fn rotated(cluster: &Cluster, backend: &str) {
    let gateway = cluster.master_key();
    let shown = cluster.run(&["secrets", "rotate", "--dry-run"]).exits(0).stdout;
    assert!(shown.contains("make the root key") && shown.contains("~ replace alpha: secrets"), "{shown}");
    assert_eq!(cluster.master_key(), gateway, "a dry run changes nothing");
    cluster.run(&["secrets", "rotate", "--yes"]).exits(0);
    assert_ne!(cluster.master_key(), gateway);
    assert!(web::chat(&cluster.gateway(), &cluster.master_key(), "alpha").is_chat());
    assert!([400, 401].contains(&web::chat(&cluster.gateway(), &gateway, "alpha").status));
    assert_eq!(web::chat(&cluster.backend("lab1", 1), backend, "alpha").status, 401);
    assert_eq!(cluster.run(&["plan"]).exits(0).stdout, "Nothing to do: 2 hosts are in sync.\n");
}

/// Marked secrets wherever one can stand, besides those in the environment; what they come from lies elsewhere.
fn planted(cluster: &mut Cluster) -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    let kept = |name: &str, value: &str| {
        let path = outside.path().join(name);
        std::fs::write(&path, format!("{value}\n")).unwrap();
        path
    };
    cluster.hosts["lab1"]["hf_token"] = json!({"file": kept("token", IN_A_FILE)});
    let password = json!({"command": ["cat", kept("password", FROM_A_COMMAND)]});
    // Nobody is asked: what a provider sells is never asked for.
    cluster.hosts["lab3"]["models"] = json!({"paid": {
        "engine": "external", "litellm_provider": "openai", "model": "gpt-of-the-stand-in",
        "api_base": "http://127.0.0.1:1/v1", "api_key": {"env": "PROMISE_PAID"},
    }});
    cluster.env("PROMISE_PAID", OF_A_PROVIDER);
    cluster.hosts["lab1"]["registry_auth"] =
        json!({"registry.lab:5000": {"username": "promise", "password": password}});
    outside
}

/// All that shows something, with the names of secrets and where they come from.
fn shown(cluster: &Cluster) {
    let listed = cluster.run(&["secrets"]).exits(0).stdout;
    for name in ["THEIRS", "env PROMISE_SECRET", "login of registry.lab:5000", "command cat", "key gateway"] {
        assert!(listed.contains(name), "{name}: {listed}");
    }
    let told: [&[&str]; 9] = [
        &["status", "-v"],
        &["status", "--json"],
        &["plan", "--json", "-v"],
        &["plan", "--diff"],
        &["plan", "--format", "markdown"],
        &["render"],
        &["doctor"],
        &["clients", "codex"],
        &["update", "--dry-run"],
    ];
    for args in told {
        let run = cluster.run(args);
        assert!(matches!(run.code, Some(0 | 1)), "{args:?}: {run:?}");
    }
}

/// A wrong key opens neither the gateway nor a model's own server.
fn keys_are_asked_for(cluster: &Cluster) {
    let backend = cluster.secret("lab1", "alpha", "LLAMA_API_KEY");
    let (model, gateway) = (cluster.backend("lab1", 1), cluster.gateway());
    assert!(web::chat(&model, &backend, "alpha").is_chat());
    for key in ["none", "wrong", cluster.master_key().as_str()] {
        assert_eq!(web::chat(&model, key, "alpha").status, 401, "the backend, with {key:?}");
    }
    for key in ["none", "sk-wrong", backend.as_str()] {
        let status = web::chat(&gateway, key, "alpha").status;
        assert!([400, 401].contains(&status), "the gateway, with {key:?}: {status}");
    }
    assert!(web::chat(&gateway, &cluster.master_key(), "alpha").is_chat());
}

/// Files on a host that hold a secret and that others may read: those that somebody who is not in
/// the group docker finds, and those of ours whose mode lets others read.
fn holders(host: &str, secret: &str) -> Vec<String> {
    let look = format!("grep -rlsF --devices=skip -- '{secret}' /home /tmp /var /run /etc; true");
    let found = process::run(&mut lab().ssh_command("guest", host, &look)).stdout;
    let look = format!(
        "grep -rlsF --devices=skip -- '{secret}' /home /tmp /var/tmp /etc /var/log | \
         xargs -r stat -c '%a %n' | grep -v '^600 '; true"
    );
    (found + &lab().root(host, &look)).lines().map(str::to_owned).collect()
}

/// All files that were rendered on this machine.
fn lab_machine_files(dir: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            text += &lab_machine_files(&entry.path());
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
        }
    }
    text
}

/// One key is another one, and only what uses it is replaced: the model's server, then the gateway.
#[test]
#[ignore = "starts gateways: make test-more"]
fn one_key_is_replaced_and_nothing_else_restarts() {
    let cluster = Running::borrow("rotate-one");
    let (key, master) = (cluster.secret("lab1", "alpha", "LLAMA_API_KEY"), cluster.master_key());
    let before = cluster.containers();
    let shown = cluster.run(&["secrets", "rotate", "model/alpha", "--dry-run"]).exits(0).stdout;
    assert!(shown.contains("~ write root.key: a key is replaced") && !shown.contains("beta"), "{shown}");
    assert_eq!(cluster.containers(), before, "a dry run changes nothing");
    cluster.run(&["secrets", "rotate", "alpha", "--yes"]).exits(0);
    let after = cluster.containers();
    let same: Vec<&String> = before.keys().filter(|name| before[*name] == after[*name]).collect();
    assert_eq!(same, ["lab1-beta-1"]);
    let new = cluster.secret("lab1", "alpha", "LLAMA_API_KEY");
    assert_eq!(web::chat(&cluster.backend("lab1", 1), &key, "alpha").status, 401);
    assert!(web::chat(&cluster.backend("lab1", 1), &new, "alpha").is_chat());
    // Clients show the same key as before.
    assert_eq!(cluster.master_key(), master);
    assert!(web::chat(&cluster.gateway(), &master, "alpha").is_chat());
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    for secret in [&key, &new, &master] {
        assert!(!cluster.said().contains(secret.as_str()));
        assert_eq!(holders("lab1", secret), Vec::<String>::new());
    }
}
