//! What any program says when its machine or its container lacks something.
//! It is looked at last, since these words are the least particular.

use super::{Row, row};

/// The words of Linux, Python and PyTorch.
pub const SYSTEM: &[Row] = &[
    row(
        "shared-memory-too-small",
        &[
            "Insufficient space in /dev/shm",
            "insufficient shared memory (shm)",
            "unable to open shared memory object",
            "unable to write to file </torch_",
            "Error while creating shared memory segment",
            "No space left on device: '/dev/shm",
            "No space left on device: '/psm_",
        ],
        "/dev/shm in its container is too small",
        "set [shm_size=8g], or [ipc=host]",
    ),
    row(
        "disk-full",
        &["no space left on device", "No space left on device", "Disk quota exceeded"],
        "the disk is full",
        "make room on the host: docker system df shows what Docker holds, docker image prune frees some; models lie \
         in [hf_home]",
    ),
    row(
        "port-taken-inside",
        &["Address already in use", "address already in use"],
        "something else in its container listens on its port",
        "does [entrypoint] start more than one server? on the host's own network, who else listens there?",
    ),
    row(
        "not-enough-memory",
        &[
            "Cannot allocate memory",
            "MemoryError",
            "std::bad_alloc",
            "DefaultCPUAllocator: can't allocate memory",
        ],
        "there is not enough memory",
        "raise [mem_limit] if one is set, free memory on the host, or choose a smaller model",
    ),
    row(
        "too-many-files",
        &["Too many open files: '", "OSError: [Errno 24]"],
        "it may not open more files",
        "raise nofile in [ulimits]",
    ),
    row(
        "wrong-processor",
        &["exec format error", "Exec format error"],
        "the image is made for another processor",
        "choose an [image] for this host's processor",
    ),
    row(
        "permission-denied",
        &["Permission denied: '", "Permission denied (os error 13)"],
        "it may not read or write a file",
        "check who owns what [volumes] mounts on the host",
    ),
];
