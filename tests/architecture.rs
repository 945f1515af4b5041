//! The house rules that a compiler does not check: what may import what, who may print, read or
//! act. It reads the sources as text and runs nothing.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use homelab::lock::Pins;
use homelab::service::{KEYS, Who};
use homelab::{cluster, inventory};

/// The modules, lowest first: each may import those before it, and itself.
const ORDER: [&str; 32] = [
    "names",
    "image",
    "diagnostic",
    "exit",
    "secret",
    "service",
    "claim",
    "diagnosis",
    "survey",
    "connection",
    "wake",
    "doctor",
    "bootstrap",
    "inventory",
    "fit",
    "lock",
    "engine",
    "gateway",
    "companion",
    "client",
    "cluster",
    "desired",
    "starter",
    "plan",
    "event",
    "hub",
    "host",
    "cli",
    "ui",
    "commands",
    "lib",
    "main",
];

/// The last module of the pure part, which begins with the first of all.
const LAST_PURE: &str = "plan";

/// The one file of the pure part that reads.
const READERS: [&str; 1] = ["inventory/files.rs"];

/// What would let the pure part wait, tell the time or go by chance.
const IMPURE_WORDS: [&str; 12] = [
    "tokio",
    "openssh",
    "bollard",
    "hyper",
    "getrandom",
    "jiff",
    "async",
    "await",
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
];

/// What would let it see or change the machine it runs on.
const WORLD: [&str; 12] = [
    "std::fs",
    "std::env",
    "std::process::Command",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::",
    "std::path::absolute",
    "io::stdin",
    ".exists()",
    ".is_dir()",
    "std::{",
];

/// A source file.
struct Rust {
    /// Below `src/`.
    path: PathBuf,
    text: String,
}

impl Rust {
    /// The module at the top that it belongs to.
    fn module(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    fn is_test(&self) -> bool {
        let name = |part: &std::ffi::OsStr| ["tests", "tests.rs", "testing.rs"].iter().any(|t| part == *t);
        self.path.iter().any(name)
    }

    /// How many modules lie between the root and this one, itself counted.
    fn depth(&self) -> usize {
        let parts = self.path.components().count();
        if self.path.ends_with("mod.rs") { parts - 1 } else { parts }
    }

    /// Its lines of code with their numbers, without comments, strings and the unit tests at its end.
    fn code(&self) -> impl Iterator<Item = (usize, String)> {
        let text = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        text.lines().enumerate().map(|(i, line)| (i + 1, without_strings(line)))
    }

    fn at(&self, line: usize) -> String {
        format!("src/{}:{line}", self.path.display())
    }
}

/// A line without what stands in quotes or behind `//`.
fn without_strings(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            c if !quoted => out.push(c),
            _ => {}
        }
    }
    out
}

/// Its words: what stands between characters that no identifier has.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn rust_files(dir: &Path, below: &Path, found: &mut Vec<Rust>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, below, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Rust { path: path.strip_prefix(below).unwrap().to_owned(), text });
        }
    }
}

fn sources() -> Vec<Rust> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    rust_files(&src, &src, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

fn none_of(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

fn rank(module: &str) -> usize {
    let rank = ORDER.iter().position(|m| *m == module);
    rank.unwrap_or_else(|| panic!("module `{module}` has no place in ORDER, tests/architecture.rs"))
}

/// The modules a line names by `crate::` or, in the program, by `homelab::`.
fn imports(line: &str) -> Vec<String> {
    let starts = line.match_indices("crate::").chain(line.match_indices("homelab::"));
    let mut all = Vec::new();
    for (at, root) in starts {
        let rest = &line[at + root.len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or(list),
            None => rest.split([':', ';', ' ', ',', ')', '(', '>']).next().unwrap_or(rest),
        };
        all.extend(list.split(',').filter_map(|item| words(item).next().map(str::to_owned)));
    }
    all
}

#[test]
fn imports_go_strictly_downward() {
    let mut found = Vec::new();
    for file in sources() {
        let module = file.module();
        let own = rank(&module);
        for (i, line) in file.text.lines().enumerate().map(|(i, l)| (i + 1, without_strings(l))) {
            for other in imports(&line) {
                if other != module && rank(&other) >= own {
                    found.push(format!("{}: {module} imports {other}", file.at(i)));
                }
            }
        }
    }
    none_of(found, "a module imports only what stands before it in ORDER");
}

/// The paths that a list of imports names, as in `a::{b, c::{d, e}}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((head, list)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in list.trim_end().trim_end_matches('}').chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    let one = |part: &String| -> Vec<String> {
        paths(part).into_iter().map(|path| format!("{}{path}", head.trim())).collect()
    };
    parts.iter().filter(|part| !part.trim().is_empty()).flat_map(one).collect()
}

