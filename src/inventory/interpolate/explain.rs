//! What went wrong in an expression, at its place in the user's file.
//! It explains an error of the template engine; it evaluates nothing.

use std::error::Error as _;

use minijinja::{Error, ErrorKind};

use super::functions::{FILTERS, STATEMENTS, TESTS};
use super::lazy::{MAGIC, Place};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::inventory::world::World;
use crate::inventory::{Map, Value};
use crate::names::HostName;

/// What most often is amiss where an expression cannot be read.
const CLOSED: &str = "every `{{`, quote and bracket is to be closed, every {% if %} and {% for %} to end with its {% endif %} or {% endfor %}";

/// Why a template has no value.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A variable in it is not defined: `default` may still help whoever refers to it.
    Undefined(Diagnostic),
    /// Anything else.
    Broken(Diagnostic),
}

impl Failure {
    pub(super) fn diagnostic(self) -> Diagnostic {
        match self {
            Self::Undefined(diagnostic) | Self::Broken(diagnostic) => diagnostic,
        }
    }
}

/// A diagnostic on its way through the template engine.
pub(super) fn wrapped(diagnostic: Diagnostic) -> Error {
    Error::new(ErrorKind::InvalidOperation, "a variable has no value")
        .with_source(Diagnostics::from(diagnostic))
}

/// The diagnostic that an error carries from a variable further down.
pub(super) fn carried(error: &Error) -> Option<Diagnostic> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
            return diagnostics.0.first().cloned();
        }
        source = error.source();
    }
    None
}

/// Whether this is an undefined `a` in an `a.b` of a template that is ready for undefined values.
pub(super) fn may_default(error: &Error, template: &str) -> bool {
    let part = error.range().and_then(|range| error.template_source()?.get(range));
    let field = |part: &str| part.contains(['.', '[']) && !part.contains(char::is_whitespace);
    part.is_some_and(field) && ["default", "d(", "defined"].iter().any(|word| template.contains(word))
}

/// The engine's error in the template at `place`; `missed` are the variables it found undefined further down.
pub(super) fn explain(
    error: &Error,
    place: &Place,
    world: &World,
    missed: &[(String, Diagnostic)],
) -> Failure {
    if let Some(diagnostic) = carried(error) {
        return Failure::Broken(diagnostic);
    }
    let detail = error.detail().unwrap_or_default();
    if let Some((_, rest)) = detail.split_once('`')
        && let Some((name, _)) = rest.split_once("` is undefined")
    {
        let name = name.rsplit('`').next().unwrap_or(name);
        return undefined(name, place, world, missed);
    }
    let subject = detail.strip_suffix(" is unknown").unwrap_or(detail);
    let subject = ["filter ", "test "].iter().find_map(|p| subject.strip_prefix(p)).unwrap_or(subject);
    let origin = marked(place, subject);
    let (message, hint) = match error.kind() {
        ErrorKind::UndefinedError => return undefined("", place, world, missed),
        ErrorKind::UnknownFilter => {
            let near = did_you_mean(subject, FILTERS.split(", "));
            let hint =
                near.map_or_else(|| format!("there are {FILTERS}"), |n| format!("did you mean `{n}`?"));
            (format!("homelab has no filter `{subject}`"), hint)
        }
        ErrorKind::UnknownTest => {
            (format!("homelab has no test `{subject}`"), format!("there are Jinja's own tests: {TESTS}"))
        }
        ErrorKind::UnknownFunction if subject.contains('(') => (
            format!("homelab has no {subject}"),
            "there is lookup('env', 'NAME'); a secret may come from {file: PATH} or {command: [PROGRAM, …]}"
                .into(),
        ),
        ErrorKind::UnknownFunction => (
            format!("homelab has no function `{subject}`"),
            "there are lookup('env', 'NAME'), range(…) and dict(…)".into(),
        ),
        ErrorKind::SyntaxError => match detail.strip_prefix("unknown statement ") {
            Some(statement) => {
                (format!("homelab has no statement `{statement}`"), format!("there are {STATEMENTS}"))
            }
            None => (format!("this expression cannot be read: {detail}"), CLOSED.into()),
        },
        ErrorKind::OutOfFuel => {
            ("this expression takes too long, or makes too much".into(), "make it smaller".into())
        }
        kind => {
            let detail = if detail.is_empty() { kind.to_string() } else { detail.to_owned() };
            let fails = Diagnostic::error(&marked(place, ""), format!("this expression fails: {detail}"));
            return Failure::Broken(fails.hint(look_at(&place.host)));
        }
    };
    Failure::Broken(Diagnostic::error(&origin, message).hint(hint))
}

