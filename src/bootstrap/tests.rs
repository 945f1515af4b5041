//! The steps of each distribution, from a host that has nothing to one that has everything.

use super::*;
use crate::doctor::{Device, Nvidia};

/// A fresh machine: sshd, sudo without a password, nothing else.
fn bare(os: &str) -> Seen {
    let text =
        format!("kernel Linux\n{os}\nroot sudo\ngroups me\nsession me\nhas curl\nsystemd\nuid 1000\nend\n");
    let machine = Machine { user: "me".into(), ..Machine::default() };
    Seen { machine, ground: ground(&text).unwrap() }
}

const DEBIAN: &str =
    "os ID=debian\nos VERSION_CODENAME=trixie\nos PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"";
const UBUNTU: &str = "os ID=ubuntu\nos ID_LIKE=debian\nos VERSION_CODENAME=noble\nos UBUNTU_CODENAME=noble";
const MINT: &str =
    "os ID=linuxmint\nos ID_LIKE=\"ubuntu debian\"\nos VERSION_CODENAME=xia\nos UBUNTU_CODENAME=noble";
const FEDORA: &str = "os ID=fedora\nos PRETTY_NAME=\"Fedora Linux 43\"";
const ROCKY: &str = "os ID=\"rocky\"\nos ID_LIKE=\"rhel centos fedora\"\nos PRETTY_NAME=\"Rocky Linux 10\"";
const ARCH: &str = "os ID=arch\nos PRETTY_NAME=\"Arch Linux\"";

fn upstream() -> Wanted {
    Wanted { packages: Packages::Upstream, ..Wanted::default() }
}

fn with_nvidia(mut seen: Seen) -> Seen {
    let said = vec!["570.1, 0, NVIDIA GeForce RTX 4090, 24564, 412".to_owned()];
    seen.machine.nvidia = Nvidia { code: Some(0), said, ..Nvidia::default() };
    seen.machine.cards.insert("0x10de".into());
    seen
}

/// A plan as the commands that root types.
fn commands(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.blocked, None);
    let line = |command: &Command| {
        let argv =
            command.argv.join(" ").replace("env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 ", "");
        let argv = argv.replace(" -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold", "");
        if command.stdin.is_empty() { argv } else { format!("{argv} <<< {:?}", command.stdin) }
    };
    plan.steps.iter().flat_map(|step| &step.commands).map(line).collect()
}

const START: &str = "systemctl enable --now docker.service";
const GROUP: &str = "usermod -aG docker me";

#[test]
fn each_distribution_installs_its_own_docker() {
    for (os, install) in [
        (DEBIAN, vec!["apt-get update", "apt-get -y --no-remove install docker.io"]),
        (UBUNTU, vec!["apt-get update", "apt-get -y --no-remove install docker.io"]),
        (MINT, vec!["apt-get update", "apt-get -y --no-remove install docker.io"]),
        (FEDORA, vec!["dnf -y install moby-engine"]),
        (ARCH, vec!["pacman -S --needed --noconfirm docker"]),
    ] {
        let plan = plan(&bare(os), &Wanted::default());
        assert_eq!(commands(&plan), [install, vec![START, GROUP]].concat(), "{os}");
        assert!(plan.login);
    }
    let why = plan(&bare(ROCKY), &Wanted::default()).blocked.unwrap();
    assert_eq!(why.what, "Rocky Linux 10 has no package of Docker");
}

#[test]
fn a_host_that_runs_its_models_by_itself_gets_no_docker_and_lets_them_linger() {
    let wants = Wants { no_docker: true, ..Wants::default() };
    let native = Wanted { native: true, wants, ..Wanted::default() };
    let mut seen = with_nvidia(bare(DEBIAN));
    let pam = ["apt-get update", "apt-get -y --no-remove install libpam-systemd"];
    let linger = ["loginctl enable-linger me", "systemctl start user@1000.service"];
    assert_eq!(commands(&plan(&seen, &native)), [&pam[..], &linger].concat());
    seen.ground.has.insert("pam_systemd".into());
    assert_eq!(commands(&plan(&seen, &native)), linger);
    seen.ground.lingers = true;
    assert_eq!(commands(&plan(&seen, &native)), ["systemctl restart user@1000.service"]);
    seen.ground.has.insert("manager".into());
    assert!(plan(&seen, &native).is_empty());
    // Elsewhere it comes with systemd.
    assert_eq!(commands(&plan(&bare(FEDORA), &native)), linger);
    // Root's services are the system's; beside a container's there is Docker, too.
    let root =
        Seen { ground: Ground { root: Root::Is, lingers: false, ..seen.ground.clone() }, ..seen.clone() };
    assert!(plan(&root, &native).is_empty());
    let both = Wanted { native: true, ..Wanted::default() };
    assert_eq!(commands(&plan(&bare(FEDORA), &both))[0], "loginctl enable-linger me");
    seen.ground.systemd = false;
    assert!(plan(&seen, &native).blocked.unwrap().hint.unwrap().contains("runtime: docker"));
}

