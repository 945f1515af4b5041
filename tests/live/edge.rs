//! Caddy before the gateway: TLS, who may come in, and replacing that nobody notices. Caddy is Debian's 2.6; clients are
//! curl, which trusts nobody but the authority it is given.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::process::{Run, run};

/// How many ask at the same time, half of them with streaming.
const CLIENTS: usize = 4;

fn behind_edge(name: &str) -> Cluster {
    let mut cluster = Cluster::new(name);
    cluster.hosts["lab3"]["gateway"]["edge"] =
        json!({"image": lab().fact("LAB_IMAGE_CADDY"), "tls": "internal"});
    // The clients' requests are computed on the cores on which it starts.
    cluster.hosts["lab3"]["gateway"]["ready_timeout"] = json!(900);
    cluster
}

/// What a client is given: the address, the key, and the root certificate of Caddy's own authority.
struct Client {
    url: String,
    key: String,
    root: String,
}

impl Client {
    fn of(cluster: &Cluster) -> Self {
        let cat = "cat /data/caddy/pki/authorities/local/root.crt";
        let root = lab().ssh("lab3", &format!("docker exec {} {cat}", cluster.container("caddy")));
        cluster.file("root.crt", &root);
        Self {
            url: format!("https://{}", cluster.gateway()),
            key: cluster.master_key(),
            root: cluster.path("root.crt").display().to_string(),
        }
    }

    fn curl(&self, trusted: bool, path: &str, body: Option<&Value>) -> Run {
        let mut curl = Command::new("curl");
        curl.args(["-sSN", "--noproxy", "*", "--max-time", "90", "-w", "\n%{http_code}"]);
        curl.args(["-H", &format!("Authorization: Bearer {}", self.key)]);
        let at = lab().address("lab3");
        curl.args(["--connect-to", &format!("llm.edge.test::{at}:")]);
        if trusted {
            curl.args(["--cacert", &self.root]);
        }
        if let Some(body) = body {
            curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
        }
        run(curl.arg(format!("{}{path}", self.url)))
    }

