//! `homelab inventory` beside the real `ansible-inventory`: the same bytes for the same files, over inventories
//! written by hand (`cases/`) and over random ones. `tests/tools/venv ansible` installs Ansible.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod ansible;
#[path = "../common/mod.rs"]
mod common;
#[path = "../properties/dice.rs"]
mod dice;
mod random;
mod vault;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use world::World;

fn cases() -> Vec<(String, World)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inventory_diff/cases");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), World::parse(&fs::read_to_string(path).unwrap()))).collect()
}

#[test]
fn inventories_written_by_hand_mean_the_same() {
    let cases = cases();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, world)| Some(format!("== {name}\n{}", world.difference()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 40, "only {} cases", cases.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 80, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_inventories_mean_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let world = random::world(&bytes);
        if let Some(difference) = world.difference() {
            prop_assert!(false, "{difference}\n{world}");
        }
    }
}

/// The driver is a shortcut: this is what it is a shortcut of.
#[test]
fn the_driver_is_the_command() {
    for (name, world) in cases().iter().filter(|(name, _)| name.contains("example")) {
        let dir = world.write();
        for run in &world.runs {
            let output = Command::new(ansible::venv().join("bin/ansible-inventory"))
                .args(&run.args)
                .current_dir(dir.path())
                .env("ANSIBLE_CONFIG", "/nowhere/ansible.cfg")
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            let answer = ansible::answer(dir.path(), &run.args);
            assert_eq!(answer.out, String::from_utf8(output.stdout).unwrap(), "{name}: {:?}", run.args);
            assert_eq!(Some(answer.code), output.status.code(), "{name}: {:?}", run.args);
        }
    }
}
