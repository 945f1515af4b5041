//! The cluster that all but the failing models are tested with: it takes minutes to start.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::cluster::Cluster;
use crate::process::Run;
use crate::vllm::serve;

/// Two models with the flags that the README's stack has, sharing one GPU of lab1; a model for
/// embeddings on lab2's CPU; the gateway on lab3.
///
/// lab1's GPU is declared, not there: its runtime `nvidia` is runc, its `nvidia-smi` prints a
/// recorded table. vLLM computes on the CPU; what is real is that homelab takes it for a GPU.
pub(crate) struct Stack {
    pub(crate) cluster: Cluster,
    /// The deploy that made it.
    pub(crate) made: Run,
}

/// One test at a time has it, and leaves it as it was. The sweep after all tests removes it.
pub(crate) fn stack() -> MutexGuard<'static, Stack> {
    static STACK: LazyLock<Mutex<Stack>> = LazyLock::new(|| Mutex::new(deploy()));
    STACK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn deploy() -> Stack {
    let mut cluster = Cluster::new("vllm");
    let declared_gpu = json!({
        "gpu": 0,
        // The lab's hosts may not raise a limit above their own, which is what homelab asks for.
        "ulimits": {"memlock": 65536},
        "max_num_batched_tokens": 8192,
        "max_num_seqs": 64,
        "enable_auto_tool_choice": true,
        "tool_call_parser": "hermes",
        "enable_chunked_prefill": true,
    });
    let with = |keys: serde_json::Value| {
        let mut all = declared_gpu.clone();
        all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        all
    };
    let small = json!({
        "max_model_len": 8192,
        "gpu_memory_utilization": 0.25,
        "tool_strict_level": "parameter",
        // This one compiles its graph, and has no cache that an earlier run filled.
        "enforce_eager": false,
        "environment": {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CACHE_ROOT": "/tmp/vllm"},
    });
    let large = json!({"max_model_len": 65536, "gpu_memory_utilization": 0.6, "reasoning_parser": "qwen3"});
    serve(&mut cluster, ("lab1", 1), "qwen3-4b", &with(small));
    serve(&mut cluster, ("lab1", 2), "qwen3-30b", &with(large));
    let embedding = json!({"kind": "embedding", "model": "/models/tiny-embedding"});
    serve(&mut cluster, ("lab2", 1), "embed", &embedding);
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"qwen3-30b": ["qwen3-4b"]});
    let made = cluster.deploy();
    Stack { cluster, made }
}
