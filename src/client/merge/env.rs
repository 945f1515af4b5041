//! Merging into lines of `NAME=VALUE`, as dotenv reads them; `export` in front of a name may stand there.

use serde_json::Value;

use super::{Change, Wrong};

pub(super) fn merge(text: &str, changes: &[Change]) -> Result<String, Wrong> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for change in changes {
        let Change::Set(path, Value::String(value)) = change else { continue };
        for name in path {
            put(&mut lines, name, value)?;
        }
    }
    Ok(lines.concat())
}

fn put(lines: &mut Vec<String>, name: &str, value: &str) -> Result<(), Wrong> {
    let wanted = format!("{name}={}", quoted(value)?);
    let mut found = false;
    for line in lines.iter_mut().filter(|line| variable(line) == Some(name)) {
        let (body, end) = line.split_at(line.trim_end_matches(['\n', '\r']).len());
        let export = if body.trim_start().starts_with("export ") { "export " } else { "" };
        *line = format!("{export}{wanted}{end}");
        found = true;
    }
    if !found {
        if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
            last.push('\n');
        }
        lines.push(wanted + "\n");
    }
    Ok(())
}

/// The variable that a line sets.
fn variable(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    line.split_once('=').map(|(name, _)| name.trim())
}

/// A value as dotenv takes it literally: as it is, or in single quotes.
fn quoted(value: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    if value.contains(['\'', '\n', '\r']) {
        let why = "the gateway's key has a quote or a line break in it, which cannot be kept here";
        return Err(Wrong(why.to_owned(), None));
    }
    Ok(format!("'{value}'"))
}
