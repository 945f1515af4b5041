//! The checks of GPUs: the driver, the container toolkit, what a container sees, and who else computes there.
//! They judge what was seen; what is no GPU of NVIDIA's is only told of.

use super::evidence::{App, Device, Engine, Evidence, Inside, Machine, Wants};
use super::{Judged, Verdict, read};
use crate::diagnosis::{self, NVIDIA, REFUSALS, Row, row};
use crate::survey::Gpu;

/// What `nvidia-smi` says on a host when there is something wrong with its driver (strings of nvidia-smi and of
/// libnvidia-ml).
pub(super) const DRIVER: &[Row] = &[
    row(
        "nvidia-driver-not-loaded",
        &["couldn't communicate with the NVIDIA driver"],
        "the NVIDIA driver is installed, but not loaded",
        "sudo modprobe nvidia says why; after a kernel update install its headers and reboot; with Secure Boot the \
         module must be signed (mokutil --sb-state)",
    ),
    row(
        "nvidia-no-devices",
        &["No devices were found"],
        "the NVIDIA driver is loaded, but finds no GPU that it can use",
        "sudo dmesg | grep -i nvrm says why: a driver too old or too new for the card, a loose card, a missing power \
         cable",
    ),
    row(
        "nvidia-library-missing",
        &["couldn't find libnvidia-ml", "couldn't find libNVIDIA-ml"],
        "a part of the NVIDIA driver is missing",
        "install the driver anew, all of its packages in one version",
    ),
    row(
        "nvidia-smi-not-allowed",
        &["Insufficient Permissions"],
        "this user may not use the NVIDIA driver",
        "ls -l /dev/nvidia* shows who may",
    ),
];

/// With this `timeout` ends.
const TIMED_OUT: i32 = 124;
const NVIDIA_VENDOR: &str = "0x10de";
const INSTALL_DRIVER: &str = "install the driver, then reboot (Ubuntu: sudo ubuntu-drivers install; Debian: sudo apt install \
     nvidia-driver); or gpu: none";
const CONFIGURE: &str = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker (it restarts what \
     runs in containers)";

pub(super) fn host(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let Ok(machine) = &seen.machine else { return vec![] };
    let mut all = nvidia(machine, wants.gpus);
    all.extend(others(&machine.devices));
    all
}

fn nvidia(machine: &Machine, wanted: bool) -> Vec<Judged> {
    let card = machine.cards.contains(NVIDIA_VENDOR);
    let Some(code) = machine.nvidia.code else {
        return match (card, wanted) {
            (true, _) => vec![
                Judged::wrong(
                    "an NVIDIA card is there, but no driver: there is no nvidia-smi",
                    INSTALL_DRIVER,
                )
                .unless(wanted),
            ],
            (false, true) => vec![Judged::wrong(
                "a model wants an NVIDIA GPU, and none is there: no nvidia-smi, no card",
                "lspci | grep -i nvidia on the host; if it should have none, gpu: none",
            )],
            (false, false) => vec![],
        };
    };
    let (gpus, driver) = read::gpus(&machine.nvidia.said);
    if code != 0 || gpus.is_empty() {
        return vec![broken(code, machine).unless(wanted)];
    }
    let driver = driver.unwrap_or_default();
    let off = if machine.nvidia.persistence_off { ", persistence mode off" } else { "" };
    let said = |gpu: &Gpu| {
        let memory = match (gpu.memory_used, gpu.memory_total) {
            (Some(used), Some(total)) => format!("{used} of {total} MiB used"),
            _ => "memory shared with the system".to_owned(),
        };
        Judged::ok(format!("GPU {}: {}, {memory}, driver {driver}{off}", gpu.index, gpu.name))
    };
    gpus.iter().map(said).collect()
}

/// What is wrong with NVIDIA's driver where one is wanted, and the fix; none where it works.
#[must_use]
pub fn driver(machine: &Machine) -> Option<(String, String)> {
    let wrong = nvidia(machine, true).into_iter().find(|judged| judged.is == Verdict::Wrong)?;
    Some((wrong.seen, wrong.fix.unwrap_or_default()))
}

fn broken(code: i32, machine: &Machine) -> Judged {
    let lines = &machine.nvidia.said;
    let module =
        machine.nvidia.module.as_ref().map(|module| format!("; loaded: {module}")).unwrap_or_default();
    let judged = match diagnosis::find([DRIVER, NVIDIA], &evidence(lines)) {
        Some(found) => Judged::wrong(format!("{}{module}", found.cause), found.advice()),
        None if code == TIMED_OUT => Judged::wrong(
            "nvidia-smi did not answer in 20 s",
            "the driver or a GPU hangs: sudo dmesg | grep -i -e nvrm -e xid says more; a reboot mostly helps",
        ),
        None => Judged::wrong(
            format!("nvidia-smi ended with {code} and lists no GPU{module}"),
            "run nvidia-smi on the host; after a driver update the machine needs a reboot",
        ),
    };
    Judged { lines: last(lines), ..judged }
}

