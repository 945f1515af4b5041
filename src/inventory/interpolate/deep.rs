//! Values written out whole: every list, map and expression in them.
//! It goes as far as the session's limits and never in a circle.

use minijinja::value::{Value as Jinja, ValueKind};

use super::lazy::{Lazy, Place};
use super::{Inner, MAX_VALUES, Outcome, cycle, explain, note, text, too_much};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::inventory::vault::Values;
use crate::inventory::{Entry, Map, Node, Value};

const CLEARER: &str = "write it out, or make it of fewer expressions";
/// How deep a value that an expression made may be.
const MAX_DEPTH: usize = 50;
/// How many lists and maps may be open at once, over all expressions that stand for one another: the
/// stack is finite, and each of them may be as deep as a file allows.
const MAX_OPEN: usize = 150;

impl Inner {
    /// A node with everything in it evaluated.
    pub(super) fn deep(&self, place: &Place, problems: &mut Diagnostics) -> Node {
        let node = place.node();
        if !self.room(&node.origin, problems) {
            return node.clone();
        }
        let at = |value| Node { origin: node.origin.clone(), value };
        match &node.value {
            _ if text::template(node).is_some() => self.inside(place, problems, |problems| {
                let Outcome { value, taint } = self.outcome(place);
                let result = match value {
                    Ok(value) => self.node_of(&value, &node.origin, 0, problems),
                    Err(failure) => {
                        // What it fails on may be that it was given a guess.
                        if !taint.is_guess() || self.values == Values::Opened {
                            let spoils = Some(node.origin.clone());
                            note(Diagnostic { spoils, ..failure.diagnostic() }, problems);
                        }
                        node.clone()
                    }
                };
                taint.mark(result)
            }),
            Value::Unsafe(text) => at(Value::Str(text.clone())),
            Value::Vault(_) => self.opened(node).unwrap_or_else(|error| {
                note(error, problems);
                node.clone()
            }),
            Value::Seq(seq) => self.inside(place, problems, |problems| {
                at(Value::Seq((0..seq.len()).map(|i| self.deep(&place.child(i), problems)).collect()))
            }),
            Value::Map(map) => self.inside(place, problems, |problems| {
                let entry = |(index, entry): (usize, &Entry)| {
                    let node = self.deep(&place.child(index), problems);
                    Entry { key: entry.key.clone(), text: entry.text, origin: entry.origin.clone(), node }
                };
                at(Value::Map(Map(map.0.iter().enumerate().map(entry).collect())))
            }),
            _ => node.clone(),
        }
    }

    /// The same of a map, or of an expression that stands for a map, of which only some entries are wanted: the
    /// others stay as they were typed.
    pub(super) fn deep_where(
        &self,
        place: &Place,
        wanted: &dyn Fn(&str) -> bool,
        problems: &mut Diagnostics,
    ) -> Node {
        let node = place.node();
        let value = match &node.value {
            Value::Map(map) => {
                let entry = |(index, entry): (usize, &Entry)| match wanted(&entry.key) {
                    true => Entry { node: self.deep(&place.child(index), problems), ..entry.clone() },
                    false => entry.clone(),
                };
                Value::Map(Map(map.0.iter().enumerate().map(entry).collect()))
            }
            _ if text::template(node).is_some() => {
                let Outcome { value, taint } = self.outcome(place);
                let value = value.ok().filter(|_| !taint.is_secret());
                match value.as_ref().and_then(|value| value.downcast_object_ref::<Lazy>()) {
                    Some(lazy) => self.deep_where(&lazy.place, wanted, problems).value,
                    None => return self.deep(place, problems),
                }
            }
            _ => return self.deep(place, problems),
        };
        Node { origin: node.origin.clone(), value }
    }

    /// Writes out a list, a map or what a template comes to, unless that is what is being written out already.
    fn inside(
        &self,
        place: &Place,
        problems: &mut Diagnostics,
        write: impl FnOnce(&mut Diagnostics) -> Node,
    ) -> Node {
        let (spot, node) = (place.spot(), place.node());
        if self.state().open.contains(&spot) {
            note(cycle(std::iter::once(place)), problems);
            return node.clone();
        }
        if self.state().open.len() >= MAX_OPEN {
            note(too_much(&node.origin), problems);
            return node.clone();
        }
        self.state().open.push(spot);
        let written = write(problems);
        self.state().open.pop();
        written
    }

    /// A value of the engine as a node that stands at `origin`.
    pub(super) fn node_of(
        &self,
        value: &Jinja,
        origin: &Origin,
        depth: usize,
        problems: &mut Diagnostics,
    ) -> Node {
        let at = |value| Node { origin: origin.clone(), value };
        if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
            return at(self.deep(&lazy.place, problems).value);
        }
        if depth > MAX_DEPTH || !self.room(origin, problems) {
            note(too_much(origin), problems);
            return at(Value::Null);
        }
        if let Err(error) = self.valid(value) {
            note(
                explain::carried(&error)
                    .unwrap_or_else(|| Diagnostic::error(origin, error.to_string()).hint(CLEARER)),
                problems,
            );
            return at(Value::Null);
        }
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => at(Value::Null),
            ValueKind::Bool => at(Value::Bool(value.is_true())),
            ValueKind::Number => {
                at(match (value.is_integer(), value.as_i64(), f64::try_from(value.clone())) {
                    (true, Some(number), _) => Value::Int(number),
                    (false, _, Ok(number)) => Value::Float(number),
                    _ => Value::Str(value.to_string()),
                })
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter().into_iter().flatten();
                // A list may say that it is endless long: one item after the other, while there is room.
                let mut nodes = Vec::new();
                for item in items {
                    nodes.push(self.node_of(&item, origin, depth + 1, problems));
                    if self.state().values > MAX_VALUES {
                        break;
                    }
                }
                at(Value::Seq(nodes))
            }
            ValueKind::Map => {
                let entry = |key: Jinja| {
                    let item = value.get_item(&key).unwrap_or(Jinja::UNDEFINED);
                    let node = self.node_of(&item, origin, depth + 1, problems);
                    let text = key.kind() == ValueKind::String;
                    Entry { key: key.to_string(), text, origin: origin.clone(), node }
                };
                at(Value::Map(Map(value.try_iter().into_iter().flatten().map(entry).collect())))
            }
            _ => at(Value::Str(value.to_string())),
        }
    }

    /// Whether there is room for one more value.
    fn room(&self, origin: &Origin, problems: &mut Diagnostics) -> bool {
        let mut state = self.state();
        state.values += 1;
        if state.values == MAX_VALUES + 1 {
            problems.push(too_much(origin));
        }
        state.values <= MAX_VALUES
    }
}
