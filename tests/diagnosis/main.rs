//! Every row of the tables of known failures has a test: on what was recorded, where it could be
//! recorded, else on what its source prints. docs/troubleshooting.md shows the same rows;
//! `UPDATE_GOLDEN=1 cargo test --test diagnosis` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

#[macro_use]
mod case;
mod docs;
mod engines;
mod shared;

use case::{Case, Of};
use homelab::diagnosis::{KnownBy, Row};
use homelab::{engine, service};

fn all() -> Vec<&'static Case> {
    [
        engines::VLLM,
        engines::LLAMA_CPP,
        engines::LITELLM,
        shared::SHARED,
        shared::REFUSALS,
        shared::PULLS,
        shared::PINS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_row_has_one_test_and_a_name_of_its_own() {
    for of in Of::ALL {
        let rows: Vec<&str> = of.rows().map(|row| row.id).collect();
        let tested: Vec<&str> = all().into_iter().filter(|c| c.of == of).map(|c| c.row).collect();
        let name = |id: &str| id.replace('-', "_");
        for id in &rows {
            let times = tested.iter().filter(|test| **test == name(id)).count();
            assert_eq!(times, 1, "{id} of {of:?} has {times} tests");
            assert_eq!(rows.iter().filter(|other| *other == id).count(), 1, "{id} is there twice");
        }
        for test in tested {
            assert!(rows.iter().any(|id| name(id) == test), "{test} of {of:?} is no row");
        }
    }
}

/// Every row of every table, once.
fn every_row() -> Vec<&'static Row> {
    Of::ALL.iter().flat_map(|of| of.rows()).collect()
}

#[test]
fn the_keys_that_rows_name_are_there() {
    let options = engine::ALL.iter().flat_map(|e| e.options()).map(|o| o.name);
    let own = [
        "model",
        "models_max",
        "load",
        "gpu",
        "port",
        "args",
        "prefetch",
        "hf_token",
        "hf_home",
        "host_ip",
        "master_key",
        "registry_auth",
    ];
    let known: Vec<&str> = options.chain(service::KEYS.iter().map(|(key, _)| *key)).chain(own).collect();
    for row in every_row() {
        for mark in row.next.split('[').skip(1) {
            let key = mark.split([']', '=']).next().unwrap();
            assert!(known.contains(&key), "{} names `{key}`, which the inventory does not have", row.id);
        }
    }
}

#[test]
fn advice_takes_only_numbers_from_a_log() {
    for row in every_row() {
        assert!(row.known_by != KnownBy::Words(&[]), "{} is known by nothing", row.id);
        assert_eq!(row.reads.is_empty(), !row.cause.contains("{1}"), "{}", row.id);
        let unescaped = row.reads.replace(r"\(", "");
        let groups = unescaped.split('(').skip(1).filter(|group| !group.starts_with("?:"));
        for (n, group) in (1..).zip(groups) {
            let number = group.starts_with(r"\d+)");
            assert!(number || !row.next.contains(&format!("{{{n}}}")), "{}: {{{n}}} is any text", row.id);
        }
    }
}
