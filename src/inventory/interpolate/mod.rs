//! Expressions in variables (`{{ … }}`), evaluated when they are asked for.
//! It sees the inventory and nothing else: no file, no process, no clock, no environment but the one given.

mod deep;
mod explain;
mod functions;
mod lazy;
mod secret;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{Environment, Error};

use super::vault::Values;
use super::world::World;
use super::{Node, Value, python};
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::names::HostName;
use explain::Failure;
use lazy::{Lazy, Place, Scope};
use secret::Taint;

pub(super) use text::is_template;

/// How many variables may stand for one another in a row.
const MAX_CHAIN: usize = 30;
/// How long a text with an expression in it may be, in bytes: each sign of one may nest one step deeper.
const MAX_TEMPLATE: usize = 8 << 10;
/// How many values one question may come to, and how many bytes of text.
const MAX_VALUES: usize = 200_000;
const MAX_BYTES: usize = 8 << 20;

/// One round of questions: what was evaluated once is remembered until it is dropped.
pub(super) struct Session(Arc<Inner>);

pub(super) struct Inner {
    world: Arc<World>,
    values: Values,
    strict: Environment<'static>,
    /// The same, but `a.b.c` of an undefined `a` is undefined instead of an error.
    lenient: Environment<'static>,
    me: Weak<Inner>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<(HostName, usize), Outcome>,
    /// The templates that are being evaluated, each for the one before it.
    chain: Vec<Link>,
    /// The lists, maps and templates that are being written out.
    open: Vec<(HostName, usize)>,
    values: usize,
    bytes: usize,
}

/// What a template comes to.
#[derive(Clone)]
struct Outcome {
    value: Result<Jinja, Failure>,
    taint: Taint,
}

impl From<Diagnostic> for Outcome {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { value: Err(Failure::Broken(diagnostic)), taint: Taint::default() }
    }
}

struct Link {
    spot: (HostName, usize),
    place: Place,
    taint: Taint,
    /// What it found undefined further down, and why.
    missed: Vec<(String, Diagnostic)>,
    /// What it wrote first, and how often it wrote.
    wrote: Option<(Jinja, String)>,
    writes: usize,
}

impl Session {
    pub(super) fn new(world: &Arc<World>, values: Values) -> Self {
        Self(Arc::new_cyclic(|me| {
            let strict = functions::engine(me, world);
            let lenient = functions::lenient(&strict);
            let (world, me) = (Arc::clone(world), me.clone());
            Inner { world, values, strict, lenient, me, state: Mutex::default() }
        }))
    }

    /// A variable with everything in it evaluated. What cannot be is noted and left as it was typed.
    pub(super) fn evaluate(
        &self,
        host: &HostName,
        name: &str,
        node: &Arc<Node>,
        problems: &mut Diagnostics,
    ) -> Node {
        self.0.deep(&Place::variable(host, name, node), problems)
    }