/// The modules that a file imports, from the root.
fn imported(file: &Rust) -> Vec<Vec<String>> {
    let code: Vec<String> = file.code().map(|(_, line)| line).collect();
    let code = code.join("\n");
    let own = own_path(file);
    let absolute = |path: String| {
        let mut parts: Vec<&str> = path.split("::").map(str::trim).collect();
        let ups = parts.iter().take_while(|part| **part == "super").count();
        match parts[0] {
            "crate" => Some(parts.split_off(1).into_iter().map(str::to_owned).collect()),
            "super" => {
                let base = own[..own.len() - ups].iter().cloned();
                Some(base.chain(parts.split_off(ups).into_iter().map(str::to_owned)).collect())
            }
            _ => None,
        }
    };
    let uses = code.split("\nuse ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(paths).filter_map(absolute).collect()
}

/// A file's module, from the root.
fn own_path(file: &Rust) -> Vec<String> {
    let path = file.path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

/// Takes away whatever imports nothing that is left, until nothing more goes.
fn circles(mut edges: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let before = edges.len();
        let names: BTreeSet<String> = edges.keys().cloned().collect();
        edges.retain(|_, to| to.iter().any(|other| names.contains(other)));
        if edges.len() == before {
            return edges;
        }
    }
}

#[test]
fn files_beside_one_another_do_not_import_in_circles() {
    let files: Vec<Rust> = sources().into_iter().filter(|file| !file.is_test()).collect();
    let mut below: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for file in &files {
        let own = own_path(file);
        for other in imported(file) {
            let same = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
            // A module and what is below it are one; those at the top have their order.
            let (Some(from), Some(to)) = (own.get(same), other.get(same)) else { continue };
            let is_module = files.iter().any(|file| own_path(file).starts_with(&other[..=same]));
            if same > 0 && is_module {
                let beside = below.entry(own[..same].join("/")).or_default();
                beside.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    assert!(below["cluster"]["resolve"].contains("spec"), "{:?}", below["cluster"]);
    let found = below.into_iter().flat_map(|(directory, edges)| {
        let left = circles(edges);
        left.into_iter().map(move |(from, to)| format!("src/{directory}: {from} imports {to:?}"))
    });
    none_of(found.collect(), "of files beside one another none imports what imports it");
}

#[test]
fn no_path_climbs_to_the_root_by_super() {
    let mut found = Vec::new();
    for file in sources() {
        for (i, line) in file.code() {
            let deepest = line.split("super::").collect::<Vec<_>>();
            let longest = deepest[1..].split(|part| !part.is_empty()).map(|run| run.len() + 1).max();
            if longest.is_some_and(|n| deepest.len() > 1 && n >= file.depth()) {
                found.push(file.at(i));
            }
        }
    }
    none_of(found, "another module is named by `crate::`, so that the order of imports can be seen");
}

#[test]
fn every_module_has_a_place_in_the_order() {
    let files = sources();
    let mut modules: Vec<String> = files.iter().map(Rust::module).collect();
    modules.dedup();
    for module in ORDER {
        assert!(modules.iter().any(|m| m == module), "ORDER names `{module}`, which is gone");
    }
    for module in &modules {
        let _ = rank(module);
    }
}

#[test]
fn the_pure_part_has_no_world() {
    let mut found = Vec::new();
    let last = rank(LAST_PURE);
    for file in sources().iter().filter(|f| rank(&f.module()) <= last && !f.is_test()) {
        let reads = READERS.iter().any(|reader| file.path == Path::new(reader));
        for (i, line) in file.code() {
            let word = words(&line).find(|word| IMPURE_WORDS.contains(word));
            let world = WORLD.iter().copied().find(|world| !reads && line.contains(world));
            found.extend(word.or(world).map(|what| format!("{}: {what}", file.at(i))));
        }
    }
    none_of(found, "names to plan are pure: no I/O, no clock, no chance");
}

#[test]
fn only_ui_prints() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|f| f.module() != "ui") {
        for (i, line) in file.code() {
            let prints = ["print!", "println!", "eprint!", "eprintln!", "dbg!", "stdout()", "stderr()"];
            // A child's streams are not ours.
            let line = line.replace(".stdout()", "");
            found.extend(prints.iter().filter(|p| line.contains(*p)).map(|p| format!("{}: {p}", file.at(i))));
        }
    }
    none_of(found, "only ui prints");
}

/// What can change a host, and the verbs that may have it. A trial makes one container and removes it.
const HANDS: [(&str, &[&str]); 5] = [
    ("CarryOut", &["commands/deploy.rs", "commands/down.rs"]),
    ("into_hands", &["commands/deploy.rs", "commands/down.rs"]),
    ("Hands", &["commands/deploy.rs", "commands/down.rs"]),
    ("Trial", &["commands/doctor.rs"]),
    ("Setup", &["commands/bootstrap.rs"]),
];

#[test]
fn only_deploy_and_down_act_and_doctor_tries() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|f| f.module() != "host") {
        for (i, line) in file.code() {
            let bad = |(hand, allowed): &(&str, &[&str])| {
                words(&line).any(|w| w == *hand) && !allowed.iter().any(|a| file.path == Path::new(a))
            };
            found.extend(
                HANDS.iter().filter(|hand| bad(hand)).map(|(hand, _)| format!("{}: {hand}", file.at(i))),
            );
        }
    }
    none_of(found, "only deploy and down may get hands, and doctor a trial; what else looks cannot act");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut found = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines >= 400 {
            found.push(format!("src/{}: {lines} lines", file.path.display()));
        }
        if !file.text.starts_with("//! ") {
            found.push(format!("{}: it does not begin with `//!`", file.at(1)));
        }
    }
    none_of(found, "a file is shorter than 400 lines and says first what it is");
}