#[test]
fn a_mac_gets_no_steps_but_is_told_what_is_left_to_do() {
    let wants = Wants { no_docker: true, ..Wants::default() };
    let programs = [("llama-server".to_owned(), "brew install llama.cpp")].into();
    let native = Wanted { native: true, wants, programs, ..Wanted::default() };
    let mac = |more: &str| {
        let text = format!("kernel Darwin\nroot password\ngroups staff\nsession staff\n{more}end\n");
        Seen { machine: Machine { user: "me".into(), ..Machine::default() }, ground: ground(&text).unwrap() }
    };
    let ready = plan(&mac("has manager\nlingers\nsleep 0\n"), &native);
    assert!(ready.is_empty() && ready.notes.is_empty(), "{ready:?}");
    let half = plan(&mac("has manager\nsleep 10\nlacks llama-server\n"), &native);
    assert!(half.is_empty());
    assert_eq!(half.notes.len(), 3);
    assert_eq!(half.notes[0], "there is no program llama-server: brew install llama.cpp");
    assert!(half.notes[1].contains("Automatically log in as me"), "{:?}", half.notes);
    assert!(half.notes[2].ends_with("sudo pmset -a sleep 0"), "{:?}", half.notes);
    let why = plan(&mac(""), &native).blocked.unwrap();
    assert!(why.what.starts_with("me is not logged in at the screen"), "{why:?}");
    // Root's services need nobody, and nothing but a container needs Docker.
    assert!(plan(&mac("root is\n"), &native).is_empty());
    let both = Wanted { native: true, ..Wanted::default() };
    assert!(plan(&mac("has manager\n"), &both).blocked.unwrap().what.contains("homelab installs nothing"));
}

#[test]
fn docker_s_own_packages_come_with_their_source() {
    let apt = |of: &str, suite: &str| {
        vec![
            "install -m 0755 -d /etc/apt/keyrings".to_owned(),
            format!(
                "curl -fsSL --retry 3 -o /etc/apt/keyrings/docker.asc https://download.docker.com/linux/{of}/gpg"
            ),
            "chmod 0644 /etc/apt/keyrings/docker.asc".to_owned(),
            format!(
                "tee /etc/apt/sources.list.d/docker.sources <<< \"Types: deb\\nURIs: https://download.docker.com/linux/{of}\\n\
                 Suites: {suite}\\nComponents: stable\\nSigned-By: /etc/apt/keyrings/docker.asc\\n\""
            ),
            "apt-get update".to_owned(),
        ]
    };
    let dnf = |of: &str| {
        let repo = "/etc/yum.repos.d/docker-ce.repo";
        vec![format!("curl -fsSL --retry 3 -o {repo} https://download.docker.com/linux/{of}/docker-ce.repo")]
    };
    let packages = "docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin";
    for (os, source, install) in [
        (DEBIAN, apt("debian", "trixie"), "apt-get -y --no-remove install"),
        (UBUNTU, apt("ubuntu", "noble"), "apt-get -y --no-remove install"),
        (MINT, apt("ubuntu", "noble"), "apt-get -y --no-remove install"),
        (FEDORA, dnf("fedora"), "dnf -y install"),
        (ROCKY, dnf("centos"), "dnf -y install"),
        ("os ID=\"rhel\"", dnf("rhel"), "dnf -y install"),
    ] {
        let rest = [format!("{install} {packages}"), START.to_owned(), GROUP.to_owned()];
        assert_eq!(commands(&plan(&bare(os), &upstream())), [source, rest.to_vec()].concat(), "{os}");
    }
    let why = plan(&bare(ARCH), &upstream()).blocked.unwrap();
    assert_eq!(why.what, "Docker publishes no packages for Arch");
    // A minimal system has no curl; it is fetched once, whoever needs it.
    let mut minimal = with_nvidia(bare(DEBIAN));
    minimal.ground.has.clear();
    let all = commands(&plan(&minimal, &upstream()));
    let curl = "apt-get -y --no-remove install curl ca-certificates";
    assert_eq!(all.iter().filter(|line| *line == curl).count(), 1, "{all:#?}");
    assert_eq!(all[1], curl);
}

