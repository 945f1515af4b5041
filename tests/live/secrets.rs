//! Secrets are where they are used and nowhere else.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::process;
use crate::web;

const USER_SECRET: &str = "promise-a-secret-of-the-user-s";

#[test]
fn secrets_are_only_where_they_are_used_and_a_wrong_key_opens_nothing() {
    let mut cluster = Cluster::new("secrets");
    cluster.model("lab1", "alpha", 1);
    cluster.hosts["lab1"]["models"]["alpha"]["environment"] = json!({"THEIRS": {"env": "PROMISE_SECRET"}});
    cluster.env("PROMISE_SECRET", USER_SECRET);
    let mut argv = String::new();
    let mut deploy = cluster.begin(&["deploy", "-v"]);
    while !deploy.is_over() {
        argv += &lab().root("lab1", "ps -eo args");
        argv += &lab().root("lab3", "ps -eo args");
    }
    let deploy = deploy.end();
    cluster.heard(&["deploy", "-v"], &deploy);
    deploy.exits(0);
    let backend = cluster.secret("lab1", "alpha", "LLAMA_API_KEY");
    let root = lab().ssh("lab3", &format!("cat ~/homelab/{}/root.key", cluster.project));
    let secrets = [cluster.master_key(), backend.clone(), root.trim().to_owned(), USER_SECRET.to_owned()];
    // The backend and the gateway need them.
    let variable = format!("docker exec {} printenv THEIRS", cluster.container("alpha"));
    assert_eq!(lab().ssh("lab1", &variable), format!("{USER_SECRET}\n"));
    keys_are_asked_for(&cluster);

    for args in [&["status", "-v"][..], &["status", "--json"], &["plan", "--json", "-v"], &["render"]] {
        cluster.run(args).exits(0);
    }
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    cluster.run(&["plan", "--json"]).exits(0);
    cluster.run(&["deploy", "--yes", "-v", "--json"]).exits(0);
    let rendered = lab_machine_files(cluster.dir());
    let labels = ["lab1", "lab3"].map(|host| {
        lab().ssh(
            host,
            "docker ps -q | xargs docker inspect --format '{{json .Config.Labels}} {{json .Config.Cmd}}'",
        )
    });
    let said = cluster.said();
    let places = [("argv", &argv), ("output", &said), ("rendered", &rendered)];
    let places = places.into_iter().chain(labels.iter().map(|text| ("labels", text)));
    for (place, text) in places {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
        }
    }
    for host in ["lab1", "lab3"] {
        for secret in &secrets {
            assert_eq!(holders(host, secret), Vec::<String>::new(), "{host}");
        }
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
