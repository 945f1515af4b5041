//! Inventories from files: groups, precedence, and what is wrong with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Given, HostVars, Inventory, load, parse};
use crate::diagnostic::Diagnostics;
use crate::names::HostName;

fn given(path: &Path) -> Result<Inventory, Diagnostics> {
    let cwd = path.parent().unwrap().to_owned();
    load(&Given {
        inventories: vec![path.into()],
        extra_vars: vec![],
        cwd,
        env: BTreeMap::new(),
        keys: Arc::default(),
    })
}

/// An inventory of these files, the first of which is the inventory itself.
fn of(files: &[(&str, &str)]) -> Result<Inventory, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let result = given(&dir.path().join(files[0].0));
    let plain = |text: String| text.replace(&format!("{}/", dir.path().display()), "");
    result.map_err(|d| plain(d.to_string())).map(|mut inventory| {
        for warning in &mut inventory.warnings {
            warning.message = plain(warning.message.clone());
            warning.hint = warning.hint.take().map(plain);
        }
        inventory
    })
}

fn text(yaml: &str) -> Inventory {
    parse("inventory.yml", yaml, BTreeMap::new()).unwrap()
}

fn error(yaml: &str) -> String {
    parse("inventory.yml", yaml, BTreeMap::new()).unwrap_err().to_string()
}

fn warnings(inventory: &Inventory) -> Vec<&str> {
    inventory.warnings.iter().map(|w| w.message.as_str()).collect()
}

fn host<'a>(inventory: &'a Inventory, name: &str) -> &'a HostVars {
    &inventory.hosts[&HostName::new(name).unwrap()]
}

fn var(inventory: &Inventory, host_name: &str, name: &str) -> String {
    host(inventory, host_name).raw[name].to_json().unwrap().to_string()
}

const LAYERED: &str = "
all:
  vars: {v1: all, v2: all, v3: all, v4: all, v5: all, v6: all, v7: all, m: {a: 1}}
  children:
    parent:
      vars: {v2: parent, v3: parent, v4: parent, v5: parent, v6: parent, v7: parent, m: {b: 2}}
      children:
        child:
          vars: {v3: child, v4: child, v5: child, v6: child, v7: child}
          hosts:
            h: {v6: host, v7: host}
";

#[test]
fn each_layer_beats_the_one_before() {
    let inventory = of(&[
        ("inventory.yml", LAYERED),
        ("group_vars/all.yml", "v4: file of all\nv5: file of all\n"),
        ("group_vars/parent.yml", "v5: file of parent\nv8: file of parent\n"),
        ("group_vars/child.yaml", "v8: file of child\n"),
        ("host_vars/h.json", "{\"v7\": \"file of host\"}"),
    ])
    .unwrap();
    for (name, value) in [
        ("v1", "\"all\""),
        ("v2", "\"parent\""),
        ("v3", "\"child\""),
        ("v4", "\"file of all\""),
        ("v5", "\"file of parent\""),
        ("v6", "\"host\""),
        ("v7", "\"file of host\""),
        ("v8", "\"file of child\""),
        ("m", "{\"b\":2}"),
    ] {
        assert_eq!(var(&inventory, "h", name), value, "{name}");
    }
    assert_eq!(host(&inventory, "h").groups, ["all", "parent", "child"]);
    assert!(inventory.warnings.is_empty(), "{:?}", inventory.warnings);
}

#[test]
fn between_siblings_priority_decides_and_then_the_alphabet_with_a_warning() {
    let inventory = text(
        "
zeta: {hosts: {h: }, vars: {p: zeta, q: 1, r: 1}}
beta: {hosts: {h: }, vars: {p: beta, q: 1, s: 1, ansible_group_priority: 10}}
omega: {hosts: {h: {r: 9}}, vars: {q: 2, r: 2, s: 2}}
",
    );
    assert_eq!(host(&inventory, "h").groups, ["all", "omega", "zeta", "beta"]);
    assert_eq!(var(&inventory, "h", "p"), "\"beta\"");
    assert_eq!(var(&inventory, "h", "q"), "1");
    assert_eq!(var(&inventory, "h", "s"), "1");
    assert!(!host(&inventory, "h").raw.contains_key("ansible_group_priority"));
    assert!(warnings(&inventory).is_empty(), "{:?}", inventory.warnings);

    let inventory =
        text("b: {hosts: {h: , k: }, vars: {port: 2}}\na: {hosts: {h: , k: }, vars: {port: 1}}\n");
    assert_eq!(
        inventory.warnings[0].to_string(),
        "warning: `port` of h: the groups `a` and `b` disagree, and `b` wins only by its name\n --> inventory.yml:1:37\n  |\n1 | b: {hosts: {h: , k: }, vars: {port: 2}}\n  |                                     ^\n  hint: `a` sets it at inventory.yml:2:37; set it for the host, or give one group a higher ansible_group_priority"
    );
    assert_eq!(inventory.warnings.len(), 1);
}

