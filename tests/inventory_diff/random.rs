//! Random inventories: sources of both formats, files beside them, priorities, `-e`, patterns.
//! Only what Ansible reads without a warning of a broken file, and prints in the same order every time.

use crate::dice::Dice;
use crate::world::{Run, World};

const HOSTS: [&str; 9] =
    ["h1", "h2", "h3", "web[1:3]", "db[01:05:2].lan", "n[a:b]", "h4:2222", "10.0.0.[1:2]", "web2"];
/// A group may contain those after it.
const GROUPS: [&str; 6] = ["a", "b", "c", "d-e", "f", "g"];
const VARS: [&str; 6] = ["v1", "v2", "v3", "v4", "inventory_dir", "ansible_group_priority"];
const YAML_VALUES: [&str; 24] = [
    "1",
    "yes",
    "0755",
    "1.10",
    "12:30:45",
    "\"x: y\"",
    "two",
    "~",
    "2024-01-02",
    "[1, {a: b}]",
    "{k: v, 8: w, off: x}",
    "\"{{ v1 }}\"",
    "!unsafe \"{{ v2 }}\"",
    "1e5",
    "1.5e+300",
    "''",
    "-0.00001",
    "0x1F",
    "[]",
    "{}",
    ".inf",
    "'ä \"'",
    "|\n LINES",
    "!!str 5",
];
const INI_VALUES: [&str; 25] = [
    "5",
    "True",
    "yes",
    "'q'",
    "\"a b\"",
    "[1,2]",
    "{'a':1,'b':[None]}",
    "0755",
    "1.10",
    "\"5\"",
    "a=b",
    "None",
    "(1,2)",
    "1,2",
    "u'x'",
    "0x1f",
    "1_000",
    "1e5",
    "-7",
    "{\"k\":true}",
    "",
    "'it''s'",
    "{{v1}}",
    "\"'5'\"",
    "1-2",
];
const FILES: [&str; 6] = ["NAME.yml", "NAME", "NAME/1.yml", "NAME/sub/x", "NAME.json", "NAME.yaml"];

pub(crate) fn world(bytes: &[u8]) -> World {
    let mut dice = Dice::new(bytes);
    let mut world = World::default();
    let mut sources = Vec::new();
    let dirs = ["", "one/", "two/"];
    for index in 0..=dice.below(3) {
        let dir = dirs[dice.below(3)];
        let name = format!("{dir}s{index}");
        let text = if dice.coin() { ini(&mut dice) } else { yaml(&mut dice) };
        match dice.below(4) {
            0 => sources.push(name.clone()),
            1 => sources.push(format!("{dir}.")),
            _ => sources.push(name.clone()),
        }
        world.files.push((name, text));
    }
    sources.dedup();
    for dir in dirs {
        beside(&mut dice, dir, &mut world);
    }
    let mut common: Vec<String> = sources.iter().flat_map(|s| ["-i".to_owned(), s.clone()]).collect();
    for _ in 0..dice.below(3) {
        let value = [
            "v1=5",
            "v2='a b' v3={{ v1 }}",
            "{\"v4\": [1, 1e5]}",
            "{v1: 0755}",
            "@extra.txt",
            "v1=a\\nb\\=c",
        ];
        common.extend(["-e".to_owned(), value[dice.below(value.len())].to_owned()]);
    }
    world.files.push(("extra.txt".into(), "v2: from a file\nv3: no\n".into()));
    let pattern = pattern(&mut dice);
    for run in [&["--list"][..], &["--graph", "--vars"], &["--list", "--limit", &pattern]] {
        let args = common.iter().cloned().chain(run.iter().map(|arg| (*arg).to_owned())).collect();
        world.runs.push(Run { args, refused: false });
    }
    world
}

/// What names at least one host, whatever the inventory: a name that is not there ends homelab with an error.
fn pattern(dice: &mut Dice<'_>) -> String {
    let terms = [
        "all",
        "*1*",
        "h*",
        "~.*[1-3]$",
        "web[!3]",
        "a*",
        "10.0.0.1*",
        "!h1*",
        "&*2*",
        "!~(db|n)",
        "ungr*[-1]",
    ];
    let mut parts = vec!["all,h1"];
    parts.extend((0..dice.below(3)).map(|_| terms[dice.below(terms.len())]));
    parts.join(",")
}

