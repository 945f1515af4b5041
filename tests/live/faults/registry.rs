//! A registry that is down, slow, or gives what is broken: the image does not come, and nothing was stopped.
//! A program on lab4 stands between its dockerd and the lab's registry, on loopback, where Docker asks for no TLS.

use serde_json::json;

use super::befall::{ALL, cluster};
use super::ending::{Stranger, converges, counted};
use crate::cluster::Cluster;
use crate::lab::{lab, lab4};
use crate::process::Going;

/// Passes bytes on to the registry. A number: so many of them each second; `broken`: those of layers are not what they
/// should be; `cut`: after 20,000 bytes the connection ends. `$1` is the port, `$2` the registry, `$3` how.
const BETWEEN: &str = r#"
import socket, sys, threading, time
port, registry, how = int(sys.argv[1]), sys.argv[2].rsplit(":", 1), sys.argv[3]
def carry(source, sink, limit):
    passed = 0
    rate = int(how) if limit and how.isdigit() else 0
    try:
        while data := source.recv(rate // 10 or 65536):
            passed += len(data)
            if rate and passed > 20000: time.sleep(0.1)
            if limit and how == "broken" and passed > 20000: data = bytes(len(data))
            if limit and how == "cut" and passed > 20000: break
            sink.sendall(data)
    except OSError:
        pass
    for one in (source, sink):
        try: one.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(client):
    upstream = socket.create_connection((registry[0], int(registry[1])))
    threading.Thread(target=carry, args=(client, upstream, False), daemon=True).start()
    carry(upstream, client, True)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", port))
listener.listen()
print("ready", flush=True)
threading.Timer(300, lambda: __import__("os")._exit(0)).start()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// The program between; it ends with this.
pub(crate) struct Between(Going);

impl Between {
    pub(crate) fn on_lab4(port: u16, how: &str) -> Self {
        let registry = lab().fact("LAB_REGISTRY_ADDRESS");
        let run = format!("exec python3 -u - {port} {registry} {how} 1>&2 <<'END'\n{BETWEEN}END");
        let mut going = Going::start(&mut lab().ssh_command("root", "lab4", &run));
        going.says("ready");
        Self(going)
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.0.signal("KILL");
        lab().root("lab4", "pkill -f 'python3 -u - [0-9]' || true");
    }
}

/// Makes an image of llama.cpp with 3 MB that no host has seen, and says what it is called where it comes through the
/// program between.
pub(crate) fn unseen(port: u16) -> String {
    let base = lab().fact("LAB_IMAGE_LLAMA");
    let (registry, name) = base.split_once('/').unwrap();
    let name = format!("{}:unseen", name.split(':').next().unwrap());
    lab().ssh(
        "lab1",
        &format!(
            "docker rm -f promise-unseen 2>/dev/null; \
             docker run --name promise-unseen --entrypoint /bin/sh {base} -c 'head -c 3000000 /dev/urandom >/unseen' && \
             docker commit promise-unseen {registry}/{name} && docker push -q {registry}/{name} && \
             docker rm -f promise-unseen && docker image rm -f {registry}/{name}"
        ),
    );
    format!("127.0.0.1:{port}/{name}")
}

pub(crate) fn forget_image(image: &str) {
    lab().ssh("lab4", &format!("docker image rm -f {image} 2>/dev/null; true"));
}

fn refuses(cluster: &mut Cluster, image: &str) {
    let (before, good) = (cluster.containers(), cluster.hosts.clone());
    cluster.hosts["lab4"]["models"]["alpha"]["image"] = json!(image);
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    let error = failed.first_error();
    assert!(error.starts_with(&format!("error: lab4: alpha: pulling {image}: ")), "{error}");
    assert_eq!(cluster.containers(), before, "nothing was stopped");
    cluster.answers("alpha");
    cluster.hosts = good;
    converges(cluster, &ALL);
}

#[test]
#[ignore = "make test-faults"]
fn a_registry_that_is_down_or_broken_stops_nothing() {
    let _whole = lab4();
    let mut cluster = cluster("registry");
    let stranger = Stranger::on("lab4", &cluster);
    cluster.deploy();
    let port = cluster.port(7);
    let image = unseen(port);
    refuses(&mut cluster, &image);
    for how in ["broken", "cut"] {
        let between = Between::on_lab4(port, how);
        refuses(&mut cluster, &image);
        drop(between);
        forget_image(&image);
    }
    counted("the registry is down, serves a broken layer, or breaks off", 3, 3);
    stranger.untouched();
}

#[test]
#[ignore = "make test-faults"]
fn a_registry_that_is_slow_leaves_the_old_model_serving_and_can_be_waited_for_or_not() {
    let _whole = lab4();
    let mut cluster = cluster("slow-registry");
    cluster.deploy();
    let (before, good) = (cluster.containers(), cluster.hosts.clone());
    let port = cluster.port(7);
    let image = unseen(port);
    let between = Between::on_lab4(port, "1000");
    cluster.hosts["lab4"]["models"]["alpha"]["image"] = json!(image);
    let mut going = cluster.begin(&["deploy", "--yes"]);
    going.says(&format!("pulling {image}: "));
    cluster.answers("alpha");
    going.signal("INT");
    let run = going.end();
    cluster.heard(&["deploy", "--yes"], &run);
    let _ = run.exits(130);
    assert_eq!(cluster.containers(), before);
    drop(between);
    forget_image(&image);
    cluster.hosts = good;
    converges(&cluster, &ALL);
    counted("the registry is slow (1 kB/s)", 1, 1);
}
