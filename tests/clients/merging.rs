//! Whatever was in a file: what is merged is there, all else is as it was, and a second time changes nothing.

use homelab::client::{Change, Format, merge};
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstNode, CstRootNode};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::dice::Dice;
use crate::files::file;

/// Keys that clients' settings have, among others.
const NAMES: [&str; 12] = [
    "env",
    "model",
    "provider",
    "homelab",
    "models",
    "model_providers",
    "ANTHROPIC_MODEL",
    "qwen3-4b",
    "options",
    "a.b",
    "odd \"one\"",
    "z",
];
const TEXTS: [&str; 6] = ["", "small", "homelab", "a \"b\" \\ c", "# no comment // either", "ü\u{1f600}"];

fn scalar(dice: &mut Dice<'_>) -> Value {
    match dice.below(4) {
        0 => TEXTS[dice.below(TEXTS.len())].into(),
        1 => dice.below(1000).into(),
        2 => dice.coin().into(),
        _ => "x".into(),
    }
}

fn map(dice: &mut Dice<'_>, depth: usize) -> Map<String, Value> {
    let mut all = Map::new();
    for _ in 0..dice.below(5) {
        let name = NAMES[dice.below(NAMES.len())];
        let value = match dice.below(3) {
            0 | 1 if depth < 4 => Value::Object(map(dice, depth + 1)),
            2 if dice.once_in(4) => vec![scalar(dice), scalar(dice)].into(),
            _ => scalar(dice),
        };
        all.insert(name.to_owned(), value);
    }
    all
}

/// A gap between two words of JSON, perhaps with a comment; comments are numbered.
fn gap(dice: &mut Dice<'_>, comments: &mut usize) -> String {
    match dice.below(8) {
        0 => "\n  ".to_owned(),
        1 => " ".to_owned(),
        2 => {
            *comments += 1;
            format!(" /* c{comments}. */ ")
        }
        3 => {
            *comments += 1;
            format!(" // c{comments}.\n")
        }
        _ => String::new(),
    }
}

fn json(value: &Value, dice: &mut Dice<'_>, comments: &mut usize) -> String {
    let Value::Object(map) = value else { return value.to_string() };
    let mut text = "{".to_owned();
    for (i, (key, value)) in map.iter().enumerate() {
        text += if i > 0 { "," } else { "" };
        text += &format!("{}{}", gap(dice, comments), Value::from(key.as_str()));
        text += &format!("{}:{}", gap(dice, comments), gap(dice, comments));
        text += &json(value, dice, comments);
        text += &gap(dice, comments);
    }
    text += if !map.is_empty() && dice.coin() { "," } else { "" };
    text + &gap(dice, comments) + "}"
}

fn toml(map: &Map<String, Value>, dice: &mut Dice<'_>, comments: &mut usize) -> String {
    let mut document = toml_edit::DocumentMut::new();
    for (key, value) in map {
        document.insert(key, item(value, dice));
    }
    let mut text = String::new();
    for line in document.to_string().lines() {
        if dice.coin() {
            *comments += 1;
            text += &format!("# c{comments}.\n");
        }
        text += line;
        if dice.coin() {
            *comments += 1;
            text += &format!(" # c{comments}.");
        }
        text.push('\n');
    }
    text
}

fn item(value: &Value, dice: &mut Dice<'_>) -> toml_edit::Item {
    match value {
        Value::Object(map) if dice.once_in(4) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in map {
                if let Ok(value) = item(value, dice).into_value() {
                    table.insert(key, value);
                }
            }
            table.into()
        }
        Value::Object(map) => {
            let mut table = toml_edit::Table::new();
            for (key, value) in map {
                table.insert(key, item(value, dice));
            }
            toml_edit::Item::Table(table)
        }
        Value::String(text) => toml_edit::value(text),
        Value::Bool(value) => toml_edit::value(*value),
        Value::Number(number) => toml_edit::value(number.as_i64().unwrap()),
        Value::Array(list) => {
            toml_edit::value(list.iter().map(ToString::to_string).collect::<toml_edit::Array>())
        }
        Value::Null => unreachable!("none is made"),
    }
}

/// What a text in TOML says.
fn said(item: &dyn toml_edit::TableLike) -> Value {
    let one = |item: &toml_edit::Item| match item.as_table_like() {
        Some(table) => said(table),
        None => match item.as_value() {
            Some(toml_edit::Value::String(text)) => text.value().as_str().into(),
            Some(toml_edit::Value::Integer(number)) => (*number.value()).into(),
            Some(toml_edit::Value::Boolean(value)) => (*value.value()).into(),
            Some(toml_edit::Value::Array(list)) => {
                list.iter().map(|value| value.to_string().trim().into()).collect::<Vec<Value>>().into()
            }
            other => other.map_or(Value::Null, |value| value.to_string().trim().into()),
        },
    };
    Value::Object(item.iter().map(|(key, item)| (key.to_owned(), one(item))).collect())
}

/// What a merge must come to; none where a path leads through what is no map.
fn expected(value: &Value, changes: &[Change]) -> Option<Value> {
    let mut top = value.clone();
    for change in changes {
        match change {
            Change::Set(path, value) => put(&mut top, path, |_| false, value)?,
            Change::OneOf(path, values) => {
                put(&mut top, path, |found| values.iter().any(|v| found == v), &values[0].as_str().into())?;
            }
            Change::Only(path, names) => {
                let found = path.iter().try_fold(&mut top, |at, step| at.get_mut(step));
                if let Some(map) = found.and_then(Value::as_object_mut) {
                    map.retain(|key, _| names.contains(key));
                }
            }
        }
    }
    Some(top)
}