#[test]
fn the_longest_way_from_all_is_the_depth() {
    let inventory = text(
        "
a: {children: {b: {children: {c: {vars: {v: c}, hosts: {h: }}}}, z: }}
z: {vars: {v: z}, hosts: {h: }}
deep: {children: {a: }}
",
    );
    let depth = |name: &str| inventory.groups[name].depth;
    assert_eq!([depth("all"), depth("deep"), depth("a"), depth("z"), depth("c")], [0, 1, 2, 3, 4]);
    assert_eq!(var(&inventory, "h", "v"), "\"c\"");
    assert_eq!(inventory.groups["all"].children, ["ungrouped", "deep"]);
}

#[test]
fn hosts_in_no_group_are_ungrouped_and_one_host_may_stand_in_many_places() {
    let inventory = text(
        "
all: {hosts: {lone: , h: {a: 1, b: 1}}}
ungrouped: {hosts: {h: }}
web: {hosts: {h: {a: 2}, \"n[1:2].lan:2222\": {p: 1}}, vars: {x: 1}}
web2: {hosts: h}
",
    );
    assert_eq!(host(&inventory, "lone").groups, ["all", "ungrouped"]);
    assert_eq!(host(&inventory, "h").groups, ["all", "web", "web2"]);
    assert_eq!(var(&inventory, "h", "a"), "2");
    assert_eq!(var(&inventory, "h", "b"), "1");
    assert_eq!(host(&inventory, "h").origin.line, 2);
    assert_eq!(var(&inventory, "n2.lan", "ansible_port"), "2222");
    assert_eq!(inventory.groups["ungrouped"].hosts, [HostName::new("lone").unwrap()]);
}

#[test]
fn a_directory_is_read_in_the_order_of_its_names_and_hides_the_file() {
    let inventory = of(&[
        ("inventory.yml", "web: {hosts: {h: }}\n"),
        ("group_vars/web/10.yml", "v: ten\nw: ten\n"),
        ("group_vars/web/9", "v: nine\n"),
        ("group_vars/web/sub/a.yaml", "w: sub\n"),
        ("group_vars/web/.hidden.yml", "v: no\n"),
        ("group_vars/web/x.yml~", "v: no\n"),
        ("group_vars/web/x.yml.bak", "v: no\n"),
        ("group_vars/web/x.txt", "v: no\n"),
        ("group_vars/web/conf.d/x.yml", "v: no\n"),
        ("group_vars/web.yml", "lost: 1\n"),
        ("host_vars/h.yml", "a: 1\n"),
        ("host_vars/h.yaml", "lost: 1\n"),
    ])
    .unwrap();
    assert_eq!(var(&inventory, "h", "v"), "\"nine\"");
    assert_eq!(var(&inventory, "h", "w"), "\"sub\"");
    assert!(!host(&inventory, "h").raw.contains_key("lost"));
    let shown: Vec<String> = inventory.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "warning: group_vars/web.yml is not read: group_vars/web/ hides it, as in Ansible\n  hint: move it into group_vars/web/",
            "warning: host_vars/h.yaml is not read: host_vars/h.yml hides it, as in Ansible\n  hint: put both into one file",
        ]
    );
}

#[test]
fn slips_are_warned_of() {
    let inventory = of(&[
        ("inventory.yml", "inference:\n  hosts: {gpu-1: }\n  var: {a: 1}\n  vars: {a: 1, a: 2}\n"),
        ("group_vars/infernce.yml", "a: 1\n"),
        ("group_vars/postgres.yml", "a: 1\n"),
        ("host_vars/gpu_1/x.yml", "a: 1\n"),
    ])
    .unwrap();
    assert_eq!(
        warnings(&inventory),
        [
            "`a` stands twice in one map, and only this one counts",
            "`var` is ignored here, in the group `inference`",
            "group_vars/infernce is not read: there is no group `infernce`",
            "host_vars/gpu_1 is not read: there is no host `gpu_1`",
        ]
    );
    assert_eq!(var(&inventory, "gpu-1", "a"), "2");
    let slip = text("hosts: {hosts: {a: }}\na: {hosts: {a: }}\n");
    assert_eq!(warnings(&slip), ["this makes a group named `hosts`", "`a` is a host and a group"]);
}

