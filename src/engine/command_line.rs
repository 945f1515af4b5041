//! Options as arguments: `max_model_len: 8192` is `--max-model-len 8192`.
//! It makes lists of arguments, never one string, so nothing here is ever quoted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Opt, Takes};

/// How a program reads a value that starts with `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeadingDash {
    /// Only as `--flag=-value`; apart it would be the next flag.
    Joined,
    /// Only as `--flag -value`; it knows no `=`.
    Apart,
}

/// All given options as arguments, in the order of the engine's own list, so that equal
/// options always give equal command lines.
pub(super) fn arguments(options: &[Opt], given: &BTreeMap<String, Value>, dash: LeadingDash) -> Vec<String> {
    options.iter().filter_map(|o| given.get(o.name).map(|v| one(o, v, dash))).flatten().collect()
}

fn one(option: &Opt, value: &Value, dash: LeadingDash) -> Vec<String> {
    let flag = format!("--{}", option.name.replace('_', "-"));
    match (option.takes, value) {
        (_, Value::Null) | (Takes::Flag, Value::Bool(false)) => vec![],
        (Takes::Flag | Takes::Switch, Value::Bool(true)) => vec![flag],
        (Takes::Switch, Value::Bool(false)) => vec![format!("--no-{}", &flag[2..])],
        (Takes::Many | Takes::Each | Takes::Commas, Value::Array(values)) if values.is_empty() => vec![],
        (Takes::Many, Value::Array(values)) if values.len() > 1 => {
            [flag].into_iter().chain(values.iter().map(word)).collect()
        }
        (Takes::Commas, Value::Array(values)) => {
            pair(flag, values.iter().map(word).collect::<Vec<_>>().join(","), dash)
        }
        (Takes::Many | Takes::Each, Value::Array(values)) => {
            values.iter().flat_map(|v| pair(flag.clone(), word(v), dash)).collect()
        }
        _ => pair(flag, word(value), dash),
    }
}

fn pair(flag: String, value: String, dash: LeadingDash) -> Vec<String> {
    if dash == LeadingDash::Joined && value.starts_with('-') {
        vec![format!("{flag}={value}")]
    } else {
        vec![flag, value]
    }
}

/// A value as one argument: text bare, everything else as JSON.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether further arguments carry one of these flags, alone or as `--flag=value`.
pub(super) fn carry(args: &[String], flags: &[&str]) -> bool {
    let name = |arg: &str| arg.split('=').next().unwrap_or_default().replace('_', "-");
    args.iter().any(|arg| arg.starts_with('-') && flags.contains(&name(arg).as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::option::{commas, each, flag, int, json, many, number, switch, text};
    use super::*;
    use serde_json::json;

    const OPTIONS: &[Opt] = &[
        commas("commas"),
        each("each"),
        flag("flag"),
        int("an_int"),
        json("json"),
        many("many"),
        number("number"),
        switch("a_switch"),
        text("text"),
    ];

    fn with(name: &str, value: Value, dash: LeadingDash) -> Vec<String> {
        arguments(OPTIONS, &[(name.to_owned(), value)].into(), dash)
    }

    #[test]
    fn every_kind_has_its_form() {
        let cases = [
            ("flag", json!(true), vec!["--flag"]),
            ("flag", json!(false), vec![]),
            ("a_switch", json!(true), vec!["--a-switch"]),
            ("a_switch", json!(false), vec!["--no-a-switch"]),
            ("an_int", json!(8192), vec!["--an-int", "8192"]),
            ("number", json!(0.25), vec!["--number", "0.25"]),
            ("text", json!("a"), vec!["--text", "a"]),
            ("text", json!(""), vec!["--text", ""]),
            ("text", json!(true), vec!["--text", "true"]),
            ("many", json!(["a", "b"]), vec!["--many", "a", "b"]),
            ("many", json!("a"), vec!["--many", "a"]),
            ("many", json!([]), vec![]),
            ("many", json!([{"name": "a"}, 2]), vec!["--many", r#"{"name":"a"}"#, "2"]),
            ("each", json!(["a", "b"]), vec!["--each", "a", "--each", "b"]),
            ("commas", json!(["a", 1]), vec!["--commas", "a,1"]),
            ("commas", json!("a,b"), vec!["--commas", "a,b"]),
            ("json", json!({"b": [1], "a": null}), vec!["--json", r#"{"a":null,"b":[1]}"#]),
            ("json", json!("{\"a\": 1}"), vec!["--json", "{\"a\": 1}"]),
            ("text", json!(null), vec![]),
        ];
        for (name, value, expected) in cases {
            assert_eq!(with(name, value, LeadingDash::Joined), expected, "{name}");
        }
    }

    #[test]
    fn a_hostile_value_stays_one_argument() {
        for text in ["a b", "it's \"quoted\"", "line\nline", "$HOME `id`; rm", "a=b", "{{ x }}", "\\"] {
            assert_eq!(with("text", json!(text), LeadingDash::Joined), ["--text", text]);
            assert_eq!(with("text", json!(text), LeadingDash::Apart), ["--text", text]);
        }
    }

    #[test]
    fn a_leading_dash_goes_as_the_program_reads_it() {
        assert_eq!(with("text", json!("--host"), LeadingDash::Joined), ["--text=--host"]);
        assert_eq!(with("number", json!(-0.5), LeadingDash::Joined), ["--number=-0.5"]);
        assert_eq!(with("many", json!(["-x"]), LeadingDash::Joined), ["--many=-x"]);
        assert_eq!(with("text", json!("--host"), LeadingDash::Apart), ["--text", "--host"]);
    }

    #[test]
    fn a_flag_is_found_among_further_arguments() {
        let args = ["--a-b=1".to_owned(), "-tp".to_owned(), "c".to_owned()];
        assert!(carry(&args, &["--a-b"]));
        assert!(carry(&["--a_b".to_owned()], &["--a-b"]));
        assert!(carry(&args, &["-tp"]));
        assert!(!carry(&args, &["--a", "c"]));
    }
}
