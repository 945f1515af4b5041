//! Grafana with its data source and its dashboards, all of them files that it reads when it starts.

use serde_json::{Value, json};

use crate::secret::SecretRef;
use crate::service::Service;

use super::dashboards::{DATA_SOURCE, dashboards};
use super::{Draft, GRAFANA, file, pairs};

/// Where the dashboards lie in its container.
const DASHBOARDS: &str = "/etc/homelab/dashboards";

/// Wired with Prometheus at `url`, which asks every `interval`. The user `admin` has a password of homelab's, which counts
/// at the first start (<https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#admin_password>).
#[must_use]
pub fn grafana(url: &str, interval: &str, with_price: bool) -> Draft {
    let home = format!("{DASHBOARDS}/homelab-gateway.json");
    let data_source = json!({"apiVersion": 1, "datasources": [{
        "name": "Prometheus", "uid": DATA_SOURCE, "type": "prometheus", "access": "proxy", "url": url,
        "isDefault": true, "editable": false, "jsonData": {"timeInterval": interval},
    }]});
    let provider = json!({"apiVersion": 1, "providers": [{
        "name": "homelab", "folder": "homelab", "type": "file", "allowUiUpdates": false,
        "options": {"path": DASHBOARDS},
    }]});
    let mut files = [
        yaml("/etc/grafana/provisioning/datasources/homelab.yml", &data_source),
        yaml("/etc/grafana/provisioning/dashboards/homelab.yml", &provider),
    ]
    .to_vec();
    files.extend(dashboards(with_price).iter().map(|board| {
        let uid = board["uid"].as_str().unwrap_or_default();
        file(&format!("{DASHBOARDS}/{uid}.json"), format!("{board:#}\n"))
    }));
    Draft {
        name: GRAFANA.name,
        service: Service {
            image: "grafana/grafana:12.1.1".to_owned(),
            environment: pairs(&[
                ("GF_ANALYTICS_REPORTING_ENABLED", "false"),
                ("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
                ("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false"),
                ("GF_USERS_ALLOW_SIGN_UP", "false"),
                ("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH", &home),
            ]),
            ..Service::default()
        },
        container_port: 3000,
        health: "/api/health",
        data: Some("/var/lib/grafana"),
        files: files.into_iter().collect(),
        secrets: [("GF_SECURITY_ADMIN_PASSWORD".to_owned(), SecretRef::Derived("grafana".to_owned()))].into(),
    }
}

fn yaml(path: &str, value: &Value) -> (String, (String, crate::secret::Content)) {
    file(path, super::prometheus::yaml(value))
}
