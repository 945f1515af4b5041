//! Models for vLLM in a cluster's inventory.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::lab;

/// Puts a tiny model on a host's CPU, with further keys. It is far from ready when its time would be
/// up, so that no test passes by a timeout.
pub(crate) fn serve(cluster: &mut Cluster, (host, port): (&str, u16), name: &str, keys: &Value) {
    cluster.host(host);
    let mut model = json!({
        "engine": "vllm",
        "image": lab().fact("LAB_IMAGE_VLLM"),
        "model": "/models/tiny-qwen3",
        "port": cluster.port(port),
        "gpu": "none",
        "ready_timeout": "1h",
        // Else every server compiles its graph first, for half a minute.
        "enforce_eager": true,
        // In bfloat16, which the models are stored in, the first embedding ended vLLM on a virtual
        // machine with "Illegal instruction".
        "dtype": "float32",
        // Its share of the memory is too much where many run; this is in GiB.
        "environment": {"VLLM_CPU_KVCACHE_SPACE": "1"},
        "volumes": [format!("{}/vllm:/models:ro", lab().fact("LAB_MODELS_DIR"))],
    });
    for (key, value) in keys.as_object().unwrap() {
        model[key] = value.clone();
    }
    cluster.hosts[host]["models"][name] = model;
}