    /// A status, and what came with it.
    fn get(&self, path: &str) -> (String, String) {
        let said = self.curl(true, path, None);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let (body, status) = said.stdout.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    /// Why a chat request was not answered whole, if it was not.
    fn fails(&self, model: &str, tokens: u32, stream: bool) -> Option<String> {
        let messages = json!([{"role": "user", "content": "Tell me a long story."}]);
        let body = json!({"model": model, "messages": messages, "max_tokens": tokens, "stream": stream});
        let said = self.curl(true, "/v1/chat/completions", Some(&body));
        let whole = if stream { "data: [DONE]" } else { "\"finish_reason\"" };
        let good = said.code == Some(0) && said.stdout.ends_with("\n200") && said.stdout.contains(whole);
        (!good).then(|| format!("stream {stream}: {:?} {}{}", said.code, said.stdout, said.stderr))
    }
}

#[test]
fn behind_an_edge_a_gateway_is_replaced_while_it_answers_and_only_those_allowed_come_in() {
    let mut cluster = behind_edge("edge");
    cluster.model("lab3", "alpha", 1);
    cluster.hosts["lab3"]["models"]["alpha"]["parallel"] = json!(2);
    cluster.deploy();
    let client = Client::of(&cluster);
    assert_eq!(client.fails("alpha", 3, false), None);
    assert_eq!(client.curl(false, "/v1/models", None).code, Some(60), "nobody else's authority is trusted");
    let told = cluster.run(&["clients", "curl"]).exits(0);
    assert!(told.stdout.contains(&client.url) && told.stderr.contains("root.crt"), "{told:?}");
    let status = cluster.run(&["status"]).exits(0).stdout;
    assert!(status.contains(&client.url) && status.contains("in sync"), "{status}");
    assert!(cluster.run(&["plan"]).exits(0).stdout.contains("Nothing to do"));

    let before = cluster.containers();
    cluster.hosts["lab3"]["gateway"]["num_retries"] = json!(2);
    let plan = cluster.run(&["plan"]).exits(0).stdout;
    assert!(
        plan.contains("replace litellm") && plan.contains("nothing that serves is interrupted"),
        "{plan}"
    );
    let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let asks = |stream: bool| {
        while !over.load(Ordering::Relaxed) {
            assert_eq!(client.fails("alpha", 12, stream), None);
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let asks = &asks;
        let clients = [true, false].map(|stream| scope.spawn(move || asks(stream)));
        let deployed = catch_unwind(AssertUnwindSafe(|| cluster.run(&["deploy"]).exits(0)));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        deployed.unwrap_or_else(|why| resume_unwind(why));
    });
    assert!(count.load(Ordering::Relaxed) > 3, "{count:?}");
    let after = cluster.containers();
    assert_ne!(after["lab3-litellm-1"].id, before["lab3-litellm-1"].id);
    assert_eq!(after["lab3-caddy-1"], before["lab3-caddy-1"]);
    assert_eq!(after.len(), 3, "{after:?}");

    // A config that Caddy takes while it runs; and one that it does not.
    cluster.hosts["lab3"]["gateway"]["edge"]["allow"] = json!(["192.0.2.0/24"]);
    cluster.deploy();
    assert_eq!(client.get("/v1/models").0, "403");
    assert_eq!(cluster.containers(), after);
    cluster.hosts["lab3"]["gateway"]["edge"]["tls"] = json!({"cert": {"env": "PEM"}, "key": {"env": "PEM"}});
    cluster.env("PEM", "this is no certificate");
    let refused = cluster.run(&["deploy", "--yes"]).exits(1);
    assert!(refused.stderr.contains("Caddy does not take its new config"), "{}", refused.stderr);
    assert_eq!((client.get("/v1/models").0.as_str(), cluster.containers()), ("403", after));
    cluster.hosts["lab3"]["gateway"]["edge"] =
        json!({"image": lab().fact("LAB_IMAGE_CADDY"), "tls": "internal", "max_size": "2k"});
    cluster.deploy();
    let long = json!({"model": "alpha", "messages": [{"role": "user", "content": "x".repeat(3000)}]});
    let refused = client.curl(true, "/v1/chat/completions", Some(&long)).stdout;
    // Caddy 2.6 has found a backend that did not take it, a later one says what it is.
    assert!(refused.ends_with("\n413") || refused.ends_with("\n502"), "{refused}");
    let files = cluster.remote_files("lab3");
    assert!(!files.iter().any(|file| file.contains("tls-") || file.contains(".next")), "{files:?}");
    gives_up_a_config_that_brings_no_certificate(&mut cluster);
}

/// Caddy takes a config by which nobody would have an answer; whoever does not wait for that has the one before.
fn gives_up_a_config_that_brings_no_certificate(cluster: &mut Cluster) {
    let edge = json!({
        "image": lab().fact("LAB_IMAGE_CADDY"),
        "domain": "llm.edge.test",
        "tls": "internal",
        "http_port": cluster.port(5),
    });
    cluster.hosts["lab3"]["gateway"]["edge"] = edge.clone();
    cluster.deploy();
    let url = format!("https://llm.edge.test:{}", cluster.port(0));
    let client = Client { url, ..Client::of(cluster) };
    assert_eq!(client.get("/v1/models").0, "200");
    let before = cluster.containers();
    cluster.hosts["lab3"]["gateway"]["edge"]["tls"] = json!("acme");
    cluster.hosts["lab3"]["gateway"]["edge"]["acme_ca"] = json!("https://127.0.0.1:1/directory");
    let mut cut = cluster.begin(&["deploy", "--yes"]);
    cut.says("waiting for its certificate for llm.edge.test");
    assert_ne!(client.curl(true, "/v1/models", None).code, Some(0), "it still has the certificate of before");
    cut.signal("INT");
    let cut = cut.end();
    cluster.heard(&["deploy", "--yes"], &cut);
    let _ = cut.exits(130);
    assert_eq!(client.get("/v1/models").0, "200");
    cluster.run(&["plan"]).exits(0).says("~ reload caddy: the content of the Caddyfile");
    cluster.hosts["lab3"]["gateway"]["edge"] = edge;
    cluster.run(&["deploy"]).exits(0).says("Nothing to do");
    assert_eq!(cluster.containers(), before);
}

/// How many requests are asked at least; docs/gateway.md has the figures of a run.
fn wanted() -> usize {
    std::env::var("HOMELAB_TEST_REQUESTS").map_or(1000, |number| number.parse().unwrap())
}

/// Three changed configs, a version and both replicas of the model; then configs until enough was asked. How often the
/// gateway was replaced.
fn deploys(cluster: &mut Cluster, asked: &AtomicUsize) -> usize {
    let (gateway, mut count) = ("lab3-litellm-1", 0);
    while count < 4 || asked.load(Ordering::Relaxed) < wanted() {
        match count {
            3 => cluster.hosts["lab3"]["gateway"]["image"] = json!(other_tag()),
            _ => cluster.hosts["lab3"]["gateway"]["num_retries"] = json!(2 + count),
        }
        let before = cluster.containers();
        cluster.run(&["deploy"]).exits(0);
        assert_ne!(cluster.containers()[gateway], before[gateway]);
        count += 1;
        if count == 4 {
            for host in ["lab1", "lab2"] {
                cluster.hosts[host]["models"]["alpha"]["ctx_size"] = json!(1024);
            }
            let before = cluster.containers();
            cluster.deploy();
            let after = cluster.containers();
            assert_eq!(after[gateway], before[gateway]);
            assert!(["lab1-alpha-1", "lab2-alpha-1"].iter().all(|name| after[*name].id != before[*name].id));
        }
    }
    count
}

/// LiteLLM's image under another tag: what a new version is to Docker.
fn other_tag() -> String {
    let image = lab().fact("LAB_IMAGE_LITELLM");
    let other = format!("{image}-next");
    lab().ssh("lab3", &format!("docker tag {image} {other}"));
    other
}

#[test]
#[ignore = "many minutes of requests; make test-gateway"]
fn no_request_fails_while_the_gateway_and_the_models_are_replaced() {
    let mut cluster = behind_edge("edge-load");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "alpha", 1);
    for host in ["lab1", "lab2"] {
        cluster.hosts[host]["models"]["alpha"]["parallel"] = json!(2);
    }
    cluster.deploy();
    let client = Client::of(&cluster);
    let (asked, over, failed) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(vec![]));
    let begun = Instant::now();
    let asks = |stream: bool| {
        while !over.load(Ordering::Relaxed) {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let tokens = if number % 20 == 0 { 60 } else { 3 };
            failed.lock().unwrap().extend(client.fails("alpha", tokens, stream));
        }
    };
    let mut count = 0;
    thread::scope(|scope| {
        let asks = &asks;
        let clients: Vec<_> = (0..CLIENTS).map(|n| scope.spawn(move || asks(n % 2 == 0))).collect();
        let deployed = catch_unwind(AssertUnwindSafe(|| {
            count = deploys(&mut cluster, &asked);
        }));
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        deployed.unwrap_or_else(|why| resume_unwind(why));
    });
    let failed = failed.into_inner().unwrap();
    eprintln!(
        "edge: {} requests by {CLIENTS} clients in {:.0} s while the gateway was replaced {count} times and each model once, {} failed",
        asked.into_inner(),
        begun.elapsed().as_secs_f64(),
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:#?}");
}
