//! The steps to Docker: installed, started now and at every boot, open to the user.
//! A Docker that is there is left as it is, whoever installed it.

use super::system::{Family, download};
use super::{Command, Packages, Plan, Root, Seen, Step, Wanted, failure, step};
use crate::survey::Failure;

const UNIT: &str = "docker.service";
/// Docker's own packages (docs.docker.com/engine/install).
const UPSTREAM: [&str; 5] =
    ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"];

/// What Docker lacks.
pub(super) fn steps(seen: &Seen, wanted: &Wanted, plan: &mut Plan) -> Result<(), Failure> {
    let ground = &seen.ground;
    if let Some(socket) = &wanted.socket {
        return match ground.open {
            true => Ok(()),
            false => Err(failure(
                format!("nobody answers on {socket}, which homelab_docker_socket names"),
                "start that Docker by hand, or take the key away: then Docker is installed for the whole host",
            )),
        };
    }
    let installed = ground.has.contains("dockerd");
    if !installed && !ground.open {
        plan.steps.extend(install(seen, wanted.packages)?);
    }
    let (enabled, active) = (ground.unit.0 == "enabled", ground.unit.1 == "active");
    if (installed && !(enabled && active) && ground.has.contains(UNIT)) || (!installed && !ground.open) {
        plan.steps.push(start(seen, active)?);
    }
    // A login that is older than the loss of the group still has it.
    let stale = ground.session.contains("docker") && !ground.groups.contains("docker");
    if (ground.open && !stale) || ground.root == Root::Is {
        return Ok(());
    }
    let user = &seen.machine.user;
    if !ground.groups.contains("docker") {
        plan.steps.push(step(
            format!("add {user} to the group docker"),
            "who is in it may use Docker, and is as good as root there",
            vec![Command::new(["usermod", "-aG", "docker", user])],
        ));
        plan.notes.push(format!(
            "groups count from the next login on: homelab logs in anew by itself, other sessions of {user} have to"
        ));
        plan.login = true;
    } else if !ground.session.contains("docker") {
        plan.notes.push(format!("{user} came into the group docker after this login: homelab logs in anew"));
        plan.login = true;
    }
    Ok(())
}

fn start(seen: &Seen, active: bool) -> Result<Step, Failure> {
    if !seen.ground.systemd {
        return Err(failure(
            "the host is not run by systemd, so homelab cannot start Docker there",
            "install Docker and have it started at boot as that system does it; under WSL, systemd=true in /etc/wsl.conf",
        ));
    }
    let (what, why) = match active {
        true => ("have Docker started at every boot", "it runs, but would be gone after a reboot"),
        false => ("start Docker, now and at every boot", "it does not run"),
    };
    Ok(step(what, why, vec![Command::new(["systemctl", "enable", "--now", UNIT])]))
}

fn install(seen: &Seen, packages: Packages) -> Result<Vec<Step>, Failure> {
    let family = Family::of(&seen.ground.os)?;
    let why = "there is no Docker";
    let one = |what: &str| Ok(vec![step(format!("install {what}"), why, family.install(&[what]))]);
    match (family, packages) {
        (Family::Debian | Family::Ubuntu, Packages::Distribution) => one("docker.io"),
        // Fedora's name for it; the group docker comes with it.
        (Family::Fedora, Packages::Distribution) => one("moby-engine"),
        (Family::Arch, Packages::Distribution) => one("docker"),
        (Family::Rhel, Packages::Distribution) => Err(failure(
            format!("{} has no package of Docker", seen.ground.os.name),
            "homelab_docker_packages: upstream takes Docker's own",
        )),
        (Family::Arch, Packages::Upstream) => Err(failure(
            "Docker publishes no packages for Arch",
            "homelab_docker_packages: distribution takes Arch's",
        )),
        (_, Packages::Upstream) => {
            let mut steps = source(seen, family);
            let what = format!("install {}", UPSTREAM.join(", "));
            steps.push(step(what, why, family.install(&UPSTREAM)));
            Ok(steps)
        }
    }
}

/// Docker's own packages become known to the package manager (docs.docker.com/engine/install/DISTRIBUTION).
fn source(seen: &Seen, family: Family) -> Vec<Step> {
    let os = &seen.ground.os;
    let why = "homelab_docker_packages: upstream";
    let web = "https://download.docker.com/linux";
    let mut steps: Vec<Step> = fetcher(seen, family).into_iter().collect();
    let what = "add Docker's packages";
    if !family.is_apt() {
        let of = match (family, os.id.as_str()) {
            (Family::Fedora, _) => "fedora",
            (_, "rhel") => "rhel",
            _ => "centos",
        };
        let repo = download(&format!("{web}/{of}/docker-ce.repo"), "/etc/yum.repos.d/docker-ce.repo");
        steps.push(step(what, why, vec![repo]));
        return steps;
    }
    let either = |derived: &str| if derived.is_empty() { os.codename.clone() } else { derived.to_owned() };
    let (of, suite) = match (family, os.id.as_str()) {
        (Family::Ubuntu, _) => ("ubuntu", either(&os.ubuntu)),
        (_, "raspbian") => ("raspbian", os.codename.clone()),
        _ => ("debian", either(&os.debian)),
    };
    let key = "/etc/apt/keyrings/docker.asc";
    let sources =
        format!("Types: deb\nURIs: {web}/{of}\nSuites: {suite}\nComponents: stable\nSigned-By: {key}\n");
    steps.push(step(
        what,
        why,
        vec![
            Command::new(["install", "-m", "0755", "-d", "/etc/apt/keyrings"]),
            download(&format!("{web}/{of}/gpg"), key),
            Command::new(["chmod", "0644", key]),
            Command::file("/etc/apt/sources.list.d/docker.sources", sources),
        ],
    ));
    steps
}

/// What fetches keys, where it is missing.
pub(super) fn fetcher(seen: &Seen, family: Family) -> Option<Step> {
    let missing = !seen.ground.has.contains("curl");
    missing.then(|| {
        step(
            "install curl, ca-certificates",
            "to fetch the keys of other packages",
            family.install(&["curl", "ca-certificates"]),
        )
    })
}
