//! The scripts on what passes for a Mac: `tests/lab/mac` stands in for launchctl, launchd and BSD's stat, and really runs what a
//! plist says. They run in bash as it is when it is called sh, which is macOS's sh.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use plist::Value;

use super::{read, scripts};
use crate::host::after_mark;
use crate::host::inspected::Inspected;
use crate::survey::State;

const NAME: &str = "home-large-1";
/// A plist as it is rendered; the program in it is exchanged.
const LIST: &str = include_str!("../../../tests/golden/mac/expected/studio/native/large.plist");
/// Says what it was given, and goes on until it is stopped.
const PROGRAM: [&str; 3] = [
    "/bin/sh",
    "-c",
    "echo \"given $SECRET, $0\"; trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done",
];

struct Mac {
    dir: tempfile::TempDir,
    launchd: Child,
}

impl Drop for Mac {
    fn drop(&mut self) {
        let _ = self.run(scripts::ACT, &[NAME, &self.inode(), "remove"], b"");
        self.launchd.kill().unwrap();
        self.launchd.wait().unwrap();
    }
}

impl Mac {
    /// One at whose screen somebody is logged in.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mac");
        for directory in ["bin", "home", "state"] {
            fs::create_dir(dir.path().join(directory)).unwrap();
        }
        for name in ["launchctl", "stat"] {
            symlink(&stand_in, dir.path().join("bin").join(name)).unwrap();
        }
        // Without what may stand before it: it is started hundreds of times.
        let python =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(python.stdout).unwrap();
        symlink(python.trim(), dir.path().join("bin/python3")).unwrap();
        let mac = |word: &str| {
            let mut command = Command::new(&stand_in);
            command.arg(word).envs(environment(dir.path()));
            command
        };
        let launchd = mac("launchd").spawn().unwrap();
        until("launchd", || dir.path().join("state/launchd.sock").exists().then_some(()));
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        assert!(mac("login").arg(user.trim()).status().unwrap().success());
        Self { dir, launchd }
    }

    /// Runs a script as a Mac would.
    fn run(&self, script: &str, args: &[&str], stdin: &[u8]) -> Output {
        use std::io::Write as _;
        let launchctl = self.dir.path().join("bin/launchctl");
        let script = script.replace("/bin/launchctl", launchctl.to_str().unwrap());
        let mut command = Command::new("bash");
        command.args(["--posix", "-c", &script, "homelab"]).args(args);
        command.envs(environment(self.dir.path())).env_remove("UID");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // One that refuses may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    /// The same of one that must do what it is told; what it says.
    fn does(&self, script: &str, args: &[&str], stdin: &[u8]) -> String {
        let output = self.run(script, args, stdin);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(after_mark(&output.stdout).to_vec()).unwrap()
    }

    fn home(&self, path: &str) -> PathBuf {
        self.dir.path().join("home").join(path)
    }

    fn create(&self, list: &[u8]) -> String {
        let said = self.does(scripts::CREATE, &[NAME, &list.len().to_string()], list);
        said.trim().to_owned()
    }

    fn act(&self, inode: &str, verb: &str) {
        self.does(scripts::ACT, &[NAME, inode, verb], b"");
    }

    fn inspect(&self, inode: &str) -> Inspected {
        read::one(&self.does(scripts::INSPECT, &[NAME, inode], b"")).unwrap()
    }

    fn log(&self, since: &str, tail: &str) -> Vec<String> {
        self.does(scripts::LOGS, &[NAME, since, tail], b"").lines().map(str::to_owned).collect()
    }

    fn inode(&self) -> String {
        use std::os::unix::fs::MetadataExt as _;
        let list = self.home(&format!("Library/LaunchAgents/{NAME}.plist"));
        fs::metadata(list).map(|found| found.ino().to_string()).unwrap_or_default()
    }

    /// The rendered list with another program, a log that is soon too long, and what `change` does to it.
    fn list(&self, program: &[&str], change: impl FnOnce(&mut plist::Dictionary)) -> Vec<u8> {
        let keys = self.home("keys.env");
        fs::write(&keys, "SECRET=it's $HOME `x` \"q\"\nODD-NAME=1\n").unwrap();
        let log = self.home(&format!("Library/Logs/homelab/{NAME}.log"));
        let mut list = Value::from_reader_xml(LIST.as_bytes()).unwrap();
        let job = list.as_dictionary_mut().unwrap();
        let shell = job["ProgramArguments"].as_array().unwrap()[2].as_string().unwrap().to_owned();
        assert!(shell.contains("sleep 60") && shell.contains("-gt 16777216"), "{shell}");
        let shell = shell.replace("sleep 60", "sleep 0.05").replace("-gt 16777216", "-gt 2000");
        let words = ["/bin/sh", "-c", &shell, "homelab", log.to_str().unwrap(), keys.to_str().unwrap(), "--"];
        let words = words.iter().chain(program).map(|word| Value::from(*word)).collect();
        job.insert("ProgramArguments".to_owned(), Value::Array(words));
        job.insert("Label".to_owned(), NAME.into());
        for output in ["StandardOutPath", "StandardErrorPath"] {
            job.insert(output.to_owned(), log.to_str().unwrap().into());
        }
        change(job);
        let mut out = Vec::new();
        list.to_writer_xml(&mut out).unwrap();
        out
    }
}

