//! Numbers and values as Python reads and writes them, for Ansible prints and types as Python does.
//! It knows no file and no inventory.

use std::fmt::Write as _;

use super::{Node, Value};

/// What stands where a value of Ansible Vault must not.
pub(super) const REDACTED: &str = "<vault>";

/// A number in Python's notation, without its sign; nothing when it is none, is imaginary, or needs more
/// than 64 bits.
pub(super) fn number(text: &str) -> Option<Value> {
    let lower = text.to_ascii_lowercase();
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let digits = plain(digits.strip_prefix('_').unwrap_or(digits), base)?;
            return i64::from_str_radix(&digits, base).ok().map(Value::Int);
        }
    }
    if !lower.contains(['.', 'e']) {
        let digits = plain(&lower, 10)?;
        // `0755` is no number of Python's, `00` is.
        let leads = digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|c| c != b'0');
        return if leads { None } else { digits.parse().ok().map(Value::Int) };
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (lower.as_str(), None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let part = |text: &str| if text.is_empty() { Some(String::new()) } else { plain(text, 10) };
    let (whole, fraction) = (part(whole)?, part(fraction)?);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match exponent {
        None => "0".to_owned(),
        Some(text) => {
            let digits = plain(text.strip_prefix(['+', '-']).unwrap_or(text), 10)?;
            format!("{}{digits}", if text.starts_with('-') { "-" } else { "" })
        }
    };
    format!("0{whole}.{fraction}0e{exponent}").parse().ok().map(Value::Float)
}

/// Digits without the single underscores between them.
fn plain(text: &str, base: u32) -> Option<String> {
    let good = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    (good && !digits.is_empty() && digits.chars().all(|c| c.is_digit(base))).then_some(digits)
}

/// A number with a fraction as Python writes it: `1e+16`, `1e-05`, `0.0001`, `inf`.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..16).contains(&power) {
        return format!("{number:?}");
    }
    format!("{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// A value as Python's `str` writes it: this is what Ansible puts into a text.
pub(super) fn text(node: &Node) -> String {
    match &node.value {
        Value::Str(text) | Value::Unsafe(text) => text.clone(),
        Value::Vault(_) => REDACTED.to_owned(),
        _ => repr(node),
    }
}

/// A value as Python's `repr` writes it.
pub(super) fn repr(node: &Node) -> String {
    written(&node.value)
}

/// A value as Python's `repr` writes it.
pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    let _ = match value {
        Value::Null => write!(out, "None"),
        Value::Bool(true) => write!(out, "True"),
        Value::Bool(false) => write!(out, "False"),
        Value::Int(number) => write!(out, "{number}"),
        Value::Float(number) => write!(out, "{}", float(*number)),
        Value::Str(text) | Value::Unsafe(text) => {
            quoted(text, out);
            Ok(())
        }
        Value::Vault(_) => {
            quoted(REDACTED, out);
            Ok(())
        }
        Value::Seq(seq) => {
            out.push('[');
            for (index, node) in seq.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&node.value, out);
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            out.push('{');
            for (index, entry) in map.effective().into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                match (entry.text, entry.key.as_str()) {
                    (true, key) => quoted(key, out),
                    (false, "true") => out.push_str("True"),
                    (false, "false") => out.push_str("False"),
                    (false, "null") => out.push_str("None"),
                    (false, key) => out.push_str(key),
                }
                out.push_str(": ");
                write(&entry.node.value, out);
            }
            write!(out, "}}")
        }
    };
}

fn quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        let _ = match c {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            c if c == quote => write!(out, "\\{c}"),
            c if c.is_control() && u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push(quote);
}
