//! An inventory in INI format as Ansible reads it: sections of hosts, children and vars.
//! It opens no file; values are typed by `literal`, lines are cut into words by `words`.

mod literal;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::groups::expand;
use super::pattern::MAX_NAMED;
use super::tree::Tree;
use super::{Node, yaml};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};
use crate::names::HostName;

/// What the lines below a section's head are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hosts,
    Children,
    Vars,
}

/// One line that says something.
#[derive(Debug)]
enum Said {
    Section(String, Kind),
    Hosts(Hosts),
    Child(String),
    Var(String, Arc<Node>),
}

/// A line that names hosts.
#[derive(Debug)]
struct Hosts {
    names: Vec<HostName>,
    port: Option<u16>,
    vars: Vec<(String, Arc<Node>)>,
}

/// A file cut into lines that were understood, each with its place.
#[derive(Debug)]
pub(super) struct Ini(Vec<(Origin, Said)>);

/// Whether a line is the head of a section, as in `[web]` or `[web:children]`.
pub(super) fn is_section(line: &str) -> bool {
    section(line.trim()).is_some()
}

/// Understands a file line by line; how much it holds is added to `weight`.
///
/// # Errors
/// Every line that no INI inventory has.
pub(super) fn parse(source: &Arc<Source>, weight: &mut usize) -> Result<Ini, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut said = Vec::new();
    let mut kind = Kind::Hosts;
    let mut named = 0;
    for (index, raw) in source.text.lines().enumerate() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        let indent = raw.chars().count() - raw.trim_start().chars().count();
        let origin = Origin {
            source: Arc::clone(source),
            line: index + 1,
            column: indent + 1,
            length: line.chars().count(),
        };
        if let Some(one) = problems.take(one_line(line, kind, &origin)) {
            if let Said::Section(_, next) = &one {
                kind = *next;
            }
            // What comes to too much is read no further.
            if problems.take(room(&one, &origin, &mut named, weight)).is_none() {
                break;
            }
            said.push((origin, one));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(Ini(said)) }
}

/// Counts the hosts that a line names, its ranges written out, and the values it holds.
fn room(one: &Said, origin: &Origin, named: &mut usize, weight: &mut usize) -> Result<(), Diagnostic> {
    match one {
        Said::Section(..) | Said::Child(_) => Ok(()),
        Said::Var(_, node) => yaml::count(node, weight),
        Said::Hosts(hosts) => {
            *named += hosts.names.len();
            if *named > MAX_NAMED {
                return Err(Diagnostic::error(origin, format!("more than {MAX_NAMED} hosts are named")));
            }
            hosts.vars.iter().try_for_each(|(_, node)| yaml::count(node, weight))
        }
    }
}

fn one_line(line: &str, kind: Kind, origin: &Origin) -> Result<Said, Diagnostic> {
    if let Some((name, suffix)) = section(line) {
        let kind = match suffix {
            None | Some("hosts") => Kind::Hosts,
            Some("children") => Kind::Children,
            Some("vars") => Kind::Vars,
            Some(other) => {
                let message = format!("`{other}` is no kind of section");
                return Err(Diagnostic::error(origin, message)
                    .hint(format!("[{name}] has hosts, [{name}:children] groups, [{name}:vars] variables")));
            }
        };
        return Ok(Said::Section(name.to_owned(), kind));
    }
    if line.starts_with('[') && line.ends_with(']') {
        return Err(Diagnostic::error(origin, "this is no head of a section")
            .hint("[GROUP], [GROUP:children] or [GROUP:vars], without spaces"));
    }
    match kind {
        Kind::Hosts => host_line(line, origin),
        Kind::Children => Ok(Said::Child(child(line, origin)?.to_owned())),
        Kind::Vars => var_line(line, origin),
    }
}

/// The group and the suffix of a section's head; a comment may follow.
fn section(line: &str) -> Option<(&str, Option<&str>)> {
    let (inner, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    let (name, suffix) = match inner.split_once(':') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (inner, None),
    };
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let good = !name.is_empty()
        && !name.contains(char::is_whitespace)
        && suffix.is_none_or(|s| !s.is_empty() && s.chars().all(word))
        && (rest.is_empty() || rest.starts_with('#'));
    good.then_some((name, suffix))
}

fn child<'a>(line: &'a str, origin: &Origin) -> Result<&'a str, Diagnostic> {
    let end = line.find(|c: char| c.is_whitespace() || c == ':' || c == ']').unwrap_or(line.len());
    let rest = line[end..].trim_start();
    if end == 0 || !(rest.is_empty() || rest.starts_with('#')) {
        return Err(Diagnostic::error(origin, "expected the name of a group, and nothing else on its line")
            .hint("below [GROUP:children] stands one group per line"));
    }
    Ok(&line[..end])
}