fn environment(dir: &Path) -> Vec<(&'static str, String)> {
    let there = |path: &str| dir.join(path).to_str().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    vec![
        ("PATH", format!("{}:{path}", there("bin"))),
        ("HOME", there("home")),
        ("MAC_STATE", there("state")),
        ("MAC_LIBRARY", there("Library")),
    ]
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "there was never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_service_is_started_set_aside_put_back_and_removed() {
    let mac = Mac::new();
    let list = mac.list(&PROGRAM, |_| {});
    let old = mac.create(&list);
    // It is there, and does not run yet.
    assert_eq!(mac.inspect(&old).state, State::Exited { code: 0, oom: false });
    assert_eq!(mac.run(scripts::CREATE, &[NAME, "1"], b"x").status.code(), Some(super::IN_THE_WAY));
    mac.act(&old, "start");
    mac.act(&old, "start");
    let running = mac.inspect(&old);
    assert_eq!((running.state.clone(), running.restarts), (State::Running, 0));
    assert!(running.started_at.unwrap().parse::<jiff::Timestamp>().is_ok());
    let given = "given it's $HOME `x` \"q\", /bin/sh";
    until("its first line", || (mac.log("0", "9") == [given]).then_some(()));
    assert_eq!(mac.log("9999999999", "9"), [""; 0]);
    let log = mac.home(&format!("Library/Logs/homelab/{NAME}.log"));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);

    mac.act(&old, "restart");
    until("both runs", || (mac.log("0", "9") == [given, "bye", given]).then_some(()));
    assert_eq!(mac.log("0", "1"), [given]);

    // A successor that ends at once: launchd goes on trying, and its code is known.
    mac.act(&old, "aside");
    mac.act(&old, "aside");
    assert_eq!(mac.inspect(&old).name, format!("{NAME}.previous"));
    let new = mac.create(&mac.list(&["/bin/sh", "-c", "echo no; exit 7"], |_| {}));
    mac.act(&new, "start");
    let seen = until("its end", || Some(mac.inspect(&new)).filter(|seen| seen.state == State::Restarting));
    assert_eq!(seen.last, Some(State::Exited { code: 7, oom: false }));
    assert_eq!(mac.run(scripts::ACT, &[NAME, &old, "back"], b"").status.code(), Some(super::IN_THE_WAY));
    mac.act(&new, "remove");
    mac.act(&old, "back");
    assert_eq!(mac.inspect(&old).state, State::Running);
    assert_eq!(mac.run(scripts::ACT, &[NAME, &new, "stop"], b"").status.code(), Some(super::MISSING));

    mac.act(&old, "stop");
    assert_eq!(mac.inspect(&old).state, State::Exited { code: 0, oom: false });
    mac.act(&old, "remove");
    assert_eq!(fs::read_dir(mac.home("Library/LaunchAgents")).unwrap().count(), 0);
    assert!(!mac.home("Library/Logs/homelab").exists());
}

#[test]
fn what_does_not_come_back_with_the_machine_is_disabled_once_it_runs() {
    let mac = Mac::new();
    let list = mac.list(&PROGRAM, |job| {
        job["dev.homelab"].as_dictionary_mut().unwrap().remove("AtBoot");
        job.remove("KeepAlive");
    });
    let inode = mac.create(&list);
    mac.act(&inode, "start");
    let shown = |inode: &str| mac.does(scripts::INSPECT, &[NAME, inode], b"");
    assert!(shown(&inode).contains("state=running\n") && shown(&inode).contains("enabled=no\n"));
    mac.act(&inode, "restart");
    assert_eq!(mac.inspect(&inode).state, State::Running);
    mac.act(&inode, "remove");
    // Nothing stands in the way of the next of that name.
    let inode = mac.create(&mac.list(&PROGRAM, |_| {}));
    mac.act(&inode, "start");
    assert!(!shown(&inode).contains("enabled=no"));
}

#[test]
fn a_log_does_not_grow_for_ever_and_keeps_when_its_run_began() {
    let mac = Mac::new();
    let chatters = [
        "/bin/sh",
        "-c",
        "while :; do echo a line that is long enough to be counted soon; sleep 0.005; done",
    ];
    let inode = mac.create(&mac.list(&chatters, |_| {}));
    mac.act(&inode, "start");
    let log = mac.home(&format!("Library/Logs/homelab/{NAME}.log"));
    let old = log.with_extension("log.old");
    let first = until("a full log", || fs::read_to_string(&old).ok().filter(|text| text.len() > 2000));
    until("another one", || fs::read_to_string(&old).ok().filter(|text| text.len() > 2000 && *text != first));
    let began = first.lines().next().unwrap();
    assert!(began.starts_with(super::launchd::MARK), "{began}");
    until("a mark in the new one", || fs::read_to_string(&log).unwrap().starts_with(began).then_some(()));
    assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o600);
    let since = began.strip_prefix(super::launchd::MARK).unwrap();
    assert_eq!(mac.log(since, "30").len(), 30);
}
