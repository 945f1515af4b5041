//! What Docker's errors mean, and what to do.
//! It only reads them; it asks Docker nothing.

use bollard::errors::Error;

use super::{failure, hinted, last_lines};
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

fn refused(step: &str, status: u16, message: &str) -> Failure {
    let has = |marks: &[&str]| marks.iter().any(|mark| message.contains(mark));
    let meant = if has(&["No such image"]) {
        hinted(step, "the image is not on the host", "run homelab deploy again: it pulls what is missing")
    } else if status == 404 || (status == 409 && has(&["is already in progress"])) {
        hinted(
            step,
            "changed under us",
            "somebody else changed this host meanwhile; run the same command again",
        )
    } else if has(&["port is already allocated", "address already in use"]) {
        hinted(
            step,
            "a port it publishes is taken",
            "homelab status shows by whom, or on the host: sudo ss -ltnp; free it or choose another port",
        )
    } else if has(&["unknown or invalid runtime name", "could not select device driver"]) {
        hinted(
            step,
            "Docker does not know the NVIDIA runtime",
            "install the NVIDIA Container Toolkit, then sudo nvidia-ctk runtime configure --runtime=docker and sudo \
             systemctl restart docker",
        )
    } else if has(&["nvidia-container-cli", "libnvidia-ml.so"]) {
        hinted(
            step,
            "the NVIDIA driver does not work in containers",
            "does nvidia-smi work on the host? after a driver update the machine needs a reboot",
        )
    } else if has(&["no space left on device"]) {
        hinted(step, "the disk is full", "make room on the host: docker system df shows what Docker holds")
    } else if has(&["executable file not found", "no such file or directory: unknown"]) {
        hinted(
            step,
            "the image does not have the command that should run",
            "check image and entrypoint: they belong together",
        )
    } else if status == 409 && has(&["is already in use by container"]) {
        hinted(
            step,
            "another container has that name",
            "run the same command again; if it stays, docker ps -a on the host shows whose it is",
        )
    } else {
        let first = message.lines().next().unwrap_or("it gave no reason");
        failure(step, format!("Docker refuses: {first}"))
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
