//! What is written for Prometheus, Grafana and Open WebUI.

use std::collections::BTreeSet;

use super::*;
use crate::names::{ByteSize, HostName, ModelName};

fn target(source: Source, host: &str, model: Option<&str>, address: &str, key: Option<SecretRef>) -> Target {
    Target {
        source,
        host: HostName::new(host).unwrap(),
        model: model.map(|name| ModelName::new(name).unwrap()),
        address: address.to_owned(),
        key,
    }
}

fn draft(price: Option<Price>) -> Draft {
    let model = ModelName::new("small").unwrap();
    let targets = BTreeSet::from([
        target(Source::Gateway, "gw", None, "litellm:4000", Some(SecretRef::gateway())),
        target(Source::Vllm, "box", Some("big"), "10.0.0.7:8000", None),
        target(Source::Vllm, "gw", Some("mid"), "mid:8000", None),
        target(Source::LlamaCpp, "box", Some("small"), "10.0.0.7:8001", Some(SecretRef::model(&model))),
        target(Source::Node, "box", None, "10.0.0.7:9100", None),
    ]);
    let retention = Retention { time: "15d".into(), size: Some(ByteSize(5 << 30)), interval: "15s".into() };
    let local = ["small", "org/big-1.5"].map(|name| ModelName::new(name).unwrap());
    prometheus(&targets, &retention, price, &local.into())
}

fn text(draft: &Draft, path: &str) -> String {
    String::from_utf8(draft.files[path].1.as_plain().unwrap()).unwrap()
}

