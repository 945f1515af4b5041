//! Numbers that can be seen: the real Prometheus (Debian's) asks the real LiteLLM and llama.cpp, and the kernel by its
//! exporter, and has an answer to every query of every dashboard. Grafana's image is not to be had here, so it is left
//! out; vLLM's and NVIDIA's numbers are checked by their names elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use homelab::companion::{Source, queries};
use serde_json::{Value, json};

use crate::cluster::{Cluster, Seen};
use crate::lab::{lab, until};
use crate::provider::Provider;
use crate::web;

/// `small` on lab1 and `near` beside the gateway, of which lab3 keeps the numbers.
fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::new(name);
    cluster.model("lab1", "small", 1);
    cluster.model("lab3", "near", 2);
    cluster.hosts["lab3"]["gateway"]["metrics"] = json!({
        "image": lab().fact("LAB_IMAGE_PROMETHEUS"),
        "port": cluster.port(3),
        "scrape_interval": "1s",
        "price": {"input": 3, "output": 15},
        "grafana": false,
        "node_exporter": {"image": lab().fact("LAB_IMAGE_NODE_EXPORTER"), "port": cluster.port(4)},
    });
    cluster
}

/// What Prometheus answers to a query: labels and values.
fn asked(cluster: &Cluster, query: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let url = format!("http://127.0.0.1:{}/api/v1/query", cluster.port(3));
    let quoted = query.replace('\'', "'\\''");
    let said = lab().ssh("lab3", &format!("curl -sS --max-time 10 --data-urlencode 'query={quoted}' {url}"));
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{query}: {e}: {said}"));
    assert_eq!(said["status"], "success", "{query}: {said}");
    let sample = |sample: &Value| {
        let labels = serde_json::from_value(sample["metric"].clone()).unwrap();
        (labels, sample["value"][1].as_str().unwrap().parse().unwrap())
    };
    said["data"]["result"].as_array().unwrap().iter().map(sample).collect()
}

fn chat(cluster: &Cluster, model: &str, stream: bool) {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": model, "messages": messages, "max_tokens": 4, "stream": stream});
    let _ = web::post(&cluster.gateway(), "/v1/chat/completions", &cluster.master_key(), &body);
}

/// Until every target that homelab wrote down is asked and answers.
fn every_target_answers(cluster: &Cluster, jobs: &[(&str, usize)]) {
    for (job, count) in jobs {
        until(&format!("{count} of {job}"), Duration::from_secs(60), || {
            (asked(cluster, &format!("sum(up{{job=\"{job}\"}})")).first()?.1 >= *count as f64).then_some(())
        });
    }
    assert_eq!(asked(cluster, "up == 0"), vec![]);
}

#[test]
#[ignore = "heavy: make test-metrics"]
fn every_query_of_every_dashboard_has_an_answer_from_real_servers() {
    let provider = Provider::open();
    let mut cluster = cluster("metrics");
    // One that always fails, and one that `near` stands in for.
    cluster.env("PAID", "sk-of-the-stand-in");
    for name in ["limited", "broken"] {
        cluster.hosts["lab3"]["models"][name] = json!({
            "engine": "external",
            "litellm_provider": "openai",
            "model": "gpt-of-the-stand-in",
            "api_base": provider.with(429),
            "api_key": {"env": "PAID"},
        });
    }
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"limited": ["near"]});
    cluster.deploy();
    every_target_answers(&cluster, &[("litellm", 1), ("llama_cpp", 2), ("node", 2)]);
    let all: Vec<(Source, &str)> =
        queries().filter(|(source, _)| ![Source::Vllm, Source::Gpu].contains(source)).collect();
    assert!(all.len() > 20, "{}", all.len());
    let mut left = all.clone();
    until("an answer to every query", Duration::from_secs(90), || {
        for model in ["small", "near", "limited", "broken"] {
            chat(&cluster, model, true);
        }
        chat(&cluster, "small", false);
        left.retain(|(_, query)| {
            let query = query
                .replace("$__rate_interval", "30s")
                .replace("$__range_s", "60")
                .replace("$__range", "1m");
            asked(&cluster, &query).iter().all(|(_, value)| value.is_nan())
        });
        eprintln!("{} of {} queries have no answer yet", left.len(), all.len());
        left.is_empty().then_some(())
    });
    numbers_in_the_status(&cluster);
    a_container_beside_the_gateway_talks_to_it(&cluster);
    keys_stay_secret(&cluster);
    its_failure_stops_nobody(&mut cluster);
}

