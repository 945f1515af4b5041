//! The steps to GPUs in containers: NVIDIA's toolkit and runtime, and the groups of AMD's and Intel's devices.
//! A driver is never touched: which one is needed and how is said.

use std::collections::BTreeSet;

use super::docker::fetcher;
use super::system::{Family, download};
use super::{Command, Plan, Root, Seen, Step, Wanted, step};
use crate::doctor;
use crate::survey::Failure;

const NVIDIA: &str = "0x10de";
const AMD_AND_INTEL: [&str; 2] = ["0x1002", "0x8086"];
const TOOLKIT: &str = "nvidia-container-toolkit";
/// docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html
const WEB: &str = "https://nvidia.github.io/libnvidia-container";

/// NVIDIA's Container Toolkit where a GPU of theirs works, or a model wants one.
pub(super) fn nvidia(seen: &Seen, wanted: &Wanted, plan: &mut Plan) -> Result<(), Failure> {
    let nvidia = &seen.machine.nvidia;
    let works = nvidia.code == Some(0);
    let there = works || nvidia.code.is_some() || seen.machine.cards.contains(NVIDIA);
    if !there || !(works || wanted.wants.gpus) {
        return Ok(());
    }
    if let Some(note) = driver(seen) {
        plan.notes.push(note);
    }
    // A Docker of the user's own is configured by the user.
    if wanted.socket.is_some() {
        return Ok(());
    }
    if nvidia.toolkit.is_none() && !seen.ground.runtime {
        let steps = install(seen)?;
        // What fetches Docker's key fetches NVIDIA's.
        let new: Vec<Step> = steps.into_iter().filter(|step| !plan.steps.contains(step)).collect();
        plan.steps.extend(new);
    }
    if !seen.ground.runtime {
        let restarts = match seen.ground.unit.1.as_str() {
            "active" => "containers get no GPU without it; what runs in containers there is restarted",
            _ => "containers get no GPU without it",
        };
        plan.steps.push(step(
            "give Docker the runtime nvidia, and restart it",
            restarts,
            vec![
                Command::new(["nvidia-ctk", "runtime", "configure", "--runtime=docker"]),
                Command::new(["systemctl", "restart", "docker.service"]),
            ],
        ));
    }
    Ok(())
}

fn install(seen: &Seen) -> Result<Vec<Step>, Failure> {
    let family = Family::of(&seen.ground.os)?;
    let why = "an NVIDIA GPU is there";
    let add = "add NVIDIA's packages of the container toolkit";
    let mut steps: Vec<Step> = match family {
        // Arch has it itself.
        Family::Arch => vec![],
        _ => fetcher(seen, family).into_iter().collect(),
    };
    match family {
        Family::Arch => {}
        Family::Fedora | Family::Rhel => {
            let repo = format!("{WEB}/stable/rpm/{TOOLKIT}.repo");
            steps.push(step(add, why, vec![download(&repo, &format!("/etc/yum.repos.d/{TOOLKIT}.repo"))]));
        }
        Family::Debian | Family::Ubuntu => {
            let key = format!("/etc/apt/keyrings/{TOOLKIT}.asc");
            let list = format!("deb [signed-by={key}] {WEB}/stable/deb/$(ARCH) /\n");
            steps.push(step(
                add,
                why,
                vec![
                    Command::new(["install", "-m", "0755", "-d", "/etc/apt/keyrings"]),
                    download(&format!("{WEB}/gpgkey"), &key),
                    Command::new(["chmod", "0644", &key]),
                    Command::file(&format!("/etc/apt/sources.list.d/{TOOLKIT}.list"), list),
                ],
            ));
        }
    }
    steps.push(step(format!("install {TOOLKIT}"), why, family.install(&[TOOLKIT])));
    Ok(steps)
}

/// Which driver is needed, and how; none where one works.
fn driver(seen: &Seen) -> Option<String> {
    let (what, fix) = doctor::driver(&seen.machine)?;
    let how = match Family::of(&seen.ground.os) {
        _ if seen.machine.nvidia.code.is_some() => fix,
        Ok(Family::Ubuntu) => "sudo ubuntu-drivers install, then reboot".to_owned(),
        Ok(Family::Debian) => {
            "add contrib non-free non-free-firmware to Debian's sources, then sudo apt install nvidia-driver, and reboot \
             (wiki.debian.org/NvidiaGraphicsDrivers)"
                .to_owned()
        }
        Ok(Family::Fedora) => "akmod-nvidia from RPM Fusion (rpmfusion.org/Howto/NVIDIA), then reboot".to_owned(),
        Ok(Family::Rhel) => {
            "NVIDIA's packages (docs.nvidia.com/datacenter/tesla/driver-installation-guide), then reboot".to_owned()
        }
        Ok(Family::Arch) => "sudo pacman -S nvidia-open (older cards: wiki.archlinux.org/title/NVIDIA), then reboot".to_owned(),
        Err(_) => fix,
    };
    Some(format!("{what}. homelab never touches drivers: {how}"))
}

/// Who may use AMD's and Intel's devices.
pub(super) fn others(seen: &Seen, plan: &mut Plan) {
    let card = seen.machine.cards.iter().any(|vendor| AMD_AND_INTEL.contains(&vendor.as_str()));
    if !card || seen.ground.root == Root::Is {
        return;
    }
    let nobodys = ["root", "UNKNOWN"];
    let owners = seen.machine.devices.iter().map(|device| device.group.as_str());
    let lacks: BTreeSet<&str> =
        owners.filter(|group| !nobodys.contains(group) && !seen.ground.groups.contains(*group)).collect();
    if lacks.is_empty() {
        return;
    }
    let user = &seen.machine.user;
    let list: Vec<&str> = lacks.into_iter().collect();
    let groups = if list.len() == 1 { "group" } else { "groups" };
    plan.steps.push(step(
        format!("add {user} to the {groups} {}", list.join(", ")),
        "they own the devices of the AMD or Intel GPU",
        vec![Command::new(["usermod", "-aG", &list.join(","), user])],
    ));
    plan.login = true;
}
