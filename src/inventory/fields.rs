//! Reads a mapping whose keys are known: each key once, typed, and every other key an error.
//! It knows no key itself.

use std::collections::BTreeSet;

use super::{Map, Node, Value};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};

/// A mapping that is being read. What is wrong with it is collected, so that reading goes on.
#[derive(Debug)]
pub struct Fields<'a> {
    map: &'a Map,
    what: String,
    known: BTreeSet<String>,
    /// What was wrong so far.
    pub problems: Diagnostics,
}

impl<'a> Fields<'a> {
    /// Begins to read `map`; `what` names it in errors, as in ``model `qwen3-4b` ``.
    #[must_use]
    pub fn new(map: &'a Map, what: impl Into<String>) -> Self {
        Self { map, what: what.into(), known: BTreeSet::new(), problems: Diagnostics::default() }
    }

    /// The place of a key that was typed.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&'a Origin> {
        self.map.get(key).map(|e| &e.origin)
    }

    /// The value of `key`; nothing when it is absent or null.
    pub fn node(&mut self, key: &str) -> Option<&'a Node> {
        self.known.insert(key.to_owned());
        self.map.get(key).map(|e| &e.node).filter(|n| n.value != Value::Null)
    }

    /// The value of `key` as `parse` reads it; an error counts as absent and is collected.
    pub fn parse<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let node = self.node(key)?;
        self.problems.take(parse(node))
    }

    /// A list of texts; one text counts as a list of one.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        self.parse(key, texts).unwrap_or_default()
    }

    /// Ends the reading: keys nobody asked for and keys given twice are errors.
    pub fn finish(mut self, also_known: &[&str]) -> Diagnostics {
        let mut seen = BTreeSet::new();
        for entry in &self.map.0 {
            let key = entry.key.as_str();
            if !seen.insert(key) {
                self.problems.push(
                    Diagnostic::error(&entry.origin, format!("`{key}` is given twice in {}", self.what))
                        .hint("remove one"),
                );
            }
            if self.known.contains(key) || also_known.contains(&key) {
                continue;
            }
            let unknown = Diagnostic::error(&entry.origin, format!("{} has no key `{key}`", self.what));
            let near =
                did_you_mean(key, self.known.iter().map(String::as_str).chain(also_known.iter().copied()));
            let hint = "inventory.example.yml explains the keys, `homelab schema` has them all";
            self.problems.push(unknown.meant(near, hint));
        }
        self.problems
    }
}

/// A list of texts; one text counts as a list of one.
///
/// # Errors
/// When it or an item is something else.
pub fn texts(node: &Node) -> Result<Vec<String>, Diagnostic> {
    match &node.value {
        Value::Seq(items) => items.iter().map(Node::as_text).collect(),
        _ => Ok(vec![node.as_text()?]),
    }
}

/// Text that `parse` understands.
///
/// # Errors
/// What `parse` says, at the place of the value.
pub fn parsed<T>(node: &Node, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Diagnostic> {
    parse(&node.as_text()?).map_err(|why| Diagnostic::because(&node.origin, &why))
}
