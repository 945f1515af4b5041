//! `plan --diff` shows what is on the hosts beside what is to come, and no secret of either.

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;

#[test]
fn a_diff_is_of_what_lies_on_the_host() {
    let mut cluster = Cluster::new("diff");
    cluster.model("lab1", "alpha", 1);
    cluster.hosts["lab1"]["models"]["alpha"]["environment"] = json!({"THEIRS": {"env": "PROMISE_DIFF"}});
    cluster.env("PROMISE_DIFF", "promise-the-first");
    cluster.deploy();
    cluster.run(&["plan", "--diff"]).exits(0).says("Nothing to do");

    cluster.env("PROMISE_DIFF", "promise-the-second");
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    let ran = cluster.run(&["plan", "--diff"]).exits(0);
    assert!(ran.stdout.contains("--- lab1/compose.yml\n+++ lab1/compose.yml\n@@ "), "{}", ran.stdout);
    let env = "\n LLAMA_API_KEY=<redacted>\n-THEIRS=<redacted>\n+THEIRS=<redacted: another value>\n";
    assert!(ran.stdout.contains(env), "{}", ran.stdout);
    // Somebody edits the file on the host: the diff leads from there.
    let compose = format!("~/homelab/{}/compose.yml", cluster.project);
    lab().ssh("lab1", &format!("echo '# mine' >> {compose}"));
    cluster.run(&["plan", "--diff"]).exits(0).says("\n-# mine\n");
    cluster.run(&["deploy", "--yes", "--diff"]).exits(0).says("\n+THEIRS=<redacted: another value>\n");
    cluster.run(&["plan", "--diff", "--json"]).exits(0).says("\"diffs\": []");
    let said = cluster.said();
    assert!(!said.contains("promise-the-"), "{said}");
}
