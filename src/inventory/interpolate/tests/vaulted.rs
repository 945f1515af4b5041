//! What expressions make of values of Ansible Vault: they are right, and secret whatever becomes of them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::diagnostic::Diagnostics;
use crate::inventory::{Given, HostVars, Keyring, Node, Password, Value, Values, Vaulted, load};
use crate::names::HostName;

const FILES: [(&str, &str); 2] = [
    ("whole.yml", include_str!("../../../../tests/data/vault/whole.yml")),
    ("values.yml", include_str!("../../../../tests/data/vault/values.yml")),
];

/// What is opened once stays open: it takes its time.
static OPENED: LazyLock<Arc<Keyring>> = LazyLock::new(|| keys(Values::Opened));
static SEALED: LazyLock<Arc<Keyring>> = LazyLock::new(|| keys(Values::Sealed));

fn keys(values: Values) -> Arc<Keyring> {
    let password =
        |id: &str, text: &'static str| Password::new(id, "a test", move || Ok(Zeroizing::new(text.into())));
    let passwords = vec![password("default", "correct horse"), password("dev", "battery staple")];
    Arc::new(Keyring::new(passwords, values))
}

/// The host `h`, whose group has the vaults of tests/data and `vars`.
fn host(vars: &str, values: Values) -> HostVars {
    let dir = tempfile::tempdir().unwrap();
    let beside = dir.path().join("group_vars/all");
    std::fs::create_dir_all(&beside).unwrap();
    for (name, text) in FILES {
        std::fs::write(beside.join(name), text).unwrap();
    }
    std::fs::write(beside.join("x.yml"), vars).unwrap();
    std::fs::write(dir.path().join("inventory.yml"), "web: {hosts: {h: , i: }}\n").unwrap();
    let given = Given {
        inventories: vec![dir.path().join("inventory.yml")],
        extra_vars: vec![],
        cwd: dir.path().into(),
        env: BTreeMap::new(),
        keys: Arc::clone(if values == Values::Opened { &OPENED } else { &SEALED }),
    };
    load(&given).unwrap().hosts[&HostName::new("h").unwrap()].clone()
}

fn quoted(expression: &str) -> String {
    format!("plain: p\nboth: \"a {{{{ inline_key }}}}\"\nx: {}\n", json!(expression))
}

/// What is in a value, every part of which must be secret.
fn revealed(node: &Node) -> Json {
    match &node.value {
        Value::Vault(Vaulted::Open(value)) => {
            Node { origin: node.origin.clone(), value: (**value).clone() }.to_json().unwrap()
        }
        Value::Vault(Vaulted::Sealed(_)) => panic!("it was not opened"),
        Value::Seq(seq) => seq.iter().map(revealed).collect(),
        Value::Map(map) => map.0.iter().map(|e| (e.key.clone(), revealed(&e.node))).collect(),
        Value::Null => Json::Null,
        plain => panic!("{plain:?} is not secret"),
    }
}

#[test]
fn what_is_made_of_secrets_is_right_and_secret() {
    for (x, wanted) in [
        ("{{ vault_key }}", json!("hunter2-whole")),
        ("Bearer {{ inline_key }}", json!("Bearer hunter2-inline")),
        ("{{ inline_key | upper }}", json!("HUNTER2-INLINE")),
        ("{{ 'no ' ~ vault_number }}", json!("no 4242424242")),
        ("{{ vault_number + 1 }}", json!(4_242_424_243_u64)),
        ("{{ 'yes' if vault_flag else 'no' }}", json!("no")),
        ("{{ inline_key == 'hunter2-inline' }}", json!(true)),
        ("{{ vault_url }}", json!("https://h/hunter2-url")),
        ("{{ both }}, twice: {{ both }}", json!("a hunter2-inline, twice: a hunter2-inline")),
        ("{{ hostvars['i'].both }}", json!("a hunter2-inline")),
        ("{{ vault_list }}", json!(["hunter2-1", "hunter2-2"])),
        ("{{ [vault_list] }}", json!([["hunter2-1", "hunter2-2"]])),
        ("{{ vault_list | first }}", json!("hunter2-1")),
        ("{{ vault_list | join('+') }}", json!("hunter2-1+hunter2-2")),
        ("{% for v in vault_list %}{{ v }};{% endfor %}", json!("hunter2-1;hunter2-2;")),
        ("{{ vault_map }}", json!({"A": "hunter2-a", "B": "hunter2 ü"})),
        ("{{ vault_map | combine({'C': plain}) }}", json!({"A": "hunter2-a", "B": "hunter2 ü", "C": "p"})),
        ("{{ vault_map.values() | list }}", json!(["hunter2-a", "hunter2 ü"])),
        ("is {{ vault_map }}", json!("is {'A': 'hunter2-a', 'B': 'hunter2 ü'}")),
        ("{{ {'k': inline_key} | to_json }}", json!("{\"k\":\"hunter2-inline\"}")),
        ("{{ missing | default(inline_key) }}", json!("hunter2-inline")),
    ] {
        let node = host(&quoted(x), Values::Opened).value("x").unwrap().unwrap();
        assert_eq!(revealed(&node), wanted, "{x}");
        let shown = format!("{node:?} {}", crate::inventory::python::text(&node));
        assert!(!shown.contains("unter2") && !shown.contains("4242"), "{x}: {shown}");
        assert!(node.to_json().is_err(), "{x}");
    }
    // Pairs come from the template engine one by one, after the template has ended.
    let node = host(&quoted("{{ vault_map.items() }}"), Values::Opened).value("x").unwrap().unwrap();
    assert!(node.is_vaulted() && !format!("{node:?}").contains("unter2"), "{node:?}");
}