#[test]
fn nothing_is_allowed_or_put_off() {
    let mut found = Vec::new();
    for file in sources() {
        for (i, line) in file.text.lines().enumerate() {
            let bad = ["#[allow(", "#![allow(", "TODO", "FIXME", "#[ignore"];
            found
                .extend(bad.iter().filter(|b| line.contains(*b)).map(|b| format!("{}: {b}", file.at(i + 1))));
        }
    }
    none_of(found, "lints are expected with a reason, not allowed, and work is done, not marked");
}

/// A value for every Compose key of the user's.
const SAMPLES: [(&str, &str); 20] = [
    ("image", "vllm/vllm-openai:v0.33.0"),
    ("entrypoint", "[vllm, serve]"),
    ("environment", "{A: b}"),
    ("volumes", "[\"~/a:/b\"]"),
    ("ipc", "private"),
    ("shm_size", "1g"),
    ("ulimits", "{nofile: 1}"),
    ("sysctls", "{net.core.somaxconn: 1}"),
    ("devices", "[/dev/dri]"),
    ("group_add", "[video]"),
    ("cap_add", "[IPC_LOCK]"),
    ("security_opt", "[\"label=disable\"]"),
    ("networks", "[default]"),
    ("extra_hosts", "[\"nas:192.168.1.5\"]"),
    ("mem_limit", "1g"),
    ("restart", "always"),
    ("stop_grace_period", "1m30s"),
    ("pull_policy", "never"),
    ("labels", "{a: b}"),
    ("host_ip", "127.0.0.1"),
];

/// What is wrong with a model that sets one key more.
fn problems_with(key: &str, value: &str) -> String {
    let text = format!(
        "all:\n  hosts:\n    here:\n      models:\n        m: {{engine: vllm, model: m, port: 8000, {key}: {value}}}\n"
    );
    let inventory = inventory::parse("inventory.yml", &text, BTreeMap::new()).unwrap();
    cluster::read(&inventory, Pins::default(), false)
        .map_or_else(|problems| problems.to_string(), |_| String::new())
}

#[test]
fn a_model_takes_every_compose_key_of_the_users_and_none_of_homelabs() {
    for (key, who) in KEYS {
        let value = SAMPLES.iter().find(|(k, _)| k == key).map_or("x", |(_, value)| value);
        let problems = problems_with(key, value);
        match who {
            Who::User => assert_eq!(problems, "", "a model may set `{key}`"),
            // A model has a key of that name that is not Compose's.
            Who::Homelab if *key == "command" => {}
            Who::Homelab => assert!(problems.contains(&format!("`{key}`")), "`{key}` is homelab's"),
        }
    }
    assert_eq!(problems_with("host_ip", "127.0.0.1"), "");
}
