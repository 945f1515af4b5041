//! Grafana's dashboards as a table of panels, and the JSON that is made of it: every query stands here once, so that
//! tests can ask a real Prometheus all of them.

use serde_json::{Value, json};

/// The uid of the data source, by which dashboards name it.
pub(super) const DATA_SOURCE: &str = "homelab";

/// Who tells a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// LiteLLM.
    Gateway,
    /// vLLM.
    Vllm,
    /// llama.cpp's server.
    LlamaCpp,
    /// The kernel, by its exporter.
    Node,
    /// NVIDIA's driver, by its exporter.
    Gpu,
    /// Prometheus itself, by a rule over a price.
    Price,
}

impl Source {
    /// Its job in Prometheus.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gateway => "litellm",
            Self::Vllm => "vllm",
            Self::LlamaCpp => "llama_cpp",
            Self::Node => "node",
            Self::Gpu => "gpu",
            Self::Price => "price",
        }
    }

    /// Where it tells its numbers. LiteLLM's is an application of its own, to which `/metrics` only leads.
    #[must_use]
    pub(super) fn path(self) -> &'static str {
        if self == Self::Gateway { "/metrics/" } else { "/metrics" }
    }
}

/// What is drawn together.
struct Panel {
    title: &'static str,
    /// Grafana's word for the unit (packages/grafana-data/src/valueFormats/categories.ts).
    unit: &'static str,
    /// Who tells it, the query, and what a line is called.
    lines: &'static [(Source, &'static str, &'static str)],
}

/// A page of panels.
struct Board {
    uid: &'static str,
    title: &'static str,
    panels: &'static [Panel],
}

use Source::{Gateway, Gpu, LlamaCpp, Node, Price, Vllm};

const GATEWAY: Board = Board {
    uid: "homelab-gateway",
    title: "Models at the gateway",
    panels: &[
        Panel {
            title: "Requests per minute",
            unit: "reqpm",
            lines: &[(
                Gateway,
                "sum by (requested_model) (rate(litellm_proxy_total_requests_metric_total[$__rate_interval])) * 60",
                "{{requested_model}}",
            )],
        },
        Panel {
            title: "Requests in flight",
            unit: "short",
            lines: &[(Gateway, "sum(litellm_in_flight_requests)", "in flight")],
        },
        Panel {
            title: "Tokens per second",
            unit: "short",
            lines: &[
                (
                    Gateway,
                    "sum by (requested_model) (rate(litellm_input_tokens_metric_total[$__rate_interval]))",
                    "{{requested_model}} in",
                ),
                (
                    Gateway,
                    "sum by (requested_model) (rate(litellm_output_tokens_metric_total[$__rate_interval]))",
                    "{{requested_model}} out",
                ),
            ],
        },
        Panel {
            title: "Time to first token",
            unit: "s",
            lines: &[
                (
                    Gateway,
                    "histogram_quantile(0.5, sum by (le, requested_model) (rate(litellm_llm_api_time_to_first_token_metric_bucket[$__rate_interval])))",
                    "{{requested_model}} half",
                ),
                (
                    Gateway,
                    "histogram_quantile(0.95, sum by (le, requested_model) (rate(litellm_llm_api_time_to_first_token_metric_bucket[$__rate_interval])))",
                    "{{requested_model}} 95 %",
                ),
            ],
        },
        Panel {
            title: "Time per token of an answer",
            unit: "s",
            lines: &[(
                Gateway,
                "histogram_quantile(0.95, sum by (le, litellm_model_name) (rate(litellm_deployment_latency_per_output_token_bucket[$__rate_interval])))",
                "{{litellm_model_name}} 95 %",
            )],
        },
        Panel {
            title: "Time to the whole answer",
            unit: "s",
            lines: &[
                (
                    Gateway,
                    "histogram_quantile(0.5, sum by (le, requested_model) (rate(litellm_request_total_latency_metric_bucket[$__rate_interval])))",
                    "{{requested_model}} half",
                ),
                (
                    Gateway,
                    "histogram_quantile(0.95, sum by (le, requested_model) (rate(litellm_request_total_latency_metric_bucket[$__rate_interval])))",
                    "{{requested_model}} 95 %",
                ),
            ],
        },
        Panel {
            title: "Requests that failed, per minute",
            unit: "reqpm",
            lines: &[(
                Gateway,
                "sum by (requested_model, exception_class) (rate(litellm_proxy_failed_requests_metric_total[$__rate_interval])) * 60",
                "{{requested_model}} {{exception_class}}",
            )],
        },
        Panel {
            title: "Answers by a fallback, per minute",
            unit: "reqpm",
            lines: &[(
                Gateway,
                "sum by (requested_model, fallback_model) (rate(litellm_deployment_successful_fallbacks_total[$__rate_interval])) * 60",
                "{{requested_model}} by {{fallback_model}}",
            )],
        },
        Panel {
            title: "Backends that failed, per minute",
            unit: "reqpm",
            lines: &[(
                Gateway,
                "sum by (api_base, exception_class) (rate(litellm_deployment_failure_responses_total[$__rate_interval])) * 60",
                "{{api_base}} {{exception_class}}",
            )],
        },
    ],
};

