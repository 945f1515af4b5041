//! The plan as text for people: per host and service what and why, what is interrupted, totals.
//! It words what is in the plan and nothing else.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::diagnostic::clean;
use crate::image;
use crate::names::{HostName, ServiceName};

use super::{Action, Away, Blocked, Cause, Plan, Step, Task, Unserved};

/// What a line is about, by its mark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Add,
    Change,
    Remove,
    Other,
    Blocked,
    Away,
}

/// One thing that would be done, or cannot be.
pub(super) struct Line {
    pub(super) mark: Mark,
    what: String,
    why: String,
    pub(super) interrupts: bool,
    /// Whether others answer its requests meanwhile.
    covered: bool,
    hint: Option<String>,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Lines of the text that add something.
    pub add: usize,
    /// Lines that change something.
    pub change: usize,
    /// Lines that remove something.
    pub remove: usize,
    /// What cannot be done.
    pub blocked: usize,
    /// What serves and is stopped.
    pub interrupted: usize,
    /// Optional hosts that do not answer.
    pub away: usize,
}

/// The plan as text, without colours; it ends in a line break.
#[must_use]
pub fn text(plan: &Plan, hosts: usize) -> String {
    let away = plan.away.len();
    if plan.is_empty() && away == 0 {
        return format!("Nothing to do: {} in sync.\n", counted(hosts, "host is", "hosts are"));
    }
    let mut out = String::new();
    for (host, lines) in &by_host(plan) {
        let _ = writeln!(out, "{host}");
        for line in lines {
            let _ = writeln!(out, "  {line}");
            if let Some(hint) = &line.hint {
                let _ = writeln!(out, "      hint: {}", one_line(hint));
            }
        }
    }
    let _ = match plan.is_empty() {
        true => {
            let there = counted(hosts.saturating_sub(away), "host is", "hosts are");
            writeln!(out, "\nNothing to do: {there} in sync; {}.", absent(away))
        }
        false => writeln!(out, "\nPlan: {}.", Summary::of(plan)),
    };
    out
}

/// What would be done, by host; what cannot be done comes first.
pub(super) fn by_host(plan: &Plan) -> BTreeMap<&HostName, Vec<Line>> {
    let mut all: BTreeMap<&HostName, Vec<Line>> = BTreeMap::new();
    for item in &plan.blocked {
        all.entry(&item.host).or_default().push(blocked(item));
    }
    for item in &plan.away {
        all.entry(&item.host).or_default().extend(away(item));
    }
    for (host, task) in plan.tasks() {
        all.entry(host).or_default().extend(lines(task));
    }
    all
}

impl fmt::Display for Line {
    /// One line, whatever is in it, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Add => '+',
            Mark::Change => '~',
            Mark::Remove => '-',
            Mark::Other => ' ',
            Mark::Blocked => '!',
            Mark::Away => '?',
        };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", one_line(&self.why)) };
        let tail = match (self.interrupts, self.covered) {
            (false, _) => "",
            (true, false) => "  (interrupts it)",
            (true, true) => "  (interrupts it; others answer meanwhile)",
        };
        write!(f, "{mark} {}{why}{tail}", one_line(&self.what))
    }
}

/// Text from users and hosts in one line of ours: it can neither begin another nor hide the rest.
pub(super) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

fn blocked(item: &Blocked) -> Line {
    let service = item.service.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
    let what = format!("{service}{}", item.why.step);
    let (why, hint) = (item.why.what.clone(), item.why.hint.clone());
    Line { mark: Mark::Blocked, what, why, interrupts: false, covered: false, hint }
}

/// That a host is away, and what that means for clients of the gateway.
fn away(item: &Away) -> Vec<Line> {
    let line = |what: String, why: String| Line {
        mark: Mark::Away,
        what,
        why,
        interrupts: false,
        covered: false,
        hint: None,
    };
    let host = line("away".to_owned(), item.why.what.clone());
    let name = |unserved: &Unserved| {
        let why = match &unserved.stands_in {
            Some(other) => format!("served nowhere else; {other} stands in"),
            None => "served nowhere else, and nothing stands in: requests fail until it is back".to_owned(),
        };
        line(unserved.name.to_string(), why)
    };
    [host].into_iter().chain(item.names.iter().map(name)).collect()
}

