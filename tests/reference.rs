//! docs/inventory.md and docs/options.md beside the program: every key that it knows has its row there, and no other;
//! what stands there as an example reads well, and what stands there as a default is what happens without it.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use homelab::bootstrap::Packages;
use homelab::cluster::{self, Cluster, LocalFiles, schema};
use homelab::connection::Connection;
use homelab::engine::{self, Chip, Opt, Takes};
use homelab::inventory;
use homelab::lock::Pins;
use homelab::survey::Survey;
use homelab::wake::Wake;
use serde_json::{Value, json};

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// What stands in a page between `<!-- NAME -->` and `<!-- end -->`.
fn between<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = format!("<!-- {name} -->\n");
    let at = page.find(&begin).unwrap_or_else(|| panic!("the page has no `{name}`")) + begin.len();
    &page[at..at + page[at..].find("<!-- end -->").unwrap()]
}

/// One row of a table of keys.
struct Row {
    key: String,
    example: Value,
    /// The default, where it is one value that can be typed.
    default: Option<Value>,
}

fn yaml(text: &str) -> Value {
    serde_json::to_value(serde_yaml::from_str::<serde_yaml::Value>(text).unwrap()).unwrap()
}

/// The rows of a table of docs/inventory.md: key and example, type, default, meaning.
fn rows(name: &str) -> Vec<Row> {
    let page = fs::read_to_string(page("inventory.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [first, _, default, _] = cells.as_slice() else { panic!("not four cells: {line}") };
        let example = yaml(first.trim_matches('`'));
        let (key, example) = example.as_object().unwrap().iter().next().unwrap();
        let default = default.strip_prefix('`').map(|text| yaml(text.split('`').next().unwrap()));
        Row { key: key.clone(), example: example.clone(), default }
    };
    let all: Vec<Row> = between(&page, name).lines().skip(2).map(row).collect();
    let keys: BTreeSet<&str> = all.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys.len(), all.len(), "{name}: a key has two rows");
    all
}

fn keys(name: &str) -> BTreeSet<String> {
    rows(name).into_iter().map(|row| row.key).collect()
}

/// The keys that the schema knows.
fn known(definition: &str) -> BTreeSet<String> {
    let schema = schema::vars();
    schema["definitions"][definition]["properties"].as_object().unwrap().keys().cloned().collect()
}

fn same(what: &str, documented: &BTreeSet<String>, known: &BTreeSet<String>) {
    let missing: Vec<_> = known.difference(documented).collect();
    let unknown: Vec<_> = documented.difference(known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what}: without a row {missing:?}, unknown to homelab {unknown:?}"
    );
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    let (of_models, of_compose) = (keys("keys of a model"), keys("keys of Compose"));
    assert!(of_models.is_disjoint(&of_compose));
    same("a host", &keys("keys of a host"), &known("vars"));
    same("the gateway", &(&keys("keys of the gateway") | &of_compose), &known("gateway"));
    let wake =
        schema::vars().pointer("/definitions/vars/properties/homelab_wake/anyOf/0/properties").cloned();
    same("waking", &keys("keys of waking"), &wake.unwrap().as_object().unwrap().keys().cloned().collect());
    same("an endpoint", &keys("keys of an endpoint"), &known("external"));
    same("the edge", &keys("keys of the edge"), &known("edge"));
    same("metrics", &(&keys("keys of metrics") | &of_compose), &known("metrics"));
    let port = [String::from("port")].into();
    same("a companion", &(&of_compose | &port), &known("companion"));
    for engine in engine::ALL {
        let options = engine.options().iter().map(|option| option.name.to_owned()).collect();
        // Where one server has all models, each says when it is loaded, as behind a server of several.
        let more = engine.shared_port().map(|_| "load".to_owned()).into_iter().collect();
        let all = &(&(&of_models | &of_compose) | &options) | &more;
        same(engine.name(), &all, &known(engine.name()));
    }
}

