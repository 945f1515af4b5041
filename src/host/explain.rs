//! Why a server did not come up, by its log: what is known of it, and where the rest of it is kept.
//! It reads the host and writes one file on this machine; what words mean stands in `diagnosis`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use tokio::fs::{DirBuilder, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::inspected::Inspected;
use super::look::Look;
use crate::diagnosis::{self, Evidence, Finding, Row, SHARED};
use crate::engine::{self, Engine};
use crate::gateway;
use crate::names::HostName;
use crate::service::label;
use crate::survey::{Container, Failure, Health, State, Survey};

/// How many log lines explain a failure that nobody knows.
const LAST_LINES: usize = 20;
/// How many are read: every process of a server logs a traceback.
const READ_LINES: usize = 1000;

/// Whose log it is, and since when.
pub(super) struct Log<'a> {
    pub(super) look: &'a Look,
    /// The container as it was when the wait began: what an earlier run of it said is not its log.
    pub(super) first: &'a Inspected,
    /// The engine; none for the gateway.
    pub(super) engine: Option<&'a str>,
}

/// Who writes a log.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Engine(&'static dyn Engine),
    Gateway,
    /// What stands beside the gateway: only what holds of every container is known of it.
    Other,
}

impl Whose {
    /// By the word in the label; the gateway's waits have none.
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            None | Some(gateway::NAME) => Self::Gateway,
            Some(name) => engine::by_name(name).map_or(Self::Other, Self::Engine),
        }
    }

    fn engine(self) -> Option<&'static dyn Engine> {
        match self {
            Self::Engine(engine) => Some(engine),
            Self::Gateway | Self::Other => None,
        }
    }
}

impl Log<'_> {
    /// Whether a line says that its server never answers.
    pub(super) fn gave_up(&self, line: &str) -> bool {
        match Whose::of(self.engine) {
            Whose::Engine(engine) => engine.gave_up(line),
            Whose::Gateway => gateway::GIVES_UP.iter().any(|words| line.contains(words)),
            Whose::Other => false,
        }
    }

    pub(super) fn engine(&self) -> Option<&'static dyn Engine> {
        Whose::of(self.engine).engine()
    }

    /// The same failure with its cause, as far as that is known, else with the last lines.
    pub(super) async fn explain(&self, failure: Failure, state: Option<&State>) -> Failure {
        let lines = self.look.logs_since(self.first, READ_LINES).await.unwrap_or_default();
        // One that runs on may have lost a process of its own.
        let killed = match state {
            Some(_) => false,
            None => self.look.inspect(&self.first.id).await.is_ok_and(|now| now.oom),
        };
        let explained = explained(failure, (state, killed), Whose::of(self.engine), &lines);
        if lines.is_empty() {
            return explained;
        }
        let name = format!("{}.{}", self.look.host(), self.first.name);
        // Without a place for it the last lines are all there is.
        let kept = match directory() {
            Some(directory) => keep(&directory, &name, &lines).await.ok(),
            None => None,
        };
        let rest = kept.map(|path| format!("less {} shows its log", path.display()));
        Failure { hint: joined([explained.hint, rest]), ..explained }
    }
}

/// What stands behind servers that are not well, by host and container: those that ended, and those
/// that Docker restarted and that do not answer.
pub async fn causes(
    looks: &BTreeMap<HostName, Look>,
    survey: &Survey,
) -> BTreeMap<(HostName, String), Finding> {
    let amiss = looks.iter().flat_map(|(host, look)| {
        let containers = survey.seen(host).map(|seen| &seen.containers).into_iter().flatten();
        containers.filter(|(_, container)| is_amiss(container)).map(move |of| (host, look, of))
    });
    let one = async |(host, look, (name, container)): Of<'_>| {
        let lines = look.logs(&container.id, READ_LINES).await.unwrap_or_default();
        let whose = Whose::of(container.labels.get(label::ENGINE).map(String::as_str));
        let finding = known((Some(&container.state), false), whose, &lines)?;
        Some(((host.clone(), name.clone()), finding))
    };
    join_all(amiss.map(one)).await.into_iter().flatten().collect()
}

/// A container, its name, and where it is.
type Of<'a> = (&'a HostName, &'a Look, (&'a String, &'a Container));

fn is_amiss(container: &Container) -> bool {
    match (&container.state, &container.health) {
        (State::Exited { .. } | State::Restarting, _) => true,
        (State::Running, Health::NotReady(_)) => container.restarts > 0,
        _ => false,
    }
}

/// How it ended, if it did, and whether it runs on without a process that the kernel killed for its memory.
type End<'a> = (Option<&'a State>, bool);

fn known((state, killed): End<'_>, whose: Whose, lines: &[String]) -> Option<Finding> {
    let (code, out_of_memory) = match state {
        Some(State::Exited { code, oom }) => (Some(*code), *oom),
        _ => (None, killed),
    };
    let own: &'static [Row] = match whose {
        Whose::Engine(engine) => engine.causes(),
        Whose::Gateway => gateway::CAUSES,
        Whose::Other => &[],
    };
    let tables = [own].into_iter().chain(SHARED);
    let found = diagnosis::find(tables, &Evidence { lines, out_of_memory, code, names: &[] })?;
    let about =
        whose.engine().zip(found.line.as_deref()).and_then(|(engine, line)| engine.about(lines, line));
    Some(Finding { model: about.map(str::to_owned), ..found })
}