/// How many hosts are away, and what becomes of them.
fn absent(hosts: usize) -> String {
    let (hosts, back) = match hosts {
        1 => ("1 host is".to_owned(), "it is"),
        n => (format!("{n} hosts are"), "they are"),
    };
    format!("{hosts} away, and picked up by the next deploy once {back} back")
}

/// What is said of a start from which nothing may lead back.
const FREEZES: &str = "GPU and system share their memory: a start that takes too much can freeze the host, and no way \
back undoes that";

fn lines(task: &Task) -> Vec<Line> {
    let mut lines = effects(task);
    if let Some(first) = lines.first_mut().filter(|_| task.can_freeze) {
        first.hint = Some(FREEZES.to_owned());
    }
    let led = |step: &Step| matches!(step.action, Action::LeadAround { .. });
    let covered = task.ahead.iter().chain(&task.steps).any(led);
    lines.iter_mut().for_each(|line| line.covered = covered);
    lines
}

/// A task in a line or a few: waits show only where nothing else happens.
fn effects(task: &Task) -> Vec<Line> {
    let acts_on = |service: &&ServiceName| task.steps.iter().any(|s| s.action.service() == Some(service));
    if task.services.iter().filter(acts_on).count() > 1 {
        return task.services.iter().flat_map(|service| effects(&part(task, service))).collect();
    }
    let aside = find_aside(task);
    let removed = task.ahead.iter().find(|s| matches!(s.action, Action::Remove { .. }));
    let creates = task.steps.iter().find(|s| matches!(s.action, Action::Create { .. }));
    if let (Some(create), Some(old)) = (creates, aside.or(removed)) {
        let name = create.action.service().map(ToString::to_string).unwrap_or_default();
        let mut line = line(Mark::Change, format!("replace {name}"), create, old.interrupts);
        if old.interrupts && create.action.service() == Some(&ServiceName::gateway()) {
            let once = task.steps.iter().any(|step| matches!(step.action, Action::Switch { .. }));
            line.hint = Some(if once { AWAY_ONCE } else { AWAY }.to_owned());
        }
        let config =
            task.ahead.iter().filter(|s| matches!(s.action, Action::Reload { .. })).filter_map(effect);
        return config.chain([line]).collect();
    }
    if let (Some(old), true) = (aside, task.steps.is_empty()) {
        let name = old.action.service().map(ToString::to_string).unwrap_or_default();
        return vec![line(Mark::Remove, format!("set {name} aside"), old, old.interrupts)];
    }
    // A config that is taken is written as well.
    let steps = || task.ahead.iter().chain(&task.steps);
    let reloads = steps().any(|step| matches!(step.action, Action::Reload { .. }));
    let tells = |step: &&Step| !reloads || !matches!(step.action, Action::WriteFile { .. });
    let shown: Vec<Line> = steps().filter(tells).filter_map(effect).collect();
    if shown.is_empty() { task.steps.first().map(wait).into_iter().collect() } else { shown }
}

/// The old container that makes way, whether it stops or goes on serving until it is not needed.
fn find_aside(task: &Task) -> Option<&Step> {
    let aside = |s: &&Step| matches!(s.action, Action::SetAside { .. } | Action::MoveAside { .. });
    // Where two services are replaced together, the second one makes way after the first one has come.
    task.ahead.iter().chain(&task.steps).find(aside)
}

/// What a task does to one of its services.
fn part(task: &Task, service: &ServiceName) -> Task {
    let own =
        |steps: &[Step]| steps.iter().filter(|s| s.action.service() == Some(service)).cloned().collect();
    Task {
        services: vec![service.clone()],
        ahead: own(&task.ahead),
        steps: own(&task.steps),
        way_back: own(&task.way_back),
        ..task.clone()
    }
}

/// What is said where nothing stands in for the gateway.
const AWAY: &str = "the gateway is away until the new one answers, for about half a minute; with an `edge` it would be \
replaced without that";
/// The same where an edge comes to stand before it.
const AWAY_ONCE: &str = "the gateway is away until the new one answers, for about half a minute; its edge spares you that \
from then on";

fn line(mark: Mark, what: String, step: &Step, interrupts: bool) -> Line {
    let why = match &step.because {
        // "write compose.yml" says it all.
        Cause::Missing if !matches!(step.action, Action::Create { .. }) => String::new(),
        Cause::NotNeeded => String::new(),
        cause => cause.to_string(),
    };
    Line { mark, what, why, interrupts, covered: false, hint: None }
}

