//! Clusters that run already, for tests that only care about what happens next: LiteLLM takes many
//! seconds of CPU to start. Whoever has one to itself gives it back as it was, by a deploy.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::cluster::Cluster;

static IDLE: Mutex<Vec<Cluster>> = Mutex::new(Vec::new());
/// What homelab made in such a cluster.
const MADE: [&str; 3] = ["lab1-alpha-1", "lab1-beta-1", "lab3-litellm-1"];

/// A cluster that runs: `alpha` and `beta` on lab1, the gateway on lab3.
pub(crate) struct Running {
    /// None once it is given back.
    cluster: Option<Cluster>,
    name: &'static str,
    hosts: Value,
    since: Instant,
}

impl Running {
    pub(crate) fn borrow(name: &'static str) -> Self {
        let since = Instant::now();
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let cluster = idle.unwrap_or_else(|| {
            let mut cluster = Cluster::new(name);
            cluster.model("lab1", "alpha", 1);
            cluster.model("lab1", "beta", 2);
            cluster.deploy();
            cluster
        });
        cluster.forget();
        Self { hosts: cluster.hosts.clone(), cluster: Some(cluster), name, since }
    }

    /// Whatever a test did, a deploy of the old inventory leads back.
    fn lead_back(&self, cluster: &mut Cluster) {
        cluster.hosts = self.hosts.clone();
        cluster.remove_files();
        cluster.deploy();
        cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert_eq!(cluster.containers().into_keys().collect::<Vec<_>>(), MADE);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut cluster) = self.cluster.take() else { return };
        if !std::thread::panicking() {
            self.lead_back(&mut cluster);
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(cluster);
        }
        eprintln!("{} took {:.1} s", self.name, self.since.elapsed().as_secs_f64());
    }
}

impl Deref for Running {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Cluster {
        self.cluster.as_mut().unwrap()
    }
}
