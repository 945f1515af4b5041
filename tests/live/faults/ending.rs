//! How every case ends: a deploy converges, and only what should be there is there.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Seen};
use crate::lab::lab;

/// Things on a host that are nobody's business: a container, its volume, a file and a network.
pub(crate) struct Stranger {
    host: &'static str,
    name: String,
    before: String,
}

impl Stranger {
    /// Puts them beside what homelab makes.
    pub(crate) fn on(host: &'static str, cluster: &Cluster) -> Self {
        let name = cluster.project.replace("promise-", "promise-stranger-of-");
        let pause = lab().fact("LAB_IMAGE_PAUSE");
        lab().ssh(
            host,
            &format!(
                "docker network create {name} && docker run -d --network {name} -v {name}:/data --name {name} {pause} \
                 httpd -f -p 80 && mkdir -p ~/homelab && echo mine >~/{name}"
            ),
        );
        let mut stranger = Self { host, name, before: String::new() };
        stranger.before = stranger.look();
        stranger
    }

    fn look(&self) -> String {
        let name = &self.name;
        lab().ssh(
            self.host,
            &format!(
                "docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}} {{{{.State.Status}}}} \
                 {{{{json .Mounts}}}}' {name}; docker network inspect --format '{{{{.Id}}}}' {name}; cat ~/{name}"
            ),
        )
    }

    /// They are as they were.
    #[track_caller]
    pub(crate) fn untouched(&self) {
        assert_eq!(self.look(), self.before);
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let name = &self.name;
        lab().try_ssh(
            self.host,
            &format!("docker rm -fv {name}; docker volume rm {name}; docker network rm {name}; rm ~/{name}"),
        );
    }
}

/// Notes how many faults a case went through, which `make test-faults` shows; `least` says that it was no idle case.
#[track_caller]
pub(crate) fn counted(what: &str, survived: usize, least: usize) {
    eprintln!("survived {survived}: {what}");
    assert!(survived >= least, "only {survived} places for a fault: {what}");
}

/// A deploy converges: the plan is empty, exactly these containers are there, and every file is one that a deploy
/// of the same inventory onto bare hosts would have left.
#[track_caller]
pub(crate) fn converges(cluster: &Cluster, containers: &[&str]) -> BTreeMap<String, Seen> {
    cluster.deploy();
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    let seen = cluster.containers();
    assert_eq!(seen.keys().collect::<Vec<_>>(), containers);
    for host in cluster.hosts.as_object().unwrap().keys() {
        let files = cluster.remote_files(host);
        let stray = |file: &&String| file.contains("/.homelab.") || file.contains("previous");
        assert_eq!(files.iter().find(stray), None, "{host}: {files:?}");
        let composed = files.iter().filter(|file| file.ends_with("compose.yml")).count();
        let here = containers.iter().any(|name| name.starts_with(host.as_str()));
        assert_eq!(composed, usize::from(here), "{host}: {files:?}");
    }
    cluster.run(&["status"]).exits(0);
    seen
}
