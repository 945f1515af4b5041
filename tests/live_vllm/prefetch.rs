//! What vLLM downloads is there before it starts, by the hub's client in its own image, and is enough
//! without a network. The hub is a stand-in.

use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cluster::Cluster;
use crate::hub::{Blob, COMMIT, Hub};
use crate::lab::lab;
use crate::vllm::serve;

const REPOSITORY: &str = "lab/tiny-qwen3";

/// The files of a small model, with a larger one that nothing loads.
fn hub() -> Hub {
    let models = format!("{}/models", lab().fact("LAB_STATE"));
    let blob = |path: &Path, name: String| {
        let digest = Sha256::digest(std::fs::read(path).unwrap());
        let sha256 = digest.iter().map(|b| format!("{b:02x}")).collect();
        Blob { name, path: path.to_owned(), sha256 }
    };
    let files = std::fs::read_dir(format!("{models}/vllm/tiny-qwen3")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let mut blobs: Vec<Blob> =
        paths.map(|path| blob(&path, path.file_name().unwrap().to_string_lossy().into_owned())).collect();
    let unused = Path::new(&models).join("gemma-3-270m.gguf");
    blobs.push(Blob { name: "other.gguf".into(), path: unused, sha256: "0".repeat(64) });
    Hub::of(REPOSITORY, blobs)
}

/// The cache that containers fill as root.
struct Cache(String);

impl Drop for Cache {
    fn drop(&mut self) {
        lab().root("lab2", &format!("rm -rf {}", self.0));
    }
}

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn weights_come_first_and_then_no_network_is_needed() {
    let hub = hub();
    let cache = Cache(format!("/tmp/promise-hf-{}", std::process::id()));
    let mut cluster = Cluster::new("vllm-prefetch");
    let from_hub = json!({
        "model": REPOSITORY,
        "environment": {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_ENDPOINT": hub.endpoint, "HF_HOME": "/hf"},
        "volumes": [format!("{}:/hf", cache.0)],
    });
    serve(&mut cluster, ("lab2", 1), "tiny", &from_hub);
    cluster.env("HF_HUB_OFFLINE", "0");
    hub.set_up(false);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(error.starts_with(&format!("error: lab2: tiny: fetching {REPOSITORY}: ")), "{error}");
    failed.says("the host does not reach Hugging Face");
    assert_eq!(cluster.containers().keys().collect::<Vec<_>>(), ["lab3-litellm-1"]);

    // From the first request of the server on, nobody answers any more.
    hub.set_up(true);
    let mut deploy = cluster.begin(&["deploy", "--yes"]);
    deploy.says("tiny: starting it");
    hub.set_up(false);
    let deploy = deploy.end();
    cluster.heard(&["deploy", "--yes"], &deploy);
    deploy.exits(0);
    cluster.answers("tiny");
    assert!(!hub.asked().iter().any(|asked| asked.contains("other.gguf")), "{:?}", hub.asked());
    // It was told the commit, and takes that without a network.
    let log = lab().ssh("lab2", &format!("docker logs {} 2>&1", cluster.container("tiny")));
    let given = log.lines().find(|line| line.contains("non-default args:")).unwrap();
    assert!(given.contains(&format!("'revision': '{COMMIT}'")), "{given}");
    let locked = std::fs::read_to_string(cluster.path("homelab.lock")).unwrap();
    assert!(locked.contains(&format!("    {REPOSITORY}: {COMMIT}\n")), "{locked}");
    cluster.run(&["plan", "--locked", "--detailed-exitcode"]).exits(0);
}
