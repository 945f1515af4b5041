//! Questions on a terminal, answered one by one: those of `homelab init`.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::program::Test;

/// What a terminal shows, as it comes, and the keyboard.
pub(crate) struct Terminal {
    child: Child,
    shown: Receiver<u8>,
    keyboard: ChildStdin,
    all: Vec<u8>,
}

impl Terminal {
    /// Runs the program on a terminal, in the directory of a test.
    pub(crate) fn start(test: &Test, args: &str) -> Self {
        // util-linux's `script` is the terminal.
        let mut command = std::process::Command::new("script");
        command.args(["--quiet", "--return", "--command"]);
        command.arg(format!("tty; exec {} {args}", env!("CARGO_BIN_EXE_homelab"))).arg("/dev/null");
        command.current_dir(test.command().get_current_dir().unwrap());
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        // What the test says of the environment.
        command.envs(test.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, shown) = channel();
        let mut screen = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut byte = [0];
            while screen.read(&mut byte).is_ok_and(|n| n == 1) && send.send(byte[0]).is_ok() {}
        });
        let keyboard = child.stdin.take().unwrap();
        Self { child, shown, keyboard, all: vec![] }
    }

    /// All that was shown until the end, and the exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        self.all.extend(self.shown.iter());
        let code = self.child.wait().unwrap().code();
        (String::from_utf8_lossy(&self.all).into_owned(), code)
    }

    /// Answers the next question that holds these words.
    pub(crate) fn answer(&mut self, question: &str, keys: &str) {
        let from = self.all.len();
        while !String::from_utf8_lossy(&self.all[from..]).contains(question) {
            let next = self.shown.recv_timeout(Duration::from_secs(20));
            let said = String::from_utf8_lossy(&self.all).into_owned();
            self.all.push(next.unwrap_or_else(|e| panic!("{e} instead of `{question}` after:\n{said}")));
        }
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Answers a question whose answer is not echoed, once that is so: what is typed before is lost.
    pub(crate) fn answer_hidden(&mut self, question: &str, keys: &str) {
        self.answer(question, "");
        let all = String::from_utf8_lossy(&self.all).into_owned();
        let tty = all.lines().find(|line| line.starts_with("/dev/")).unwrap().trim();
        for _ in 0..2000 {
            let output = std::process::Command::new("stty").args(["-F", tty, "-a"]).output().unwrap();
            if String::from_utf8_lossy(&output.stdout).contains(" -echo ") {
                return self.answer("", keys);
            }
        }
        panic!("what is typed is echoed");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn questions_lead_to_an_inventory() {
    let test = Test::new();
    let dir = test.command().get_current_dir().unwrap().to_owned();
    let mut terminal = Terminal::start(&test, "init --offline");
    terminal.answer("Name of a host", "gpu box\r");
    terminal.answer("has a character no host name has", "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}box\r");
    terminal.answer("this machine [box]", "me@10.0.0.2\r");
    terminal.answer("One more host?", "y");
    terminal.answer("Name of a host", "nas\r");
    terminal.answer("this machine [nas]", "\r");
    terminal.answer("One more host?", "n");
    terminal.answer("Serve a model on box (me@10.0.0.2)?", "y");
    terminal.answer("llama_cpp", "\r");
    terminal.answer("or a path [Qwen/Qwen3-4B-AWQ]", "\r");
    terminal.answer("[qwen3-4b-awq]", "small\r");
    terminal.answer("One more on box?", "n");
    terminal.answer("Serve a model on nas?", "n");
    terminal.answer("> nas", "\r");
    terminal.answer("inventory.yml is there.", "");
    assert_eq!(terminal.end().1, Some(0));
    let text = std::fs::read_to_string(dir.join("inventory.yml")).unwrap();
    for part in [
        "    box:\n      ansible_host: \"10.0.0.2\"\n      ansible_user: me\n",
        "        small: ",
        "    nas:\n      # models:",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
