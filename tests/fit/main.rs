//! Whether a model fits, over configs and headers of many architectures. The arithmetic stands beside each number, so that
//! a reader can check it without the program; it is not what the program computes, but what its sources say.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

mod configs;
mod gguf;
mod table;
mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};

use homelab::fit::{self, Files, Gpu, ModelFacts};

/// A file of tests/data/fit.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fit").join(name)
}

/// The facts of a config in tests/data/fit/configs, whose files have so many bytes.
fn facts(name: &str, bytes: u64) -> ModelFacts {
    let text = fs::read_to_string(data(&format!("configs/{name}.json"))).unwrap();
    let files = Files { bytes: (bytes > 0).then_some(bytes), ..Files::default() };
    fit::from_config(&text, &files).unwrap()
}

/// A card of so many GiB that nobody else uses.
fn card(gib: u64) -> Gpu {
    Gpu { bytes: gib << 30, shared: false, taken: 0 }
}
