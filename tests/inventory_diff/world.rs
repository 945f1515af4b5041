//! A directory of files and what is asked about it, of homelab and of Ansible.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ansible;
use crate::common::diff;

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// As `ansible-inventory` and `homelab inventory` both take them.
    pub(crate) args: Vec<String>,
    /// What homelab refuses where Ansible warns and goes on, or ends with an error of its own.
    pub(crate) refused: bool,
}

/// Files by their paths, and what is asked about them.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) runs: Vec<Run>,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.files {
            writeln!(f, "--- {name}\n{text}")?;
        }
        Ok(())
    }
}

impl World {
    /// A case in text: `# what it promises`, `$ arguments` (or `! arguments`, which homelab refuses), and files
    /// behind `--- PATH`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut world = Self::default();
        for line in text.split_inclusive('\n') {
            if let Some(name) = line.strip_prefix("--- ") {
                world.files.push((name.trim().to_owned(), String::new()));
            } else if let Some((_, file)) = world.files.last_mut() {
                file.push_str(line);
            } else if let Some(args) = line.strip_prefix("$ ") {
                world.runs.push(Run { args: words(args), refused: false });
            } else if let Some(args) = line.strip_prefix("! ") {
                world.runs.push(Run { args: words(args), refused: true });
            } else {
                assert!(line.starts_with('#') || line.trim().is_empty(), "no line of a case: {line}");
            }
        }
        assert!(!world.runs.is_empty() && !world.files.is_empty(), "an empty case: {text}");
        world
    }

    pub(crate) fn write(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    /// Where homelab and Ansible differ, if they do.
    pub(crate) fn difference(&self) -> Option<String> {
        let dir = self.write();
        let differences: Vec<String> =
            self.runs.iter().filter_map(|run| run.difference(dir.path())).collect();
        (!differences.is_empty()).then(|| differences.join("\n"))
    }
}

impl Run {
    fn difference(&self, dir: &Path) -> Option<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_homelab"))
            .arg("inventory")
            .args(&self.args)
            .current_dir(dir)
            .env_remove("HOMELAB_INVENTORY")
            .output()
            .unwrap();
        let (ours, words) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        let theirs = ansible::answer(dir, &self.args);
        let asked = self.args.join(" ");
        if self.refused {
            let refuses = matches!(output.status.code(), Some(64 | 65));
            let complains = theirs.code != 0 || theirs.err.contains("[WARNING]");
            return (!refuses || !complains).then(|| {
                format!(
                    "$ {asked}\nhomelab should refuse, Ansible complain:\n{ours}{words}\nAnsible:\n{}",
                    theirs.err
                )
            });
        }
        // Where Ansible goes on with no host at all, homelab says so and stops.
        if output.status.code() == Some(64) && words.contains(" means no host of this inventory") {
            let all: serde_json::Value = serde_json::from_str(&theirs.out).unwrap();
            let hosts = all["_meta"]["hostvars"].as_object().unwrap();
            return (!hosts.is_empty()).then(|| format!("$ {asked}\n{words}\nAnsible:\n{}", theirs.out));
        }
        if output.status.code() != Some(theirs.code) {
            let code = output.status.code();
            return Some(format!(
                "$ {asked}\nexit {code:?}: {words}\nAnsible, exit {}: {}",
                theirs.code, theirs.err
            ));
        }
        // Where the real one runs is its own affair.
        let interpreter =
            format!(",\n    \"ansible_python_interpreter\": \"{}/bin/python\"", ansible::venv().display());
        let expected = without_vaults(&theirs.out.replace(&interpreter, ""));
        (ours != expected).then(|| format!("$ {asked}\n{}", diff(&expected, &ours)))
    }
}

/// What Ansible printed, with what homelab never prints redacted: values that are encrypted, and values out of
/// the vaults in tests/data, which can be told by `hunter2` or their names.
fn without_vaults(out: &str) -> String {
    let mut out = out.to_owned();
    for (theirs, ours) in [
        (r#"\{\s*"__ansible_vault": "[^"]*"\s*\}"#, r#""<vault>""#),
        (r#""[^"\n]*hunter2[^"\n]*""#, r#""<vault>""#),
        (r#"("vault_(?:number|flag)": )\w+"#, r#"${1}"<vault>""#),
        (r"(\{\w+ = )(?:[^\[{\n][^\[\n]*)?hunter2[^\n]*\}", "${1}<vault>}"),
        (r"'[^'\n]*hunter2[^'\n]*'", "'<vault>'"),
        (r"(\{vault_(?:number|flag) = )\w+", "${1}<vault>"),
    ] {
        out = regex_lite::Regex::new(theirs).unwrap().replace_all(&out, ours).into_owned();
    }
    out
}

/// Words between blanks; single quotes hold blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.trim().split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}
