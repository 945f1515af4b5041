//! A new version that vLLM refuses gives its place back to the old one.

use serde_json::json;

use crate::stack::stack;

#[test]
#[ignore = "needs the vLLM image: make test-vllm"]
fn a_version_that_does_not_start_gives_way_to_the_old_one() {
    let mut stack = stack();
    let cluster = &mut stack.cluster;
    let (first, good) = (cluster.containers(), cluster.hosts.clone());
    // More than the model was trained for.
    cluster.hosts["lab1"]["models"]["qwen3-4b"]["max_model_len"] = json!(131_072);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(error.starts_with("error: lab1: qwen3-4b: waiting until it answers: it exited"), "{error}");
    let failed =
        failed.says("User-specified max_model_len (131072) is greater than the derived max_model_len");
    failed.says("qwen3-4b on lab1 is back on its previous version and answers.");

    let after = cluster.containers();
    assert_eq!(after["lab1-qwen3-4b-1"].id, first["lab1-qwen3-4b-1"].id);
    assert_ne!(after["lab1-qwen3-4b-1"].started, first["lab1-qwen3-4b-1"].started);
    for other in ["lab1-qwen3-30b-1", "lab2-embed-1", "lab3-litellm-1"] {
        assert_eq!(after[other], first[other], "{other}");
    }
    assert_eq!(after.len(), first.len(), "{after:?}");
    cluster.answers("qwen3-4b");
    cluster.run(&["status"]).exits(1).says("differs: ");
    cluster.hosts = good;
    cluster.deploy();
    assert_eq!(cluster.containers(), after);
}