/// What Open WebUI asks of the gateway, whose image is not to be had here: the list of models, and an answer in a stream,
/// from a container beside it, by the gateway's name in the Compose network and with its key.
fn a_container_beside_the_gateway_talks_to_it(cluster: &Cluster) {
    let (image, network) = (lab().fact("LAB_IMAGE_LLAMA"), format!("{}_default", cluster.project));
    let asked = |arguments: &str| {
        let env = format!("~/homelab/{}/env/litellm-*.env", cluster.project);
        let curl =
            format!("curl -sS --max-time 60 -H \"Authorization: Bearer $LITELLM_MASTER_KEY\" {arguments}");
        let run = format!(
            "docker run --rm --network {network} --env-file $(echo {env}) --entrypoint sh {image} -c"
        );
        lab().ssh("lab3", &format!("{run} '{curl}'"))
    };
    let models: Value = serde_json::from_str(&asked("http://litellm:4000/v1/models")).unwrap();
    let names: Vec<&str> =
        models["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(names.contains(&"small") && names.contains(&"near"), "{names:?}");
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": "near", "messages": messages, "max_tokens": 3, "stream": true}).to_string();
    let body = body.replace('"', "\\\"");
    let said = asked(&format!(
        "-H \"Content-Type: application/json\" -d \"{body}\" http://litellm:4000/v1/chat/completions"
    ));
    assert!(said.matches("data: {").count() > 1 && said.contains("data: [DONE]"), "{said}");
}

/// `homelab status` shows the same numbers.
fn numbers_in_the_status(cluster: &Cluster) {
    let said: Value = serde_json::from_str(&cluster.run(&["status", "--json"]).stdout).unwrap();
    let row = |name: &str| {
        let rows = said["services"].as_array().unwrap();
        rows.iter().find(|row| row["service"] == name).unwrap_or_else(|| panic!("{name}: {said}")).clone()
    };
    for name in ["small", "near"] {
        let traffic = &row(name)["traffic"];
        assert!(traffic["requests_per_minute"].as_f64().unwrap() > 0.0, "{name}: {traffic}");
        assert!(traffic["tokens_per_second"].as_f64().unwrap() > 0.0, "{name}: {traffic}");
        assert!(traffic["queue"].as_f64().is_some(), "{name}: {traffic}");
    }
    let text = cluster.run(&["status"]).stdout;
    assert!(text.contains("REQ/MIN") && text.contains("TOKENS/S") && text.contains("QUEUE"), "{text}");
}

/// A container on lab3.
fn seen(cluster: &Cluster, service: &str) -> Seen {
    let all = cluster.containers();
    let found =
        all.iter().find(|(name, _)| name.starts_with("lab3") && name.ends_with(&format!("{service}-1")));
    found.unwrap_or_else(|| panic!("{service}: {all:?}")).1.clone()
}

/// Nobody but the SSH user reads the keys that Prometheus shows, and it does not tell them.
fn keys_stay_secret(cluster: &Cluster) {
    let key = cluster.master_key();
    let files = format!("find ~/homelab/{} -path '*/keys/*' -type f -printf '%m %p\\n'", cluster.project);
    let files = lab().ssh("lab3", &files);
    assert_eq!(files.lines().count(), 3, "{files}");
    assert!(files.lines().all(|line| line.starts_with("600 ")), "{files}");
    let told =
        lab().ssh("lab3", &format!("curl -sS http://127.0.0.1:{}/api/v1/status/config", cluster.port(3)));
    let container = cluster.container("prometheus");
    let seen = lab().ssh("lab3", &format!("docker inspect {container}; docker logs {container} 2>&1"));
    assert!(!told.contains(&key) && !seen.contains(&key));
    for args in [&["plan", "--diff"][..], &["status"], &["render", "--output", "rendered"], &["secrets"]] {
        let run = cluster.run(args);
        assert!(!run.stdout.contains(&key) && !run.stderr.contains(&key), "{args:?}");
    }
}

/// One that does not come up is led back, while the gateway answers all the time.
fn its_failure_stops_nobody(cluster: &mut Cluster) {
    let gateway = seen(cluster, "litellm");
    let before = seen(cluster, "prometheus");
    cluster.hosts["lab3"]["gateway"]["metrics"]["entrypoint"] =
        json!(["/usr/bin/prometheus", "--no-such-flag"]);
    let failed = cluster.run(&["deploy", "--yes"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("prometheus"), "{}", failed.stderr);
    assert_eq!(seen(cluster, "prometheus").id, before.id);
    assert_eq!(seen(cluster, "litellm"), gateway);
    every_target_answers(cluster, &[("litellm", 1)]);
    // And what is not wanted any more goes.
    let metrics = cluster.hosts["lab3"]["gateway"].as_object_mut().unwrap().remove("metrics");
    assert!(metrics.is_some());
    let gone = cluster.run(&["deploy", "--yes"]);
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    let names = lab()
        .ssh("lab3", &format!("docker ps -a --format '{{{{.Names}}}}' --filter name={}", cluster.project));
    assert!(!names.contains("prometheus") && !names.contains("node-exporter"), "{names}");
    lab().ssh("lab3", &format!("docker volume rm {}_prometheus", cluster.project));
}
