//! `--limit`: which hosts a pattern of Ansible's means.
//! It selects among what is there; it loads nothing.

use std::collections::BTreeSet;

use regex_lite::Regex;

use super::tree::hosts_of;
use super::{Inventory, glob, pattern};
use crate::diagnostic::did_you_mean;
use crate::names::HostName;

/// How a term of a pattern changes the selection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Add,
    Keep,
    Drop,
}

/// Which of the hosts that fit a term means: `[0]`, `[-1]`, `[0:2]`.
#[derive(Clone, Copy)]
enum Pick {
    One(i64),
    /// From the first to the second, both included; without an end to the last.
    Range(usize, Option<usize>),
}

impl Inventory {
    /// The hosts a pattern means: names and groups, with `*`, `?` and `[…]`, or a regular expression behind
    /// `~`, joined by `,` or `:`; `!` leaves out, `&` keeps only; `[0]` and `[0:2]` pick. As in Ansible, what
    /// is added comes first, whatever the order
    /// (<https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html>).
    ///
    /// # Errors
    /// A term that means no host, and what may have been meant.
    pub fn select(&self, pattern: &str) -> Result<BTreeSet<HostName>, String> {
        let terms: Vec<(Turn, &str)> = terms(pattern).into_iter().map(turn).collect();
        let mut selected = BTreeSet::new();
        if terms.iter().all(|(turn, _)| *turn != Turn::Add) {
            selected.extend(self.hosts.keys().cloned());
        }
        for turn in [Turn::Add, Turn::Keep, Turn::Drop] {
            for (_, term) in terms.iter().filter(|(t, _)| *t == turn) {
                let meant: BTreeSet<&HostName> = self.meant(turn, term)?.into_iter().collect();
                match turn {
                    Turn::Add => selected.extend(meant.into_iter().cloned()),
                    Turn::Keep => selected.retain(|host| meant.contains(host)),
                    Turn::Drop => selected.retain(|host| !meant.contains(host)),
                }
            }
        }
        if selected.is_empty() {
            return Err(format!("`{pattern}` means no host of this inventory"));
        }
        Ok(selected)
    }

    fn meant(&self, turn: Turn, term: &str) -> Result<Vec<&HostName>, String> {
        // A host's own name is no pattern.
        let named = self.hosts.keys().find(|host| turn == Turn::Add && host.as_str() == term);
        if let Some(host) = named {
            return Ok(vec![host]);
        }
        if term.starts_with('@') {
            return Err(format!("`{term}`: patterns are not read from files; write them out"));
        }
        let (expression, pick) = picked(term);
        let meant = self.fitting(expression)?;
        let last = meant.len().saturating_sub(1);
        match pick {
            None => Ok(meant),
            Some(_) if meant.is_empty() => Ok(meant),
            Some(Pick::One(index)) => {
                let at = if index < 0 { i64::try_from(meant.len()).unwrap_or(0) + index } else { index };
                let one = usize::try_from(at).ok().and_then(|at| meant.get(at));
                one.map(|one| vec![*one])
                    .ok_or_else(|| format!("`{term}`: it has only {} hosts", meant.len()))
            }
            Some(Pick::Range(from, to)) => {
                let to = to.unwrap_or(last).min(last);
                Ok(meant.get(from..=to).unwrap_or_default().to_vec())
            }
        }
    }

    /// The hosts of the groups that fit, and the hosts that fit themselves, in the inventory's order.
    fn fitting(&self, expression: &str) -> Result<Vec<&HostName>, String> {
        let regex = match expression.strip_prefix('~') {
            // Python's `match`: it begins where the name does, and may end before.
            Some(regex) => Some(
                Regex::new(&format!("^(?:{regex})"))
                    .map_err(|why| format!("`{expression}` is no regular expression: {why}"))?,
            ),
            None => None,
        };
        let fits =
            |name: &str| regex.as_ref().map_or_else(|| glob::fits(expression, name), |r| r.is_match(name));
        let groups: Vec<&String> = self.group_order.iter().filter(|name| fits(name)).collect();
        let mut meant: Vec<&HostName> = groups.iter().flat_map(|name| hosts_of(&self.groups, name)).collect();
        let wild = regex.is_some() || expression.contains(['.', '?', '*', '[']);
        if groups.is_empty() || wild {
            meant.extend(self.host_order.iter().filter(|host| fits(host.as_str())));
        }
        if !meant.is_empty() || !groups.is_empty() || wild {
            return Ok(meant);
        }
        let names = self.hosts.keys().map(HostName::as_str).chain(self.groups.keys().map(String::as_str));
        Err(match did_you_mean(expression, names) {
            Some(near) => {
                format!("the inventory has no host or group `{expression}`; did you mean `{near}`?")
            }
            None => format!(
                "the inventory has no host or group `{expression}`; `homelab inventory --graph` shows what there is"
            ),
        })
    }
}