#[test]
fn a_gpu_of_nvidias_brings_the_toolkit_and_the_runtime() {
    let configure = ["nvidia-ctk runtime configure --runtime=docker", "systemctl restart docker.service"];
    for (os, last) in [
        (DEBIAN, "apt-get -y --no-remove install nvidia-container-toolkit"),
        (FEDORA, "dnf -y install nvidia-container-toolkit"),
        (ARCH, "pacman -S --needed --noconfirm nvidia-container-toolkit"),
    ] {
        let all = commands(&plan(&with_nvidia(bare(os)), &Wanted::default()));
        assert_eq!(all[all.len() - 3..], [&[last][..], &configure].concat(), "{os}");
    }
    let all = commands(&plan(&with_nvidia(bare(DEBIAN)), &Wanted::default()));
    let list = "tee /etc/apt/sources.list.d/nvidia-container-toolkit.list <<< \"deb [signed-by=/etc/apt/keyrings/\
        nvidia-container-toolkit.asc] https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /\\n\"";
    assert!(all.iter().any(|line| line == list), "{all:#?}");

    // A DGX Spark comes with the toolkit; what is there is not installed again.
    let mut half = with_nvidia(ready());
    half.machine.nvidia.toolkit = Some("NVIDIA Container Toolkit CLI version 1.18.0".into());
    let left = plan(&half, &Wanted::default());
    assert_eq!(commands(&left), configure);
    assert!(left.steps[0].why.contains("is restarted"), "{:?}", left.steps);
    half.ground.runtime = true;
    assert_eq!(plan(&half, &Wanted::default()), Plan::default());
}

#[test]
fn a_driver_is_told_of_and_never_touched() {
    let mut seen = bare(UBUNTU);
    seen.machine.cards.insert("0x10de".into());
    let wanted = Wanted { wants: Wants { gpus: true, ..Wants::default() }, ..Wanted::default() };
    let plan_of = plan(&seen, &wanted);
    let note = "an NVIDIA card is there, but no driver: there is no nvidia-smi. homelab never touches drivers: sudo \
        ubuntu-drivers install, then reboot";
    assert_eq!(plan_of.notes[1], note);
    let touched = |word: &str| commands(&plan_of).iter().any(|line| line.contains(word));
    assert!(touched("nvidia-container-toolkit") && !touched("driver"));
    // No model wants the old card of a gateway: nothing is said or done.
    let without = plan(&seen, &Wanted::default());
    assert_eq!((without.notes.len(), without.steps.len()), (1, 3));
}

#[test]
fn devices_of_amd_and_intel_open_to_their_groups() {
    let device = |path: &str, group: &str| Device { path: path.into(), group: group.into(), gid: "1".into() };
    let mut seen = ready();
    seen.machine.devices = vec![device("/dev/kfd", "render"), device("/dev/dri/renderD128", "video")];
    assert_eq!(plan(&seen, &Wanted::default()), Plan::default(), "these are NVIDIA's or nobody's");
    seen.machine.cards.insert("0x1002".into());
    let groups = plan(&seen, &Wanted::default());
    assert_eq!(commands(&groups), ["usermod -aG render,video me"]);
    assert!(groups.login);
    seen.ground.groups.insert("render".into());
    assert_eq!(plan(&seen, &Wanted::default()).steps[0].what, "add me to the group video");
    seen.ground.groups.insert("video".into());
    assert_eq!(plan(&seen, &Wanted::default()), Plan::default());
}

/// A host with Docker as `homelab bootstrap` leaves it.
fn ready() -> Seen {
    let mut seen = bare(DEBIAN);
    seen.ground.has.extend(["dockerd".to_owned(), "docker.service".to_owned()]);
    seen.ground.unit = ("enabled".into(), "active".into());
    seen.ground.groups.insert("docker".into());
    seen.ground.session.insert("docker".into());
    seen.ground.open = true;
    seen
}