fn vars<'a>(dice: &mut Dice<'_>, values: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for _ in 0..dice.below(4) {
        let name = VARS[dice.below(VARS.len())];
        let value = if name == "ansible_group_priority" {
            ["1", "10", "3"][dice.below(3)]
        } else {
            values[dice.below(values.len())]
        };
        if found.iter().all(|(known, _)| *known != name) {
            found.push((name, value));
        }
    }
    found
}

fn yaml_vars(dice: &mut Dice<'_>, indent: usize) -> String {
    let blank = " ".repeat(indent);
    let line = |(name, value): (&str, &str)| {
        let value = value.replace("LINES", &format!("{blank} text\n{blank}  more"));
        format!("{blank}{name}: {value}\n")
    };
    vars(dice, &YAML_VALUES).into_iter().map(line).collect()
}

fn ini(dice: &mut Dice<'_>) -> String {
    let mut out = String::from("h1\n# a comment\n");
    hosts_of_ini(dice, &mut out);
    for group in GROUPS {
        out += &format!("[{group}]\n");
        hosts_of_ini(dice, &mut out);
    }
    for (index, group) in GROUPS.iter().enumerate() {
        if dice.once_in(3) && index + 1 < GROUPS.len() {
            let child = GROUPS[index + 1 + dice.below(GROUPS.len() - index - 1)];
            out += &format!("[{group}:children]\n{child} # why\n");
        }
        if dice.once_in(3) {
            out += &format!("[{group}:vars] # of {group}\n");
            for (name, value) in vars(dice, &INI_VALUES) {
                out += &format!(
                    "{name} = {value}{}\n",
                    if dice.once_in(6) && name.starts_with('v') { " # not" } else { "" }
                );
            }
        }
    }
    out
}

fn hosts_of_ini(dice: &mut Dice<'_>, out: &mut String) {
    for _ in 0..dice.below(4) {
        *out += HOSTS[dice.below(HOSTS.len())];
        for (name, value) in vars(dice, &INI_VALUES) {
            let quoted =
                if value.contains(['"', '\'', ' ']) { value.to_owned() } else { format!("\"{value}\"") };
            *out += &format!(" {name}={}", if dice.coin() { value } else { &quoted });
        }
        *out += if dice.once_in(4) { "  # comment\n" } else { "\n" };
    }
}

fn yaml(dice: &mut Dice<'_>) -> String {
    let mut out = String::from("all:\n  hosts:\n    h1:\n");
    hosts_of_yaml(dice, 4, &mut out);
    if dice.coin() {
        out += &format!("  vars:\n{}", yaml_vars(dice, 4));
    }
    for (index, group) in GROUPS.iter().enumerate() {
        if dice.coin() {
            continue;
        }
        out += &format!("{group}:\n");
        if dice.coin() {
            out += "  hosts:\n";
            hosts_of_yaml(dice, 4, &mut out);
        }
        if dice.once_in(3) && index + 1 < GROUPS.len() {
            let child = GROUPS[index + 1 + dice.below(GROUPS.len() - index - 1)];
            out += &format!("  children:\n    {child}:\n      vars:\n{}", yaml_vars(dice, 8));
        }
        if dice.coin() {
            out += &format!("  vars:\n{}", yaml_vars(dice, 4));
        }
    }
    out
}

fn hosts_of_yaml(dice: &mut Dice<'_>, indent: usize, out: &mut String) {
    let mut named: Vec<&str> = vec!["h1"];
    for _ in 0..dice.below(4) {
        let host = HOSTS[dice.below(HOSTS.len())];
        if !named.contains(&host) {
            named.push(host);
            *out += &format!("{}{host}:\n{}", " ".repeat(indent), yaml_vars(dice, indent + 2));
        }
    }
}

/// `group_vars/` and `host_vars/` in a directory.
fn beside(dice: &mut Dice<'_>, dir: &str, world: &mut World) {
    for (kind, names) in [
        ("group_vars", &["all", "a", "b", "d-e", "ungrouped"][..]),
        ("host_vars", &["h1", "web2", "10.0.0.1", "localhost"]),
    ] {
        for name in names {
            if dice.once_in(3) {
                let file = FILES[dice.below(FILES.len())].replace("NAME", name);
                let text = if file.ends_with(".json") {
                    "{\"v1\": 1e5, \"v3\": true}".into()
                } else {
                    yaml_vars(dice, 0)
                };
                world.files.push((format!("{dir}{kind}/{file}"), text));
            }
        }
    }
}
