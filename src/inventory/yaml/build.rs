//! The parser's events put together: types, tags, anchors, `<<`, and the limits.
//! It knows YAML only, not what an inventory is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, ScalarStyle, Span, Tag};

use super::scalar;
use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::inventory::{Entry, Map, Node, Value, Vaulted};

/// How deep lists and maps may stand in one another.
const MAX_DEPTH: usize = 100;
/// How much one file may grow to once its aliases are followed: one for every value, and one more for
/// every 64 bytes of text. Ten lines of aliases can stand for a billion values.
pub(super) const MAX_WEIGHT: usize = 500_000;
/// The longest line that is looked through, in bytes.
const MAX_LINE: usize = 4_000;

/// A tree in the making.
pub(super) struct Builder<'a> {
    source: &'a Arc<Source>,
    lines: Vec<&'a str>,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    weight: usize,
    root: Option<Node>,
    /// Whether the text is JSON: its numbers are JSON's.
    json: bool,
}

/// What an anchor stands for.
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

/// A list or map that is still open.
struct Frame {
    inside: Inside,
    origin: Origin,
    anchor: usize,
    never_template: bool,
    height: usize,
}

enum Inside {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, merged: Vec<Entry>, key: Option<Key> },
}

struct Key {
    name: String,
    text: bool,
    origin: Origin,
    merge: bool,
}

