//! What is wrong with a host, and the fix: checks as a table, from what was found out to what is to be said.
//! Pure: it asks no host, and what it advises is printed, never run.

mod evidence;
mod gpu;
mod machine;
mod read;
mod services;

use serde::Serialize;

use crate::names::HostName;
use crate::survey::Failure;

pub use evidence::{
    App, Device, Disk, Engine, Evidence, Inside, Login, Machine, Memory, Nvidia, Reach, Wants,
};
pub use gpu::driver;
pub use machine::SESSIONS;
pub use read::{gpus, machine as read_machine};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Nobody could find out.
    Unknown,
    /// It works, but may not for long, or not for everything.
    Warning,
    /// A deploy fails here, or what it starts does not work.
    Wrong,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The check's name, which scripts may rely on.
    pub check: &'static str,
    /// How it is.
    pub is: Verdict,
    /// What was seen, in words.
    pub seen: String,
    /// What a program on the host said about it, cleaned; mostly nothing.
    pub lines: Vec<String>,
    /// What to do; none where there is nothing to do.
    pub fix: Option<String>,
}

/// All that was found about one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// The host.
    pub host: HostName,
    /// Every check that could be made, in the table's order.
    pub checks: Vec<Checked>,
}

/// A check: what it makes of the evidence. It says nothing where it does not apply.
type Check = fn(&Evidence, &Wants) -> Vec<Judged>;

/// Every check by its name, in the order they are shown.
const TABLE: [(&str, Check); 14] = [
    ("ssh", machine::login),
    ("sessions", machine::sessions),
    ("tools", machine::tools),
    ("docker", services::docker),
    ("gpu", gpu::host),
    ("gpu-toolkit", gpu::toolkit),
    ("gpu-container", gpu::container),
    ("gpu-users", gpu::users),
    ("disk", machine::disk),
    ("memory", machine::memory),
    ("clock", machine::clock),
    ("ports", services::ports),
    ("firewall", services::firewall),
    ("reach", services::reach),
];

/// What a host's evidence says, check by check. One that could not be reached has one finding.
#[must_use]
pub fn examine(host: &HostName, seen: &Result<Evidence, Failure>, wants: &Wants) -> Examined {
    let checks = match seen {
        Err(why) => vec![Judged::failed(why).of("ssh")],
        Ok(seen) => TABLE
            .iter()
            .flat_map(|(name, check)| check(seen, wants).into_iter().map(|judged| judged.of(name)))
            .collect(),
    };
    Examined { host: host.clone(), checks }
}

/// What is said of an optional host that does not answer: nobody can tell, and nothing is wrong.
#[must_use]
pub fn away(host: &HostName, why: &Failure) -> Examined {
    let fix = "nothing, if it is off: it is optional, and the next deploy that finds it picks it up";
    let judged = Judged::unknown(format!("away: {}", why.what), fix);
    Examined { host: host.clone(), checks: vec![judged.of("ssh")] }
}

impl Examined {
    /// Whether nothing is wrong. Warnings and what is unknown do not count.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.checks.iter().all(|checked| checked.is != Verdict::Wrong)
    }
}

/// What a check says, before the table has put its name to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    is: Verdict,
    seen: String,
    lines: Vec<String>,
    fix: Option<String>,
}

impl Judged {
    fn ok(seen: impl Into<String>) -> Self {
        Self { is: Verdict::Ok, seen: seen.into(), lines: vec![], fix: None }
    }

    fn warning(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { is: Verdict::Warning, fix: Some(fix.into()), ..Self::ok(seen) }
    }

    fn wrong(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { is: Verdict::Wrong, ..Self::warning(seen, fix) }
    }

    fn unknown(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { is: Verdict::Unknown, ..Self::warning(seen, fix) }
    }

    /// What could not be done.
    fn failed(why: &Failure) -> Self {
        let (lines, fix) = (why.lines.clone(), why.hint.clone());
        Self { is: Verdict::Wrong, lines, fix, ..Self::ok(format!("{}: {}", why.step, why.what)) }
    }

    /// The same where nothing of the inventory depends on it.
    fn unless(self, matters: bool) -> Self {
        match self.is {
            Verdict::Wrong if !matters => Self { is: Verdict::Warning, ..self },
            _ => self,
        }
    }

    fn of(self, check: &'static str) -> Checked {
        Checked { check, is: self.is, seen: self.seen, lines: self.lines, fix: self.fix }
    }
}

/// Bytes as people count disks and memory.
fn gib(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        b if b < 10 << 30 => format!("{}.{} GiB", b / (MIB << 10), b % (MIB << 10) * 10 / (MIB << 10)),
        b => format!("{} GiB", b / (MIB << 10)),
    }
}

#[cfg(test)]
mod tests;
