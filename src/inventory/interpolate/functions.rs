//! The template engine as expressions find it: strict, metered, with what inventories use of Ansible.
//! It has no way to a file, a process, a clock or the real environment.

use std::sync::{Arc, Weak};

use minijinja::value::{Kwargs, Rest, Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::Inner;
use crate::inventory::world::World;

/// How much work one template may make: about this many steps, or 64 bytes for each of them.
const FUEL: u64 = 50_000;

/// The filters there are, for the message about one that is not.
pub(super) const FILTERS: &str = "abs, attr, basename, batch, bool, capitalize, combine, count, default, dict2items, \
     dictsort, dirname, first, float, format, groupby, indent, int, items, join, last, length, lines, list, lower, \
     mandatory, map, max, min, pprint, reject, rejectattr, replace, reverse, round, select, selectattr, slice, sort, \
     split, string, sum, ternary, title, to_json, tojson, trim, unique, upper, zip";

/// The statements there are.
pub(super) const STATEMENTS: &str = "if, for, set, with, filter, do and raw";

/// The tests there are, those with two names once.
pub(super) const TESTS: &str = "boolean, defined, divisibleby, endingwith, eq, even, false, float, ge, gt, in, integer, \
     iterable, le, lower, lt, mapping, ne, none, number, odd, sameas, sequence, startingwith, string, true, undefined, upper";

/// The engine of one session.
pub(super) fn engine(session: &Weak<Inner>, world: &Arc<World>) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    // It names the variable that is undefined, and where in the expression it stands.
    engine.set_debug(true);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(100);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_unknown_method_callback(method);
    let formatting = session.clone();
    engine.set_formatter(move |out, state, value| {
        if value.is_undefined() && state.undefined_behavior() == UndefinedBehavior::Chainable {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let text = formatting.upgrade().map(|session| session.write(value)).transpose()?;
        out.write_str(&text.unwrap_or_default()).map_err(Error::from)
    });
    engine.add_filter("bool", boolean);
    engine.add_filter("mandatory", mandatory);
    engine.add_filter("ternary", ternary);
    engine.add_filter("combine", combine);
    engine.add_filter("dict2items", dict2items);
    engine.add_filter("basename", |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned());
    engine.add_filter("dirname", |path: &str| {
        path.rsplit_once('/').map_or(String::new(), |(d, _)| d.to_owned())
    });
    let writing = session.clone();
    engine.add_filter("to_json", move |value: &Jinja| match writing.upgrade() {
        Some(session) => session.json(value),
        None => Ok(String::new()),
    });
    let env = Arc::clone(world);
    engine.add_function("lookup", move |kind: &str, names: Rest<Jinja>, options: Kwargs| {
        lookup(&env, kind, &names, &options)
    });
    engine
}

/// The same engine for a second try, where `default` meets the field of something undefined.
/// What is undefined may still not be written.
pub(super) fn lenient(strict: &Environment<'static>) -> Environment<'static> {
    let mut engine = strict.clone();
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine
}

fn bad(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail.into())
}

/// `lookup('env', 'NAME')`: what is not set is empty, as in Ansible, unless `default` says otherwise.
fn lookup(world: &World, kind: &str, names: &[Jinja], options: &Kwargs) -> Result<Jinja, Error> {
    if !["env", "ansible.builtin.env"].contains(&kind) {
        return Err(Error::new(ErrorKind::UnknownFunction, format!("lookup('{kind}') is unknown")));
    }
    let default: Option<Jinja> = options.get("default")?;
    options.assert_all_used()?;
    let [name] = names else { return Err(bad("lookup('env', …) takes one name")) };
    let name = name.as_str().ok_or_else(|| bad("lookup('env', …) takes the name of a variable"))?;
    Ok(match world.env.get(name) {
        Some(value) => value.as_str().into(),
        None => default.unwrap_or_else(|| "".into()),
    })
}

/// Ansible's `bool`: the text `no` is false, which plain truth would get wrong.
fn boolean(value: &Jinja) -> Result<bool, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(value.is_true());
    }
    match value.to_string().to_lowercase().as_str() {
        "yes" | "on" | "1" | "true" | "1.0" | "y" | "t" => Ok(true),
        "no" | "off" | "0" | "false" | "0.0" | "n" | "f" | "" | "none" => Ok(false),
        other => Err(bad(format!("`{other}` is neither true nor false"))),
    }
}

