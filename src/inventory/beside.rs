//! `group_vars/` and `host_vars/`: variables in files beside the inventories and the working directory.
//! It finds and reads them; which of them wins is decided in `layers`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Listing};
use super::tree::{Tree, Vars};
use super::vault::Keyring;
use super::{Entry, Value, yaml};
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::names::HostName;

/// The host that there is without being named.
pub(super) const LOCALHOST: &str = "localhost";

/// How many pairs of names are compared to find slips.
const MAX_COMPARED: usize = 200_000;

/// What stands in the files of one directory.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) groups: BTreeMap<String, Vars>,
    pub(super) hosts: BTreeMap<HostName, Vars>,
}

/// The variables from files, in the order in which they are laid over one another.
#[derive(Debug, Default)]
pub(super) struct Beside {
    files: Vec<Files>,
    /// Beside each source, in the order of the sources: an index into `files`.
    sources: Vec<usize>,
    /// In the working directory, where Ansible looks beside a playbook.
    cwd: Option<usize>,
}

impl Beside {
    /// What stands beside the sources, the first of them first.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Files> {
        self.sources.iter().filter_map(|index| self.files.get(*index))
    }

    /// What stands in the working directory.
    pub(super) fn cwd(&self) -> Option<&Files> {
        self.files.get(self.cwd?)
    }
}

/// Reads the variables of all groups and hosts. A directory that comes up twice is read once.
pub(super) fn read(
    tree: &Tree,
    (sources, cwd): (&[PathBuf], &Path),
    keys: &Keyring,
    problems: &mut Diagnostics,
) -> Beside {
    let mut known: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut beside = Beside::default();
    let mut weight = tree.weight;
    let mut index = |dir: &Path, files: &mut Vec<Files>| {
        *known.entry(files::canonical(dir)).or_insert_with(|| {
            files.push(directory(tree, dir, (keys, &mut weight), problems));
            files.len() - 1
        })
    };
    for dir in sources {
        let found = index(dir, &mut beside.files);
        beside.sources.push(found);
    }
    beside.cwd = Some(index(cwd, &mut beside.files));
    beside
}

fn directory(
    tree: &Tree,
    dir: &Path,
    (keys, weight): (&Keyring, &mut usize),
    problems: &mut Diagnostics,
) -> Files {
    let mut files = Files::default();
    let groups = Listing::of(&dir.join("group_vars"), problems);
    for name in tree.groups.keys() {
        if let Some(vars) = vars_of(&groups, name, (keys, weight), problems) {
            files.groups.insert(name.clone(), vars);
        }
    }
    near_misses(&groups, "group", &tree.groups.keys().map(String::as_str).collect(), problems);
    let hosts = Listing::of(&dir.join("host_vars"), problems);
    let implicit = HostName::new(LOCALHOST).ok().filter(|name| !tree.hosts.contains_key(name));
    for name in tree.hosts.keys().chain(&implicit) {
        if let Some(vars) = vars_of(&hosts, name.as_str(), (keys, weight), problems) {
            files.hosts.insert(name.clone(), vars);
        }
    }
    let known = tree.hosts.keys().chain(&implicit).map(HostName::as_str).collect();
    near_misses(&hosts, "host", &known, problems);
    files
}

/// A file for `infernce` beside a group `inference` is a slip; one for a group of another inventory is not.
fn near_misses(listing: &Listing, what: &str, known: &BTreeSet<&str>, problems: &mut Diagnostics) {
    // Very many files are not all compared with very many names.
    let compared = MAX_COMPARED / known.len().max(1);
    for subject in listing.subjects().into_iter().filter(|subject| !known.contains(subject)).take(compared) {
        if let Some(near) = did_you_mean(subject, known.iter().copied()) {
            let path = files::shown(&listing.dir.join(subject));
            let message = format!("{path} is not read: there is no {what} `{subject}`");
            problems.push(Diagnostic::aside(message).hint(format!("did you mean `{near}`?")));
        }
    }
}

fn vars_of(
    listing: &Listing,
    name: &str,
    (keys, weight): (&Keyring, &mut usize),
    problems: &mut Diagnostics,
) -> Option<Vars> {
    let found = listing.find(name);
    problems.0.extend(found.problems);
    if found.files.is_empty() {
        return None;
    }
    let mut vars = Vars::new();
    for file in found.files {
        let Some(source) = problems.take(files::read(&file)) else { continue };
        let Some(root) = yaml::read(&source, keys, problems) else { continue };
        if problems.take(yaml::count(&root, weight)).is_none() {
            break;
        }
        match root.value {
            Value::Map(map) => map.0.into_iter().for_each(|entry| add(&mut vars, entry, problems)),
            value if value.is_falsy() => {}
            _ => problems.push(root.expected("a map of variables")),
        }
    }
    Some(vars)
}

/// Adds a variable. A map split over the files of one directory is not put together again: the last file wins.
fn add(vars: &mut Vars, entry: Entry, problems: &mut Diagnostics) {
    if let (Some(before), Value::Map(map)) = (vars.get(&entry.key), &entry.node.value)
        && !Arc::ptr_eq(&before.origin.source, &entry.origin.source)
        && let Value::Map(lost) = &before.value
        && lost.0.iter().any(|lost| map.get(&lost.key).is_none())
    {
        let message = format!("this `{}` replaces that of another file in its directory", entry.key);
        let hint =
            format!("the other stands at {}; maps are not merged: put both into one file", before.origin);
        problems.push(Diagnostic::warning(&entry.origin, message).hint(hint));
    }
    vars.insert(entry.key, Arc::new(entry.node));
}