#[test]
fn all_mistakes_of_all_files_come_at_once() {
    let shown = of(&[
        (
            "inventory.yml",
            "web:\n  hosts:\n    -oProxyCommand=x:\n    n[2:1]:\n    ok: 5\n  children: [a]\nbad: 7\n",
        ),
        ("group_vars/web.yml", "a:\n\tb: 1\n"),
        ("group_vars/all.yml", "- a\n"),
    ])
    .unwrap_err();
    assert_eq!(
        shown,
        "error: `-oProxyCommand=x` starts with `-`, which ssh would take for an option\n --> inventory.yml:3:5\n  |\n3 |     -oProxyCommand=x:\n  |     ^^^^^^^^^^^^^^^^\n  hint: call the host something else\n\n\
         error: the range [2:1] ends before it begins\n --> inventory.yml:4:5\n  |\n4 |     n[2:1]:\n  |     ^^^^^^\n  hint: as in [1:9], [01:10:3] or [a:f]\n\n\
         error: expected variables of the host `ok`, found a whole number\n --> inventory.yml:5:9\n  |\n5 |     ok: 5\n  |         ^\n  hint: write `key: value` lines below it, or {key: value}\n\n\
         error: expected a map, found a list\n --> inventory.yml:6:13\n  |\n6 |   children: [a]\n  |             ^^^\n  hint: write each name as a key, `name:`, without the `-` before it\n\n\
         error: expected the group `bad` to be a map of hosts, children and vars, found a whole number\n --> inventory.yml:7:6\n  |\n7 | bad: 7\n  |      ^\n  hint: write `key: value` lines below it, or {key: value}\n\n\
         error: expected a map of variables, found a list\n --> group_vars/all.yml:1:1\n  |\n1 | - a\n  | ^\n  hint: write `key: value` lines below it, or {key: value}\n\n\
         error: a tab in the indentation\n --> group_vars/web.yml:2:1\n  |\n2 |     b: 1\n  | ^^^^\n  hint: indent with spaces; YAML takes no tabs there"
    );
}

#[test]
fn a_group_that_contains_itself_is_an_error() {
    let shown = error("a: {children: {b: }}\nb: {children: {c: }}\nc: {children: {a: }, hosts: {h: }}\n");
    assert_eq!(
        shown,
        "error: the group `a` contains itself: a → b → c → a\n --> inventory.yml:3:16\n  |\n3 | c: {children: {a: }, hosts: {h: }}\n  |                ^\n  hint: take one of them out of the other's children"
    );
    assert!(error("a: {children: {a: }, hosts: {h: }}").contains("the group `a` contains itself: a → a"));
    assert!(error("a: {children: {all: }, hosts: {h: }}").contains("`all` holds every group"));
}

#[test]
fn what_is_no_yaml_inventory_says_what_it_is() {
    for (yaml, shown) in [
        ("#!/usr/bin/python\nprint(1)\n", "error: this inventory is a script\n --> inventory.yml:1:1"),
        (
            "plugin: aws_ec2\n",
            "error: this configures an inventory plugin of Ansible\n --> inventory.yml:1:1",
        ),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
            "error: this is not what ansible-vault writes: it does not hold a salt, a checksum and a text: is it cut off?\n --> inventory.yml:1:1",
        ),
        ("- a\n", "error: expected a map of groups, `all:` first, found a list\n --> inventory.yml:1:1"),
    ] {
        assert!(error(yaml).starts_with(shown), "{}", error(yaml));
    }
}

#[test]
fn a_missing_inventory_says_what_to_do() {
    let shown = given(Path::new("nowhere/inventory.yml")).unwrap_err().to_string();
    assert_eq!(
        shown,
        "error: there is no inventory at nowhere/inventory.yml\n  hint: give one with -i PATH or HOMELAB_INVENTORY, or copy inventory.example.yml to inventory.yml"
    );
}

#[test]
fn a_file_that_is_not_utf8_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("i.yml");
    fs::write(&path, b"all:\n  hosts: {h: {a: \xe9}}\n").unwrap();
    let shown = given(&path).unwrap_err().to_string();
    assert!(shown.contains("this is not UTF-8\n") && shown.contains("i.yml:2:18"), "{shown}");
    fs::write(&path, "\u{feff}all: {hosts: {h: }}\r\n").unwrap();
    assert_eq!(given(&path).unwrap().hosts.len(), 1);
}

#[test]
fn too_many_hosts_or_groups_end_with_a_word() {
    assert!(error("all: {hosts: {\"h[1:99999999999]\": }}").contains("more than the 10000 hosts"));
    let two = "all:\n  hosts:\n    a[1:9999]:\n    b[1:9999]:\n";
    assert_eq!(error(two).matches("more than 10000 hosts").count(), 1);
    let groups: String = (0..3000).map(|n| format!("g{n}: {{hosts: {{h: }}}}\n")).collect();
    assert!(error(&groups).contains("more than 2000 groups"));
}
