//! `homelab init` on a terminal: its questions, answered one by one.

use std::io::{Read as _, Write as _};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::program::Test;

/// What a terminal shows, as it comes, and the keyboard.
struct Terminal {
    shown: Receiver<u8>,
    keyboard: ChildStdin,
    all: Vec<u8>,
}

impl Terminal {
    /// Answers the next question that holds these words.
    fn answer(&mut self, question: &str, keys: &str) {
        let from = self.all.len();
        while !String::from_utf8_lossy(&self.all[from..]).contains(question) {
            let next = self.shown.recv_timeout(Duration::from_secs(20));
            let said = String::from_utf8_lossy(&self.all).into_owned();
            self.all.push(next.unwrap_or_else(|e| panic!("{e} instead of `{question}` after:\n{said}")));
        }
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn questions_lead_to_an_inventory() {
    let test = Test::new();
    let dir = test.command().get_current_dir().unwrap().to_owned();
    // util-linux's `script` is the terminal.
    let mut command = std::process::Command::new("script");
    command.args(["--quiet", "--return", "--command"]);
    command.arg(format!("{} init --offline", env!("CARGO_BIN_EXE_homelab"))).arg("/dev/null");
    command.current_dir(&dir).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (send, shown) = channel();
    let mut screen = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut byte = [0];
        while screen.read(&mut byte).is_ok_and(|n| n == 1) && send.send(byte[0]).is_ok() {}
    });
    let mut terminal = Terminal { shown, keyboard: child.stdin.take().unwrap(), all: vec![] };
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
    assert!(child.wait().unwrap().success());
    let text = std::fs::read_to_string(dir.join("inventory.yml")).unwrap();
    for part in [
        "    box:\n      ansible_host: \"10.0.0.2\"\n      ansible_user: me\n",
        "        small: ",
        "    nas:\n      # models:",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