/// The terms of a pattern: between commas, or, where there are none, between colons outside brackets,
/// unless the whole is one address.
fn terms(pattern: &str) -> Vec<&str> {
    let parts: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if pattern::is_address(pattern) {
        vec![pattern]
    } else {
        let mut depth = 0_usize;
        let between = |c: char| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && (c == ':' || c.is_whitespace())
        };
        pattern.split(between).collect()
    };
    parts.into_iter().map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn turn(term: &str) -> (Turn, &str) {
    match term.chars().next() {
        Some('!') => (Turn::Drop, &term[1..]),
        Some('&') => (Turn::Keep, &term[1..]),
        _ => (Turn::Add, term),
    }
}

/// A term without what picks among its hosts. A regular expression ends in no pick.
fn picked(term: &str) -> (&str, Option<Pick>) {
    let inner = term.strip_suffix(']').filter(|_| !term.starts_with('~')).and_then(|t| t.rsplit_once('['));
    let Some((expression, inner)) = inner.filter(|(expression, _)| !expression.is_empty()) else {
        return (term, None);
    };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if plain(inner.strip_prefix('-').unwrap_or(inner)) {
        // Beyond all numbers there is no host, either.
        let beyond = if inner.starts_with('-') { i64::MIN } else { i64::MAX };
        return (expression, Some(Pick::One(inner.parse().unwrap_or(beyond))));
    }
    let range = inner.split_once([':', '-']).and_then(|(from, to)| {
        let to = if to.is_empty() { None } else { Some(plain(to).then(|| to.parse::<usize>().ok())??) };
        Some((plain(from).then(|| from.parse::<usize>().ok())??, to))
    });
    match range {
        // Ansible takes `[2:0]` for `[2]`.
        Some((from, Some(0))) => (expression, i64::try_from(from).ok().map(Pick::One)),
        Some((from, to)) => (expression, Some(Pick::Range(from, to))),
        None => (term, None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::inventory::parse;

    const INVENTORY: &str = "all:\n  children:\n    gpu:\n      hosts: {box1: , box2: }\n    edge:\n      hosts: {box2: , nas: }\n";

    fn select(pattern: &str) -> Result<String, String> {
        let inventory = parse("inventory.yml", INVENTORY, BTreeMap::new()).unwrap();
        inventory
            .select(pattern)
            .map(|hosts| hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_pattern_means_what_it_means_in_ansible() {
        for (pattern, hosts) in [
            ("all", "box1 box2 nas"),
            ("gpu", "box1 box2"),
            ("gpu:&edge", "box2"),
            ("!box1,gpu", "box2"),
            ("box*,nas", "box1 box2 nas"),
            ("!gpu", "nas"),
            ("all:!gpu", "nas"),
            ("gpu[0]", "box1"),
            ("gpu[-1],nas", "box2 nas"),
            ("all[1:]", "box2 nas"),
            ("box[!3]", "box1 box2"),
            ("~(nas|box1)", "box1 nas"),
            ("~gpu", "box1 box2"),
        ] {
            assert_eq!(select(pattern).as_deref(), Ok(hosts), "{pattern}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_no_pattern() {
        assert_eq!(
            select("bxo1").unwrap_err(),
            "the inventory has no host or group `bxo1`; did you mean `box1`?"
        );
        assert_eq!(select("gpu[2]").unwrap_err(), "`gpu[2]`: it has only 2 hosts");
        assert!(select("~(").unwrap_err().starts_with("`~(` is no regular expression: "));
        assert_eq!(select("gpu:!gpu").unwrap_err(), "`gpu:!gpu` means no host of this inventory");
    }
}
