//! What `homelab bootstrap` would do, host by host, and what came of it.
//! Steps come as data; which are needed was decided there.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{DIM, GREEN, ask, errors, note, out, paint};
use crate::bootstrap::Plan;
use crate::diagnostic::clean;
use crate::names::HostName;
use crate::survey::Failure;

/// Shows what would be done.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(plans: &BTreeMap<HostName, Plan>, away: &BTreeMap<HostName, Failure>) -> Result<()> {
    out(&(absent(away) + &text(plans)))
}

fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// Optional hosts that do not answer.
fn absent(away: &BTreeMap<HostName, Failure>) -> String {
    let line = |(host, why): (&HostName, &Failure)| {
        format!("{host}\n  ? away: {}; run it again when it is back\n", one_line(&why.what))
    };
    away.iter().map(line).collect()
}

fn text(plans: &BTreeMap<HostName, Plan>) -> String {
    let mut text = String::new();
    for (host, plan) in plans.iter().filter(|(_, plan)| !plan.is_empty() || !plan.notes.is_empty()) {
        text += &format!("{host}\n");
        if let Some(why) = &plan.blocked {
            text += &format!("  ! {}: {}\n", why.step, one_line(&why.what));
            if let Some(hint) = &why.hint {
                text += &format!("      hint: {}\n", one_line(hint));
            }
        }
        for step in &plan.steps {
            text += &format!("  + {}: {}\n", one_line(&step.what), one_line(&step.why));
            for command in &step.commands {
                text += &format!("{}\n", paint(DIM, &format!("      {}", one_line(&command.argv.join(" ")))));
            }
        }
        for said in &plan.notes {
            text += &format!("  note: {}\n", one_line(said));
        }
    }
    if plans.is_empty() {
        // No host was reached, which is said of each.
        return text;
    }
    let count = |is: fn(&Plan) -> bool| plans.values().filter(|plan| is(plan)).count();
    let ready = count(Plan::is_empty);
    let hosts = |n: usize| if n == 1 { "1 host".to_owned() } else { format!("{n} hosts") };
    if ready == plans.len() {
        text += &format!(
            "Nothing to set up: {} what serving needs.\n",
            match ready {
                1 => "1 host has".to_owned(),
                n => format!("{n} hosts have"),
            }
        );
        return text;
    }
    let steps: usize = plans.values().map(|plan| plan.steps.len()).sum();
    let to_do = count(|plan| !plan.steps.is_empty());
    let mut parts = vec![format!("{steps} to do on {}", hosts(to_do))];
    let blocked = count(|plan| plan.blocked.is_some());
    if blocked > 0 {
        parts.push(format!("{} cannot be set up", hosts(blocked)));
    }
    text += &format!("\nSet up: {}.\n", parts.join(", "));
    text
}

/// Asks whether it may be done; without a terminal the answer is no, with the way out.
///
/// # Errors
/// When the terminal cannot be read.
pub fn confirm() -> Result<bool> {
    if !ask::somebody() {
        let hint = "nobody is there to ask; say --yes if that is fine. Nothing was changed";
        errors::plain("this installs packages and changes groups as root", Some(hint));
        return Ok(false);
    }
    ask::yes("Go on?")
}

/// Says that all hosts are as they should be.
pub fn done(hosts: usize) {
    let hosts = if hosts == 1 { "1 host is".to_owned() } else { format!("{hosts} hosts are") };
    note(&format!("{} {hosts} set up.\n", paint(GREEN, "Done.")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::{Command, STEP, Step};

    fn blocked_why() -> Failure {
        Failure {
            step: STEP.into(),
            what: "there is no sudo".into(),
            lines: vec![],
            hint: Some("install it".into()),
            finding: None,
        }
    }

    #[test]
    fn what_would_be_done_stands_with_its_commands_and_nothing_moves_the_cursor() {
        let command =
            Command { argv: vec!["apt-get".into(), "install\u{1b}[2J".into()], stdin: String::new() };
        let step = Step {
            what: "install docker.io".into(),
            why: "there is\nno Docker".into(),
            commands: vec![command],
        };
        let why = blocked_why();
        let plan = Plan { steps: vec![step], notes: vec!["reboot".into()], ..Plan::default() };
        let blocked = Plan { blocked: Some(why), ..Plan::default() };
        let name = |name: &str| HostName::new(name).unwrap();
        let mut all = BTreeMap::from([(name("a"), plan), (name("b"), blocked), (name("c"), Plan::default())]);
        let plain = |all: &_| anstream::adapter::strip_str(&text(all)).to_string();
        assert_eq!(
            plain(&all),
            "a\n  + install docker.io: there is no Docker\n      apt-get install\n  note: reboot\nb\n  ! setting it up: \
             there is no sudo\n      hint: install it\n\nSet up: 1 to do on 1 host, 1 host cannot be set up.\n"
        );
        let silent = Failure { what: "10.0.0.5 does not\nanswer".into(), ..blocked_why() };
        assert_eq!(
            absent(&[(name("d"), silent)].into()),
            "d\n  ? away: 10.0.0.5 does not answer; run it again when it is back\n"
        );
        all.retain(|host, _| host.as_str() == "c");
        assert_eq!(plain(&all), "Nothing to set up: 1 host has what serving needs.\n");
    }
}
