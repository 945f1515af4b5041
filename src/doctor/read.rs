//! What the remote process wrote, line by line: each begins with what it is about.
//! It reads text only; what a line means for the user is decided elsewhere.

use super::evidence::{App, Device, Disk, Gpus, Machine, Memory};
use crate::diagnostic::clean;
use crate::survey::Gpu;

/// More programs on a GPU, listeners or devices are not read: who writes them may be hostile.
const MOST: usize = 1000;

/// What the script told; none if what answered is no POSIX shell. `dirs` are the directories it was given.
#[must_use]
pub fn machine(text: &str, dirs: &[&str]) -> Option<Machine> {
    let mut machine = Machine::default();
    for line in text.lines() {
        let (about, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = clean(rest.trim());
        match about {
            "user" => machine.user = rest,
            "shell" => machine.shell = rest,
            "lacks" => machine.lacks.push(rest),
            "disk" => machine.disks.extend(disk(&rest, dirs)),
            "memory" => memory(&rest, machine.memory.get_or_insert(NO_MEMORY)),
            "listens" if machine.listeners.len() < MOST => machine.listeners.extend(listener(&rest)),
            "ufw" => machine.ufw = rest == "ENABLED=yes",
            "card" => drop(machine.cards.insert(rest)),
            "smi" => machine.nvidia.code = rest.parse().ok(),
            "gpu" => machine.nvidia.said.push(rest),
            "persistence" => machine.nvidia.persistence_off |= rest == "Disabled",
            "module" => machine.nvidia.module = Some(rest),
            "toolkit" => machine.nvidia.toolkit = Some(rest),
            "app" if machine.nvidia.apps.len() < MOST => machine.nvidia.apps.extend(app(&rest)),
            "of" => belongs(&rest, &mut machine.nvidia.apps),
            "device" if machine.devices.len() < MOST => machine.devices.extend(device(&rest)),
            _ => {}
        }
    }
    (text.lines().last() == Some("end") && !machine.user.is_empty()).then_some(machine)
}

const NO_MEMORY: Memory = Memory { total: 0, available: 0, swap: 0 };

/// `INDEX` and the last line of `df -Pk`.
fn disk(rest: &str, dirs: &[&str]) -> Option<Disk> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let dir = dirs.get(words.first()?.parse::<usize>().ok()?)?;
    // What is mounted may have blanks in its name; numbers stand before the only share.
    let share = words.iter().position(|word| word.ends_with('%'))?;
    let kib = |back: usize| words.get(share.checked_sub(back)?)?.parse::<u64>().ok();
    let mount = words[share + 1..].join(" ");
    Some(Disk { dir: (*dir).to_owned(), mount, free: kib(1)? << 10, size: kib(3)? << 10 })
}

/// A line of `/proc/meminfo`.
fn memory(rest: &str, memory: &mut Memory) {
    let mut words = rest.split_whitespace();
    let (Some(name), Some(Ok(kib))) = (words.next(), words.next().map(str::parse::<u64>)) else { return };
    match name {
        "MemTotal:" => memory.total = kib << 10,
        "MemAvailable:" => memory.available = kib << 10,
        "SwapTotal:" => memory.swap = kib << 10,
        _ => {}
    }
}

/// A line of `ss -ltnpe`: whose process it is only root may see, but for one's own.
fn listener(rest: &str) -> Option<(u16, String)> {
    let port = rest.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse().ok()?;
    let process = rest.split_once("users:((\"").and_then(|(_, users)| {
        let (name, rest) = users.split_once('"')?;
        let pid = rest.split_once("pid=")?.1.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(format!("{name} (process {pid})"))
    });
    let user = rest.split_whitespace().find_map(|word| word.strip_prefix("uid:"));
    let who = match (process, user) {
        (Some(process), _) => process,
        (None, Some(uid)) => format!("a process of the user with the number {uid}"),
        // `ss` says nothing of root's number.
        (None, None) => "a process of root's".to_owned(),
    };
    Some((port, who))
}

/// A line of `nvidia-smi --query-compute-apps`, its first comma taken away.
fn app(rest: &str) -> Option<App> {
    let (pid, rest) = rest.split_once(' ')?;
    let (name, used) = rest.rsplit_once(',')?;
    Some(App {
        pid: pid.parse().ok()?,
        name: name.trim().to_owned(),
        memory: used.trim().parse().ok(),
        user: None,
        containers: vec![],
    })
}

/// `PID USER [CONTAINER]…`.
fn belongs(rest: &str, apps: &mut [App]) {
    let mut words = rest.split_whitespace();
    let pid = words.next().and_then(|pid| pid.parse::<u32>().ok());
    if let Some(app) = apps.iter_mut().find(|app| Some(app.pid) == pid) {
        app.user = words.next().filter(|user| *user != "-").map(str::to_owned);
        app.containers = words.map(str::to_owned).collect();
    }
}

/// `PATH GROUP GID`.
fn device(rest: &str) -> Option<Device> {
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Device { path: words.next()?, group: words.next()?, gid: words.next()? })
}

/// The GPUs in what `nvidia-smi` said, and the driver's version; the host's script and a container's
/// `nvidia-smi` are asked for the same columns.
#[must_use]
pub fn gpus(said: &[String]) -> Gpus {
    let lines = said.iter().filter_map(|line| {
        let (driver, gpu) = line.split_once(", ")?;
        Some((Gpu::from_csv(gpu)?, driver.trim().to_owned()))
    });
    let (gpus, drivers): (Vec<_>, Vec<_>) = lines.unzip();
    (gpus, drivers.into_iter().next())
}
