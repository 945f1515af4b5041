//! The checks of the machine itself: the way to it, its tools, disks, memory and clock.
//! They judge what was seen; numbers beyond which something is wrong stand here.

use std::time::Duration;

use super::evidence::{Disk, Evidence, Wants};
use super::{Judged, gib, read};

/// A login that takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(5);
/// A deploy holds one session for its lock and opens one more for each file it writes.
const NEEDED: u32 = 2;
/// A second homelab shares the connection, and looks at the host at the same time.
pub const SESSIONS: u32 = 4;

/// Under so many bytes not even an env file may find room after a pull.
const DISK_FULL: u64 = 1 << 30;
/// An image of vLLM alone takes as much.
const DISK_LOW: u64 = 20 << 30;
/// Under so much the system itself gets slow.
const MEMORY_LOW: u64 = 1 << 30;
/// Certificates and tokens are refused by clocks that are further off.
const CLOCK_WRONG: u64 = 30;
const CLOCK_OFF: u64 = 5;

pub(super) fn login(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let machine = match &seen.machine {
        Ok(machine) => machine,
        Err(why) => return vec![Judged::failed(why)],
    };
    let shell = if machine.shell.is_empty() { String::new() } else { format!(", {}", machine.shell) };
    let who = format!("as {}{shell}", machine.user);
    let Some(login) = seen.login else { return vec![Judged::ok(format!("this machine, {who}"))] };
    let took = format!("{}.{} s", login.took.as_secs(), login.took.subsec_millis() / 100);
    vec![match (login.fresh, login.took > SLOW) {
        (false, _) => Judged::ok(format!("over the connection of an earlier run, {who}")),
        (true, false) => Judged::ok(format!("login in {took}, {who}")),
        (true, true) => Judged::warning(
            format!("the login took {took}, {who}"),
            "ssh -v shows where it waits; on the host UseDNS no and GSSAPIAuthentication no in sshd_config often help",
        ),
    }]
}

pub(super) fn sessions(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let Some(login) = seen.login else { return vec![] };
    let said = format!("sshd gives {} sessions at once on one connection", login.sessions);
    let fix = "raise MaxSessions in the host's sshd_config (10 unless set), then sudo systemctl reload ssh";
    vec![match login.sessions {
        ..NEEDED => Judged::wrong(format!("{said}; a deploy needs {NEEDED}"), fix),
        NEEDED..SESSIONS => {
            Judged::warning(format!("{said}; {SESSIONS} let two homelabs look at the same time"), fix)
        }
        _ => Judged::ok(said),
    }]
}

pub(super) fn tools(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let lacks = seen.machine.as_ref().map(|machine| machine.lacks.as_slice()).unwrap_or_default();
    if lacks.is_empty() {
        return vec![];
    }
    let fix = "install util-linux (flock), coreutils and findutils there";
    vec![Judged::wrong(format!("the host has no {}, which a deploy needs", lacks.join(", ")), fix)]
}

/// Directories on one file system are told together.
pub(super) fn disk(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let Ok(machine) = &seen.machine else { return vec![] };
    let mut all: Vec<(&Disk, Vec<&str>)> = vec![];
    for disk in &machine.disks {
        match all.iter_mut().find(|(other, _)| other.mount == disk.mount) {
            Some((_, dirs)) => dirs.push(&disk.dir),
            None => all.push((disk, vec![&disk.dir])),
        }
    }
    let fix =
        "docker system df shows what Docker holds, docker image prune frees some; models lie in hf_home";
    let judge = |(disk, dirs): (&Disk, Vec<&str>)| {
        let said = format!("{} free of {} for {}", gib(disk.free), gib(disk.size), dirs.join(" and "));
        match disk.free {
            ..DISK_FULL => Judged::wrong(said, fix),
            DISK_FULL..DISK_LOW => Judged::warning(said, fix),
            _ => Judged::ok(said),
        }
    };
    all.into_iter().map(judge).collect()
}

pub(super) fn memory(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let Ok(machine) = &seen.machine else { return vec![] };
    let Some(memory) = machine.memory.filter(|memory| memory.total > 0) else { return vec![] };
    let swap = if memory.swap == 0 { "no swap".to_owned() } else { format!("{} swap", gib(memory.swap)) };
    let said = format!("{} available of {}, {swap}", gib(memory.available), gib(memory.total));
    let unified = read::gpus(&machine.nvidia.said).0.iter().any(|gpu| gpu.memory_total.is_none());
    vec![match (memory.available < MEMORY_LOW, unified) {
        (true, _) => {
            Judged::warning(said, "stop what is not needed: ps aux --sort=-rss | head shows what is large")
        }
        (false, true) => Judged::ok(format!(
            "{said}; the GPU shares it: leave room for the system (gpu_memory_utilization, mem_limit)"
        )),
        (false, false) => Judged::ok(said),
    }]
}

pub(super) fn clock(seen: &Evidence, _: &Wants) -> Vec<Judged> {
    let Some(ahead) = seen.login.and_then(|login| login.clock) else { return vec![] };
    let by = ahead.unsigned_abs();
    let said = format!("{by} s {} this machine's", if ahead < 0 { "behind" } else { "ahead of" });
    let fix = "compare both with a watch; on the one that is wrong: sudo timedatectl set-ntp true";
    vec![match by {
        ..CLOCK_OFF => Judged::ok("as this machine's"),
        CLOCK_OFF..CLOCK_WRONG => Judged::warning(said, fix),
        _ => Judged::wrong(format!("{said}: certificates and tokens are refused"), fix),
    }]
}
