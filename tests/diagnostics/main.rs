//! Every mistake homelab finds in the user's files, one file per case in `cases/`: what the files are, and all that is said
//! of them, to the byte. `UPDATE_EXPECT=1 cargo test --test diagnostics` writes what is expected anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod case;
#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use case::Case;
use common::diff;

fn cases() -> Vec<(PathBuf, Case)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/cases");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| (path.clone(), Case::parse(&fs::read_to_string(path).unwrap()))).collect()
}

#[test]
fn every_case_says_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for (path, case) in cases() {
        let said = case.run();
        if said == case.expected {
            continue;
        }
        if update {
            fs::write(&path, format!("{}{said}", case.given)).unwrap();
        }
        wrong.push(format!("{}, - wanted, + got:\n{}", path.display(), diff(&case.expected, &said)));
    }
    assert!(
        update || wrong.is_empty(),
        "if this is meant, UPDATE_EXPECT=1 writes it anew:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_mistake_says_what_to_do_next() {
    for (path, case) in cases() {
        for said in case.stderr().split("\n\n").filter(|said| !said.trim().is_empty()) {
            let mistake = said.starts_with("error: ") || said.starts_with("warning: ");
            let hint = ["\n  hint: ", "did you mean", "; `homelab "].iter().any(|next| said.contains(next));
            assert!(hint || !mistake, "{}: no hint in\n{said}", path.display());
        }
    }
}

#[test]
fn no_secret_of_a_case_is_shown() {
    let mut secrets = 0;
    for (path, case) in cases() {
        secrets += case.given.matches("hunter2").count();
        assert!(!case.expected.contains("hunter2"), "{}", path.display());
    }
    assert!(secrets > 5, "only {secrets} secrets in all cases");
}

#[test]
fn what_is_wrong_ends_with_65_and_a_warning_does_not() {
    for (path, case) in cases() {
        let error = case.stderr().starts_with("error: ") || case.stderr().contains("\nerror: ");
        let wanted = if error { ["64", "65"].contains(&case.code()) } else { case.code() == "0" };
        assert!(wanted, "{}: {}", path.display(), case.code());
    }
}
