//! A container's log as lines, fit to be shown.
//! It reads only, and keeps no more than one unfinished line per stream.

use std::collections::VecDeque;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::refusal::docker_failure;
use crate::diagnostic::clean;
use crate::survey::Failure;

const STEP: &str = "reading the log";
/// A line longer than this is cut: something that never ends a line must not fill the memory.
const LONGEST: usize = 64 * 1024;
/// How many lines that were there before are followed by the further ones.
const RECENT: &str = "50";

/// More of a line is not kept where many lines are.
const READABLE: usize = 4096;

/// The last `tail` lines.
pub(super) async fn tail(docker: &Docker, id: &str, tail: usize) -> Result<Vec<String>, Failure> {
    let options = LogsOptionsBuilder::new().tail(&tail.to_string());
    lines(docker, id, options).collect::<Vec<_>>().await.into_iter().collect()
}

/// The last `tail` lines since then, in Unix seconds.
pub(super) async fn tail_since(
    docker: &Docker,
    id: &str,
    tail: usize,
    since: i32,
) -> Result<Vec<String>, Failure> {
    let options = LogsOptionsBuilder::new().tail(&tail.to_string()).since(since);
    let readable = |line: Result<String, Failure>| line.map(|line| line.chars().take(READABLE).collect());
    lines(docker, id, options).map(readable).collect::<Vec<_>>().await.into_iter().collect()
}

/// The first lines since then, in Unix seconds, at most so many.
pub(super) async fn head_since(
    docker: &Docker,
    id: &str,
    head: usize,
    since: i32,
) -> Result<Vec<String>, Failure> {
    let all = lines(docker, id, LogsOptionsBuilder::new().since(since));
    let readable = |line: Result<String, Failure>| line.map(|line| line.chars().take(READABLE).collect());
    all.take(head).map(readable).collect::<Vec<_>>().await.into_iter().collect()
}

/// The last lines since then, in Unix seconds, then every further one until the container stops.
pub(super) fn follow<'a>(
    docker: &'a Docker,
    id: &'a str,
    since: i32,
) -> BoxStream<'a, Result<String, Failure>> {
    lines(docker, id, LogsOptionsBuilder::new().follow(true).tail(RECENT).since(since))
}

fn lines<'a>(
    docker: &'a Docker,
    id: &'a str,
    options: LogsOptionsBuilder,
) -> BoxStream<'a, Result<String, Failure>> {
    let options = options.stdout(true).stderr(true).build();
    let source = docker.logs(id, Some(options)).boxed();
    let state = (source, Splitter::default(), VecDeque::new(), false);
    stream::unfold(state, |(mut source, mut splitter, mut ready, mut ended)| async move {
        loop {
            if let Some(line) = ready.pop_front() {
                return Some((line, (source, splitter, ready, ended)));
            }
            if ended {
                return None;
            }
            match source.next().await {
                Some(Ok(chunk)) => ready.extend(splitter.take(&chunk).into_iter().map(Ok)),
                Some(Err(error)) => {
                    ready.push_back(Err(docker_failure(STEP, &error)));
                    ended = true;
                }
                None => {
                    ready.extend(splitter.rest().into_iter().map(Ok));
                    ended = true;
                }
            }
        }
    })
    .boxed()
}

/// Makes lines of chunks; stdout and stderr may interrupt each other.
#[derive(Default)]
struct Splitter {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Splitter {
    fn take(&mut self, chunk: &LogOutput) -> Vec<String> {
        let unfinished = match chunk {
            LogOutput::StdErr { .. } => &mut self.stderr,
            _ => &mut self.stdout,
        };
        unfinished.extend_from_slice(chunk.as_ref());
        let mut lines = Vec::new();
        while let Some(at) = unfinished.iter().position(|b| *b == b'\n') {
            lines.push(line(&unfinished[..at]));
            unfinished.drain(..=at);
        }
        if unfinished.len() > LONGEST {
            lines.push(line(unfinished));
            unfinished.clear();
        }
        lines
    }

    fn rest(&mut self) -> Vec<String> {
        [std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr)]
            .iter()
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| line(bytes))
            .collect()
    }
}

/// A progress bar redraws its line after `\r`: only its last state counts.
pub(super) fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\r');
    clean(text.rsplit('\r').next().unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: text.into() }
    }

    #[test]
    fn lines_are_put_together_from_chunks_of_both_streams() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.take(&out("one\ntw")), ["one"]);
        assert_eq!(splitter.take(&LogOutput::StdErr { message: "oops\n".into() }), ["oops"]);
        assert_eq!(splitter.take(&out("o\n\n")), ["two", ""]);
        assert_eq!(splitter.take(&out("10%\r50%\r100%\r\n")), ["100%"]);
        assert_eq!(splitter.take(&out("\u{1b}[31mred")), Vec::<String>::new());
        assert_eq!(splitter.rest(), ["red"]);
        assert_eq!(splitter.rest(), Vec::<String>::new());
    }
}