fn mandatory(value: &Jinja, message: Option<String>) -> Result<Jinja, Error> {
    if value.is_undefined() {
        return Err(bad(message.unwrap_or_else(|| "a mandatory variable is not defined".into())));
    }
    Ok(value.clone())
}

fn ternary(value: &Jinja, yes: Jinja, no: Jinja, none: Option<Jinja>) -> Jinja {
    match none {
        Some(none) if value.is_none() => none,
        _ if value.is_true() => yes,
        _ => no,
    }
}

/// Ansible's `combine` without its options: of two values for a key the later.
fn combine(first: &Jinja, others: Rest<Jinja>, options: Kwargs) -> Result<Jinja, Error> {
    options.assert_all_used().map_err(|_| bad("`combine` takes maps only here, no options"))?;
    let mut all = std::collections::BTreeMap::new();
    for map in std::iter::once(first).chain(others.iter()) {
        if map.kind() != ValueKind::Map {
            return Err(bad(format!("`combine` takes maps, not a {}", map.kind())));
        }
        for key in map.try_iter()? {
            all.insert(key.to_string(), map.get_item(&key)?);
        }
    }
    Ok(Jinja::from_pairs(all))
}

fn dict2items(map: &Jinja) -> Result<Vec<Jinja>, Error> {
    if map.kind() != ValueKind::Map {
        return Err(bad(format!("`dict2items` takes a map, not a {}", map.kind())));
    }
    let item = |key: Jinja| Ok(Jinja::from_pairs([("value", map.get_item(&key)?), ("key", key)]));
    map.try_iter()?.map(item).collect()
}

/// Python's methods that inventories use, as the filters they are here: those count what they cost.
fn method(state: &mut State<'_, '_>, value: &Jinja, name: &str, args: &[Jinja]) -> Result<Jinja, Error> {
    let mut with_value = vec![value.clone()];
    with_value.extend_from_slice(args);
    let is_map = value.kind() == ValueKind::Map;
    match (value.kind(), name) {
        (ValueKind::Map, "get") => {
            let found =
                args.first().map(|key| value.get_item(key)).transpose()?.filter(|v| !v.is_undefined());
            Ok(found.or_else(|| args.get(1).cloned()).unwrap_or_else(|| Jinja::from(())))
        }
        (ValueKind::Map, "keys") => Ok(value.try_iter()?.collect()),
        (ValueKind::Map, "values") => value.try_iter()?.map(|key| value.get_item(&key)).collect(),
        (ValueKind::Map, "items") => state.apply_filter("items", &with_value),
        (ValueKind::String, "lower" | "upper" | "title" | "capitalize" | "replace" | "split") => {
            state.apply_filter(name, &with_value)
        }
        (ValueKind::String, "strip") => state.apply_filter("trim", &with_value),
        (ValueKind::String, "startswith") => state.perform_test("startingwith", &with_value).map(Jinja::from),
        (ValueKind::String, "endswith") => state.perform_test("endingwith", &with_value).map(Jinja::from),
        (ValueKind::String, "join") => {
            with_value.swap(0, 1.min(args.len()));
            state.apply_filter("join", &with_value)
        }
        _ => {
            let what = if is_map { "map".into() } else { value.kind().to_string() };
            Err(Error::new(ErrorKind::UnknownMethod, format!("{what} has no method `{name}` here")))
        }
    }
}
