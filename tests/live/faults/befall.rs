//! What befalls a host while homelab stands between two steps, or while it waits.

use std::time::Duration;

use serde_json::json;

use super::ending::{Stranger, converges, counted};
use crate::LIMIT;
use crate::cluster::Cluster;
use crate::lab::{Lab4, lab, lab4, until};
use crate::process::{Going, Run};

/// Something that befalls lab4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// homelab is killed.
    Killed,
    /// The network is gone, and does not come back while homelab tries.
    CutOff,
    /// The network is gone for two seconds.
    Interrupted,
    /// dockerd ends as on an update, and its containers with it; it is back at once.
    DockerRestarts,
    /// dockerd crashes and is back at once.
    DockerCrashes,
    /// The whole host starts anew.
    HostRestarts,
    /// Somebody removes homelab's containers there.
    ContainersGone,
    /// Somebody removes homelab's files there.
    FilesGone,
    /// Somebody removes homelab's network there.
    NetworkGone,
    /// sshd is killed with all its sessions.
    SshKilled,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::Killed,
        Self::CutOff,
        Self::Interrupted,
        Self::DockerRestarts,
        Self::DockerCrashes,
        Self::HostRestarts,
        Self::ContainersGone,
        Self::FilesGone,
        Self::NetworkGone,
        Self::SshKilled,
    ];

    /// What it is in the table of docs/reliability.md.
    fn words(self) -> &'static str {
        match self {
            Self::Killed => "homelab is killed",
            Self::CutOff => "the host's network is gone, and comes back when homelab has given up,",
            Self::Interrupted => "the host's network is gone for two seconds",
            Self::DockerRestarts => "dockerd restarts",
            Self::DockerCrashes => "dockerd crashes",
            Self::HostRestarts => "the host restarts",
            Self::ContainersGone => "somebody removes our containers",
            Self::FilesGone => "somebody removes our files",
            Self::NetworkGone => "somebody removes our network",
            Self::SshKilled => "sshd is killed",
        }
    }

    /// Lets it happen; `going` stands still meanwhile.
    fn befalls(self, whole: &Lab4, cluster: &Cluster, going: &Going) {
        match self {
            Self::Killed => going.signal("KILL"),
            Self::CutOff => whole.lab("cut"),
            Self::Interrupted => {
                whole.lab("cut");
                going.signal("CONT");
                std::thread::sleep(Duration::from_secs(2));
                whole.lab("mend");
            }
            Self::DockerRestarts => {
                whole.lab("docker-stop");
                whole.lab("docker-start");
            }
            Self::DockerCrashes => {
                lab().root("lab4", "lab-dockerd kill; lab-dockerd start");
            }
            Self::HostRestarts => {
                whole.lab("stop");
                whole.lab("start");
            }
            Self::ContainersGone => {
                let ours =
                    format!("docker ps -aq --filter name=^{}-alpha | xargs -r docker rm -f", cluster.project);
                lab().ssh("lab4", &ours);
            }
            Self::FilesGone => {
                lab().ssh("lab4", &format!("rm -rf ~/homelab/{}", cluster.project));
            }
            Self::NetworkGone => {
                let network = format!("{}_default", cluster.project);
                let attached = format!(
                    "docker network inspect --format '{{{{range .Containers}}}}{{{{.Name}}}} {{{{end}}}}' {network}"
                );
                lab().ssh(
                    "lab4",
                    &format!(
                        "for c in $({attached} 2>/dev/null); do docker network disconnect -f {network} $c; done; \
                         docker network rm {network} 2>/dev/null; true"
                    ),
                );
            }
            Self::SshKilled => {
                lab().root("lab4", "pkill -KILL -u lab sshd; true");
            }
        }
    }
}

/// The gateway on lab3, where nothing happens; `alpha` on lab4.
pub(crate) fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::new(name);
    cluster.model("lab4", "alpha", 1);
    cluster
}

pub(crate) const ALL: [&str; 2] = ["lab3-litellm-1", "lab4-alpha-1"];

