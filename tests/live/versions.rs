//! Images do not move by themselves: what was deployed is what is deployed, until somebody says otherwise.
//! A program on lab1 stands before the lab's registry and asks for a password, on loopback, where Docker asks for no TLS.

use std::fs;

use serde_json::json;

use crate::cluster::Cluster;
use crate::lab::lab;
use crate::process::Going;

const PASSWORD: &str = "promise-a-password-of-a-registry";

/// `$1` is the port, `$2` the registry, `$3` what an Authorization must be.
const GUARD: &str = r#"
import http.client, http.server, sys, threading
port, registry, allowed = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Guard(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Authorization") != "Basic " + allowed:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="promise"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(registry)
        passed = {"Accept": ", ".join(self.headers.get_all("Accept") or ["*/*"])}
        upstream.request(self.command, self.path, headers=passed)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Connection", "Transfer-Encoding"): self.send_header(name, value)
        self.end_headers()
        while data := answer.read(65536): self.wfile.write(data)
    do_HEAD = do_GET
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Guard)
threading.Timer(300, lambda: __import__("os")._exit(0)).start()
print("ready", flush=True)
server.serve_forever()
"#;

/// Gives a tag of a repository the manifest of another one.
const MOVE: &str = r#"
import sys, urllib.request as web
manifests, source, tag = sys.argv[1:]
opener = web.build_opener(web.ProxyHandler({}))
accept = "application/vnd.docker.distribution.manifest.v2+json"
got = opener.open(web.Request(manifests + source, headers={"Accept": accept}))
kind = {"Content-Type": got.headers["Content-Type"]}
opener.open(web.Request(manifests + tag, data=got.read(), method="PUT", headers=kind))
"#;

struct Guard {
    port: u16,
    going: Going,
}

impl Guard {
    fn on_lab1(port: u16) -> Self {
        let allowed = lab().ssh("lab1", &format!("printf 'promise:{PASSWORD}' | base64 -w0"));
        let registry = lab().fact("LAB_REGISTRY_ADDRESS");
        let run = format!("exec python3 -u - {port} {registry} {allowed} 1>&2 <<'END'\n{GUARD}END");
        let mut going = Going::start(&mut lab().ssh_command("root", "lab1", &run));
        going.says("ready");
        Self { port, going }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.going.signal("KILL");
        lab().root("lab1", &format!("pkill -f 'python3 -u [-] {} ' || true", self.port));
    }
}

/// The image of lab1's model, by a tag that is moved.
struct Moving {
    repository: String,
    image: String,
}

impl Moving {
    fn new(port: u16) -> Self {
        let image = lab().fact("LAB_IMAGE_LLAMA");
        let path = image.split_once('/').unwrap().1;
        let repository = path.split(':').next().unwrap().to_owned();
        let image = format!("127.0.0.1:{port}/{repository}:promise-moving");
        Self { repository, image }
    }

    /// The tag means the image that this fact of the lab names.
    fn means(&self, fact: &str) {
        let tag = lab().fact(fact).rsplit_once(':').unwrap().1;
        let manifests =
            format!("http://{}/v2/{}/manifests/", lab().fact("LAB_REGISTRY_ADDRESS"), self.repository);
        lab().ssh("lab1", &format!("python3 - {manifests} {tag} promise-moving <<'END'\n{MOVE}END"));
    }

    /// By its name: the image itself has other ones, which other tests use. Its digests go with it.
    fn forget(&self) {
        lab().ssh("lab1", &format!("docker image rm -f {} 2>/dev/null; true", self.image));
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.forget();
    }
}

fn locked(cluster: &Cluster) -> String {
    fs::read_to_string(cluster.path("homelab.lock")).unwrap_or_default()
}

