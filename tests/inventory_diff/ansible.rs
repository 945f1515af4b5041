//! The real Ansible: asked through `driver.py`, one process for many questions.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::json;

/// What a run of `ansible-inventory` ends with.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

struct Driver {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

thread_local! {
    static DRIVER: RefCell<Driver> = RefCell::new(start());
}

/// Where Ansible is installed.
pub(crate) fn venv() -> &'static Path {
    static VENV: OnceLock<PathBuf> = OnceLock::new();
    VENV.get_or_init(|| {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/venv");
        let output = Command::new(tool).arg("ansible").stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "Ansible cannot be installed: see above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

fn start() -> Driver {
    let mut child = Command::new(venv().join("bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inventory_diff/driver.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (questions, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    Driver { child, questions, answers }
}

/// What `ansible-inventory ARGS` says in a directory.
pub(crate) fn answer(dir: &Path, args: &[String]) -> Answer {
    DRIVER.with_borrow_mut(|driver| {
        writeln!(driver.questions, "{}", json!({"dir": dir, "args": args})).unwrap();
        let mut line = String::new();
        driver.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|why| panic!("the driver is gone: {why}"))
    })
}
