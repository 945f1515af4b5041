//! What Docker's errors mean, and what to do.
//! It only reads them; it asks Docker nothing.

use bollard::errors::Error;

use super::{failure, hinted, known, last_lines};
use crate::diagnosis::{self, Evidence, REFUSALS};
use crate::diagnostic::clean;
use crate::survey::Failure;

/// Docker's refusal of a step.
pub(super) fn docker_failure(step: &str, error: &Error) -> Failure {
    match error {
        Error::DockerResponseServerError { status_code, message } => refused(step, *status_code, message),
        Error::DockerStreamError { error } => refused(step, 500, error),
        Error::RequestTimeoutError => hinted(
            step,
            "Docker did not answer in time",
            "it hangs: sudo systemctl restart docker on the host; sudo journalctl -u docker may say why",
        ),
        Error::HyperResponseError { .. } | Error::HyperLegacyError { .. } | Error::IOError { .. } => {
            Failure {
                lines: last_lines(&error.to_string(), 3),
                ..hinted(
                    step,
                    "the connection to Docker broke off",
                    "is the host still there, and Docker running? run the same command again: homelab goes on where \
                 it stopped",
                )
            }
        }
        other => failure(step, other.to_string()),
    }
}

/// Whether what it names is not there (any more).
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether another container has the name it wants.
pub(super) fn is_name_taken(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, message } if message.contains("already in use"))
}

/// Whether it is gone, or about to be.
pub(super) fn is_going(error: &Error) -> bool {
    let Error::DockerResponseServerError { status_code, message } = error else { return false };
    *status_code == 404 || (*status_code == 409 && message.contains(IN_PROGRESS))
}

/// Docker's words for what somebody else removes right now.
const IN_PROGRESS: &str = "is already in progress";

fn refused(step: &str, status: u16, message: &str) -> Failure {
    let lines: Vec<String> = message.lines().map(clean).collect();
    let meant = match diagnosis::find(REFUSALS, &Evidence { lines: &lines, ..Evidence::default() }) {
        Some(finding) => known(step, finding),
        None if status == 404 || (status == 409 && message.contains(IN_PROGRESS)) => hinted(
            step,
            "changed under us",
            "somebody else changed this host meanwhile; run the same command again",
        ),
        None => {
            let first = message.lines().next().unwrap_or("it gave no reason");
            failure(step, format!("Docker refuses: {first}"))
        }
    };
    Failure { lines: last_lines(message, 5), ..meant }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_refusals_say_what_to_do() {
        for (status_code, message, what) in [
            (404, "No such container: 0a1b", "changed under us"),
            (404, "network shop_default not found", "changed under us"),
            (404, "No such image: x:1", "the image is not on the host"),
            (
                500,
                "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
                "a port it publishes is taken",
            ),
            (400, "unknown or invalid runtime name: nvidia", "Docker does not know the NVIDIA runtime"),
            (
                409,
                "Conflict. The container name \"/a\" is already in use by container \"b\"",
                "another container has that name",
            ),
            (409, "removal of container x is already in progress", "changed under us"),
            (500, "some\u{1b}[2J thing\nmore", "Docker refuses: some thing"),
        ] {
            let error = Error::DockerResponseServerError { status_code, message: message.into() };
            assert_eq!(docker_failure("starting x", &error).what, what);
        }
    }
}