const SAVED: [Panel; 2] = [
    Panel {
        title: "Saved against the cloud, in this span of time",
        unit: "short",
        lines: &[(
            Price,
            "sum by (requested_model) (avg_over_time(homelab:saved:per_second[$__range])) * $__range_s",
            "{{requested_model}}",
        )],
    },
    Panel {
        title: "Saved per day at this pace",
        unit: "short",
        lines: &[(Price, "sum(homelab:saved:per_second) * 86400", "all models")],
    },
];

const ENGINES: Board = Board {
    uid: "homelab-engines",
    title: "Servers of models",
    panels: &[
        Panel {
            title: "Requests that are answered",
            unit: "short",
            lines: &[
                (Vllm, "sum by (host, model) (vllm:num_requests_running)", "{{model}} on {{host}}"),
                (LlamaCpp, "sum by (host, model) (llamacpp:requests_processing)", "{{model}} on {{host}}"),
            ],
        },
        Panel {
            title: "Requests that wait",
            unit: "short",
            lines: &[
                (Vllm, "sum by (host, model) (vllm:num_requests_waiting)", "{{model}} on {{host}}"),
                (LlamaCpp, "sum by (host, model) (llamacpp:requests_deferred)", "{{model}} on {{host}}"),
            ],
        },
        Panel {
            title: "KV cache in use",
            unit: "percentunit",
            lines: &[(Vllm, "max by (host, model) (vllm:kv_cache_usage_perc)", "{{model}} on {{host}}")],
        },
        Panel {
            title: "Tokens of answers per second",
            unit: "short",
            lines: &[
                (
                    Vllm,
                    "sum by (host, model) (rate(vllm:generation_tokens_total[$__rate_interval]))",
                    "{{model}} on {{host}}",
                ),
                (
                    LlamaCpp,
                    "sum by (host, model) (rate(llamacpp:tokens_predicted_total[$__rate_interval]))",
                    "{{model}} on {{host}}",
                ),
            ],
        },
        Panel {
            title: "Tokens of prompts per second",
            unit: "short",
            lines: &[
                (
                    Vllm,
                    "sum by (host, model) (rate(vllm:prompt_tokens_total[$__rate_interval]))",
                    "{{model}} on {{host}}",
                ),
                (
                    LlamaCpp,
                    "sum by (host, model) (rate(llamacpp:prompt_tokens_total[$__rate_interval]))",
                    "{{model}} on {{host}}",
                ),
            ],
        },
        Panel {
            title: "Time to first token, 95 %",
            unit: "s",
            lines: &[(
                Vllm,
                "histogram_quantile(0.95, sum by (le, host, model) (rate(vllm:time_to_first_token_seconds_bucket[$__rate_interval])))",
                "{{model}} on {{host}}",
            )],
        },
        Panel {
            title: "Time from token to token",
            unit: "s",
            lines: &[
                (
                    Vllm,
                    "histogram_quantile(0.95, sum by (le, host, model) (rate(vllm:inter_token_latency_seconds_bucket[$__rate_interval])))",
                    "{{model}} on {{host}} 95 %",
                ),
                (
                    LlamaCpp,
                    "sum by (host, model) (rate(llamacpp:tokens_predicted_seconds_total[$__rate_interval])) / sum by (host, model) (rate(llamacpp:tokens_predicted_total[$__rate_interval]))",
                    "{{model}} on {{host}} mean",
                ),
            ],
        },
        Panel {
            title: "Prompts found in the cache",
            unit: "percentunit",
            lines: &[(
                Vllm,
                "sum by (host, model) (rate(vllm:prefix_cache_hits_total[$__rate_interval])) / sum by (host, model) (rate(vllm:prefix_cache_queries_total[$__rate_interval]))",
                "{{model}} on {{host}}",
            )],
        },
        Panel {
            title: "Requests that had to make room, per minute",
            unit: "reqpm",
            lines: &[(
                Vllm,
                "sum by (host, model) (rate(vllm:num_preemptions_total[$__rate_interval])) * 60",
                "{{model}} on {{host}}",
            )],
        },
    ],
};

