//! A home directory of a client's own: homelab writes into it, the client reads from it, and nothing else is there.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::process::{Run, run};

pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(home.path("work")).unwrap();
        home
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs homelab as whoever lives here.
    pub(crate) fn homelab(&self, cluster: &Cluster, args: &[&str]) -> Run {
        let mut command = cluster.command(args);
        self.alone(&mut command);
        let run = run(&mut command);
        cluster.heard(args, &run);
        run
    }

    /// Runs a client in the directory of a project.
    pub(crate) fn client(&self, program: &str, args: &[&str]) -> Run {
        let mut command = Command::new(PathBuf::from(programs()).join(program));
        command.args(args).current_dir(self.path("work"));
        self.alone(&mut command);
        let run = run(&mut command);
        eprintln!("$ {program} {}\n{}{}→ {:?}\n", args.join(" "), run.stdout, run.stderr, run.code);
        run
    }

    /// Nothing of whoever runs the tests: no key, no URL, no settings.
    fn alone(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", self.0.path());
    }
}

/// Where the clients' programs are.
fn programs() -> String {
    std::env::var("HOMELAB_CLIENTS")
        .unwrap_or_else(|_| panic!("HOMELAB_CLIENTS is not set: make test-clients"))
}
