//! Whole inventories and what becomes of them: every rendered file and the plan, byte for byte.
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes what is expected anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod common;
#[path = "common/schema.rs"]
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::diff;

/// One test per directory in `tests/golden/`; what is expected of an example stands there, too.
macro_rules! golden {
    ($($name:ident: $promise:literal,)*) => {
        const CASES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[doc = $promise]
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

golden! {
    three_hosts: "Two hosts with llama.cpp on the CPU, one of them twice, and a gateway apart.",
    blog: "The set-up of the article this began with: two models on one GPU, ports from variables.",
    catalogue: "Models defined once, picked by host, and a whole set swapped by a profile.",
    nvidia_image: "NVIDIA's image is entered through its own script.",
    ollama: "One Ollama has all its models of a host; a second one is typed.",
    compose_keys: "Every key of Compose's that a model may set.",
    public_names: "Aliases, one name on two hosts, fallbacks.",
    one_machine: "Models on the gateway's own host are reached over the Compose network.",
    foreign_models: "`homelab_models` wins where `models` means something else.",
    own_template: "The user's own template, which sees the host's variables.",
    behind_one: "Several models behind one server, loaded on demand.",
    hybrid: "Models of one's own and of providers, which stand in for one another.",
    elsewhere: "Endpoints that somebody else runs, and a server of a kind that homelab does not know.",
    native: "Models that their hosts run by themselves, beside the gateway and apart from it.",
    mac: "Models that Macs run by themselves, for a user and for root.",
    house: "A workstation, a laptop without Docker, a MacBook and a gateway: what a house has.",
    kinds: "Embeddings and scores beside text.",
    edge: "Caddy before the gateway: certificates of its own authority, two networks, and a port for plain HTTP.",
    edge_files: "A domain with certificates from files, and LiteLLM below a path.",
    metrics: "Prometheus, Grafana, exporters and Open WebUI beside the gateway.",
    hostile_values: "Dollars, quotes, braces and line breaks arrive as they are.",
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Where a case's inventory stands: with what is expected, or among the examples.
fn inventory(name: &str) -> PathBuf {
    let example = examples().join(name);
    if example.is_dir() { example } else { directory().join(name) }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Every file below a directory, by its path there.
type Tree = BTreeMap<String, String>;

fn tree(dir: &Path) -> Tree {
    let mut found = Tree::new();
    collect(dir, dir, &mut found);
    found
}

fn collect(dir: &Path, below: &Path, found: &mut Tree) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, below, found);
        } else {
            let name = path.strip_prefix(below).unwrap().display().to_string();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// What homelab says in a case's directory; what it complains of counts too.
fn homelab(case: &Path, args: &[&str], complaints: &mut BTreeSet<String>) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_homelab"))
        .args(args)
        .current_dir(case)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "homelab {} in {}:\n{stderr}", args.join(" "), case.display());
    complaints.insert(stderr);
    String::from_utf8(output.stdout).unwrap()
}

fn actual(case: &Path) -> Tree {
    let out = tempfile::tempdir().unwrap();
    let mut complaints = BTreeSet::new();
    let said = homelab(case, &["render", "--out", out.path().to_str().unwrap()], &mut complaints);
    let mut files = tree(out.path());
    let listed: BTreeSet<_> = said.lines().map(PathBuf::from).collect();
    let written: BTreeSet<_> = files.keys().map(|name| out.path().join(name)).collect();
    assert_eq!(listed, written, "render says what it writes");
    for path in &written {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let secret =
            path.extension().is_some_and(|ending| ["env", "key", "crt"].iter().any(|e| ending == *e));
        assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{}", path.display());
    }
    files.insert("plan.txt".into(), homelab(case, &["plan", "--offline"], &mut complaints));
    for profile in tree(&case.join("profiles")).keys() {
        let plan =
            homelab(case, &["plan", "--offline", "-e", &format!("@profiles/{profile}")], &mut complaints);
        files.insert(format!("plan-{}.txt", profile.trim_end_matches(".yml")), plan);
    }
    let complaints: String = complaints.into_iter().collect();
    if !complaints.is_empty() {
        files.insert("stderr.txt".into(), complaints);
    }
    files
}

fn check(name: &str) {
    let expected_dir = directory().join(name).join("expected");
    let actual = actual(&inventory(name));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(&expected_dir);
        for (path, text) in &actual {
            let path = expected_dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        return;
    }
    let expected = tree(&expected_dir);
    let mut differences = String::new();
    for path in expected.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (expected.get(path), actual.get(path));
        if old != new {
            let text = |side: Option<&String>| side.cloned().unwrap_or_default();
            differences += &format!("--- {name}/expected/{path}\n{}", diff(&text(old), &text(new)));
        }
    }
    assert!(differences.is_empty(), "if this is meant, UPDATE_GOLDEN=1 writes it anew:\n{differences}");
}

/// What homelab prints for a case when it is compared with itself or with another case.
fn against(case: &str, base: &str, more: &[&str]) -> String {
    let base = inventory(base);
    let args = ["plan", "--offline", "--against", base.to_str().unwrap()];
    homelab(&inventory(case), &[&args, more].concat(), &mut BTreeSet::new())
}

#[test]
fn against_itself_nothing_changes() {
    for case in CASES {
        let said = against(case, case, &["--diff"]);
        assert!(said.starts_with("Nothing changes on "), "{case}: {said}");
    }
}

#[test]
fn plans_as_json_are_what_the_schema_says() {
    // Every inventory against itself and three others; what else a plan may hold comes from random worlds
    // (tests/properties).
    let (mut found, all) = (0, CASES.len());
    for (i, case) in CASES.iter().enumerate() {
        for base in (0..4).map(|further| CASES[(i + further) % all]) {
            let said = against(case, base, &["--diff", "--json"]);
            let json = serde_json::from_str(&said).unwrap();
            assert_eq!(schema::problems("plan_output", &json), [""; 0], "{case} against {base}:\n{said}");
            found += usize::from(*case != base && !json["plan"]["stages"].as_array().unwrap().is_empty());
        }
        let said = homelab(&inventory(case), &["plan", "--offline", "--json"], &mut BTreeSet::new());
        assert_eq!(schema::problems("plan_output", &serde_json::from_str(&said).unwrap()), [""; 0], "{case}");
    }
    assert_eq!(found, all * 3, "other inventories mean other plans");
}

#[test]
fn every_directory_is_a_test() {
    let names = |of: PathBuf| -> BTreeSet<String> {
        fs::read_dir(of).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    };
    let cases: BTreeSet<String> = CASES.iter().map(ToString::to_string).collect();
    assert_eq!(names(directory()), cases);
    assert!(names(examples()).is_subset(&cases), "an example that nothing tests");
}

#[test]
fn rendering_twice_writes_the_same_bytes() {
    for case in ["public_names", "hostile_values"] {
        let case = inventory(case);
        assert_eq!(actual(&case), actual(&case));
    }
}
