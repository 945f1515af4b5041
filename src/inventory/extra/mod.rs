//! `-e`: variables from the command line, which beat all others.
//! It reads the files that are named there; what they mean for a host is decided elsewhere.

mod pairs;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::tree::Vars;
use super::vault::Keyring;
use super::{Map, Value, files, yaml};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};

/// The variables of all `-e` in their order: a later one replaces an earlier one whole.
pub(super) fn read(
    given: &[String],
    env: &BTreeMap<String, String>,
    keys: &Keyring,
    problems: &mut Diagnostics,
) -> Vars {
    let mut vars = Vars::new();
    for text in given.iter().filter(|text| !text.is_empty()) {
        let map = one(text, env, keys, problems).unwrap_or_default();
        vars.extend(map.effective().into_iter().map(|e| (e.key.clone(), Arc::new(e.node.clone()))));
    }
    vars
}

fn one(
    text: &str,
    env: &BTreeMap<String, String>,
    keys: &Keyring,
    problems: &mut Diagnostics,
) -> Option<Map> {
    let typed = Arc::new(Source { name: "-e".into(), text: text.into() });
    let source = match (text.strip_prefix('@'), text.chars().next()) {
        (Some(path), _) => {
            let path = match (path.strip_prefix("~/"), env.get("HOME")) {
                (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
                _ => PathBuf::from(path),
            };
            problems.take(files::read(&path))?
        }
        (None, Some('{' | '[')) => typed,
        (None, Some('/' | '.')) => {
            let error = Diagnostic::error(&yaml::start(&typed), "this looks like a file");
            problems.push(error.hint(format!("a file of variables has an @ before its name: -e @{text}")));
            return None;
        }
        (None, _) => return problems.take(pairs::read(&typed)),
    };
    let root = yaml::read(&source, keys, problems)?;
    match root.value {
        Value::Map(map) => Some(map),
        _ => {
            problems.push(root.expected("a map of variables"));
            None
        }
    }
}
