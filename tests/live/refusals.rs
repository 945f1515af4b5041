//! What cannot be done on a host leaves what serves there alone.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::faults::ending::counted;
use crate::lab::lab;
use crate::running::Running;

/// Holds a port on a host until it is killed. `$1` is the port.
pub(crate) const HOLD: &str = "import socket,sys,time; s=socket.socket(); s.setsockopt(1,2,1); \
    s.bind((\"0.0.0.0\",int(sys.argv[1]))); s.listen(); time.sleep(300)";

/// Tries a change that cannot work: the error is this one, and the old model still serves.
fn refuses(cluster: &mut Cluster, changes: &[(&str, Value)], error: &str) {
    let (before, hosts) = (cluster.containers(), cluster.hosts.clone());
    for (key, value) in changes {
        cluster.hosts["lab1"]["models"]["alpha"][*key] = value.clone();
    }
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    assert_eq!(failed.first_error(), format!("error: lab1: alpha: {error}"));
    assert_eq!(cluster.containers(), before);
    cluster.answers("alpha");
    cluster.hosts = hosts;
}

#[test]
fn a_change_that_cannot_be_made_leaves_the_old_model_serving() {
    let mut cluster = Running::borrow("refused");
    let changed = || ("ctx_size", json!(1024));

    let image = "registry.lab:5000/no-such-image:1";
    let error = format!("pulling {image}: there is no image {image}");
    refuses(&mut cluster, &[("image", json!(image))], &error);
    let error =
        format!("looking for its image: the image {image} is not on the host, and pull_policy is never");
    refuses(&mut cluster, &[("image", json!(image)), ("pull_policy", json!("never"))], &error);
    let error = "looking for a place for alpha: there is no network promise-nowhere";
    refuses(&mut cluster, &[changed(), ("networks", json!(["default", "promise-nowhere"]))], error);

    let (port, stranger) = (cluster.port(5), format!("{}-stranger", cluster.project));
    let pause = lab().fact("LAB_IMAGE_PAUSE");
    let run = format!("docker run -d --name {stranger} -p {port}:{port} {pause} httpd -f -p {port}");
    lab().ssh("lab1", &run);
    let error = format!("looking for a place for alpha: port {port} is taken by container {stranger}");
    refuses(&mut cluster, &[("port", json!(port))], &error);
    lab().ssh("lab1", &format!("docker rm -f {stranger}"));

    let hold = format!("setsid python3 -c '{HOLD}' {port} >/dev/null 2>&1 </dev/null & echo $!");
    let pid = lab().ssh("lab1", &hold);
    let error = format!("looking for a place for alpha: port {port} is taken by a process");
    refuses(&mut cluster, &[("port", json!(port))], &error);
    lab().ssh("lab1", &format!("kill {pid}"));
    cluster.deploy().says("nothing that serves is interrupted");
    cluster.run(&["status"]).exits(0);
    strangers_name(&cluster);
    counted("no such image or network, a port that is taken, a stranger with our name", 6, 6);
}

/// A stranger's container has the name that ours should have.
fn strangers_name(cluster: &Cluster) {
    let name = cluster.container("alpha");
    let pause = lab().fact("LAB_IMAGE_PAUSE");
    lab().ssh("lab1", &format!("docker rm -f {name} && docker run -d --name {name} {pause}"));
    let before = cluster.containers();
    let failed = cluster.run(&["deploy", "--yes"]).exits(1);
    assert_eq!(
        failed.first_error(),
        format!(
            "error: lab1: alpha: looking for a place for alpha: a container {name} is there, and homelab did \
             not make it"
        )
    );
    assert_eq!(cluster.containers(), before);
    cluster.answers("beta");
    cluster.run(&["status"]).exits(1).says("blocked: ");
    lab().ssh("lab1", &format!("docker rm -f {name}"));
    cluster.deploy();
    cluster.answers("alpha");
}
