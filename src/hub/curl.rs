//! One GET through the user's own `curl`, as hosts are reached through the user's own `ssh`: its proxies and its trusted
//! certificates count. The token goes through stdin, and no more is read than was asked for.

use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::{Hub, Unknown};

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Options of every request. The first one keeps the user's own defaults out, which could print something else.
const ALWAYS: [&str; 13] = [
    "-q",
    "--silent",
    "--show-error",
    "--globoff",
    "--location",
    "--max-redirs",
    "5",
    "--connect-timeout",
    "10",
    "--max-time",
    "120",
    "--config",
    "-",
];

impl Hub {
    /// The answer at a path, which begins with `/`: the whole body, or its first bytes where `first` says how many.
    /// At most `most` bytes are read.
    pub(super) async fn get(&self, path: &str, first: Option<usize>, most: usize) -> Result<Answer, Unknown> {
        let secure = self.endpoint.starts_with("https://");
        if !secure && !self.endpoint.starts_with("http://") {
            return Err(Unknown::new(format!("HF_ENDPOINT is no address: {}", self.endpoint))
                .hint("HF_ENDPOINT=https://huggingface.co is what counts without it"));
        }
        let mut command = self.command(path, first, secure);
        let mut child = command.spawn().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Unknown::new("there is no `curl` on this machine to ask the hub with")
                    .hint("install curl, or name a directory or a .gguf file")
            }
            _ => Unknown::new(format!("`curl` does not run: {e}")),
        })?;
        let failed = |e: std::io::Error| Unknown::new(format!("asking {}: {e}", self.endpoint));
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(self.header().as_bytes()).await.map_err(failed)?;
        }
        let (mut body, mut errors) = (Vec::new(), Vec::new());
        let most = first.unwrap_or(most);
        if let Some(stdout) = child.stdout.take() {
            stdout.take(most as u64 + 1).read_to_end(&mut body).await.map_err(failed)?;
        }
        if body.len() > most {
            let _ = child.kill().await;
            body.truncate(most);
            // A server that knows no ranges sends the file from its beginning, too.
            return match first {
                Some(_) => Ok(Answer { status: 206, body }),
                None => Err(Unknown::new(format!(
                    "{} sends more than {} MiB for {path}",
                    self.endpoint,
                    most >> 20
                ))),
            };
        }
        if let Some(stderr) = child.stderr.take() {
            stderr.take(1 << 16).read_to_end(&mut errors).await.map_err(failed)?;
        }
        let done = child.wait().await.map_err(failed)?;
        let errors = String::from_utf8_lossy(&errors);
        let status = errors.lines().find_map(|line| line.strip_prefix("status ")?.parse().ok()).unwrap_or(0);
        if !done.success() {
            let said = errors.lines().find(|line| line.starts_with("curl:")).unwrap_or("curl failed");
            return Err(Unknown::new(format!("{} does not answer: {said}", self.endpoint))
                .hint("HF_ENDPOINT names another hub; a directory or a .gguf file needs none"));
        }
        Ok(Answer { status, body })
    }

    /// The program with its arguments: none of them is secret.
    fn command(&self, path: &str, first: Option<usize>, secure: bool) -> Command {
        let mut command = Command::new("curl");
        command.args(ALWAYS);
        // A redirect never leads out of TLS.
        command.args([
            "--proto",
            "=https,http",
            "--proto-redir",
            if secure { "=https" } else { "=https,http" },
        ]);
        command.args(["--write-out", "%{stderr}status %{http_code}\n", "--user-agent", "homelab"]);
        if let Some(first) = first {
            command.arg("--range").arg(format!("0-{}", first.saturating_sub(1)));
        }
        command.arg("--").arg(format!("{}{path}", self.endpoint));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// What `curl` reads from stdin: the token's header, if there is a token. It goes to no other host.
    fn header(&self) -> String {
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        match &self.token {
            Some(token) if token.reveal().chars().all(plain) => {
                format!("header = \"Authorization: Bearer {}\"\n", token.reveal())
            }
            _ => String::new(),
        }
    }
}