/// What an expression is made of can be looked at.
pub(super) fn look_at(host: &HostName) -> String {
    format!("`homelab inventory --host {host} --resolved` shows what its variables come to")
}

/// The variable `name` in the template at `place` is not defined.
pub(super) fn undefined(
    name: &str,
    place: &Place,
    world: &World,
    missed: &[(String, Diagnostic)],
) -> Failure {
    let last = |path: &str| path.rsplit(['.', '[']).next().unwrap_or(path).to_owned();
    if let Some((_, cause)) = missed.iter().find(|(label, _)| last(label) == last(name)) {
        return Failure::Undefined(cause.clone());
    }
    let host = &place.host;
    let origin = marked(place, name);
    if name.is_empty() {
        let undefined = Diagnostic::error(&origin, format!("this has no value for {host}"));
        return Failure::Undefined(undefined.hint(look_at(host)));
    }
    let known = neighbours(name, place, world);
    let field = last(name);
    let near = did_you_mean(&field, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if name.starts_with("ansible_") => {
            "homelab gathers no facts from hosts: set it in the inventory".into()
        }
        None => format!("set it, or write {{{{ {name} | default(…) }}}}"),
    };
    Failure::Undefined(
        Diagnostic::error(&origin, format!("`{name}` is not defined for {host}")).hint(hint).of_absence(),
    )
}

/// What stands where `name` was looked for: variables, or the keys of the map before the last dot.
fn neighbours(name: &str, place: &Place, world: &World) -> Vec<String> {
    let Some(peer) = world.peer(&place.host) else { return Vec::new() };
    let mut way: Vec<&str> = name.split('.').collect();
    way.pop();
    let Some((first, rest)) = way.split_first() else {
        return peer.raw.keys().cloned().chain(MAGIC.map(str::to_owned)).collect();
    };
    let first: Option<&Map> = peer.raw.get(*first).and_then(|n| n.as_map().ok());
    let map = rest.iter().fold(first, |map, key| map?.get(key).and_then(|e| e.node.as_map().ok()));
    map.map(|m| m.0.iter().map(|e| e.key.clone()).collect()).unwrap_or_default()
}

/// The place of `part` of the template in the file, or of the whole template when it is not found as typed.
fn marked(place: &Place, part: &str) -> Origin {
    let origin = &place.node().origin;
    let Value::Str(text) = &place.node().value else { return origin.clone() };
    if part.is_empty() {
        return origin.clone();
    }
    let lines = origin.source.text.lines().enumerate().skip(origin.line - 1).take(text.lines().count() + 1);
    for (index, line) in lines {
        let skip = if index + 1 == origin.line { origin.column - 1 } else { 0 };
        let from = line.char_indices().nth(skip).map_or(line.len(), |(at, _)| at);
        if let Some(at) = word(&line[from..], part) {
            let column = line[..from + at].chars().count() + 1;
            return Origin { line: index + 1, column, length: part.chars().count(), ..origin.clone() };
        }
    }
    origin.clone()
}

/// Where `word` stands in a line, not as a part of a longer name.
fn word(line: &str, word: &str) -> Option<usize> {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = line[..*at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(|c| part_of_name(c) || c == '.') && !after.is_some_and(part_of_name)
    })
}
