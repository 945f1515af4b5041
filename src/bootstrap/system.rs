//! Distributions: which family one is of, and how packages get there.
//! It knows commands; what is to be installed it is told.

use super::{Command, failure};
use crate::survey::Failure;

/// A distribution, as /etc/os-release tells (freedesktop.org, os-release(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Os {
    /// `ID`: `debian`, `ubuntu`.
    pub id: String,
    /// `ID_LIKE`: what it comes from, nearest first.
    pub like: Vec<String>,
    /// `VERSION_CODENAME`: `bookworm`.
    pub codename: String,
    /// `UBUNTU_CODENAME`, which Ubuntu's derivatives have.
    pub ubuntu: String,
    /// `DEBIAN_CODENAME`, which some of Debian's derivatives have.
    pub debian: String,
    /// `PRETTY_NAME`: for people.
    pub name: String,
}

/// How a distribution installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Debian and what comes from it: apt.
    Debian,
    /// Ubuntu and what comes from it: apt, with package names of its own in places.
    Ubuntu,
    /// Fedora: dnf.
    Fedora,
    /// RHEL, CentOS Stream, Rocky, Alma, Oracle: dnf, and no Docker of their own.
    Rhel,
    /// Arch and what comes from it: pacman.
    Arch,
}

impl Family {
    pub(super) fn of(os: &Os) -> Result<Self, Failure> {
        let named = std::iter::once(os.id.as_str()).chain(os.like.iter().map(String::as_str));
        let known = |name: &str| {
            Some(match name {
                "debian" | "raspbian" => Self::Debian,
                "ubuntu" => Self::Ubuntu,
                "rhel" | "centos" | "rocky" | "almalinux" | "ol" => Self::Rhel,
                "arch" => Self::Arch,
                _ => return None,
            })
        };
        // What comes from Fedora only by way of RHEL, or is Amazon's, has other packages.
        let fedora = (os.id == "fedora").then_some(Self::Fedora);
        fedora.or_else(|| named.into_iter().find_map(known)).ok_or_else(|| unknown(os))
    }

    pub(super) fn is_apt(self) -> bool {
        matches!(self, Self::Debian | Self::Ubuntu)
    }

    /// What installs these packages. Nothing is ever removed for them.
    pub(super) fn install(self, packages: &[&str]) -> Vec<Command> {
        let mut commands = match self {
            Self::Debian | Self::Ubuntu => vec![apt(&["update"]), apt(&["-y", "--no-remove", "install"])],
            Self::Fedora | Self::Rhel => vec![Command::new(["dnf", "-y", "install"])],
            // Without -y: a database newer than what is installed is a partial upgrade, which Arch does not support.
            Self::Arch => vec![Command::new(["pacman", "-S", "--needed", "--noconfirm"])],
        };
        if let Some(last) = commands.last_mut() {
            last.argv.extend(packages.iter().map(|package| (*package).to_owned()));
        }
        commands
    }
}

/// apt-get that asks nothing, and waits for who is at it: a new machine updates itself in its first minutes.
fn apt(args: &[&str]) -> Command {
    let mut command = Command::new([
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "NEEDRESTART_SUSPEND=1",
        "apt-get",
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Options::=--force-confold",
    ]);
    command.argv.extend(args.iter().map(|arg| (*arg).to_owned()));
    command
}

/// A file from the web, with curl.
pub(super) fn download(url: &str, path: &str) -> Command {
    Command::new(["curl", "-fsSL", "--retry", "3", "-o", path, url])
}

fn unknown(os: &Os) -> Failure {
    let name = if os.name.is_empty() { "its system" } else { &os.name };
    failure(
        format!("homelab does not know how to install on {name}"),
        "install Docker as docs.docker.com/engine/install says, or as the distribution does; it knows Debian, Ubuntu, \
         Fedora, RHEL and its kin, and Arch",
    )
}

/// There is nothing to be installed with what this module knows.
pub(super) fn not_linux(kernel: &str) -> Failure {
    let by_hand = "install Docker Desktop, OrbStack or Colima by hand and name its socket with homelab_docker_socket: containers have no \
                   GPU there";
    let (name, hint) = match kernel {
        "Darwin" => {
            let native = "say `runtime: native` of its models, which then run without Docker and on its GPU";
            ("macOS", format!("{native}; or {by_hand}"))
        }
        "" => ("a system that does not tell its name", by_hand.to_owned()),
        other => (other, by_hand.to_owned()),
    };
    failure(format!("this is {name}, where homelab installs nothing"), hint)
}