/// What AMD's and Intel's drivers made.
fn others(devices: &[Device]) -> Option<Judged> {
    let first = devices.first()?;
    let list: Vec<String> =
        devices.iter().map(|d| format!("{} (group {}, {})", d.path, d.group, d.gid)).collect();
    let kind = if first.path == "/dev/kfd" { "AMD's compute device is there" } else { "graphics devices" };
    Some(Judged::ok(format!("{kind}: {}; a model gets them by devices and group_add", list.join(", "))))
}

pub(super) fn toolkit(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let (Ok(machine), Ok(engine)) = (&seen.machine, &seen.docker) else { return vec![] };
    if !wants.gpus && machine.nvidia.code != Some(0) {
        return vec![];
    }
    let version = machine.nvidia.toolkit.as_deref();
    let judged = match (engine.runtimes.contains("nvidia"), version) {
        (true, version) => {
            let version = version.map(|version| format!(" ({version})")).unwrap_or_default();
            Judged::ok(format!("Docker has the runtime nvidia{version}"))
        }
        (false, Some(version)) => {
            let cdi = match engine.cdi.len() {
                0 => "",
                _ => "; it knows GPUs by CDI, which homelab does not use",
            };
            Judged::wrong(format!("Docker has no runtime nvidia, though there is {version}{cdi}"), CONFIGURE)
        }
        (false, None) => Judged::wrong(
            "Docker has no runtime nvidia, and the NVIDIA Container Toolkit is not installed",
            format!(
                "install it as docs.nvidia.com/datacenter/cloud-native/container-toolkit says, then {CONFIGURE}"
            ),
        ),
    };
    vec![judged.unless(wants.gpus)]
}

pub(super) fn container(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let by_hand = "docker run --rm --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=all ubuntu nvidia-smi";
    match &seen.inside {
        Inside::NotTried => vec![],
        Inside::NoImage => vec![Judged::unknown(
            "no image of a model is on the host yet, so no container was tried",
            format!("run it again after a deploy, or by hand: {by_hand}"),
        )],
        // The runtime brings it in; no image has it.
        Inside::Failed(why) if why.finding.as_ref().is_some_and(|found| found.id == "command-missing") => {
            let said = "a container sees no GPU: the runtime nvidia brings no nvidia-smi into it";
            vec![Judged { lines: why.lines.clone(), ..Judged::wrong(said, CONFIGURE) }]
        }
        Inside::Failed(why) => vec![Judged::failed(why)],
        Inside::Said(said) => vec![inside(said, seen)],
    }
}

fn inside(said: &[String], seen: &Evidence) -> Judged {
    let here = read::gpus(said).0.len();
    let there = seen.machine.as_ref().map_or(0, |machine| read::gpus(&machine.nvidia.said).0.len());
    let again = "run it again; if it stays: sudo systemctl restart docker on the host, and look at nvidia-container-cli info";
    if here > 0 && here >= there {
        return Judged::ok(format!("a container sees {here} of {there} GPUs"));
    }
    let judged = match diagnosis::find(REFUSALS, &evidence(said)) {
        _ if here > 0 => Judged::wrong(format!("a container sees {here} of {there} GPUs"), again),
        Some(found) => Judged::wrong(format!("a container sees no GPU: {}", found.cause), found.advice()),
        None => Judged::wrong("a container sees no GPU", again),
    };
    Judged { lines: last(said), ..judged }
}

pub(super) fn users(seen: &Evidence, wants: &Wants) -> Vec<Judged> {
    let Ok(machine) = &seen.machine else { return vec![] };
    let none = Engine::default();
    let engine = seen.docker.as_ref().unwrap_or(&none);
    let judge = |app: &App| {
        let memory = app.memory.map_or("memory unknown".to_owned(), |memory| format!("{memory} MiB"));
        let container = app.containers.iter().find_map(|id| engine.containers.get(id));
        let user = app.user.as_ref().map(|user| format!(", user {user}")).unwrap_or_default();
        let who = format!("{} (process {}{user}), {memory}", app.name, app.pid);
        match container {
            Some((name, true)) => Judged::ok(format!("homelab's {name}: {who}")),
            Some((name, false)) => Judged::warning(
                format!("the container {name}, not homelab's, computes on a GPU: {who}"),
                format!("docker stop {name} on the host, or lower gpu_memory_utilization"),
            ),
            None => Judged::warning(
                format!("somebody else computes on a GPU: {who}"),
                format!("stop it (kill {} on the host), or lower gpu_memory_utilization", app.pid),
            ),
        }
    };
    let told = |judged: Judged| match wants.gpus {
        true => judged,
        // Nobody is in the way of models that want no GPU.
        false => Judged::ok(judged.seen),
    };
    machine.nvidia.apps.iter().map(|app| told(judge(app))).collect()
}

fn evidence(lines: &[String]) -> diagnosis::Evidence<'_> {
    diagnosis::Evidence { lines, ..diagnosis::Evidence::default() }
}

/// The last lines, as many as a person would read.
fn last(lines: &[String]) -> Vec<String> {
    lines[lines.len().saturating_sub(5)..].to_vec()
}