#[test]
fn prometheus_asks_everybody_with_the_key_each_asks_for() {
    let draft = draft(None);
    expect_test::expect![[r#"
        # Written by homelab; a deploy writes it again.
        global:
          evaluation_interval: 15s
          scrape_interval: 15s
        scrape_configs:
        - authorization:
            credentials_file: /etc/prometheus/keys/litellm.key
            type: Bearer
          job_name: litellm
          metrics_path: /metrics/
          static_configs:
          - labels:
              host: gw
              job: litellm
            targets:
            - litellm:4000
        - authorization:
            credentials_file: /etc/prometheus/keys/box-small.key
            type: Bearer
          job_name: llama_cpp/small on box
          metrics_path: /metrics
          static_configs:
          - labels:
              host: box
              job: llama_cpp
              model: small
            targets:
            - 10.0.0.7:8001
        - job_name: node
          metrics_path: /metrics
          static_configs:
          - labels:
              host: box
              job: node
            targets:
            - 10.0.0.7:9100
        - job_name: vllm
          metrics_path: /metrics
          static_configs:
          - labels:
              host: box
              job: vllm
              model: big
            targets:
            - 10.0.0.7:8000
          - labels:
              host: gw
              job: vllm
              model: mid
            targets:
            - mid:8000
    "#]]
    .assert_eq(&text(&draft, "/etc/prometheus/homelab.yml"));
}

#[test]
fn its_keys_are_secret_files_and_its_room_is_limited() {
    let draft = draft(None);
    let keys: Vec<_> = draft.files.iter().filter(|(path, _)| path.ends_with(".key")).collect();
    assert_eq!(keys.len(), 2);
    for (_, (_, content)) in keys {
        assert_eq!((content.mode(), content.as_plain()), (0o600, None));
    }
    let command = draft.service.command.unwrap().join(" ");
    assert!(command.contains("--storage.tsdb.retention.time=15d --storage.tsdb.retention.size=5368709120B"));
    assert!(!draft.files.contains_key("/etc/prometheus/rules.yml"));
}

#[test]
fn a_price_becomes_a_rule_over_the_tokens_of_the_cluster_s_own_models() {
    let draft = draft(Some(Price { input: 3.0, output: 15.5 }));
    assert!(
        text(&draft, "/etc/prometheus/homelab.yml").contains("rule_files:\n- /etc/prometheus/rules.yml\n")
    );
    expect_test::expect![[r##"
        # Written by homelab; a deploy writes it again.
        groups:
        - name: homelab
          rules:
          - expr: (sum by (requested_model) (rate(litellm_input_tokens_metric_total{requested_model=~"org/big-1\\.5|small"}[5m])) * 3 + sum by (requested_model) (rate(litellm_output_tokens_metric_total{requested_model=~"org/big-1\\.5|small"}[5m])) * 15.5) / 1e6
            record: homelab:saved:per_second
    "##]]
    .assert_eq(&text(&draft, "/etc/prometheus/rules.yml"));
}

#[test]
fn every_dashboard_is_of_grafana_s_form_and_asks_what_the_table_says() {
    let draft = grafana("http://prometheus:9090", "15s", true);
    let boards: Vec<&String> = draft.files.keys().filter(|path| path.ends_with(".json")).collect();
    assert_eq!(boards.len(), 3);
    let mut asked = BTreeSet::new();
    for path in boards {
        let board: serde_json::Value = serde_json::from_str(&text(&draft, path)).unwrap();
        // What a dashboard has to have (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/).
        for key in ["uid", "title", "schemaVersion", "time", "refresh", "tags"] {
            assert!(!board[key].is_null(), "{path}: {key}");
        }
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for panel in board["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{path}: {panel}");
            let place = &panel["gridPos"];
            assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{place}");
            assert!(places.insert((place["x"].as_u64(), place["y"].as_u64())), "{path}: {place}");
            let mut names = BTreeSet::new();
            for target in panel["targets"].as_array().unwrap() {
                assert!(names.insert(target["refId"].to_string()), "{panel}");
                assert_eq!(target["datasource"]["uid"], "homelab");
                asked.insert(target["expr"].as_str().unwrap().to_owned());
            }
            assert!(!names.is_empty());
        }
    }
    assert_eq!(asked, queries().map(|(_, expr)| expr.to_owned()).collect());
    let without = grafana("http://prometheus:9090", "15s", false);
    assert!(!without.files.values().any(|(_, content)| {
        String::from_utf8(content.as_plain().unwrap()).unwrap().contains("homelab:saved")
    }));
}

#[test]
fn grafana_finds_prometheus_and_its_dashboards() {
    let draft = grafana("http://prometheus:9090", "15s", false);
    let source: serde_json::Value =
        serde_yaml::from_str(&text(&draft, "/etc/grafana/provisioning/datasources/homelab.yml")).unwrap();
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider: serde_json::Value =
        serde_yaml::from_str(&text(&draft, "/etc/grafana/provisioning/dashboards/homelab.yml")).unwrap();
    let path = provider["providers"][0]["options"]["path"].as_str().unwrap();
    assert!(draft.files.keys().filter(|file| file.ends_with(".json")).all(|file| file.starts_with(path)));
    let home = &draft.service.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert!(draft.files.contains_key(home), "{home}");
    assert_eq!(draft.secrets["GF_SECURITY_ADMIN_PASSWORD"], SecretRef::Derived("grafana".into()));
}

/// The names of metrics in a query.
fn names(query: &str, start: &str) -> Vec<String> {
    let at = query.match_indices(start).map(|(at, _)| &query[at..]);
    let end = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    at.map(|text| text[..end(text).unwrap_or(text.len())].to_owned()).collect()
}

#[test]
fn queries_of_what_runs_in_no_test_use_names_that_its_source_has() {
    // vLLM 0.32, vllm/v1/metrics/loggers.py; Prometheus's client adds an ending to counters and histograms.
    let vllm = include_str!("../../tests/data/metrics/vllm-0.32-names.txt");
    let known = |name: &str| vllm.lines().any(|known| known == name);
    // What nvidia_gpu_exporter shows of a scrape in its METRICS.md.
    let gpu =
        ["gpu_info", "memory_used_bytes", "power_draw_watts", "utilization_gpu_ratio", "temperature_gpu"];
    let status = question();
    let mut seen = 0;
    for query in queries().map(|(_, query)| query).chain([status.as_str()]) {
        for name in names(query, "vllm:") {
            let plain = name.strip_suffix("_total").or_else(|| name.strip_suffix("_bucket")).unwrap_or(&name);
            assert!(known(plain), "{name} in {query}");
            seen += 1;
        }
        for name in names(query, "nvidia_smi_") {
            assert!(gpu.contains(&name.trim_start_matches("nvidia_smi_")), "{name} in {query}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen}");
}

#[test]
fn open_webui_is_a_client_of_the_gateway() {
    let draft = webui("http://litellm:4000/v1", &SecretRef::gateway());
    assert_eq!(draft.service.environment["OPENAI_API_BASE_URL"], "http://litellm:4000/v1");
    assert_eq!(draft.secrets["OPENAI_API_KEY"], SecretRef::gateway());
    assert_ne!(draft.secrets["WEBUI_SECRET_KEY"], SecretRef::gateway());
    assert!(!draft.service.environment.contains_key("OPENAI_API_KEY"));
}
