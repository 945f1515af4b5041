//! What a host lacks before it can serve: Docker, its rights, NVIDIA's toolkit; as steps, only those that are missing.
//! Pure: it asks no host and runs nothing. Debian 12 and 13 are tested on real hosts; the steps of Ubuntu, Fedora, RHEL and its
//! kin, Arch, Docker's own packages and NVIDIA's toolkit are written from their documentation and were never run. A Mac gets
//! no steps, only words.

mod docker;
mod gpu;
mod native;
mod read;
mod system;

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::{Machine, Wants};
use crate::survey::Failure;

pub use read::ground;
pub use system::Os;

/// The step of every failure that stands in the way of a plan.
pub const STEP: &str = "setting it up";

/// Where Docker's packages come from (`homelab_docker_packages`). A Docker that is there is never exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packages {
    /// The distribution's own.
    #[default]
    Distribution,
    /// Docker's, from download.docker.com.
    Upstream,
}

impl Packages {
    /// As the inventory has it.
    ///
    /// # Errors
    /// Says what there is.
    pub fn typed(text: &str) -> Result<Self, String> {
        match text {
            "distribution" => Ok(Self::Distribution),
            "upstream" => Ok(Self::Upstream),
            other => Err(format!("`{other}` is no source of Docker's packages: distribution or upstream")),
        }
    }
}

/// How to become root on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Root {
    /// Whoever logs in is root.
    Is,
    /// `sudo` asks for nothing.
    Sudo,
    /// There is a `sudo`, and it asks for a password.
    Password,
    /// There is no `sudo`.
    #[default]
    No,
}

/// What was seen of a host beside what `homelab doctor` looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The kernel's name: `Linux`, `Darwin`.
    pub kernel: String,
    /// The distribution.
    pub os: Os,
    /// How to become root.
    pub root: Root,
    /// The user's groups as the host keeps them.
    pub groups: BTreeSet<String>,
    /// Those of them that this login has.
    pub session: BTreeSet<String>,
    /// Commands that were asked for and are there.
    pub has: BTreeSet<String>,
    /// Whether systemd runs the machine.
    pub systemd: bool,
    /// Whether this login may read and write Docker's socket, and it is a socket.
    pub open: bool,
    /// What systemd says of `docker.service`: `enabled`, `disabled`; and `active`, `inactive`.
    pub unit: (String, String),
    /// Whether Docker knows the runtime nvidia, as far as it or its configuration tells.
    pub runtime: bool,
    /// Whether the user's own services run without a login; whether a Mac logs the user in when it starts.
    pub lingers: bool,
    /// Programs that were looked for and are not there.
    pub lacks: BTreeSet<String>,
    /// After how many idle minutes a Mac falls asleep; 0 is never.
    pub sleep: u32,
    /// The user's number.
    pub uid: String,
    /// Whether dpkg was cut off in the middle of something.
    pub half: bool,
    /// Whether the host says that it wants a reboot.
    pub reboot: bool,
}

/// A host that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What `homelab doctor` sees, too.
    pub machine: Machine,
    /// The rest.
    pub ground: Ground,
}

/// What the user wants of it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What its models need.
    pub wants: Wants,
    /// Whether a model there is to be a service of the host's own.
    pub native: bool,
    /// The programs of such models, and how each gets onto a host.
    pub programs: BTreeMap<String, &'static str>,
    /// Where Docker comes from.
    pub packages: Packages,
    /// Docker's socket, where the inventory names another than Docker's own.
    pub socket: Option<String>,
    /// Whether a password for `sudo` is to be had.
    pub password: bool,
}

/// A command that root runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What it reads.
    pub stdin: String,
}

impl Command {
    fn new<const N: usize>(argv: [&str; N]) -> Self {
        Self { argv: argv.map(str::to_owned).to_vec(), stdin: String::new() }
    }

    fn file(path: &str, content: String) -> Self {
        Self { stdin: content, ..Self::new(["tee", path]) }
    }
}

/// Something that is missing, and what makes it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done, in the words of a plan: `install docker.io`.
    pub what: String,
    /// Why.
    pub why: String,
    /// The commands, in order. Each may be repeated.
    pub commands: Vec<Command>,
}

/// What a host lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// What the user has to know or do.
    pub notes: Vec<String>,
    /// Why nothing can be done, and what to do instead.
    pub blocked: Option<Failure>,
    /// Whether the login must be made anew for what it lacks.
    pub login: bool,
}

impl Plan {
    /// Whether the host is as it should be; there may be notes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.blocked.is_none()
    }
}

/// What a host lacks for what is wanted of it.
#[must_use]
pub fn plan(seen: &Seen, wanted: &Wanted) -> Plan {
    let mut plan = Plan::default();
    if let Err(why) = lacks(seen, wanted, &mut plan) {
        // Half of it would be of no use.
        return Plan { blocked: Some(why), steps: vec![], ..plan };
    }
    if !plan.steps.is_empty() {
        plan.blocked = no_root(seen, wanted);
    }
    if plan.blocked.is_some() {
        plan.steps.clear();
    }
    plan
}

fn lacks(seen: &Seen, wanted: &Wanted, plan: &mut Plan) -> Result<(), Failure> {
    if seen.ground.kernel != "Linux" {
        if wanted.native {
            native::on_a_mac(seen, wanted, plan)?;
        }
        return match seen.ground.open || (wanted.native && wanted.wants.no_docker) {
            true => Ok(()),
            false => Err(system::not_linux(&seen.ground.kernel)),
        };
    }
    if wanted.native {
        plan.steps.extend(native::steps(seen)?);
    }
    if !wanted.wants.no_docker {
        docker::steps(seen, wanted, plan)?;
        gpu::nvidia(seen, wanted, plan)?;
    }
    gpu::others(seen, plan);
    let needs_dpkg =
        plan.steps.iter().flat_map(|step| &step.commands).any(|c| c.argv.contains(&"apt-get".to_owned()));
    if seen.ground.half && needs_dpkg {
        plan.steps.insert(
            0,
            Step {
                what: "finish what dpkg left half done".to_owned(),
                why: "an installation was cut off".to_owned(),
                commands: vec![Command::new([
                    "env",
                    "DEBIAN_FRONTEND=noninteractive",
                    "dpkg",
                    "--force-confold",
                    "--configure",
                    "-a",
                ])],
            },
        );
    }
    if seen.ground.reboot {
        plan.notes.push("it wants a reboot, for what was updated there: sudo reboot".to_owned());
    }
    Ok(())
}

/// Why nobody here can become root, if so.
fn no_root(seen: &Seen, wanted: &Wanted) -> Option<Failure> {
    let user = &seen.machine.user;
    match seen.ground.root {
        Root::Is | Root::Sudo => None,
        Root::Password if wanted.password => None,
        Root::Password => Some(failure(
            format!("sudo asks {user} for a password there"),
            "say -K to be asked for it once, or allow sudo without one (NOPASSWD in /etc/sudoers.d)",
        )),
        Root::No => Some(failure(
            format!("{user} cannot become root: there is no sudo"),
            "log in as root (ansible_user: root), or install sudo and let the user use it",
        )),
    }
}

/// What stands in the way, and what to do next.
fn failure(what: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure {
        step: STEP.to_owned(),
        what: what.into(),
        lines: vec![],
        hint: Some(hint.into()),
        finding: None,
    }
}

/// A step of one kind.
fn step(what: impl Into<String>, why: impl Into<String>, commands: Vec<Command>) -> Step {
    Step { what: what.into(), why: why.into(), commands }
}

#[cfg(test)]
mod tests;
