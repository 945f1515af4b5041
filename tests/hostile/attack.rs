//! The program in a directory of hostile files, held by limits of the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Seconds of a processor; the build without optimization is given more, as it is that much slower.
const SECONDS: u32 = if cfg!(debug_assertions) { 10 } else { 1 };
/// For work that nothing but time can tell from other work: the program ends it by itself after 5 s.
const WATCHED: u32 = 12;
/// Memory that the program may write to.
const MEGABYTES: u32 = 200;
/// What is said of a file must fit on a few screens.
const WORDS: usize = 100_000;

/// An inventory that is fine, for what stands beside it.
pub(crate) const FINE: &str = "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      models:
        tiny: {engine: llama_cpp, model: /models/tiny.gguf, port: 8080, gpu: none}
      gateway: {engine: litellm}
";

pub(crate) const PLAN: &[&str] = &["plan", "--offline"];
pub(crate) const LIST: &[&str] = &["inventory", "--list"];
pub(crate) const RESOLVED: &[&str] = &["inventory", "--list", "--resolved"];

#[must_use]
pub(crate) struct Attack {
    dir: tempfile::TempDir,
    name: String,
    seconds: u32,
}

impl Attack {
    /// With an inventory that is fine.
    pub(crate) fn new(name: &str) -> Self {
        Self::bare(name).file("inventory.yml", FINE)
    }

    /// Without one.
    pub(crate) fn bare(name: &str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), name: name.into(), seconds: SECONDS }
    }

    /// These bytes as the variables of all hosts.
    pub(crate) fn vars(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::new(name).file("group_vars/all.yml", bytes)
    }

    /// These bytes as the inventory.
    pub(crate) fn inventory(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        Self::bare(name).file("inventory.yml", bytes)
    }

    pub(crate) fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(path), bytes).unwrap();
        self
    }

    /// A file of this many zeros, which take no room.
    pub(crate) fn sparse(self, path: &str, bytes: u64) -> Self {
        fs::File::create(self.path(path)).unwrap().set_len(bytes).unwrap();
        self
    }

    pub(crate) fn link(self, path: &str, to: &str) -> Self {
        std::os::unix::fs::symlink(to, self.path(path)).unwrap();
        self
    }

    pub(crate) fn pipe(self, path: &str) -> Self {
        assert!(Command::new("mkfifo").arg(self.path(path)).status().unwrap().success());
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What only time tells from other work.
    pub(crate) fn watched(self) -> Self {
        Self { seconds: WATCHED, ..self }
    }

    /// Where a file of this name goes; its directory is made, and what has the name is gone.
    fn path(&self, path: &str) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        path
    }

    /// It ends with this code and says this.
    pub(crate) fn ends(self, args: &[&str], code: i32, words: &str) -> Self {
        let (got, text) = run(self.dir.path(), args, self.seconds);
        let what = format!("{}, homelab {}", self.name, args.join(" "));
        let start: String = text.chars().take(2000).collect();
        assert_eq!(got, Some(code), "{what} (none: a limit was exceeded, or it broke down):\n{start}");
        assert!(text.contains(words), "{what} does not say {words:?}:\n{start}");
        assert!(text.len() < WORDS, "{what}: {} bytes of words:\n{start}", text.len());
        let harm = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(harm), "{what} writes to the terminal what moves its cursor: {start:?}");
        self
    }

    /// It refuses the files and says this.
    pub(crate) fn refused(self, words: &str) {
        let _ = self.ends(PLAN, 65, words);
    }

    /// Asked this, it refuses the files and says that.
    pub(crate) fn refuses(self, args: &[&str], words: &str) {
        let _ = self.ends(args, 65, words);
    }

    /// It answers, and says this besides.
    pub(crate) fn says(self, args: &[&str], words: &str) {
        let _ = self.ends(args, 0, words);
    }

    /// It takes or refuses them.
    pub(crate) fn survived(self) {
        let (code, said) = run(self.dir.path(), PLAN, self.seconds);
        assert!(matches!(code, Some(0 | 65)), "{}: {code:?} {said}", self.name);
    }

    /// It takes them, whatever they are.
    pub(crate) fn harmless(self, args: &[&str]) {
        let _ = self.ends(args, 0, "");
    }
}

/// Its exit code, none if a limit ended it, and what it said.
fn run(dir: &Path, args: &[&str], seconds: u32) -> (Option<i32>, String) {
    let limits = format!(
        "ulimit -c 0; ulimit -d {}; ulimit -t {seconds}; exec timeout -s KILL 240 \"$@\"",
        MEGABYTES * 1024
    );
    let output = Command::new("sh")
        .args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_homelab")])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // Above 100 are signals, as a shell tells them.
    let code = output.status.code().filter(|code| *code < 100);
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}