/// A finished value on its way to where it belongs.
struct Finished {
    node: Node,
    height: usize,
    /// A plain `<<`: as a key it merges.
    merge: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a Arc<Source>, json: bool) -> Self {
        let lines = source.text.lines().collect();
        Self { source, lines, stack: Vec::new(), anchors: BTreeMap::new(), weight: 0, root: None, json }
    }

    /// The tree, when all events were seen.
    pub(super) fn finish(self) -> Node {
        self.root.unwrap_or_else(|| Node { origin: super::start(self.source), value: Value::Null })
    }

    /// Takes the next event.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Diagnostic::error(&self.place(span), "a second document in one file")
                    .hint("keep one document per file: remove what follows this `---`"))
            }
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                let origin = self.place(span);
                let value = self.scalar(&text, style, tag.as_deref(), &origin)?;
                self.grow(1 + text.len() / 64, &origin)?;
                let origin = self.better_place(origin, span, &value);
                let origin = self.quoted_length(origin, style);
                let merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                let node = Node { origin, value };
                self.anchored(anchor, &node, 0)?;
                self.put(Finished { node, height: 0, merge })
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Inside::Seq(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                let inside = Inside::Map { entries: Vec::new(), merged: Vec::new(), key: None };
                self.open(inside, anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        let origin = self.place(span);
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Diagnostic::error(&origin, "this alias stands inside what it refers to")
                .hint("take it out, or write its value"));
        };
        let (weight, height) = (anchored.weight, anchored.height);
        if self.stack.len() + height > MAX_DEPTH {
            return Err(too_deep(&origin));
        }
        self.grow(weight, &origin)?;
        let Some(anchored) = self.anchors.get(&id) else { return Ok(()) };
        let node = anchored.node.clone();
        self.put(Finished { node, height, merge: false })
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        origin: &Origin,
    ) -> Result<Value, Diagnostic> {
        let never_template = self.stack.last().is_some_and(|f| f.never_template);
        let text_value = |text: &str, never: bool| {
            if never { Value::Unsafe(text.to_owned()) } else { Value::Str(text.to_owned()) }
        };
        let plain = if self.json { scalar::json } else { scalar::plain };
        let typed = |never| match plain(text) {
            Value::Str(text) => text_value(&text, never),
            other => other,
        };
        // A mere `!` says nothing, as in PyYAML.
        let tag =
            tag.filter(|tag| !matches!((tag.handle.as_str(), tag.suffix.as_str()), ("!", "") | ("", "!")));
        let Some(tag) = tag else {
            return Ok(if style == ScalarStyle::Plain {
                typed(never_template)
            } else {
                text_value(text, never_template)
            });
        };
        match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("!", "unsafe") => Ok(typed(true)),
            ("!", "vault" | "vault-encrypted") => Ok(Value::Vault(Vaulted::Sealed(text.to_owned()))),
            ("tag:yaml.org,2002:", suffix) => scalar::tagged(suffix, text).ok_or_else(|| {
                Diagnostic::error(origin, format!("this cannot be read as `!!{suffix}`"))
                    .hint("take the tag away, or write a value of that type")
            }),
            _ => Err(unknown_tag(origin, tag)),
        }
    }

    fn open(
        &mut self,
        inside: Inside,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let origin = self.place(span);
        if let Some(Frame { inside: Inside::Map { key: None, .. }, origin: outer, .. }) = self.stack.last() {
            return Err(self.not_a_key(outer, &origin));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(&origin));
        }
        let mut never_template = self.stack.last().is_some_and(|f| f.never_template);
        if let Some(tag) = tag {
            match (tag.handle.as_str(), tag.suffix.as_str(), &inside) {
                ("!", "unsafe", _) => never_template = true,
                ("!", "", _)
                | ("", "!", _)
                | ("tag:yaml.org,2002:", "seq", Inside::Seq(_))
                | ("tag:yaml.org,2002:", "map", Inside::Map { .. }) => {}
                _ => return Err(unknown_tag(&origin, tag)),
            }
        }
        self.grow(1, &origin)?;
        self.stack.push(Frame { inside, origin, anchor, never_template, height: 0 });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let mut origin = frame.origin;
        if span.end.line() == origin.line && span.end.col() >= origin.column {
            origin.length = span.end.col() + 1 - origin.column;
        }
        let value = match frame.inside {
            Inside::Seq(nodes) => Value::Seq(nodes),
            Inside::Map { entries, merged, .. } => {
                // A block map begins at its first key: mark that key.
                if let Some(first) = entries.first().map(|e| &e.origin)
                    && (first.line, first.column) == (origin.line, origin.column)
                {
                    origin.length = first.length;
                }
                Value::Map(Map(with_merged(entries, merged)))
            }
        };
        let node = Node { origin, value };
        self.anchored(frame.anchor, &node, frame.height + 1)?;
        self.put(Finished { node, height: frame.height + 1, merge: false })
    }

    /// Remembers a node that has an anchor. The copy counts: anchors inside anchors would double it at
    /// every level.
    fn anchored(&mut self, anchor: usize, node: &Node, height: usize) -> Result<(), Diagnostic> {
        if anchor > 0 {
            let weight = weigh(node);
            self.grow(weight, &node.origin)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, height });
        }
        Ok(())
    }

    /// Puts a finished value where it belongs: the root, a list, a key, or the value of the open key.
    fn put(&mut self, finished: Finished) -> Result<(), Diagnostic> {
        let Finished { node, height, merge } = finished;
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.height = frame.height.max(height);
        match &mut frame.inside {
            Inside::Seq(nodes) => nodes.push(node),
            Inside::Map { entries, merged, key } => match key.take() {
                None => {
                    let text = matches!(node.value, Value::Str(_) | Value::Unsafe(_));
                    *key = Some(Key { name: key_text(&node)?, text, origin: node.origin, merge });
                }
                Some(key) if key.merge => merge_into(merged, node)?,
                Some(key) => {
                    entries.push(Entry { key: key.name, text: key.text, origin: key.origin, node });
                }
            },
        }
        Ok(())
    }

    fn grow(&mut self, weight: usize, origin: &Origin) -> Result<(), Diagnostic> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT {
            return Err(Diagnostic::error(origin, "this file holds too much")
                .hint("an alias (`*name`) that stands for lists of aliases grows without end"));
        }
        Ok(())
    }

    fn place(&self, span: Span) -> Origin {
        let (line, column) = (span.start.line().max(1), span.start.col() + 1);
        let length = if one_line(span.start, span.end) {
            span.end.col().saturating_sub(span.start.col())
        } else {
            let text = self.line(line).trim_end();
            text.chars().count().saturating_sub(column - 1)
        };
        Origin { source: Arc::clone(self.source), line, column, length: length.max(1) }
    }

    /// A line, from 1. One that no person reads counts as empty: to look through it for every value on it
    /// takes for ever, and what is asked is only how much to mark.
    fn line(&self, number: usize) -> &'a str {
        self.lines.get(number - 1).copied().filter(|line| line.len() <= MAX_LINE).unwrap_or_default()
    }

    /// A value that is not there has the place of its key: the parser notices it only at the next token.
    fn better_place(&self, origin: Origin, span: Span, value: &Value) -> Origin {
        match self.stack.last() {
            Some(Frame { inside: Inside::Map { key: Some(key), .. }, .. })
                if *value == Value::Null && (span.is_empty() || span.start.line() != key.origin.line) =>
            {
                key.origin.clone()
            }
            _ => origin,
        }
    }

    /// The parser counts what follows a quoted text, up to the next token, as part of it.
    fn quoted_length(&self, origin: Origin, style: ScalarStyle) -> Origin {
        let quote = match style {
            ScalarStyle::SingleQuoted => '\'',
            ScalarStyle::DoubleQuoted => '"',
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => return origin,
        };
        let line = self.line(origin.line).chars().enumerate().skip(origin.column - 1);
        let mut chars = line.skip_while(|(_, c)| *c != quote).skip(1).peekable();
        while let Some((column, c)) = chars.next() {
            if c == '\\' && quote == '"' {
                chars.next();
            } else if c == quote && (quote == '"' || chars.next_if(|(_, next)| *next == quote).is_none()) {
                return Origin { length: column + 2 - origin.column, ..origin };
            }
        }
        origin
    }

    fn not_a_key(&self, outer: &Origin, origin: &Origin) -> Diagnostic {
        let line = self.line(outer.line);
        if line.chars().skip(outer.column - 1).take(2).eq("{{".chars()) {
            let braces = Origin { length: 2, ..outer.clone() };
            return Diagnostic::error(&braces, "a value that begins with `{{` must stand in quotes")
                .hint("write \"{{ … }}\"");
        }
        key_of_parts(origin)
    }
}

