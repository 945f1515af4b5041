//! The program in a directory of its own: what it is given, and exactly what it must answer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::diff;

/// An inventory that is fine, for tests of everything else.
pub(crate) const FINE: &str = "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      models:
        tiny: {engine: llama_cpp, model: /models/tiny.gguf, port: 8080, gpu: none}
      gateway: {engine: litellm}
";

/// A run of the program. What is not said of stderr must be nothing.
#[must_use]
pub(crate) struct Test {
    dir: tempfile::TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdout: Option<String>,
    stdout_holds: Vec<String>,
    stderr: String,
    code: i32,
}

/// What came of a run, for questions that exact text cannot ask.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    /// Where it ran; gone with this.
    pub(crate) dir: tempfile::TempDir,
}

impl Test {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            args: vec![],
            env: vec![],
            stdout: None,
            stdout_holds: vec![],
            stderr: String::new(),
            code: 0,
        }
    }

    /// A test of an inventory, planned offline.
    pub(crate) fn plan(inventory: &str) -> Self {
        Self::new().file("inventory.yml", inventory).args(["plan", "--offline"])
    }

    /// A test of models of one host beside a gateway, planned offline. They start at line 6.
    pub(crate) fn models(models: &str) -> Self {
        let models: String = models.lines().map(|line| format!("        {line}\n")).collect();
        let head = "all:\n  hosts:\n    box:\n      ansible_host: 10.0.0.9\n      models:\n";
        Self::plan(&format!("{head}{models}      gateway: {{engine: litellm}}\n"))
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A file that may be executed.
    pub(crate) fn script(self, path: &str, text: &str) -> Self {
        let test = self.file(path, text);
        fs::set_permissions(test.dir.path().join(path), fs::Permissions::from_mode(0o700)).unwrap();
        test
    }

    /// Runs with one more file, which need not be text.
    pub(crate) fn run_with_bytes(self, path: &str, bytes: &[u8]) -> Ran {
        fs::write(self.dir.path().join(path), bytes).unwrap();
        self.run()
    }

    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Whose home is the directory of the test.
    pub(crate) fn at_home(self) -> Self {
        let home = self.dir.path().to_str().unwrap().to_owned();
        self.env("HOME", &home)
    }

    /// The same again in the directory of a run.
    pub(crate) fn again(ran: Ran) -> Self {
        Self { dir: ran.dir, ..Self::new() }
    }

    pub(crate) fn stdout(mut self, text: &str) -> Self {
        self.stdout = Some(text.into());
        self
    }

    /// Stdout must have this in it.
    pub(crate) fn stdout_holds(mut self, text: &str) -> Self {
        self.stdout_holds.push(text.into());
        self
    }

    pub(crate) fn stderr(mut self, text: &str) -> Self {
        self.stderr = text.into();
        self
    }

    pub(crate) fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// Mistakes in the user's files: exit code 65, this on stderr, nothing on stdout.
    pub(crate) fn wrong(self, stderr: &str) {
        // Behind several stands how many there are.
        let end = if stderr.ends_with(" errors") { "\n" } else { "\n\n" };
        let stderr = format!("{stderr}{end}");
        let _ = self.stdout("").stderr(&stderr).code(65).run();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab"));
        command.args(&self.args).current_dir(self.dir.path()).stdin(Stdio::null());
        // Nothing of whoever runs the tests: no colours, no inventory, no width of a terminal.
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        command.envs(self.env.iter().cloned());
        command
    }

    pub(crate) fn run(self) -> Ran {
        let output = self.command().output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let what = format!("homelab {}", self.args.join(" "));
        same("stderr", &what, &self.stderr, &stderr);
        if let Some(wanted) = &self.stdout {
            same("stdout", &what, wanted, &stdout);
        }
        for part in &self.stdout_holds {
            assert!(stdout.contains(part), "stdout of {what} lacks {part:?}:\n{stdout}");
        }
        assert_eq!(output.status.code(), Some(self.code), "exit code of {what}");
        Ran { stdout, dir: self.dir }
    }
}

fn same(stream: &str, what: &str, wanted: &str, got: &str) {
    let difference = diff(wanted, got);
    assert!(difference.is_empty(), "{stream} of {what}, - wanted, + got:\n{difference}");
}

impl Ran {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
}
