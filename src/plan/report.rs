//! A plan with what must be said beside it: what it was made against, what nobody could know, and
//! which hosts it leaves behind. The JSON of `plan` is this type; docs/json.md describes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use crate::names::HostName;

use super::text::{counted, one_line};
use super::{FileDiff, Plan, Summary, text};

/// The version of every JSON that homelab prints: raised when a field goes or changes its meaning.
pub const JSON_VERSION: u32 = 1;

/// What a plan was made against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// What was found on the hosts.
    Hosts,
    /// Nothing: no host was asked, and everything counts as missing.
    Nothing,
    /// Another state of the inventory, as if that were deployed.
    Base,
}

/// A plan as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`JSON_VERSION`].
    pub version: u32,
    /// What it was made against.
    pub against: Against,
    /// What nobody could know, in words.
    pub unknown: Vec<String>,
    /// Hosts that the inventory no longer names while what homelab made there stays.
    pub dropped: BTreeSet<HostName>,
    /// How much there is to do.
    pub summary: Summary,
    /// What would be done.
    pub plan: Plan,
    /// What it does to files, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diffs: Option<Vec<FileDiff>>,
    /// How many hosts it is about.
    #[serde(skip)]
    pub hosts: usize,
}

impl Report {
    /// A plan with nothing beside it.
    #[must_use]
    pub fn new(plan: Plan, against: Against, hosts: usize) -> Self {
        Self {
            version: JSON_VERSION,
            against,
            unknown: vec![],
            dropped: BTreeSet::new(),
            summary: Summary::of(&plan),
            plan,
            diffs: None,
            hosts,
        }
    }

    /// As text for people, without colours: diffs first, so that the plan is what one sees last.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for diff in self.diffs.iter().flatten() {
            let _ = writeln!(out, "{}", diff.unified);
        }
        out += &self.headline().unwrap_or_else(|| text(&self.plan, self.hosts));
        for note in self.notes() {
            let _ = writeln!(out, "{}", one_line(&note));
        }
        out
    }

    /// What to say instead of a plan that is empty although nobody looked.
    pub(super) fn headline(&self) -> Option<String> {
        let hosts = counted(self.hosts, "host", "hosts");
        match self.against {
            _ if !self.plan.is_empty() => None,
            Against::Hosts => None,
            Against::Nothing => Some(format!("Nothing to do: {hosts} without a service.\n")),
            Against::Base => Some(format!("Nothing changes on {hosts}.\n")),
        }
    }

    /// What stands below the plan.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.dropped.iter().map(dropped_note).collect();
        if !self.unknown.is_empty() {
            notes.push(format!("Not known offline: {}.", self.unknown.join("; ")));
        }
        notes
    }
}

/// What to say of a host that the inventory no longer names.
#[must_use]
pub fn dropped_note(host: &HostName) -> String {
    format!(
        "{host} is no longer in the inventory, but what homelab made there stays: `homelab down --dropped` removes it."
    )
}