fn one_line(start: Marker, end: Marker) -> bool {
    start.line() == end.line()
}

/// How much a tree counts towards the limit of its file.
pub(super) fn weigh(node: &Node) -> usize {
    match &node.value {
        Value::Str(text) | Value::Unsafe(text) | Value::Vault(Vaulted::Sealed(text)) => 1 + text.len() / 64,
        Value::Seq(seq) => 1 + seq.iter().map(weigh).sum::<usize>(),
        Value::Map(map) => 1 + map.0.iter().map(|e| 1 + e.key.len() / 64 + weigh(&e.node)).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Vault(Vaulted::Open(_)) => 1,
    }
}

fn too_deep(origin: &Origin) -> Diagnostic {
    Diagnostic::error(origin, format!("lists and maps stand more than {MAX_DEPTH} deep in one another here"))
        .hint("nest them less")
}

fn key_of_parts(origin: &Origin) -> Diagnostic {
    Diagnostic::error(origin, "a key must be a single value, not a list or a map")
        .hint("write `key: value`; a text that begins with a bracket goes into quotes")
}

fn unknown_tag(origin: &Origin, tag: &Tag) -> Diagnostic {
    let name = match tag.handle.as_str() {
        "tag:yaml.org,2002:" => format!("!!{}", tag.suffix),
        handle => format!("{handle}{}", tag.suffix),
    };
    Diagnostic::error(origin, format!("the tag `{name}` is not known here"))
        .hint("known are !!str, !!int, !!float, !!bool, !!null, !!seq, !!map, !unsafe and !vault")
}

/// A key as YAML (and JSON, which Ansible prints) writes it.
fn key_text(node: &Node) -> Result<String, Diagnostic> {
    match &node.value {
        Value::Null => Ok("null".into()),
        Value::Vault(_) | Value::Seq(_) | Value::Map(_) => Err(key_of_parts(&node.origin)),
        _ => node.as_text(),
    }
}

/// Adds what `<<` refers to, a map or a list of maps of which the first wins.
fn merge_into(merged: &mut Vec<Entry>, node: Node) -> Result<(), Diagnostic> {
    let bad = |node: &Node| Err(node.expected("a map, or a list of maps, after `<<`"));
    match node.value {
        Value::Map(map) => merged.extend(map.0),
        Value::Seq(nodes) => {
            for node in nodes.into_iter().rev() {
                match node.value {
                    Value::Map(map) => merged.extend(map.0),
                    _ => return bad(&node),
                }
            }
        }
        _ => return bad(&node),
    }
    Ok(())
}

/// The entries of a map after those that `<<` brought in: its own keys win, and of the merged ones the last.
/// A merged key that loses is left out, so that a key that stands twice is the user's own.
fn with_merged(own: Vec<Entry>, merged: Vec<Entry>) -> Vec<Entry> {
    if merged.is_empty() {
        return own;
    }
    let mut taken: BTreeSet<String> = own.iter().map(|e| e.key.clone()).collect();
    let mut kept: Vec<Entry> = merged.into_iter().rev().filter(|e| taken.insert(e.key.clone())).collect();
    kept.reverse();
    kept.extend(own);
    kept
}