const MACHINES: Board = Board {
    uid: "homelab-machines",
    title: "Machines",
    panels: &[
        Panel {
            title: "GPU memory in use",
            unit: "bytes",
            lines: &[(
                Gpu,
                "sum by (host, name) (nvidia_smi_memory_used_bytes * on (host, uuid) group_left (name) nvidia_smi_gpu_info)",
                "{{name}} in {{host}}",
            )],
        },
        Panel {
            title: "GPU power",
            unit: "watt",
            lines: &[(
                Gpu,
                "sum by (host, name) (nvidia_smi_power_draw_watts * on (host, uuid) group_left (name) nvidia_smi_gpu_info)",
                "{{name}} in {{host}}",
            )],
        },
        Panel {
            title: "GPU at work",
            unit: "percentunit",
            lines: &[(Gpu, "max by (host, uuid) (nvidia_smi_utilization_gpu_ratio)", "{{host}} {{uuid}}")],
        },
        Panel {
            title: "GPU temperature",
            unit: "celsius",
            lines: &[(Gpu, "max by (host, uuid) (nvidia_smi_temperature_gpu)", "{{host}} {{uuid}}")],
        },
        Panel {
            title: "CPU at work",
            unit: "percentunit",
            lines: &[(
                Node,
                "1 - avg by (host) (rate(node_cpu_seconds_total{mode=\"idle\"}[$__rate_interval]))",
                "{{host}}",
            )],
        },
        Panel {
            title: "Memory in use",
            unit: "percentunit",
            lines: &[(
                Node,
                "1 - max by (host) (node_memory_MemAvailable_bytes) / max by (host) (node_memory_MemTotal_bytes)",
                "{{host}}",
            )],
        },
        Panel {
            title: "Disk in use",
            unit: "percentunit",
            lines: &[(
                Node,
                "1 - max by (host, device) (node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs\"}) / max by (host, device) (node_filesystem_size_bytes{fstype!~\"tmpfs|ramfs\"})",
                "{{host}} {{device}}",
            )],
        },
        Panel { title: "Load", unit: "short", lines: &[(Node, "max by (host) (node_load1)", "{{host}}")] },
    ],
};

/// Every query of every dashboard, with who tells it.
pub fn queries() -> impl Iterator<Item = (Source, &'static str)> {
    let boards = [GATEWAY, ENGINES, MACHINES].map(|board| board.panels);
    let panels = boards.into_iter().flatten().chain(&SAVED);
    panels.flat_map(|panel| panel.lines.iter().map(|(source, expr, _)| (*source, *expr)))
}

/// The dashboards as Grafana reads them.
pub(super) fn dashboards(with_price: bool) -> Vec<Value> {
    let saved: &[Panel] = if with_price { &SAVED } else { &[] };
    vec![json_of(&GATEWAY, saved), json_of(&ENGINES, &[]), json_of(&MACHINES, &[])]
}

/// Two panels side by side on Grafana's 24 columns.
fn json_of(board: &Board, more: &[Panel]) -> Value {
    let panels: Vec<Value> = board.panels.iter().chain(more).enumerate().map(|(i, p)| panel(i, p)).collect();
    json!({
        "uid": board.uid, "title": board.title, "tags": ["homelab"], "schemaVersion": 39, "editable": false,
        "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "panels": panels,
    })
}

fn panel(index: usize, panel: &Panel) -> Value {
    let source = json!({"type": "prometheus", "uid": DATA_SOURCE});
    let target = |(at, (_, expr, legend)): (usize, &(Source, &str, &str))| {
        let id = char::from(b'A' + u8::try_from(at).unwrap_or(0)).to_string();
        json!({"refId": id, "datasource": source, "expr": expr, "legendFormat": legend})
    };
    json!({
        "id": index + 1, "type": "timeseries", "title": panel.title, "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": index % 2 * 12, "y": index / 2 * 8},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": panel.lines.iter().enumerate().map(target).collect::<Vec<_>>(),
    })
}
