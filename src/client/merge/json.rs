//! Merging into JSON with comments. Strings are encoded by the library; no text is put together by hand.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

use super::{Change, Wrong, named};

/// What clients' own parsers take: JSON, comments, commas at the end.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn merge(text: &str, changes: &[Change]) -> Result<String, Wrong> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let root = CstRootNode::parse(text, &OPTIONS)
        .map_err(|e| Wrong(format!("this is no JSON: {}", e.kind()), Some(e.range().start)))?;
    let top = root.object_value().ok_or_else(|| Wrong("it is no map".to_owned(), None))?;
    for change in changes {
        match change {
            Change::Set(path, value) => set(&top, path, |_| false, value)?,
            Change::OneOf(path, values) => {
                let fine = |found: &Value| values.iter().any(|value| found == value);
                set(&top, path, fine, &values.first().map_or(Value::Null, |first| first.as_str().into()))?;
            }
            Change::Only(path, names) => only(&top, path, names)?,
        }
    }
    Ok(root.to_string())
}

/// Puts a value there, unless what is there is the same or `fine`.
fn set(top: &CstObject, path: &[String], fine: impl Fn(&Value) -> bool, value: &Value) -> Result<(), Wrong> {
    let Some((name, way)) = path.split_last() else { return Ok(()) };
    let mut map = top.clone();
    for (depth, step) in way.iter().enumerate() {
        single(&map, step, &path[..=depth])?;
        let known = map.get(step).is_some();
        map = map
            .object_value_or_create(step)
            .ok_or_else(|| Wrong(format!("{} is no map", named(&path[..=depth])), None))?;
        if !known {
            map.ensure_multiline();
        }
    }
    single(&map, name, path)?;
    match map.get(name) {
        Some(property) => {
            let found = property.value().and_then(|found| found.to_serde_value());
            if found.as_ref().is_some_and(|found| found.is_object() || found.is_array()) {
                return Err(Wrong(format!("{} is a map or a list", named(path)), None));
            }
            if !found.is_some_and(|found| found == *value || fine(&found)) {
                property.set_value(input(value));
            }
        }
        None => {
            if map.properties().is_empty() {
                map.ensure_multiline();
            }
            map.append(name, input(value));
        }
    }
    Ok(())
}

/// Of two keys of one name readers take the last, and who wrote them may mean either.
fn single(map: &CstObject, name: &str, path: &[String]) -> Result<(), Wrong> {
    let same = |property: &jsonc_parser::cst::CstObjectProp| property.decoded_name().as_deref() == Some(name);
    match map.properties().iter().filter(|property| same(property)).count() {
        0 | 1 => Ok(()),
        _ => Err(Wrong(format!("{} stands there twice", named(path)), None)),
    }
}

fn only(top: &CstObject, path: &[String], names: &[String]) -> Result<(), Wrong> {
    let mut map = top.clone();
    for (depth, step) in path.iter().enumerate() {
        single(&map, step, &path[..=depth])?;
        match map.object_value(step) {
            Some(next) => map = next,
            None => return Ok(()),
        }
    }
    for property in map.properties() {
        if property.decoded_name().is_none_or(|name| !names.contains(&name)) {
            property.remove();
        }
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(map) => {
            CstInputValue::Object(map.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}