fn effect(step: &Step) -> Option<Line> {
    let (mark, what) = match &step.action {
        Action::WriteRootKey if step.because == Cause::Missing => (Mark::Add, "make the root key".to_owned()),
        Action::WriteRootKey => (Mark::Change, "write root.key".to_owned()),
        Action::WriteFile { path, .. } if step.because == Cause::Missing => {
            (Mark::Add, format!("write {path}"))
        }
        Action::WriteFile { path, .. } => (Mark::Change, format!("write {path}")),
        Action::CreateNetwork { name } => (Mark::Add, format!("make network {name}")),
        Action::Pull { image, digest: None } => (Mark::Add, format!("pull {image}")),
        Action::Pull { image, digest: Some(digest) } => {
            (Mark::Add, format!("pull {image}@{}", image::short(digest)))
        }
        Action::Fetch { what, .. } => (Mark::Add, format!("fetch {what}")),
        Action::SetAside { service, .. } => (Mark::Remove, format!("set {service} aside")),
        Action::MoveAside { service, .. } => (Mark::Change, format!("keep {service} beside its successor")),
        Action::Switch { .. } => (Mark::Change, "lead the edge to the gateway".to_owned()),
        Action::Reload { service } => (Mark::Change, format!("reload {service}")),
        Action::Create { service } => (Mark::Add, format!("create {service}")),
        Action::Start { service, .. } => (Mark::Change, format!("start {service}")),
        Action::Restart { service, .. } => (Mark::Change, format!("restart {service}")),
        Action::PutBack { service, .. } => (Mark::Change, format!("put {service} back")),
        Action::Remove { service, .. } => (Mark::Remove, removal(service.as_str(), &step.because)),
        Action::RemoveFetch { .. } => (Mark::Remove, "remove an unfinished download".to_owned()),
        Action::RemoveFile { path } => (Mark::Remove, format!("remove {path}")),
        Action::RemoveNetwork { name } => (Mark::Remove, format!("remove network {name}")),
        Action::RemoveMade { .. }
        | Action::ReloadBack { .. }
        | Action::AwaitMemory { .. }
        | Action::AwaitModel { .. }
        | Action::Reach { .. }
        | Action::Drain { .. }
        | Action::LeadAround { .. }
        | Action::LeadBack { .. }
        | Action::AwaitEdge { .. }
        | Action::AwaitGateway { .. } => return None,
    };
    Some(line(mark, what, step, step.interrupts))
}

fn removal(service: &str, because: &Cause) -> String {
    match because {
        Cause::NotNeeded => format!("remove {service}'s previous version"),
        _ => format!("remove {service}"),
    }
}

fn wait(step: &Step) -> Line {
    let what = match &step.action {
        Action::AwaitGateway { names, .. } if !names.is_empty() => {
            let names: Vec<&str> = names.iter().map(|ask| ask.name.as_str()).collect();
            format!("ask the gateway for {}", names.join(", "))
        }
        action => format!("wait for {}", action.service().map_or("it", |s| s.as_str())),
    };
    line(Mark::Other, what, step, false)
}

impl Summary {
    /// Counts what the text says.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let (interrupted, away) = (plan.interruptions().count(), plan.away.len());
        let mut all = Self { interrupted, away, ..Self::default() };
        for line in by_host(plan).values().flatten() {
            match line.mark {
                Mark::Add => all.add += 1,
                Mark::Change => all.change += 1,
                Mark::Remove => all.remove += 1,
                Mark::Blocked => all.blocked += 1,
                Mark::Other | Mark::Away => {}
            }
        }
        all
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(self.add, "to add"), (self.change, "to change"), (self.remove, "to remove")];
        let counts = counts.iter().filter(|(n, _)| *n > 0);
        let mut parts: Vec<String> = counts.map(|(n, word)| format!("{n} {word}")).collect();
        if parts.is_empty() && self.blocked == 0 {
            parts.push("nothing to change".to_owned());
        }
        if self.blocked > 0 {
            parts.push(format!("{} in the way", counted(self.blocked, "thing", "things")));
        }
        let tail = match self.interrupted {
            0 => "nothing that serves is interrupted".to_owned(),
            n => format!("{} interrupted", counted(n, "service is", "services are")),
        };
        write!(f, "{}; {tail}", parts.join(", "))?;
        if self.away > 0 { write!(f, "; {}", absent(self.away)) } else { Ok(()) }
    }
}

pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
