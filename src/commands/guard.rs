//! An end to work without end: expressions and templates can be written that take for ever, or all memory.
//! It watches one stretch of computing at a time, and hosts and waiting are none.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use crate::exit::Exit;
use crate::ui;

/// How much time of a processor one stretch may take, and how much more for every host: ten thousand with three
/// models each take a quarter of it.
const MAX_TIME: Duration = Duration::from_secs(5);
const TIME_OF_HOST: Duration = Duration::from_millis(2);
/// How much memory the program may have, in bytes, and how much more for every host.
const MAX_MEMORY: u64 = 1 << 30;
const MEMORY_OF_HOST: u64 = 100 << 10;
/// How often it looks: what grows fast gets this much further.
const PERIOD: Duration = Duration::from_millis(20);
/// The unit of times in /proc (Linux, proc_pid_stat(5)).
const TICK: Duration = Duration::from_millis(10);

/// Does some computing for so many hosts, or ends the program when that takes too much.
pub(super) fn within<T>(hosts: usize, compute: impl FnOnce() -> T) -> T {
    // Watching ends where this is dropped.
    let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
    let max = (MAX_TIME + TIME_OF_HOST * hosts, MAX_MEMORY + MEMORY_OF_HOST * u64::from(hosts));
    let _watched = watch(max);
    compute()
}

/// Watches until what it returns is dropped.
fn watch((max_time, max_memory): (Duration, u64)) -> Sender<()> {
    let (sender, over) = channel::<()>();
    let (began, before) = (Instant::now(), used());
    thread::spawn(move || {
        // Only the end of the other side wakes it early.
        while over.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            let (spent, memory) = match (used(), before) {
                (Some((now, memory)), Some((before, _))) => (now.saturating_sub(before), memory),
                _ => (began.elapsed(), 0),
            };
            if spent > max_time || memory > max_memory {
                ui::errors::plain(
                    "the inventory takes too much time or memory to work out",
                    Some(
                        "an expression (`{{ … }}`) or a template makes more than anybody can use: look at those added last",
                    ),
                );
                process::exit(Exit::Files.code().into());
            }
        }
    });
    sender
}

/// The time of processors and the memory that the program has used, where the system tells.
fn used() -> Option<(Duration, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))?;
    Some((TICK * (ticks(11)? + ticks(12)?), kilobytes.parse::<u64>().ok()? << 10))
}