fn put(top: &mut Value, path: &[String], fine: impl Fn(&Value) -> bool, value: &Value) -> Option<()> {
    let (name, way) = path.split_last()?;
    let mut at = top;
    for step in way {
        let map = at.as_object_mut()?;
        at = map.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    let map = at.as_object_mut()?;
    match map.get(name) {
        Some(found) if found.is_object() || found.is_array() => None,
        Some(found) if fine(found) => Some(()),
        _ => {
            map.insert(name.clone(), value.clone());
            Some(())
        }
    }
}

/// The numbers of the comments in a text, in order.
fn comments(text: &str) -> Vec<usize> {
    let numbers = text.split('c').skip(1).filter_map(|rest| rest.split_once('.')?.0.parse().ok());
    numbers.collect()
}

/// The keys of a text in JSON, each with all that it lies in, in order.
fn keys(text: &str) -> Vec<String> {
    fn below(node: &CstNode, path: &str, all: &mut Vec<String>) {
        for property in node.as_object().iter().flat_map(|map| map.properties()) {
            let path = format!("{path}/{}", property.decoded_name().unwrap());
            all.push(path.clone());
            below(&property.value().unwrap(), &path, all);
        }
    }
    let mut all = vec![];
    below(&CstRootNode::parse(text, &ParseOptions::default()).unwrap().value().unwrap(), "", &mut all);
    all
}

fn is_part_in_order<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|one| rest.any(|other| other == one))
}

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    ProptestConfig { cases: 500.max(asked), failure_persistence: None, ..ProptestConfig::default() }
}

/// The changes without those that take something away: with it go the comments in it.
fn keeping(changes: &[Change]) -> Vec<Change> {
    changes.iter().filter(|change| !matches!(change, Change::Only(..))).cloned().collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn json_keeps_all_that_is_not_ours(bytes in proptest::collection::vec(any::<u8>(), 0..200), prune: bool) {
        let mut dice = Dice::new(&bytes);
        let mut settings = file(["claude-code", "opencode"][dice.below(2)], Format::Json);
        if !prune {
            settings.changes = keeping(&settings.changes);
        }
        let value = Value::Object(map(&mut dice, 0));
        let mut count = 0;
        let text = format!("{}{}{}", gap(&mut dice, &mut count), json(&value, &mut dice, &mut count), gap(&mut dice, &mut count));
        match (merge::merge("f", &text, &settings), expected(&value, &settings.changes)) {
            (Ok(merged), Some(wanted)) => {
                let read = CstRootNode::parse(&merged, &ParseOptions::default()).unwrap();
                prop_assert_eq!(read.to_serde_value(), Some(wanted), "{}\n→\n{}", text, merged);
                prop_assert_eq!(&merge::merge("f", &merged, &settings).unwrap(), &merged);
                if !prune {
                    prop_assert!(is_part_in_order(&comments(&text), &comments(&merged)), "{}\n→\n{}", text, merged);
                    prop_assert!(is_part_in_order(&keys(&text), &keys(&merged)), "{}\n→\n{}", text, merged);
                }
            }
            (Err(_), None) => {}
            (merged, wanted) => prop_assert!(false, "{text}\n→\n{merged:?}\n{wanted:?}"),
        }
    }

    #[test]
    fn toml_keeps_all_that_is_not_ours(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut dice = Dice::new(&bytes);
        let settings = file("codex", Format::Toml);
        let value = map(&mut dice, 0);
        let mut count = 0;
        let text = toml(&value, &mut dice, &mut count);
        let value = said(text.parse::<toml_edit::DocumentMut>().unwrap().as_table());
        match (merge::merge("f", &text, &settings), expected(&value, &settings.changes)) {
            (Ok(merged), Some(wanted)) => {
                let read = said(merged.parse::<toml_edit::DocumentMut>().unwrap().as_table());
                prop_assert_eq!(read, wanted, "{}\n→\n{}", text, merged);
                prop_assert_eq!(&merge::merge("f", &merged, &settings).unwrap(), &merged);
                let (mut before, mut after) = (comments(&text), comments(&merged));
                before.sort_unstable();
                after.sort_unstable();
                prop_assert_eq!(before, after, "{}\n→\n{}", text, merged);
            }
            (Err(_), None) => {}
            (merged, wanted) => prop_assert!(false, "{text}\n→\n{merged:?}\n{wanted:?}"),
        }
    }

    #[test]
    fn lines_of_variables_stay(lines in proptest::collection::vec("[A-C#]{0,3}=?[ a-z'\"]{0,6}", 0..8)) {
        let settings = file("codex", Format::Env);
        let text = lines.join("\n");
        let merged = merge::merge("f", &text, &settings).unwrap();
        let (before, after): (Vec<_>, Vec<_>) = (text.lines().collect(), merged.lines().collect());
        prop_assert_eq!(&after[..after.len() - 1], &before[..]);
        prop_assert_eq!(after.last(), Some(&"HOMELAB_API_KEY=sk-1"));
        prop_assert_eq!(&merge::merge("f", &merged, &settings).unwrap(), &merged);
    }

    #[test]
    fn any_text_is_merged_into_or_refused(text in "[\\[\\]{}\"':,=#/* \n a-c0]{0,40}") {
        for (name, format) in [("opencode", Format::Json), ("codex", Format::Toml), ("codex", Format::Env)] {
            let settings = file(name, format);
            if let Ok(merged) = merge::merge("f", &text, &settings) {
                prop_assert_eq!(&merge::merge("f", &merged, &settings).unwrap(), &merged);
            }
        }
    }
}
