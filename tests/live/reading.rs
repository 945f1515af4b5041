//! What only looks changes nothing.

use crate::cluster::Cluster;
use crate::lab::{lab, until};
use std::collections::BTreeSet;
use std::time::Duration;

/// Passes a socket on to Docker's and writes down every request line. `$1` is the directory.
const RECORDER: &str = r#"
import os, re, socket, sys, threading
place = sys.argv[1]
log = open(place + "/requests", "ab", buffering=0)
def pass_on(source, to, record):
    rest = b""
    while True:
        try: data = source.recv(65536)
        except OSError: data = b""
        if not data:
            try: to.shutdown(socket.SHUT_WR)
            except OSError: pass
            return
        if record:
            rest += data
            for line in re.findall(rb"(?m)^((?:GET|HEAD|POST|PUT|PATCH|DELETE) /\S*) HTTP", rest): log.write(line + b"\n")
            rest = rest.rpartition(b"\n")[2]
        to.sendall(data)
server = socket.socket(socket.AF_UNIX)
server.bind(place + "/docker.sock")
server.listen(64)
while True:
    client, _ = server.accept()
    docker = socket.socket(socket.AF_UNIX)
    docker.connect("/var/run/docker.sock")
    threading.Thread(target=pass_on, args=(client, docker, True), daemon=True).start()
    threading.Thread(target=pass_on, args=(docker, client, False), daemon=True).start()
"#;

/// Everything on a host that a plan could have changed: files, by name, size, mode and time, and
/// what Docker has. Other tests' projects are not counted, nor what other programs keep in /tmp for
/// a moment: homelab's own files there would bear its name.
fn account(cluster: &Cluster, host: &str) -> String {
    let project = &cluster.project;
    let look = format!(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path '/run/*' -o -path /var/lib/docker \
           -o -path /var/log -o -path '/tmp/*' ! -name '*homelab*' -o \\( -name 'homelab-*.lock*' ! -name '*{project}*' \\) -o -path '/home/lab/homelab' -o -path '/root/*' \
           -o -path '/home/lab/promise-*' \\) -prune -o \
           \\( -type d -printf '%p %m\\n' -o -printf '%p %s %m %T@\\n' \\) 2>/dev/null | sort; \
         ls -d /home/lab/homelab/{project} 2>&1; \
         find /run -xdev -name '*homelab*' -o -name '*{project}*'; \
         docker ps -a | grep -c {project}; docker network ls | grep -c {project}; docker volume ls | grep -c {project}; \
         docker images --no-trunc --format '{{{{.Repository}}}}:{{{{.Tag}}}} {{{{.Digest}}}} {{{{.ID}}}}' | sort"
    );
    lab().root(host, &look)
}

/// Lets homelab reach Docker on a host through a recorder, and gives the recorder's directory.
fn recorder(cluster: &mut Cluster, host: &str) -> String {
    let place = format!("/tmp/{}", cluster.project);
    let start = format!(
        "mkdir {place} && cat >{place}/recorder.py <<'PYTHON'\n{RECORDER}\nPYTHON\n\
         (setsid python3 {place}/recorder.py {place} >{place}/log 2>&1 </dev/null & echo $! >{place}/pid)"
    );
    lab().ssh(host, &start);
    until("the recorder", Duration::from_secs(5), || {
        (lab().try_ssh(host, &format!("test -S {place}/docker.sock")).code == Some(0)).then_some(())
    });
    cluster.hosts[host]["homelab_docker_socket"] = format!("{place}/docker.sock").into();
    place
}

#[test]
fn a_plan_leaves_the_hosts_as_they_are() {
    let mut cluster = Cluster::new("plan");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab2", "beta", 1);
    let hosts = ["lab1", "lab2", "lab3"];
    let places = hosts.map(|host| (host, recorder(&mut cluster, host)));
    let before = hosts.map(|host| account(&cluster, host));

    cluster.run(&["plan"]).exits(0).says("create alpha: it is not there");
    cluster.run(&["deploy", "--dry-run", "--json"]).exits(0).says("\"create\"");
    cluster.run(&["plan", "--detailed-exitcode"]).exits(2);
    cluster.run(&["status"]).exits(1).says(" missing ");
    cluster.run(&["render"]).exits(0);

    for (host, before) in hosts.iter().zip(&before) {
        let after = account(&cluster, host);
        let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
            (before.lines().collect(), after.lines().collect());
        let changed: Vec<&&str> = before.symmetric_difference(&after).collect();
        assert_eq!(changed, Vec::<&&str>::new(), "{host}");
    }
    for (host, place) in &places {
        let requests = lab().ssh(host, &format!("cat {place}/requests"));
        assert!(requests.contains("GET /"), "{host}: the recorder heard nothing");
        let acts: Vec<&str> = requests.lines().filter(|line| !line.starts_with("GET ")).collect();
        assert_eq!(acts, Vec::<&str>::new(), "{host}");
        // The recorder would have seen them.
        lab()
            .try_ssh(host, &format!("docker -H unix://{place}/docker.sock rm -f {}-nobody", cluster.project));
        assert!(lab().ssh(host, &format!("cat {place}/requests")).contains("DELETE "), "{host}");
        lab().ssh(host, &format!("kill $(cat {place}/pid); rm -r {place}"));
        cluster.hosts[*host].as_object_mut().unwrap().remove("homelab_docker_socket");
    }
}