/// `name[1:3]:22 key=value …`
fn host_line(line: &str, origin: &Origin) -> Result<Said, Diagnostic> {
    let at = |column: usize, length: usize| Origin {
        column: origin.column + column,
        length: length.max(1),
        ..origin.clone()
    };
    let words = words::split(line).map_err(|(column, why)| {
        Diagnostic::error(&at(column, 1), why).hint("close it, or put the whole value into quotes")
    })?;
    let Some((first, rest)) = words.split_first() else {
        return Err(Diagnostic::error(origin, "expected a host").hint("HOST key=value key=value"));
    };
    let place = at(first.column, first.length);
    if first.text.ends_with(':') {
        return Err(Diagnostic::error(&place, format!("`{}` ends in `:`", first.text))
            .hint("a port follows it, as in host:22; in YAML, indent what belongs below with spaces"));
    }
    let (names, port) = expand(&first.text, &place)?;
    let mut vars = Vec::new();
    for word in rest {
        let Some((key, value)) = word.text.split_once('=') else {
            let message = format!("expected key=value, found `{}`", word.text);
            return Err(Diagnostic::error(&at(word.column, word.length), message)
                .hint("HOST key=value key=value; a value with blanks goes into quotes"));
        };
        let skip = word.equals.map_or(0, |equals| equals + 1);
        let place = at(word.column + skip, word.length - skip);
        vars.push((key.to_owned(), Arc::new(literal::node(value, &place))));
    }
    Ok(Said::Hosts(Hosts { names, port, vars }))
}

/// `key = value`, to the end of the line.
fn var_line(line: &str, origin: &Origin) -> Result<Said, Diagnostic> {
    let Some((key, value)) = line.split_once('=') else {
        return Err(
            Diagnostic::error(origin, "expected key=value").hint("below [GROUP:vars] stands one per line")
        );
    };
    let before = line.chars().count() - value.trim_start().chars().count();
    let value = value.trim();
    let place =
        Origin { column: origin.column + before, length: value.chars().count().max(1), ..origin.clone() };
    Ok(Said::Var(key.trim().to_owned(), Arc::new(literal::node(value, &place))))
}

/// A group that was named before it was declared.
struct Pending {
    origin: Origin,
    /// The groups that name it as their child, or none where it only has variables.
    parents: Vec<String>,
}

impl Ini {
    /// Adds everything to the tree. What is wrong is added to `problems`.
    pub(super) fn read(self, tree: &mut Tree, problems: &mut Diagnostics) {
        let mut group = "ungrouped".to_owned();
        let mut pending: BTreeMap<String, Pending> = BTreeMap::new();
        for (origin, said) in self.0 {
            let done = match said {
                Said::Section(name, kind) => {
                    group.clone_from(&name);
                    declare(tree, &mut pending, name, kind, &origin)
                }
                Said::Hosts(named) => hosts(tree, &group, &named, &origin),
                Said::Var(name, node) => tree.set_group_var(&group, &name, &node),
                Said::Child(name) if tree.groups.contains_key(&name) => {
                    tree.add_child(&group, &name, &origin)
                }
                Said::Child(name) => {
                    let one = pending.entry(name).or_insert(Pending { origin, parents: Vec::new() });
                    one.parents.push(group.clone());
                    Ok(())
                }
            };
            problems.take(done);
        }
        for (name, Pending { origin, parents }) in pending {
            let (message, hint) = if parents.is_empty() {
                (format!("there is no group `{name}` to have these variables"), "declare it with")
            } else {
                (
                    format!("the group `{name}` is declared nowhere"),
                    "declare it, here or in a source before, with",
                )
            };
            problems.push(Diagnostic::error(&origin, message).hint(format!("{hint} [{name}]")));
        }
    }
}

fn hosts(tree: &mut Tree, group: &str, named: &Hosts, origin: &Origin) -> Result<(), Diagnostic> {
    tree.names(named.names.len(), origin)?;
    for name in &named.names {
        tree.add_host(group, name, named.port, origin)?;
        for (key, node) in &named.vars {
            tree.set_host_var(name, key, node)?;
        }
    }
    Ok(())
}

/// The head of a section: it declares its group, unless it only gives variables to one.
fn declare(
    tree: &mut Tree,
    pending: &mut BTreeMap<String, Pending>,
    name: String,
    kind: Kind,
    origin: &Origin,
) -> Result<(), Diagnostic> {
    if !tree.groups.contains_key(&name) {
        tree.add_group(&name, origin)?;
        if kind == Kind::Vars {
            pending
                .entry(name.clone())
                .or_insert_with(|| Pending { origin: origin.clone(), parents: Vec::new() });
        }
    }
    if kind == Kind::Vars {
        return Ok(());
    }
    match pending.remove(&name) {
        Some(one) => one.parents.iter().try_for_each(|parent| tree.add_child(parent, &name, &one.origin)),
        None => Ok(()),
    }
}
