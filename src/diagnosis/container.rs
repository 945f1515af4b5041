//! What the end of a container alone tells.
//! It reads no log: these rows count when nothing else is known, but for the first.

use super::{KnownBy, Row, row};

const fn code(id: &'static str, code: i64, cause: &'static str, next: &'static str) -> Row {
    Row { known_by: KnownBy::Code(code), ..row(id, &[], cause, next) }
}

/// Docker gives 128 and the signal's number for a signal, 126 and 127 for what cannot be run
/// (docs.docker.com, "docker container run", exit status).
pub const CONTAINER: &[Row] = &[
    Row {
        known_by: KnownBy::OutOfMemory,
        ..row(
            "container-out-of-memory",
            &[],
            "the kernel killed it because there was not enough memory",
            "raise [mem_limit] if one is set, free memory on the host, or choose a smaller model",
        )
    },
    code(
        "container-killed",
        137,
        "somebody killed it, perhaps the kernel for the host's memory",
        "on the host: sudo dmesg | grep -i killed; free memory there, or choose a smaller model",
    ),
    code(
        "container-crashed",
        139,
        "it crashed (segmentation fault)",
        "try another version of its [image]; a GPU's driver may be at fault too",
    ),
    code("container-aborted", 134, "it gave up (abort)", "the last lines of its log may say why"),
    code(
        "container-wrong-processor",
        132,
        "its program uses instructions that the host's processor does not have",
        "choose an [image] made for this processor",
    ),
    code(
        "container-not-runnable",
        126,
        "what it should run cannot be run",
        "check [entrypoint] and [image]: they belong together",
    ),
    code(
        "container-not-found",
        127,
        "what it should run is not in its image",
        "check [entrypoint] and [image]: they belong together",
    ),
    code(
        "container-stopped",
        143,
        "somebody stopped it",
        "run homelab deploy again; if it stays, somebody else manages this host's containers",
    ),
];