/// The same failure with what its log tells of its cause.
pub(super) fn explained(failure: Failure, end: End<'_>, whose: Whose, lines: &[String]) -> Failure {
    let Some(finding) = known(end, whose, lines) else {
        return Failure { lines: last(whose.engine(), lines), ..failure };
    };
    let what = match end.0 {
        // It is said already.
        Some(State::Exited { oom: true, .. }) => failure.what,
        _ => format!("{}: {}", failure.what, finding.cause),
    };
    Failure {
        what,
        lines: finding.line.clone().map_or_else(|| last(whose.engine(), lines), |line| vec![line]),
        hint: joined([Some(finding.advice()), failure.hint]),
        finding: Some(Box::new(finding)),
        ..failure
    }
}

/// The last lines, below the one that they refer to.
fn last(engine: Option<&'static dyn Engine>, lines: &[String]) -> Vec<String> {
    let left_out = lines.len().saturating_sub(LAST_LINES);
    let above = engine.and_then(|engine| engine.cause(lines)).filter(|at| *at < left_out);
    let above = above.map(|at| [lines[at].clone(), "…".to_owned()]).into_iter().flatten();
    above.chain(lines[left_out..].iter().cloned()).collect()
}

fn joined(hints: [Option<String>; 2]) -> Option<String> {
    let hints: Vec<String> = hints.into_iter().flatten().collect();
    (!hints.is_empty()).then(|| hints.join("; "))
}

/// Where logs are kept: the container they are from is removed when its successor fails.
/// `$XDG_STATE_HOME/homelab/logs`, else `~/.local/state/homelab/logs`.
fn directory() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?;
    Some(state.join("homelab/logs"))
}

/// Keeps a log, for its owner's eyes only; an older one of that name gives way.
async fn keep(directory: &Path, name: &str, lines: &[String]) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).await?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let path = directory.join(format!("{}.log", name.chars().map(plain).collect::<String>()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).await?;
    file.write_all((lines.join("\n") + "\n").as_bytes()).await?;
    file.flush().await?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::host::{failure, hinted};

    fn log(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const SMALL: &str = include_str!("../../tests/data/engine/vllm-0.32-cpu-kv-cache-too-small.log");
    const CODE_1: State = State::Exited { code: 1, oom: false };

    #[test]
    fn a_known_failure_names_its_cause_and_shows_the_line_that_says_so() {
        let plain = failure("waiting", "it exited with code 1");
        let known = explained(plain, (Some(&CODE_1), false), Whose::of(Some("vllm")), &log(SMALL));
        let what = "it exited with code 1: one request of 4194304 tokens needs 2.0 GiB of KV cache, and 1.0 GiB are left";
        assert_eq!(known.what, what);
        assert_eq!(known.lines.len(), 1);
        assert!(
            known.lines[0].contains("the estimated maximum model length is 2097024"),
            "{:?}",
            known.lines
        );
        assert_eq!(known.hint.unwrap(), "set `max_model_len: 2097024`, or raise `gpu_memory_utilization`");
        assert_eq!(known.finding.unwrap().id, "vllm-context-beyond-memory");
    }

    #[test]
    fn an_unknown_one_shows_the_last_lines_and_what_was_advised() {
        let lines: Vec<String> = (0..30).map(|n| format!("line {n}")).collect();
        let slow = || hinted("waiting", "it did not answer", "raise its `ready_timeout`");
        let unknown = explained(slow(), (None, false), Whose::of(Some("vllm")), &lines);
        assert_eq!((unknown.what.as_str(), unknown.lines.len()), ("it did not answer", 20));
        assert_eq!((unknown.lines[19].as_str(), unknown.finding), ("line 29", None));
        assert_eq!(unknown.hint.unwrap(), "raise its `ready_timeout`");
        // What it knows besides is said first.
        let refused = log("x\nLiteLLM proxy refused to start: why\n");
        let known = explained(slow(), (None, false), Whose::Gateway, &refused);
        assert_eq!(known.what, "it did not answer: it does not take its master key");
        assert!(known.hint.unwrap().ends_with("homelab then makes one; raise its `ready_timeout`"));
    }

    #[test]
    fn a_lack_of_memory_is_said_once() {
        let oom = State::Exited { code: 137, oom: true };
        let killed = explained(
            failure("waiting", "it ran out of memory"),
            (Some(&oom), false),
            Whose::Other,
            &log(SMALL),
        );
        assert_eq!((killed.what.as_str(), killed.lines.len()), ("it ran out of memory", 20));
        assert!(killed.hint.unwrap().contains("`mem_limit`"));
    }

    #[test]
    fn a_model_behind_a_server_of_several_that_failed_is_named() {
        let failed = |log_text: &str, killed| {
            let plain = failure("waiting", "a could not be loaded, with exit code 1");
            explained(plain, (None, killed), Whose::of(Some("llama_cpp")), &log(log_text))
        };
        let missing =
            failed(include_str!("../../tests/data/engine/llama.cpp-0.7.0-router-missing-file.log"), false);
        assert!(missing.what.ends_with("exit code 1: there is no file /models/nope.gguf in its container"));
        assert_eq!(missing.finding.unwrap().model.as_deref(), Some("a"));
        let silent = include_str!("../../tests/data/engine/llama.cpp-0.7.0-router-model-killed.log");
        let killed = failed(silent, true);
        assert!(killed.what.contains("the kernel killed it") && killed.hint.unwrap().contains("`mem_limit`"));
        assert_eq!(failed(silent, false).finding.unwrap().id, "llama-router-model-failed");
    }

    #[tokio::test]
    async fn a_log_is_kept_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("homelab/logs");
        for text in ["one\ntwo", "three"] {
            let path = keep(&directory, "gpu/../x.shop-alpha-1", &log(text)).await.unwrap();
            assert_eq!(path, directory.join("gpu_.._x.shop-alpha-1.log"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{text}\n"));
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
