//! YAML text into a tree in which every key and value knows its place.
//! It opens no file, and a hostile text costs it no more than its limits.

mod build;
mod error;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use saphyr_parser::Parser;
use serde::de::IgnoredAny;

use super::vault::{self, Keyring};
use super::{Entry, Map, Node, Value, Vaulted};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, Source};

/// How many commas a file may have: the parser holds a whole `[…]` or `{…}` before it gives any of it away.
const MAX_COMMAS: usize = 200_000;

/// Reads a file of the user's, whatever is in it: the one place that every variable from a file passes.
/// What is wrong, and keys that stand twice, are added to `problems`. Every single value in a file that was
/// encrypted as a whole is secret.
pub(super) fn read(source: &Arc<Source>, keys: &Keyring, problems: &mut Diagnostics) -> Option<Node> {
    let sealed = vault::is_sealed(&source.text);
    let root = problems.take(if sealed { unsealed(source, keys) } else { parse(source) })?;
    warn_of_duplicates(&root, problems);
    Some(root)
}

/// Reads a file that is encrypted as a whole. No place in it shows its line, and no complaint its words.
fn unsealed(source: &Arc<Source>, keys: &Keyring) -> Result<Node, Diagnostic> {
    let text = keys.open(&source.text, &start(source))?.as_ref().to_owned();
    let shown = Arc::new(Source { name: source.name.clone(), text: String::new() });
    let root = parse(&Arc::new(Source { name: source.name.clone(), text })).map_err(|error| {
        let origin = error.origin.unwrap_or_else(|| start(source));
        Diagnostic::error(
            &Origin { source: Arc::clone(&shown), ..origin },
            "this place in the vault is not YAML",
        )
        .hint(format!("`ansible-vault edit {}` shows it", source.name))
    })?;
    Ok(moved(root, &shown).each(&mut |value| match value {
        vaulted @ Value::Vault(_) => vaulted,
        value => Value::Vault(Vaulted::Open(Box::new(value))),
    }))
}

/// A tree whose places are those of another source.
fn moved(node: Node, source: &Arc<Source>) -> Node {
    let at = |origin: Origin| Origin { source: Arc::clone(source), ..origin };
    let entry =
        |e: Entry| Entry { key: e.key, text: e.text, origin: at(e.origin), node: moved(e.node, source) };
    let value = match node.value {
        Value::Seq(seq) => Value::Seq(seq.into_iter().map(|node| moved(node, source)).collect()),
        Value::Map(map) => Value::Map(Map(map.0.into_iter().map(entry).collect())),
        single => single,
    };
    Node { origin: at(node.origin), value }
}

/// A key that stands twice: Ansible takes the later one, and so do we, but nobody means it.
fn warn_of_duplicates(root: &Node, problems: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for (first, again) in root.duplicates() {
        // A map that an alias repeats would repeat its warning.
        if !seen.insert((again.origin.line, again.origin.column)) {
            continue;
        }
        let message = format!("`{}` stands twice in one map, and only this one counts", again.key);
        let warning = Diagnostic::warning(&again.origin, message)
            .hint(format!("the first is at {}: remove one", first.origin));
        problems.push(warning);
    }
}

/// Reads the one document of a YAML or JSON text. An empty text is a null.
///
/// # Errors
/// Says what is no YAML, or more than is reasonable, and where.
fn parse(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let too_many = source.text.match_indices(',').nth(MAX_COMMAS);
    if let Some((at, _)) = too_many {
        let before = &source.text[..at];
        let (line, column) = (
            before.matches('\n').count() + 1,
            before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
        );
        let origin = Origin { line, column, ..start(source) };
        return Err(Diagnostic::error(&origin, "this file holds too much")
            .hint(format!("more than {MAX_COMMAS} commas: cut it into several files")));
    }
    // What is JSON is typed as JSON, as in Ansible: there `1e5` is a number.
    let json = source.text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<IgnoredAny>(&source.text).is_ok();
    let mut builder = build::Builder::new(source, json);
    for event in Parser::new_from_str(&source.text) {
        let (event, span) = event.map_err(|e| error::syntax(source, &e))?;
        builder.event(event, span)?;
    }
    Ok(builder.finish())
}

/// Whether a text is YAML within the limits: parsers of others have fewer.
///
/// # Errors
/// As reading it has.
pub fn within_limits(source: &Arc<Source>) -> Result<(), Diagnostic> {
    parse(source).map(drop)
}

/// Counts what was read with all that was read before: many files together may hold as much as one.
///
/// # Errors
/// When it is too much.
pub(super) fn count(root: &Node, all: &mut usize) -> Result<(), Diagnostic> {
    *all = all.saturating_add(build::weigh(root));
    if *all <= build::MAX_WEIGHT {
        return Ok(());
    }
    Err(Diagnostic::error(&start(&root.origin.source), "the files of this inventory hold too much")
        .hint("this one, with those read before it, is more than one inventory may hold"))
}

/// Whether a text without quotes would be a number, true or false.
pub(super) fn is_typed(text: &str) -> bool {
    matches!(scalar::plain(text), Value::Int(_) | Value::Float(_) | Value::Bool(_))
}

/// The beginning of a file, for what is wrong with all of it.
pub(super) fn start(source: &Arc<Source>) -> Origin {
    Origin { source: Arc::clone(source), line: 1, column: 1, length: 1 }
}