/// Hosts with both engines and a gateway, of which `all` has these variables.
fn hosts(vars: &Value) -> Value {
    let model = |engine: &str, port: u16| json!({"engine": engine, "model": "user/model", "port": port});
    let elsewhere = json!({"engine": "external", "api_base": "http://nas.lan:8080"});
    let models =
        json!({"qwen3-4b": model("vllm", 8000), "bge-m3": model("llama_cpp", 8080), "elsewhere": elsewhere});
    let wake = json!({"mac": "a8:a1:59:0c:3e:70"});
    let hosts =
        json!({"box": {"models": models, "homelab_wake": wake}, "gw": {"gateway": {"engine": "litellm"}}});
    json!({"all": {"vars": vars, "hosts": hosts}})
}

/// The same with one key in one place.
fn with(pointer: &str, key: &str, value: &Value) -> Value {
    let mut hosts = hosts(&json!({}));
    hosts.pointer_mut(pointer).unwrap()[key] = value.clone();
    hosts
}

const TABLES: [(&str, &str); 8] = [
    ("keys of waking", "/all/hosts/box/homelab_wake"),
    ("keys of an endpoint", "/all/hosts/box/models/elsewhere"),
    ("keys of a host", "/all/vars"),
    ("keys of a model", "/all/hosts/box/models/qwen3-4b"),
    ("keys of a model", "/all/hosts/box/models/bge-m3"),
    ("keys of Compose", "/all/hosts/box/models/qwen3-4b"),
    ("keys of Compose", "/all/hosts/gw/gateway"),
    ("keys of the gateway", "/all/hosts/gw/gateway"),
];

fn spec(inventory: &Value) -> Result<cluster::Spec, String> {
    let inventory = inventory::parse("inventory.yml", &inventory.to_string(), BTreeMap::new());
    cluster::read(&inventory.map_err(|e| e.to_string())?, Pins::default(), false).map_err(|e| e.to_string())
}

#[test]
fn every_example_reads_well() {
    for (table, pointer) in TABLES {
        for Row { key, example, .. } in rows(table) {
            // One row has one example, and the engines have names of their own.
            if key == "engine" && pointer.ends_with("bge-m3") {
                continue;
            }
            if let Err(why) = spec(&with(pointer, &key, &example)) {
                panic!("{table}: {key}: {why}");
            }
        }
    }
}

/// What it comes to; nothing where it cannot be meant.
type Meant = (Cluster, Vec<(bool, bool)>, Vec<(Connection, Packages, Option<Wake>)>);

fn meant(inventory: &Value) -> Option<Meant> {
    let spec = spec(inventory).unwrap();
    let cluster = cluster::resolve(&spec, &LocalFiles::new(), &Survey::default());
    // What is checked before a deploy is no part of what it leads to.
    let checked =
        spec.hosts.values().flat_map(|host| &host.models).map(|model| (model.check_fit, model.public));
    let checked = checked.collect();
    Some((
        cluster.ok()?,
        checked,
        spec.hosts
            .into_values()
            .map(|host| (host.connection, host.docker_packages, host.wake.map(|wake| wake.how)))
            .collect(),
    ))
}

#[test]
fn a_default_that_is_typed_changes_nothing() {
    let plain = meant(&hosts(&json!({})));
    assert!(plain.is_some());
    let mut tried = 0;
    // A table says the default of vLLM; what is another with llama.cpp or the gateway it says in words.
    for (table, pointer) in TABLES.into_iter().filter(|(_, pointer)| !pointer.ends_with("bge-m3")) {
        for Row { key, example, default } in rows(table) {
            let Some(default) = default.filter(|_| key != "ipc" || pointer.ends_with("qwen3-4b")) else {
                continue;
            };
            tried += 1;
            let comes_to = |value: &Value| meant(&with(pointer, &key, value));
            assert!(comes_to(&default) == plain, "{table}: {key} is not {default} by default");
            assert!(
                example == default || comes_to(&example) != plain,
                "{table}: {key} is {example} by default"
            );
        }
    }
    assert!(tried > 20, "only {tried} defaults were tried");
}