#[test]
#[ignore = "starts gateways: make test-more"]
fn an_image_stays_what_it_was_until_somebody_moves_its_pin() {
    let mut cluster = Cluster::new("versions");
    let port = cluster.port(7);
    let (guard, moving) = (Guard::on_lab1(port), Moving::new(port));
    moving.forget();
    moving.means("LAB_IMAGE_LLAMA");
    cluster.model("lab1", "alpha", 1);
    cluster.hosts["lab1"]["models"]["alpha"]["image"] = json!(moving.image);

    // A stranger gets nothing, and is told which key is missing.
    let refused = cluster.run(&["deploy", "--yes"]).exits(1);
    let registry = format!("127.0.0.1:{port}");
    let expected =
        format!("pulling {}: {registry} does not give {} to a stranger", moving.image, moving.image);
    assert_eq!(refused.first_error(), format!("error: lab1: alpha: {expected}"));
    assert!(refused.stderr.contains("`registry_auth` (not set; add it to lab1, "), "{}", refused.stderr);
    let login = json!({"username": "promise", "password": {"env": "PROMISE_REGISTRY"}});
    cluster.hosts["lab1"]["registry_auth"] = json!({registry.as_str(): login});
    cluster.env("PROMISE_REGISTRY", PASSWORD);

    // CI changes no lock.
    let refused = cluster.run(&["deploy", "--yes", "--locked"]).exits(65);
    assert!(
        refused.first_error().contains(&format!("it does not pin {}", moving.image)),
        "{}",
        refused.stderr
    );
    cluster.run(&["plan", "--locked", "--offline"]).exits(65);
    cluster.deploy();
    cluster.answers("alpha");
    let first = locked(&cluster);
    assert!(first.contains(&format!("    {}: sha256:", moving.image)), "{first}");
    let there = cluster.containers();
    assert_eq!(cluster.run(&["plan", "--locked"]).exits(0).stdout, "Nothing to do: 2 hosts are in sync.\n");

    // The tag is moved, and the image taken from the host: the pinned one comes back.
    moving.means("LAB_IMAGE_LLAMA_BROKEN");
    cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(1024);
    moving.forget();
    cluster.run(&["deploy", "--yes", "--locked"]).exits(0);
    cluster.answers("alpha");
    assert_ne!(cluster.containers(), there);
    assert_eq!(locked(&cluster), first);

    moved(&cluster, &moving, &first);

    // The password was for Docker's ears only.
    let kept = lab()
        .root("lab1", &format!("grep -rlsF --devices=skip -- '{PASSWORD}' /home /root /etc /var/log; true"));
    assert_eq!(kept, "");
    assert!(!cluster.said().contains(PASSWORD));
    cluster.run(&["down", "--yes"]).exits(0);
    drop(guard);
    moving.forget();
}

/// The pin goes to where the tag went, and back: only when somebody says so.
fn moved(cluster: &Cluster, moving: &Moving, first: &str) {
    // What it means now is shown, and taken only if somebody says so.
    let dry = cluster.run(&["update", "--dry-run", &moving.image]).exits(0);
    assert!(dry.stdout.starts_with(&format!("~ {}: sha256:", moving.image)), "{}", dry.stdout);
    assert_eq!(locked(cluster), first);
    let there = cluster.containers();
    let shown = cluster.run(&["update", &moving.image]).exits(0).stdout;
    assert_eq!(shown, dry.stdout);
    assert_ne!(locked(cluster), first);
    assert_eq!(cluster.containers(), there, "an update touches no host");
    let plan = cluster.run(&["plan"]).exits(0);
    assert!(
        plan.stdout.contains(&format!("~ replace alpha: image {} sha256:", moving.image)),
        "{}",
        plan.stdout
    );
    cluster.run(&["deploy", "--yes", "--locked"]).exits(0);
    cluster.answers("alpha");
    assert_ne!(cluster.containers(), there);

    // The registry does not have what is pinned: nothing is stopped for it, and the way on is told.
    let there = cluster.containers();
    let digest = first.split(&format!("{}: ", moving.image)).nth(1).unwrap().lines().next().unwrap();
    let gone = first.replace(digest, &format!("sha256:{}", "0".repeat(64)));
    fs::write(cluster.path("homelab.lock"), gone).unwrap();
    let refused = cluster.run(&["deploy", "--yes"]).exits(1);
    let expected = format!("the registry no longer has {} as homelab.lock pins it", moving.image);
    assert!(refused.first_error().contains(&expected), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("homelab update {}", moving.image)), "{}", refused.stderr);
    assert_eq!(cluster.containers(), there);
    cluster.answers("alpha");

    moving.means("LAB_IMAGE_LLAMA");
    cluster.run(&["update"]).exits(0);
    assert_eq!(locked(cluster), first);
    cluster.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(locked(cluster), first);
    assert_eq!(cluster.run(&["plan"]).exits(0).stdout, "Nothing to do: 2 hosts are in sync.\n");
}
