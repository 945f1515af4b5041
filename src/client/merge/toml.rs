//! Merging into TOML. Keys and strings are encoded by the library; no text is put together by hand.

use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::{Change, Wrong, named};

pub(super) fn merge(text: &str, changes: &[Change]) -> Result<String, Wrong> {
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        Wrong(format!("this is no TOML: {}", e.message()), e.span().map(|span| span.start))
    })?;
    for change in changes {
        match change {
            Change::Set(path, value) => set(&mut document, path, |_| false, value)?,
            Change::OneOf(path, values) => {
                let fine = |found: &Item| values.iter().any(|value| found.as_str() == Some(value));
                let first = values.first().map_or(Value::Null, |first| first.as_str().into());
                set(&mut document, path, fine, &first)?;
            }
            Change::Only(path, names) => only(&mut document, path, names),
        }
    }
    Ok(document.to_string())
}

/// Puts a value there, unless what is there is the same or `fine`.
fn set(
    document: &mut DocumentMut,
    path: &[String],
    fine: impl Fn(&Item) -> bool,
    value: &Value,
) -> Result<(), Wrong> {
    let (Some((name, way)), Some(new)) = (path.split_last(), scalar(value)) else { return Ok(()) };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, step) in way.iter().enumerate() {
        let next = table.entry(step).or_insert_with(|| Item::Table(implicit()));
        table = next
            .as_table_like_mut()
            .ok_or_else(|| Wrong(format!("{} is no table", named(&path[..=depth])), None))?;
    }
    let Some(found) = table.get_mut(name) else {
        table.insert(name, Item::Value(new));
        return Ok(());
    };
    let holds = |value: &toml_edit::Value| value.is_inline_table() || value.is_array();
    let Some(old) = found.as_value_mut().filter(|old| !holds(old)) else {
        return Err(Wrong(format!("{} is a table or an array", named(path)), None));
    };
    if same(old, value) || fine(&Item::Value(old.clone())) {
        return Ok(());
    }
    // What stands around a value, such as a comment behind it, belongs to its owner.
    let decor = old.decor().clone();
    *old = new;
    *old.decor_mut() = decor;
    Ok(())
}

/// A table that has no header of its own as long as it holds tables only.
fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn same(found: &toml_edit::Value, wanted: &Value) -> bool {
    match wanted {
        Value::String(text) => found.as_str() == Some(text),
        Value::Number(number) => found.as_integer() == number.as_i64() && number.is_i64(),
        Value::Bool(value) => found.as_bool() == Some(*value),
        _ => false,
    }
}

/// What clients' settings in TOML consist of; there is no null.
fn scalar(value: &Value) -> Option<toml_edit::Value> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => number.as_i64().map(Into::into),
        Value::Bool(value) => Some((*value).into()),
        _ => None,
    }
}

fn only(document: &mut DocumentMut, path: &[String], names: &[String]) {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for step in path {
        match table.get_mut(step).and_then(Item::as_table_like_mut) {
            Some(next) => table = next,
            None => return,
        }
    }
    let gone: Vec<String> =
        table.iter().map(|(key, _)| key.to_owned()).filter(|key| !names.contains(key)).collect();
    for key in gone {
        table.remove(&key);
    }
}
