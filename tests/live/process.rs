//! Running a program to its end, or watching it on its way there.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::LIMIT;
use crate::lab::until;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
}

impl Run {
    /// It must have ended so.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// The first error it reported.
    #[track_caller]
    pub(crate) fn first_error(&self) -> &str {
        let first = self.stderr.lines().find(|line| line.starts_with("error: "));
        first.unwrap_or_else(|| panic!("no error in: {}{}", self.stdout, self.stderr))
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        let said = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(said, "`{words}` is not in:\n{}{}", self.stdout, self.stderr);
        self
    }
}

/// How long a program may take; `HOMELAB_TEST_LIMIT` is another number of seconds, for a machine that has more to do.
fn limit() -> Duration {
    std::env::var("HOMELAB_TEST_LIMIT").map_or(LIMIT, |number| Duration::from_secs(number.parse().unwrap()))
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Run {
    Going::start(command).end()
}

/// A program on its way.
pub(crate) struct Going {
    child: Child,
    out: Stream,
    err: Stream,
}

struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Going {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (out, err) = (Stream::of(child.stdout.take().unwrap()), Stream::of(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it stands still after SIGSTOP.
    pub(crate) fn is_halted(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The state comes after the name, which is in parentheses.
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    }

    /// Waits until it has said something on stderr.
    pub(crate) fn says(&mut self, words: &str) {
        until(&format!("`{words}`"), limit(), || {
            let said = self.err.so_far();
            assert!(said.contains(words) || !self.is_over(), "it ended without `{words}`: {said}");
            said.contains(words).then_some(())
        });
    }

    /// Sends it a signal, as a terminal or an impatient person does.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn end(mut self) -> Run {
        let end = Instant::now() + limit();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= end {
                let _ = self.child.kill();
                panic!("it did not end within {:?}: {}{}", limit(), self.out.so_far(), self.err.so_far());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Run { stdout: self.out.all(), stderr: self.err.all(), code: status.code() }
    }
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                into.lock().unwrap().extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn all(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}
