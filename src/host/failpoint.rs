//! Ends or halts the program at a chosen step, for the tests of what the next run, or this one, makes of it.
//! Only builds with debug assertions have it; in a release it is nothing.

/// Called where one step has ended and the next has not begun. `HOMELAB_DIE_AT=3` kills the program at the third such
/// place, as a power cut would; `HOMELAB_HALT_AT=3` stops it there until somebody sends SIGCONT.
#[cfg(debug_assertions)]
pub(super) fn boundary() {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::atomic::{AtomicUsize, Ordering};
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    for (variable, signal) in [("HOMELAB_DIE_AT", Signal::KILL), ("HOMELAB_HALT_AT", Signal::STOP)] {
        if std::env::var(variable).is_ok_and(|at| at.parse() == Ok(passed)) {
            let _ = kill_process(getpid(), signal);
        }
    }
}

#[cfg(not(debug_assertions))]
pub(super) fn boundary() {}