#[test]
fn only_what_is_missing_is_done() {
    assert_eq!(plan(&ready(), &Wanted::default()), Plan::default());
    assert_eq!(plan(&ready(), &upstream()), Plan::default(), "a Docker that is there is not exchanged");
    let mut stopped = ready();
    (stopped.ground.unit.1, stopped.ground.open) = ("inactive".into(), false);
    assert_eq!(commands(&plan(&stopped, &Wanted::default())), [START]);
    let mut disabled = ready();
    disabled.ground.unit.0 = "disabled".into();
    let plan_of = plan(&disabled, &Wanted::default());
    assert_eq!(plan_of.steps[0].what, "have Docker started at every boot");
    // Not systemd's: the snap's, or one of the user's own.
    disabled.ground.has.remove("docker.service");
    assert_eq!(plan(&disabled, &Wanted::default()), Plan::default());

    let mut closed = ready();
    closed.ground.open = false;
    closed.ground.session.remove("docker");
    let renewed = plan(&closed, &Wanted::default());
    assert!(renewed.is_empty() && renewed.login, "{renewed:?}");
    closed.ground.groups.remove("docker");
    assert_eq!(commands(&plan(&closed, &Wanted::default())), [GROUP]);
    let mut lost = ready();
    lost.ground.groups.remove("docker");
    assert_eq!(commands(&plan(&lost, &Wanted::default())), [GROUP], "only this old login has it yet");
    closed.ground.root = Root::Is;
    assert_eq!(plan(&closed, &Wanted::default()), Plan::default(), "root needs no group");
}

#[test]
fn who_cannot_become_root_is_told_the_way_and_only_where_there_is_something_to_do() {
    for (root, what) in [
        (Root::Password, "sudo asks me for a password there"),
        (Root::No, "me cannot become root: there is no sudo"),
    ] {
        let mut seen = bare(DEBIAN);
        seen.ground.root = root;
        let blocked = plan(&seen, &Wanted::default());
        assert_eq!((blocked.blocked.unwrap().what.as_str(), blocked.steps.len()), (what, 0));
        let mut ready = ready();
        ready.ground.root = root;
        assert_eq!(plan(&ready, &Wanted::default()), Plan::default());
        seen.ground.root = Root::Password;
        assert!(!plan(&seen, &Wanted { password: true, ..Wanted::default() }).steps.is_empty());
    }
}

#[test]
fn what_homelab_does_not_know_it_leaves_to_the_user() {
    for (host, what) in [
        ("kernel Darwin\nroot password\nend\n", "this is macOS, where homelab installs nothing"),
        (
            "kernel Linux\nos ID=gentoo\nos PRETTY_NAME=Gentoo\nroot sudo\nend\n",
            "homelab does not know how to install on Gentoo",
        ),
        (
            "kernel Linux\nos ID=debian\nroot sudo\nend\n",
            "the host is not run by systemd, so homelab cannot start Docker there",
        ),
    ] {
        let mut seen = Seen { ground: ground(host).unwrap(), ..bare(DEBIAN) };
        let blocked = plan(&seen, &Wanted::default());
        assert_eq!((blocked.blocked.unwrap().what.as_str(), blocked.steps.len()), (what, 0));
        seen.ground.open = true;
        assert!(plan(&seen, &Wanted::default()).is_empty(), "whoever has Docker needs nothing");
    }
    let own = Wanted { socket: Some("/run/user/1000/docker.sock".into()), ..Wanted::default() };
    let why = plan(&bare(DEBIAN), &own).blocked.unwrap();
    assert_eq!(why.what, "nobody answers on /run/user/1000/docker.sock, which homelab_docker_socket names");
    assert_eq!(
        plan(&Seen { ground: Ground { open: true, ..bare(DEBIAN).ground }, ..bare(DEBIAN) }, &own),
        Plan::default()
    );
}

#[test]
fn an_installation_that_was_cut_off_is_finished_first() {
    let mut seen = bare(DEBIAN);
    (seen.ground.half, seen.ground.reboot) = (true, true);
    let both = plan(&seen, &Wanted::default());
    assert_eq!(commands(&both)[0], "env DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a");
    assert!(both.notes.iter().any(|note| note.contains("sudo reboot")));
    let mut ready = ready();
    ready.ground.half = true;
    assert_eq!(
        plan(&ready, &Wanted::default()),
        Plan::default(),
        "it is not homelab's while nothing is to install"
    );
}

#[test]
fn what_a_host_tells_becomes_no_part_of_an_address_or_file() {
    let hostile = "os ID=debian\nos VERSION_CODENAME=x\\nURIs: http://evil\u{1b}[2J/ y";
    let all = commands(&plan(&bare(hostile), &upstream())).join("\n");
    assert!(all.contains("Suites: xnURIshttpevily"), "{all}");
    assert_eq!(ground("Welcome!\n"), None);
    assert_eq!(ground("kernel Linux\n"), None, "it was cut off");
}