/// Deploys, and lets `fault` happen at the `n`th place between two steps; none if the deploy had fewer of them.
pub(crate) fn deploy_with(whole: &Lab4, cluster: &Cluster, (fault, n): (Fault, usize)) -> Option<Run> {
    let mut command = cluster.command(&["deploy", "--yes"]);
    let mut going = Going::start(command.env("HOMELAB_HALT_AT", n.to_string()));
    let halted = until("homelab to halt or end", LIMIT, || {
        (going.is_halted() || going.is_over()).then(|| going.is_halted())
    });
    if halted {
        fault.befalls(whole, cluster, &going);
        if fault != Fault::Killed {
            going.signal("CONT");
        }
    }
    let run = going.end();
    cluster.heard(&["deploy", "--yes"], &run);
    if fault == Fault::CutOff {
        whole.lab("mend");
    }
    halted.then_some(run)
}

/// Swaps `alpha` with a fault at the `n`th place between two steps, and converges; whether there was such a place.
fn survives(whole: &Lab4, cluster: &mut Cluster, (fault, n): (Fault, usize)) -> bool {
    let sizes = &mut cluster.hosts["lab4"]["models"]["alpha"]["ctx_size"];
    *sizes = json!(sizes.as_u64().unwrap() + 32);
    let Some(run) = deploy_with(whole, cluster, (fault, n)) else { return false };
    assert!(matches!(run.code, Some(0 | 1) | None), "{run:?}");
    converges(cluster, &ALL);
    cluster.answers("alpha");
    cluster.forget();
    true
}

/// A swap with a fault at every place between two steps.
fn at_every_boundary(fault: Fault) {
    let whole = lab4();
    let mut cluster = cluster("befalls");
    let stranger = Stranger::on("lab3", &cluster);
    cluster.deploy();
    let survived = (1..).take_while(|n| survives(&whole, &mut cluster, (fault, *n))).count();
    stranger.untouched();
    counted(&format!("{} between two steps of a swap", fault.words()), survived, 6);
}

/// The quick part of all that.
#[test]
fn a_swap_survives_that_containers_are_removed_and_that_dockerd_restarts() {
    let whole = lab4();
    let mut cluster = cluster("befalls");
    let stranger = Stranger::on("lab3", &cluster);
    cluster.deploy();
    for fault in [(Fault::ContainersGone, 3), (Fault::ContainersGone, 6), (Fault::DockerRestarts, 5)] {
        assert!(survives(&whole, &mut cluster, fault), "{fault:?}");
    }
    stranger.untouched();
}

/// A swap for every fault, which befalls it at every place between two steps.
macro_rules! at_every_step {
    ($($name:ident: $fault:ident,)*) => {
        mod at_every_step {
            $(
                #[test]
                #[ignore = "make test-faults"]
                fn $name() {
                    super::at_every_boundary(super::Fault::$fault);
                }
            )*

            #[test]
            fn no_fault_is_left_out() {
                assert_eq!(super::Fault::ALL, [$(super::Fault::$fault),*]);
            }
        }
    };
}

at_every_step! {
    killed: Killed,
    cut_off: CutOff,
    interrupted: Interrupted,
    docker_restarts: DockerRestarts,
    docker_crashes: DockerCrashes,
    host_restarts: HostRestarts,
    containers_gone: ContainersGone,
    files_gone: FilesGone,
    network_gone: NetworkGone,
    ssh_killed: SshKilled,
}

/// Everything comes back by itself.
#[test]
#[ignore = "make test-faults"]
fn a_host_that_restarts_after_a_deploy_serves_again_by_itself() {
    let whole = lab4();
    let cluster = cluster("reboots");
    cluster.deploy();
    whole.lab("stop");
    whole.lab("start");
    until("alpha answers again", LIMIT, || cluster.ask("alpha").is_chat().then_some(()));
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
    counted("a host restarts after a deploy", 1, 1);
}
