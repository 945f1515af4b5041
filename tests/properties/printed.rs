//! What is printed of every plan: JSON by the published schema, text of one line per line, Markdown
//! that fits into a comment.

use std::collections::BTreeSet;

use homelab::names::{HostName, ProjectName};
use homelab::plan::{self, Against, Report};
use homelab::survey::{Look, Survey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::Mood;
use crate::schema;
use crate::surroundings::Scenario;
use crate::{bytes, config};

/// A plan and a table of a random world, as they are printed.
fn printed(bytes: &[u8]) -> (Report, Value, Value) {
    let scenario = Scenario::new(bytes, Mood::Any);
    let plan = plan::plan(&scenario.desired, &scenario.survey);
    let rows = plan::status(&scenario.desired, &scenario.survey, &plan);
    let mut report = Report::new(plan, Against::Hosts, scenario.desired.hosts.len());
    let changes = report.plan.file_changes();
    report.diffs = Some(plan::diffs(&changes, &scenario.desired, &[].into()));
    let json = serde_json::to_value(&report).unwrap();
    (report, json, json!(rows))
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn json_is_what_the_schema_says((bytes, _) in bytes()) {
        let (_, report, rows) = printed(&bytes);
        prop_assert_eq!(schema::problems("plan_output", &report), [""; 0]);
        for row in rows.as_array().unwrap() {
            prop_assert_eq!(schema::problems("row", row), [""; 0]);
        }
    }

    #[test]
    fn the_summary_counts_the_lines_of_the_text((bytes, _) in bytes()) {
        let (report, ..) = printed(&bytes);
        let text = plan::text(&report.plan, 1);
        let count = |mark: &str| text.lines().filter(|line| line.starts_with(&format!("  {mark} "))).count();
        let summary = report.summary;
        prop_assert_eq!((count("+"), count("~")), (summary.add, summary.change));
        prop_assert_eq!((count("-"), count("!")), (summary.remove, summary.blocked));
    }

    #[test]
    fn markdown_fits_into_a_comment((bytes, _) in bytes()) {
        let (report, ..) = printed(&bytes);
        let text = plan::markdown(&report);
        prop_assert!(text.chars().count() <= 64_000);
        let opened = text.matches("<details>").count();
        prop_assert_eq!(opened, report.diffs.map_or(0, |all| all.len()));
        prop_assert_eq!(opened, text.matches("</details>").count());
    }
}

/// Every value of a key, wherever it stands.
fn values(json: &Value, key: &str, found: &mut BTreeSet<String>) {
    match json {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| values(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}

/// The words that a definition of the schema allows for a key.
fn allowed(definition: &str, key: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(schema::PUBLISHED).unwrap();
    let one = |variant: &Value| -> Vec<String> {
        let property = &variant["properties"][key];
        let words = property["enum"].as_array().cloned().unwrap_or_else(|| vec![property["const"].clone()]);
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    schema["$defs"][definition]["oneOf"].as_array().unwrap().iter().flat_map(one).collect()
}

#[test]
fn the_schema_names_nothing_that_never_comes() {
    let (mut actions, mut causes, mut conditions) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut seed = 1_u64;
    for _ in 0..3000 {
        let next = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        let bytes: Vec<u8> = (0..160).map(next).collect();
        let (_, report, rows) = printed(&bytes);
        values(&report["plan"], "do", &mut actions);
        values(&report["plan"], "cause", &mut causes);
        values(&rows, "is", &mut conditions);
    }
    let down = down_of_a_host_with_a_network();
    values(&down, "cause", &mut causes);
    assert_eq!(actions, allowed("action", "do"));
    assert_eq!(causes, allowed("cause", "cause"));
    assert_eq!(conditions, allowed("condition", "is"));
}

fn down_of_a_host_with_a_network() -> Value {
    let networks = [("homelab_default".to_owned(), true)].into();
    let seen = homelab::survey::Seen { networks, ..Default::default() };
    let hosts = [(HostName::new("box").unwrap(), Look::Seen(Box::new(seen)))].into();
    json!(plan::down(&ProjectName::homelab(), &Survey { hosts, ..Survey::default() }))
}

#[test]
fn every_field_is_described() {
    let described = include_str!("../../docs/json.md");
    let schema: Value = serde_json::from_str(schema::PUBLISHED).unwrap();
    let mut missing = BTreeSet::new();
    let mut words = BTreeSet::new();
    names(&schema, &mut words);
    for word in words {
        if !described.contains(&format!("`{word}`")) {
            missing.insert(word);
        }
    }
    assert!(missing.is_empty(), "docs/json.md does not say what these are: {missing:?}");
}

/// Every field's name and every word of a list in the schema.
fn names(schema: &Value, found: &mut BTreeSet<String>) {
    let Value::Object(map) = schema else {
        schema.as_array().into_iter().flatten().for_each(|item| names(item, found));
        return;
    };
    found.extend(
        map.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(k, _)| k.clone()),
    );
    let words = map.get("enum").and_then(Value::as_array).into_iter().flatten().chain(map.get("const"));
    found.extend(words.filter_map(Value::as_str).map(str::to_owned));
    map.values().for_each(|value| names(value, found));
}
