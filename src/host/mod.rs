//! Hosts: the only directory that touches them, over one SSH session each, or this machine.
//! It decides nothing: what to do comes in as data, what was seen or went wrong goes out as data.

mod act;
mod around;
mod asking;
mod before;
mod body;
mod carry_out;
mod claim;
mod containers;
mod docker;
mod doctor;
mod drift;
mod edge;
mod ending;
mod explain;
mod facts;
mod failpoint;
mod fetch;
mod files;
mod forward;
mod gpus;
mod hands;
mod health;
mod hello;
mod http;
mod inspected;
mod late;
mod link;
mod login;
mod logs;
mod look;
mod master;
mod native;
pub mod password;
mod private;
mod pull;
mod refusal;
mod setup;
mod ssh_config;
mod survey;
mod trial;
mod vault;
mod wait;
mod wake;
mod words;

pub use before::before;
pub use body::{Placed, container_body, default_network, network_labels};
pub use carry_out::{CarryOut, Failed, Outcome};
pub use claim::{Claim, Claimed};
pub use doctor::{Diagnosed, diagnose, reached};
pub use explain::causes;
pub use hands::Hands;
pub use health::{asked, loaded};
pub use http::{HttpError, Reply, Request};
pub use inspected::Inspected;
pub use link::{Counts, Link, Output};
pub use look::{Look, Need};
pub use master::address;
pub use pull::{PullProgress, Pulling};
pub use setup::Setup;
pub use survey::{Ask, again, look, survey};
pub use trial::Trial;
pub use vault::Vault;
pub use wake::{sleeps, wake};

use crate::diagnosis::Finding;
use crate::diagnostic::clean;
use crate::survey::Failure;

/// A failure of `step`, without lines and hint.
fn failure(step: &str, what: impl Into<String>) -> Failure {
    Failure { step: step.to_owned(), what: clean(&what.into()), lines: Vec::new(), hint: None, finding: None }
}

/// The same with what to do next.
fn hinted(step: &str, what: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure { hint: Some(hint.into()), ..failure(step, what) }
}

/// The same about something that is known.
fn known(step: &str, finding: Finding) -> Failure {
    let hint = Some(finding.advice());
    Failure { hint, finding: Some(Box::new(finding.clone())), ..failure(step, finding.cause) }
}

/// A path of this machine, where `~/` is the home of whoever runs homelab.
fn home_relative(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

/// The last lines of what a host or program said, fit to be shown.
fn last_lines(text: &str, most: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|l| clean(l)).collect()
}

/// What a script wrote after its own first line, `#homelab`: a shell's start-up files may have
/// written something before it.
fn after_mark(stdout: &[u8]) -> &[u8] {
    const MARK: &[u8] = b"#homelab\n";
    match stdout.windows(MARK.len()).position(|window| window == MARK) {
        Some(at) => &stdout[at + MARK.len()..],
        None => stdout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_shell_says_first_is_left_out() {
        assert_eq!(after_mark(b"Welcome!\n#homelab\nsk-1\n"), b"sk-1\n");
        assert_eq!(after_mark(b"#homelab\n"), b"");
    }

    #[test]
    fn the_last_lines_are_clean() {
        assert_eq!(last_lines("a\n\nb\u{1b}[31m\r\nc", 2), ["b", "c"]);
    }
}
