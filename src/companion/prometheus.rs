//! Prometheus: what it asks, how long it keeps it, and the one question that `homelab status` asks it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::names::{ByteSize, HostName, ModelName};
use crate::secret::{Content, SecretRef};
use crate::service::Service;

use super::dashboards::Source;
use super::{Draft, PROMETHEUS, file, words};

/// Its config.
const CONFIG: &str = "/etc/prometheus/homelab.yml";
/// Rules, which make what is saved out of tokens and a price.
const RULES: &str = "/etc/prometheus/rules.yml";
/// Keys, each in a file that only its owner may read.
const KEYS: &str = "/etc/prometheus/keys";
const DATA: &str = "/prometheus";

/// How long it keeps what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A time in Prometheus's words, as in `15d`.
    pub time: String,
    /// The most it may take of the disk.
    pub size: Option<ByteSize>,
    /// How often it asks, in Prometheus's words.
    pub interval: String,
}

/// What a million tokens cost elsewhere, in whatever money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Of a prompt.
    pub input: f64,
    /// Of an answer.
    pub output: f64,
}

/// Something it asks for numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// What answers.
    pub source: Source,
    /// On which host.
    pub host: HostName,
    /// The model it serves, by its name in the inventory.
    pub model: Option<ModelName>,
    /// `ADDRESS:PORT` as its container reaches it.
    pub address: String,
    /// The key it asks for.
    pub key: Option<SecretRef>,
}

/// It runs as root in its container, which has no more rights than that: files with keys are the SSH user's own, and
/// whoever its image would be may not read them.
#[must_use]
pub fn prometheus(
    targets: &BTreeSet<Target>,
    retention: &Retention,
    price: Option<Price>,
    local: &BTreeSet<ModelName>,
) -> Draft {
    let mut files = BTreeMap::new();
    let mut config = json!({
        "global": {"scrape_interval": retention.interval, "evaluation_interval": retention.interval},
        "scrape_configs": scrapes(targets, &mut files),
    });
    if let Some(price) = price {
        config["rule_files"] = json!([RULES]);
        files.extend([file(RULES, yaml(&rules(price, local)))]);
    }
    files.extend([file(CONFIG, yaml(&config))]);
    let mut command = words(&["--web.listen-address=0.0.0.0:9090"]);
    command.extend([
        format!("--config.file={CONFIG}"),
        format!("--storage.tsdb.path={DATA}"),
        format!("--storage.tsdb.retention.time={}", retention.time),
    ]);
    command.extend(retention.size.map(|size| format!("--storage.tsdb.retention.size={}B", size.0)));
    Draft {
        name: PROMETHEUS.name,
        service: Service {
            image: "prom/prometheus:v3.5.0".to_owned(),
            command: Some(command),
            user: Some("0:0".to_owned()),
            ..Service::default()
        },
        container_port: 9090,
        health: "/-/ready",
        data: Some(DATA),
        files,
        secrets: BTreeMap::new(),
    }
}

/// JSON as the YAML it is, for people.
pub(super) fn yaml(value: &Value) -> String {
    let text = serde_yaml::to_string(value).unwrap_or_else(|_| value.to_string());
    format!("# Written by homelab; a deploy writes it again.\n{text}")
}

/// One job per source, or per target where each has a key of its own; the label `job` is the source's either way.
fn scrapes(targets: &BTreeSet<Target>, files: &mut BTreeMap<String, (String, Content)>) -> Vec<Value> {
    let mut jobs: BTreeMap<String, Value> = BTreeMap::new();
    for target in targets {
        let mut labels = json!({"job": target.source.word(), "host": target.host});
        if let Some(model) = &target.model {
            labels["model"] = json!(model);
        }
        let one = json!({"targets": [target.address], "labels": labels});
        let (job, key) = match (&target.key, &target.model) {
            (None, _) => (target.source.word().to_owned(), None),
            (Some(key), None) => (target.source.word().to_owned(), Some(key)),
            (Some(key), Some(model)) => {
                (format!("{}/{model} on {}", target.source.word(), target.host), Some(key))
            }
        };
        if let Some(job) = jobs.get_mut(&job) {
            if let Some(all) = job["static_configs"].as_array_mut() {
                all.push(one);
            }
            continue;
        }
        let mut scrape = json!({
            "job_name": job,
            "metrics_path": target.source.path(),
            "static_configs": [one],
        });
        if let Some(key) = key {
            let name = format!("{}.key", key_name(target));
            scrape["authorization"] = json!({"type": "Bearer", "credentials_file": format!("{KEYS}/{name}")});
            files.insert(format!("{KEYS}/{name}"), (name, Content::secret(key.clone())));
        }
        jobs.insert(job, scrape);
    }
    jobs.into_values().collect()
}

fn key_name(target: &Target) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    };
    match &target.model {
        Some(model) => format!("{}-{}", plain(target.host.as_str()), plain(model.as_str())),
        None => target.source.word().to_owned(),
    }
}

/// What the cluster's own models save in a second, by name. Those of providers cost what they cost.
fn rules(price: Price, local: &BTreeSet<ModelName>) -> Value {
    let quoted = |name: &ModelName| name.as_str().replace('.', "\\\\.").replace('+', "\\\\+");
    let names = local.iter().map(quoted).collect::<Vec<_>>().join("|");
    let rate = |metric: &str| {
        format!("sum by (requested_model) (rate({metric}{{requested_model=~\"{names}\"}}[5m]))")
    };
    let expr = format!(
        "({} * {} + {} * {}) / 1e6",
        rate("litellm_input_tokens_metric_total"),
        price.input,
        rate("litellm_output_tokens_metric_total"),
        price.output,
    );
    json!({"groups": [{
        "name": "homelab", "rules": [{"record": "homelab:saved:per_second", "expr": expr}],
    }]})
}

/// The numbers of `homelab status` in one question: requests per minute by the backend's URL, tokens per second and
/// waiting requests by host and model; the label `number` says which is which.
#[must_use]
pub fn question() -> String {
    let named = |name: &str, expr: &str| format!("label_replace({expr}, \"number\", \"{name}\", \"\", \"\")");
    let of_engines = |vllm: &str, llama: &str| format!("sum by (host, model) ({vllm} or {llama})");
    [
        named("requests", "sum by (api_base) (rate(litellm_deployment_total_requests_total[5m])) * 60"),
        named(
            "tokens",
            &of_engines(
                "rate(vllm:generation_tokens_total[1m])",
                "rate(llamacpp:tokens_predicted_total[1m])",
            ),
        ),
        named("queue", &of_engines("vllm:num_requests_waiting", "llamacpp:requests_deferred")),
    ]
    .join(" or ")
}
