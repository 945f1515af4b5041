//! The property lists that homelab renders and installs, read by a parser that is not homelab's: Python's plistlib.
//! That launchd takes them as it does is nothing that can be tested without a Mac.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use homelab::desired::{installed, to_install};
use serde_json::{Value, json};

/// Every list that the golden inventories render.
fn lists() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found = Vec::new();
    for host in ["mac/expected/studio", "mac/expected/mini", "house/expected/macbook"] {
        let native = golden.join(host).join("native");
        let files = fs::read_dir(&native).unwrap_or_else(|why| panic!("{}: {why}", native.display()));
        found.extend(
            files.map(|file| file.unwrap().path()).filter(|path| path.extension().unwrap() == "plist"),
        );
    }
    found
}

/// What plistlib reads.
fn parsed(list: &[u8]) -> Value {
    let program = "import json, plistlib, sys; json.dump(plistlib.load(sys.stdin.buffer, fmt=plistlib.FMT_XML), sys.stdout)";
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(list).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn another_parser_reads_in_a_list_what_homelab_reads_in_it() {
    let lists = lists();
    assert!(lists.len() >= 5, "{lists:?}");
    for path in lists {
        let text = fs::read_to_string(&path).unwrap();
        let read = installed(&text).unwrap();
        let job = parsed(text.as_bytes());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(job["Label"], format!("homelab-{name}-1"));
        let service = read.service;
        let words: Vec<String> =
            service.entrypoint.iter().chain(&service.command).flatten().cloned().collect();
        let arguments = job["ProgramArguments"].as_array().unwrap();
        let (shell, program) = arguments.split_at(arguments.len() - words.len());
        assert_eq!(json!(program), json!(words));
        assert_eq!((&shell[0], shell.last().unwrap()), (&json!("/bin/sh"), &json!("--")));
        assert_eq!(job.get("EnvironmentVariables").unwrap_or(&json!({})), &json!(service.environment));
        assert_eq!(job["dev.homelab"]["Labels"], json!(service.labels));
        assert_eq!(job["RunAtLoad"], true);
        assert_eq!(job.get("ExitTimeOut").cloned(), service.stop_grace_period.map(|period| json!(period.0)));

        // What is installed is the same with two keys more.
        let mut more = parsed(&to_install(text.into_bytes(), "5f3a", "model/a=2").unwrap());
        let own = more["dev.homelab"].as_object_mut().unwrap();
        assert_eq!(own.remove("RootKey"), Some(json!("5f3a")));
        assert_eq!(own.remove("Keys"), Some(json!("model/a=2")));
        assert_eq!(more, job);
    }
}
