//! A case in one text: `# what it promises`, `$ arguments` (else `plan --offline`), files behind `--- PATH`, and behind
//! `=== exit CODE` all that is said: stderr, and what a verb that shows the inventory prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What ends the files of a case.
const EXIT: &str = "=== exit ";
/// What stands before what was printed.
const STDOUT: &str = "=== stdout\n";

pub(crate) struct Case {
    /// All before the expectation, as it stands in the file.
    pub(crate) given: String,
    /// The rest.
    pub(crate) expected: String,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Self {
        let at = text.find(&format!("\n{EXIT}")).map_or(text.len(), |at| at + 1);
        let (given, expected) = text.split_at(at);
        assert!(given.starts_with("# "), "a case begins with what it promises: {given}");
        Self { given: given.to_owned(), expected: expected.to_owned() }
    }

    fn args(&self) -> Vec<&str> {
        let line = self.given.lines().find_map(|line| line.strip_prefix("$ "));
        let mut args = Vec::new();
        for (index, part) in line.unwrap_or("plan --offline").split('\'').enumerate() {
            if index % 2 == 1 { args.push(part) } else { args.extend(part.split_whitespace()) }
        }
        args
    }

    fn write(&self, dir: &Path) {
        for file in self.given.split("\n--- ").skip(1) {
            let (name, text) = file.split_once('\n').unwrap();
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // What the split took belongs to the file, but not to the last one, which has it still.
            let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
            fs::write(path, format!("{text}{end}")).unwrap();
        }
    }

    /// What the program says of it, as it is expected to be written down.
    pub(crate) fn run(&self) -> String {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        let args = self.args();
        let output = Command::new(env!("CARGO_BIN_EXE_homelab"))
            .args(&args)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        assert!(code == 0 || stdout.is_empty(), "{args:?} prints what it cannot know: {stdout}");
        let shown = if args.contains(&"inventory") && code == 0 {
            format!("{STDOUT}{stdout}")
        } else {
            String::new()
        };
        format!("{EXIT}{code}\n{stderr}{shown}")
    }

    /// The exit code that is expected.
    pub(crate) fn code(&self) -> &str {
        self.expected.strip_prefix(EXIT).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    /// What is expected on stderr.
    pub(crate) fn stderr(&self) -> &str {
        let rest = self.expected.split_once('\n').map_or("", |(_, rest)| rest);
        rest.split(STDOUT).next().unwrap_or_default()
    }
}
