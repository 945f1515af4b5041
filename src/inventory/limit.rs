//! `--limit`: which hosts a pattern of Ansible's means.
//! It selects among what is there; it loads nothing.

use std::collections::BTreeSet;

use wildmatch::WildMatch;

use super::Inventory;
use crate::diagnostic::did_you_mean;
use crate::names::HostName;

/// How a term of a pattern changes the selection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Add,
    Keep,
    Drop,
}

impl Inventory {
    /// The hosts a pattern means: names and groups with `*` and `?`, joined by `,` or `:`; `!` leaves
    /// out, `&` keeps only. As in Ansible, what is added comes first, whatever the order
    /// (<https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html>).
    ///
    /// # Errors
    /// A term that means no host, and what may have been meant.
    pub fn select(&self, pattern: &str) -> Result<BTreeSet<HostName>, String> {
        let terms: Vec<(Turn, &str)> =
            pattern.split([',', ':']).map(str::trim).filter(|t| !t.is_empty()).map(turn).collect();
        let mut selected = BTreeSet::new();
        if terms.iter().all(|(turn, _)| *turn != Turn::Add) {
            selected.extend(self.hosts.keys().cloned());
        }
        for turn in [Turn::Add, Turn::Keep, Turn::Drop] {
            for (_, term) in terms.iter().filter(|(t, _)| *t == turn) {
                let meant = self.meant(term)?;
                match turn {
                    Turn::Add => selected.extend(meant),
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

    fn meant(&self, term: &str) -> Result<BTreeSet<HostName>, String> {
        let wild = WildMatch::new(term);
        let fits = |name: &str| term == "all" || wild.matches(name);
        let of =
            |host: &super::HostVars| fits(host.name.as_str()) || host.groups.iter().any(|group| fits(group));
        let meant: BTreeSet<HostName> =
            self.hosts.iter().filter(|(_, host)| of(host)).map(|(name, _)| name.clone()).collect();
        if !meant.is_empty() || term.contains(['*', '?']) {
            return Ok(meant);
        }
        let names = self.hosts.keys().map(HostName::as_str).chain(self.groups.keys().map(String::as_str));
        Err(match did_you_mean(term, names) {
            Some(near) => format!("the inventory has no host or group `{term}`; did you mean `{near}`?"),
            None => format!("the inventory has no host or group `{term}`"),
        })
    }
}

fn turn(term: &str) -> (Turn, &str) {
    match term.chars().next() {
        Some('!') => (Turn::Drop, &term[1..]),
        Some('&') => (Turn::Keep, &term[1..]),
        _ => (Turn::Add, term),
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
        assert_eq!(select("gpu:!gpu").unwrap_err(), "`gpu:!gpu` means no host of this inventory");
    }
}