    /// The same, but of a map only the entries that are wanted.
    pub(super) fn evaluate_where(
        &self,
        host: &HostName,
        name: &str,
        node: &Arc<Node>,
        (wanted, problems): (&dyn Fn(&str) -> bool, &mut Diagnostics),
    ) -> Node {
        self.0.deep_where(&Place::variable(host, name, node), wanted, problems)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node as the engine sees it; nothing when it comes to something undefined.
    fn touch(&self, place: Place) -> Option<Jinja> {
        // Outside of a template nothing would be tainted: hand out the place, for `deep` to mark what it is.
        let outside = self.state().chain.is_empty();
        let node = place.node();
        Some(match &node.value {
            _ if outside => Jinja::from_object(Lazy { session: self.me.clone(), place }),
            _ if text::template(node).is_some() => match self.outcome(&place).value {
                Ok(value) => value,
                Err(Failure::Broken(diagnostic)) => Jinja::from(explain::wrapped(diagnostic)),
                Err(Failure::Undefined(diagnostic)) => {
                    if let Some(link) = self.state().chain.last_mut() {
                        link.missed.push((place.label.clone(), diagnostic));
                    }
                    return None;
                }
            },
            Value::Vault(vaulted) => self.revealed(&place, vaulted),
            Value::Seq(_) | Value::Map(_) => Jinja::from_object(Lazy { session: self.me.clone(), place }),
            single => scalar(single),
        })
    }

    /// What the template at `place` comes to; what taints it taints the template that asks.
    fn outcome(&self, place: &Place) -> Outcome {
        let outcome = self.fresh_or_known(place);
        if let Some(link) = self.state().chain.last_mut() {
            link.taint.absorb(&outcome.taint);
        }
        outcome
    }

    fn fresh_or_known(&self, place: &Place) -> Outcome {
        let spot = place.spot();
        {
            let mut state = self.state();
            if let Some(known) = state.known.get(&spot) {
                return known.clone();
            }
            if let Some(at) = state.chain.iter().position(|link| link.spot == spot) {
                return cycle(state.chain[at..].iter().map(|link| &link.place)).into();
            }
            if state.chain.len() >= MAX_CHAIN {
                let message = format!("more than {MAX_CHAIN} variables stand for one another here");
                let error = Diagnostic::error(&place.node().origin, message);
                return error.hint("write out what the last of them stands for").into();
            }
            state.values += 1;
            let (place, missed) = (place.clone(), Vec::new());
            let taint = Taint::at(&place);
            state.chain.push(Link { spot: spot.clone(), place, taint, missed, wrote: None, writes: 0 });
        }
        let result = self.render(place);
        let mut state = self.state();
        state.bytes += result.as_ref().ok().and_then(Jinja::as_str).map_or(0, str::len);
        let value = if state.bytes > MAX_BYTES || state.values > MAX_VALUES {
            Err(Failure::Broken(too_much(&place.node().origin)))
        } else {
            result
        };
        let taint = state.chain.pop().map(|link| link.taint).unwrap_or_default();
        let outcome = Outcome { value, taint };
        state.known.insert(spot, outcome.clone());
        outcome
    }

    /// Evaluates the template at `place`, which is the last link of the chain.
    fn render(&self, place: &Place) -> Result<Jinja, Failure> {
        let Some(text) = text::template(place.node()) else { return Ok(Jinja::from(())) };
        // Like Ansible: line breaks at the end are not part of the template, but of a text it makes.
        let template = text.trim_end_matches('\n');
        if template.len() > MAX_TEMPLATE {
            let limit = MAX_TEMPLATE >> 10;
            let message = format!("a text with expressions in it is longer than {limit} KiB here");
            return Err(Failure::Broken(
                Diagnostic::error(&place.node().origin, message)
                    .hint("put what is long into a variable of its own, without expressions"),
            ));
        }
        let breaks = &text[template.len()..];
        let value = self.run(&self.strict, template, &place.host).or_else(|error| {
            let failure = explain::explain(&error, place, &self.world, &self.missed());
            // Ansible's `default` helps where `a` of `a.b.c` is undefined; the strict engine stops before.
            if explain::may_default(&error, template)
                && let Ok(value) = self.run(&self.lenient, template, &place.host)
                && !value.is_undefined()
            {
                return Ok(value);
            }
            let own = explain::carried(&error).is_none() && self.tainted();
            Err(if own { secret::hushed(failure, place) } else { failure })
        })?;
        if value.is_undefined() {
            return Err(explain::undefined("", place, &self.world, &self.missed()));
        }
        Ok(match value.as_str() {
            Some(text) if !breaks.is_empty() => Jinja::from(format!("{text}{breaks}")),
            _ => value,
        })
    }

    /// What one engine makes of a template.
    fn run(&self, engine: &Environment<'static>, template: &str, host: &HostName) -> Result<Jinja, Error> {
        let scope = || Jinja::from_object(Scope { session: self.me.clone(), host: host.clone() });
        if let Some(link) = self.state().chain.last_mut() {
            (link.writes, link.wrote) = (0, None);
        }
        if let Some(expression) = text::sole_expression(template) {
            let value = engine.compile_expression_owned(expression.to_owned())?.eval(scope())?;
            // The value may itself be the error of something further down.
            self.valid(&value)?;
            if !value.is_undefined() {
                return Ok(value);
            }
            // Only an error names what is undefined: make it one below.
        }
        let whole = engine.render_str(template, scope())?;
        Ok(self.written(whole))
    }

    /// Whether the last link of the chain touched a value of a vault.
    fn tainted(&self) -> bool {
        self.state().chain.last().is_some_and(|link| link.taint.is_secret())
    }

    /// What the last link of the chain found undefined further down.
    fn missed(&self) -> Vec<(String, Diagnostic)> {
        self.state().chain.last().map(|link| link.missed.clone()).unwrap_or_default()
    }

    /// What a template wrote: if that was one value and nothing else, the value itself, as in Ansible
    /// (`{% if x %}{{ 5 }}{% endif %}` is a number).
    fn written(&self, whole: String) -> Jinja {
        let mut state = self.state();
        match state.chain.last_mut().map(|link| (link.writes, link.wrote.take())) {
            Some((1, Some((value, text)))) if text == whole => value,
            _ => Jinja::from(whole),
        }
    }

    /// A value as a template writes it into its text.
    fn write(&self, value: &Jinja) -> Result<String, Error> {
        self.valid(value)?;
        let text = match value.kind() {
            ValueKind::Undefined | ValueKind::None => String::new(),
            ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => python::repr(&self.node(value)?),
            _ => value.to_string(),
        };
        if let Some(link) = self.state().chain.last_mut() {
            link.writes += 1;
            link.wrote = (link.writes == 1).then(|| (value.clone(), text.clone()));
        }
        Ok(text)
    }

    fn json(&self, value: &Jinja) -> Result<String, Error> {
        Ok(self.node(value)?.to_json().map_err(explain::wrapped)?.to_string())
    }

    /// The error that an invalid value stands for.
    fn valid(&self, value: &Jinja) -> Result<(), Error> {
        match value.kind() {
            ValueKind::Invalid => value.get_attr("").map(|_| ()),
            _ => Ok(()),
        }
    }

    /// A value with everything in it evaluated, for use inside an expression.
    fn node(&self, value: &Jinja) -> Result<Node, Error> {
        let here = self.state().chain.last().map(|link| link.place.node().origin.clone());
        let Some(here) = here else { return Err(Error::from(minijinja::ErrorKind::InvalidOperation)) };
        let mut problems = Diagnostics::default();
        let node = self.node_of(value, &here, 0, &mut problems);
        match problems.0.into_iter().next() {
            Some(first) => Err(explain::wrapped(first)),
            None => Ok(self.bare(node)),
        }
    }
}

/// A single value as the engine sees it.
fn scalar(value: &Value) -> Jinja {
    match value {
        Value::Bool(flag) => Jinja::from(*flag),
        Value::Int(number) => Jinja::from(*number),
        Value::Float(number) => Jinja::from(*number),
        Value::Str(text) | Value::Unsafe(text) => Jinja::from(text.as_str()),
        Value::Null | Value::Vault(_) | Value::Seq(_) | Value::Map(_) => Jinja::from(()),
    }
}

/// Adds a diagnostic unless it is there: several values may fail for one reason.
fn note(diagnostic: Diagnostic, problems: &mut Diagnostics) {
    if !problems.0.contains(&diagnostic) {
        problems.push(diagnostic);
    }
}

fn too_much(origin: &Origin) -> Diagnostic {
    Diagnostic::error(origin, "the expressions here come to too much")
        .hint("lists of lists of expressions grow without end")
}

/// The variables that stand for one another, the first of them once more at the end.
fn cycle<'a>(places: impl Iterator<Item = &'a Place>) -> Diagnostic {
    let places: Vec<&Place> = places.collect();
    let first = places[0];
    let name = |place: &&Place| match place.host == first.host {
        true => place.label.clone(),
        false => format!("hostvars['{}'].{}", place.host, place.label),
    };
    let mut chain: Vec<String> = places.iter().map(name).collect();
    chain.push(first.label.clone());
    Diagnostic::error(
        &first.node().origin,
        format!("`{}` refers to itself: {}", first.label, chain.join(" → ")),
    )
    .hint("give one of them a value of its own")
}