#[test]
fn the_keys_of_metrics_read_well_and_their_defaults_change_nothing() {
    let with = |metrics: Value| {
        let mut hosts = hosts(&json!({}));
        hosts["all"]["hosts"]["gw"]["gateway"]["metrics"] = metrics;
        hosts
    };
    let plain = meant(&with(json!({})));
    assert!(plain.is_some() && plain != meant(&hosts(&json!({}))));
    for Row { key, example, default } in rows("keys of metrics") {
        let comes_to = |value: &Value| meant(&with(json!({key.as_str(): value})));
        assert!(comes_to(&example) != plain, "{key}: {example} changes nothing");
        if let Some(default) = default {
            assert!(comes_to(&default) == plain, "{key} is not {default} by default");
        }
    }
}

#[test]
fn the_page_names_the_image_of_every_engine_with_and_without_a_gpu() {
    let page = fs::read_to_string(page("inventory.md")).unwrap();
    let table = between(&page, "keys of a host");
    for engine in engine::ALL {
        for chip in Chip::ALL {
            let Some(image) = engine.default_image(chip) else { continue };
            assert!(table.contains(&format!("`{image}`")), "docs/inventory.md does not have {image}");
        }
    }
}

/// The type of an option as docs/options.md calls it.
fn kind(option: &Opt) -> &'static str {
    match option.takes {
        Takes::Flag => "flag",
        Takes::Switch => "switch",
        Takes::Int => "whole number",
        Takes::Size => "size",
        Takes::Number => "number",
        Takes::Text => "text",
        Takes::Many => "values",
        Takes::Each => "values, repeated",
        Takes::Commas => "values, with commas",
        Takes::Json => "JSON",
    }
}

/// `UPDATE_GOLDEN=1` writes the tables.
#[test]
fn the_options_are_those_of_the_engines() {
    let path = page("options.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut wanted = text.clone();
    for engine in engine::ALL {
        let options = engine.options().iter().map(|o| format!("| `{}` | {} |\n", o.name, kind(o)));
        let reserved = engine.reserved().iter().map(|(key, why)| format!("| `{key}` | {why} |\n"));
        for (what, heads, rows) in [
            ("options", "| option | type |", options.collect::<String>()),
            ("reserved", "| option | instead |", reserved.collect()),
        ] {
            let name = format!("{what} of {}", engine.name());
            let old = between(&wanted, &name);
            let at = old.as_ptr().addr() - wanted.as_ptr().addr();
            let length = old.len();
            wanted.replace_range(at..at + length, &format!("{heads}\n| --- | --- |\n{rows}"));
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "docs/options.md is not what the engines say; UPDATE_GOLDEN=1 writes it");
}

/// What an expression is told that asks for what there is not.
fn told(expression: &str) -> String {
    let vars = json!({"all": {"hosts": {"box": {"gateway": expression}}}});
    let inventory = inventory::parse("inventory.yml", &vars.to_string(), BTreeMap::new()).unwrap();
    let error = inventory.hosts.values().next().unwrap().value("gateway").unwrap_err();
    error.hint.unwrap()
}

#[test]
fn expressions_have_what_the_page_says() {
    let page = fs::read_to_string(page("inventory.md")).unwrap();
    for (what, expression, before) in [
        ("filters", "{{ 1 | nosuchfilter }}", "there are "),
        ("tests", "{{ 1 is nosuchtest }}", "there are Jinja's own tests: "),
        ("statements", "{% nosuchstatement %}", "there are "),
    ] {
        let hint = told(expression);
        let row = format!("| {what} | {} |", hint.strip_prefix(before).unwrap_or_else(|| panic!("{hint}")));
        assert!(page.contains(&row), "docs/inventory.md does not have\n{row}");
    }
}