#[test]
fn what_only_stands_beside_a_secret_is_plain() {
    let vars =
        "x:\n  port: 8000\n  key: \"{{ inline_key }}\"\n  name: \"{{ plain }}\"\nplain: p\ny: \"{{ x }}\"\n";
    let host = host(vars, Values::Opened);
    for name in ["x", "y"] {
        let node = host.value(name).unwrap().unwrap();
        let map = node.as_map().unwrap();
        assert_eq!(map.get("port").unwrap().node.as_int(), Ok(8000));
        assert_eq!(map.get("name").unwrap().node.as_text(), Ok("p".to_owned()));
        assert_eq!(revealed(&map.get("key").unwrap().node), json!("hunter2-inline"));
    }
}

#[test]
fn a_single_value_is_no_template() {
    let node = host(&quoted("{{ inline_dev }}"), Values::Opened).value("x").unwrap().unwrap();
    assert_eq!(revealed(&node), json!("hunter2 {{ 1 + 1 }}"));
    let node = host("", Values::Opened).value("inline_dev").unwrap().unwrap();
    assert_eq!(revealed(&node), json!("hunter2 {{ 1 + 1 }}"));
}

#[test]
fn an_error_shows_nothing_of_the_value() {
    for x in [
        "{{ inline_key | bool }}",
        "{{ inline_key + 1 }}",
        "{{ inline_key | int }}",
        "{{ inline_key | float }}",
        "{{ range(inline_key) }}",
        "{{ lookup(inline_key) }}",
        "{{ lookup('env', 'A', 'B', inline_key) }}",
        "{{ {'a': 1}[inline_key] }}",
        "{{ {'a': 1}[inline_key].b }}",
        "{{ vault_map[vault_key].b.c }}",
        "{{ hostvars[inline_key].x }}",
        "{{ inline_key.foo }}",
        "{{ inline_key.foo() }}",
        "{{ missing | mandatory(inline_key) }}",
        "{{ [1] | join(inline_key) | bool }}",
        "{{ inline_key ~ missing }}",
        "{{ both | bool }}",
        "{{ vault_url | bool }}",
        "{{ vault_map | to_json | bool }}",
        "{{ 1 / vault_number | string }}",
        "{{ vault_list | map(vault_key) | list }}",
        "{{ inline_key | dict2items }}",
    ] {
        let Err(error) = host(&quoted(x), Values::Opened).value("x") else {
            continue;
        };
        let shown = format!("{error}\n{error:?}");
        assert!(!shown.contains("unter2") && !shown.contains("4242"), "{x}: {shown}");
        assert!(shown.contains("x.yml:3:"), "{x}: {shown}");
    }
    let error = host(&quoted("{{ inline_key | bool }}"), Values::Opened).value("x").unwrap_err();
    assert!(error.message.ends_with("fails on a value of Ansible Vault"), "{error}");
}

#[test]
fn what_stays_sealed_needs_no_password_and_is_secret_all_the_same() {
    for x in [
        "{{ inline_key }}",
        "Bearer {{ inline_key }}",
        "{{ inline_key.split(':')[7] | upper }}",
        "{{ both }}",
        "{{ inline_key | int + 5 }}",
        "{{ {'a': inline_key, 'b': plain} }}",
    ] {
        let host = host(&quoted(x), Values::Sealed);
        let mut problems = Diagnostics::default();
        let node = host.value_noting("x", &mut problems).unwrap();
        assert_eq!(problems, Diagnostics::default(), "{x}");
        let sealed = |node: &Node| matches!(node.value, Value::Vault(Vaulted::Sealed(_)));
        let all = match &node.value {
            Value::Map(map) => map.0.len() == 2 && map.0.iter().all(|e| sealed(&e.node)),
            _ => sealed(&node),
        };
        assert!(all, "{x}: {node:?}");
        let json = node.to_json();
        assert!(json.is_err(), "{x}");
    }
    // Whether two are the same can be told without opening them.
    let of = |x: &str| host(&quoted(x), Values::Sealed).value("x").unwrap().unwrap().value;
    assert_eq!(of("{{ inline_key }}"), host("", Values::Sealed).value("inline_key").unwrap().unwrap().value);
    assert_eq!(of("a {{ inline_key }}"), of("{{ both }}").clone());
    assert_ne!(of("a {{ inline_key }}"), of("b {{ inline_key }}"));
    assert_ne!(of("{{ inline_key }}"), of("{{ inline_dev }}"));
}
