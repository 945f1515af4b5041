//! The plan as text for people: per host and service what and why, what is interrupted, totals.
//! It words what is in the plan and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::diagnostic::clean;
use crate::names::HostName;

use super::{Action, Blocked, Cause, Plan, Step, Task};

/// What a line is about, by its mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Add,
    Change,
    Remove,
    Other,
}

struct Line {
    mark: Mark,
    what: String,
    why: String,
    interrupts: bool,
}

/// The plan as text, without colours; it ends in a line break.
#[must_use]
pub fn text(plan: &Plan, hosts: usize) -> String {
    if plan.is_empty() {
        return format!("Nothing to do: {} in sync.\n", counted(hosts, "host is", "hosts are"));
    }
    let mut by_host: BTreeMap<&HostName, Vec<Line>> = BTreeMap::new();
    for (host, task) in plan.tasks() {
        by_host.entry(host).or_default().extend(lines(task));
    }
    let mut blocked: BTreeMap<&HostName, Vec<&Blocked>> = BTreeMap::new();
    for item in &plan.blocked {
        blocked.entry(&item.host).or_default().push(item);
        by_host.entry(&item.host).or_default();
    }
    let mut out = String::new();
    for (host, lines) in &by_host {
        let _ = writeln!(out, "{host}");
        for item in blocked.get(host).into_iter().flatten() {
            write_blocked(&mut out, item);
        }
        for line in lines {
            write_line(&mut out, line);
        }
    }
    let _ = writeln!(out, "\n{}", totals(plan, by_host.values().flatten()));
    clean(&out)
}

fn write_line(out: &mut String, line: &Line) {
    let mark = match line.mark {
        Mark::Add => '+',
        Mark::Change => '~',
        Mark::Remove => '-',
        Mark::Other => ' ',
    };
    let _ = write!(out, "  {mark} {}", line.what);
    if !line.why.is_empty() {
        let _ = write!(out, ": {}", line.why);
    }
    out.push_str(if line.interrupts { "  (interrupts it)\n" } else { "\n" });
}

fn write_blocked(out: &mut String, item: &Blocked) {
    let service = item.service.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
    let _ = writeln!(out, "  ! {service}{}: {}", item.why.step, item.why.what);
    if let Some(hint) = &item.why.hint {
        let _ = writeln!(out, "      hint: {hint}");
    }
}

/// A task in a line or a few: waits show only where nothing else happens.
fn lines(task: &Task) -> Vec<Line> {
    let aside = task.ahead.iter().find(|s| matches!(s.action, Action::SetAside { .. }));
    let removed = task.ahead.iter().find(|s| matches!(s.action, Action::Remove { .. }));
    let creates = task.steps.iter().find(|s| matches!(s.action, Action::Create { .. }));
    if let (Some(create), Some(old)) = (creates, aside.or(removed)) {
        let name = create.action.service().map(ToString::to_string).unwrap_or_default();
        return vec![line(Mark::Change, format!("replace {name}"), create, old.interrupts)];
    }
    if let (Some(old), true) = (aside, task.steps.is_empty()) {
        let name = old.action.service().map(ToString::to_string).unwrap_or_default();
        return vec![line(Mark::Remove, format!("set {name} aside"), old, old.interrupts)];
    }
    let shown: Vec<Line> = task.ahead.iter().chain(&task.steps).filter_map(effect).collect();
    if shown.is_empty() { task.steps.first().map(wait).into_iter().collect() } else { shown }
}

fn line(mark: Mark, what: String, step: &Step, interrupts: bool) -> Line {
    let why = match &step.because {
        // "write compose.yml" says it all.
        Cause::Missing if !matches!(step.action, Action::Create { .. }) => String::new(),
        Cause::NotNeeded => String::new(),
        cause => cause.to_string(),
    };
    Line { mark, what, why, interrupts }
}

fn effect(step: &Step) -> Option<Line> {
    let (mark, what) = match &step.action {
        Action::WriteRootKey => (Mark::Add, "make the root key".to_owned()),
        Action::WriteFile { path, .. } if step.because == Cause::Missing => {
            (Mark::Add, format!("write {path}"))
        }
        Action::WriteFile { path, .. } => (Mark::Change, format!("write {path}")),
        Action::CreateNetwork { name } => (Mark::Add, format!("make network {name}")),
        Action::Pull { image } => (Mark::Add, format!("pull {image}")),
        Action::SetAside { service, .. } => (Mark::Remove, format!("set {service} aside")),
        Action::Create { service } => (Mark::Add, format!("create {service}")),
        Action::Start { service, .. } => (Mark::Change, format!("start {service}")),
        Action::Restart { service, .. } => (Mark::Change, format!("restart {service}")),
        Action::PutBack { service, .. } => (Mark::Change, format!("put {service} back")),
        Action::Remove { service, .. } => (Mark::Remove, removal(service.as_str(), &step.because)),
        Action::RemoveFile { path } => (Mark::Remove, format!("remove {path}")),
        Action::RemoveNetwork { name } => (Mark::Remove, format!("remove network {name}")),
        Action::RemoveMade { .. }
        | Action::AwaitModel { .. }
        | Action::Reach { .. }
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

fn totals<'a>(plan: &Plan, lines: impl Iterator<Item = &'a Line>) -> String {
    let mut counts: BTreeMap<Mark, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(line.mark).or_default() += 1;
    }
    let words = [(Mark::Add, "to add"), (Mark::Change, "to change"), (Mark::Remove, "to remove")];
    let mut parts: Vec<String> =
        words.iter().filter_map(|(mark, word)| counts.get(mark).map(|n| format!("{n} {word}"))).collect();
    if parts.is_empty() && plan.blocked.is_empty() {
        parts.push("nothing to change".to_owned());
    }
    if !plan.blocked.is_empty() {
        parts.push(format!("{} in the way", counted(plan.blocked.len(), "thing", "things")));
    }
    let interrupted = plan.interruptions().count();
    let tail = match interrupted {
        0 => "nothing that serves is interrupted".to_owned(),
        n => format!("{} interrupted", counted(n, "service is", "services are")),
    };
    format!("Plan: {}; {tail}.", parts.join(", "))
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
