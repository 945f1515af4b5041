//! What Docker says when it cannot make or start a container.
//! It is no list of everything: an unknown refusal is shown in Docker's own words.

use super::{Row, row};

/// Refusals (moby/moby, daemon/ and libnetwork/; opencontainers/runc).
pub const DOCKER: &[Row] = &[
    row(
        "image-missing",
        &["No such image"],
        "the image is not on the host",
        "run homelab deploy again: it pulls what is missing",
    ),
    row(
        "host-ip-missing",
        &["cannot assign requested address"],
        "the host does not have the address that it publishes its port on",
        "correct [host_ip]",
    ),
    row(
        "port-taken",
        &["port is already allocated", "address already in use"],
        "a port it publishes is taken",
        "homelab status shows by whom, or on the host: sudo ss -ltnp; free it or choose another [port]",
    ),
    row(
        "name-taken",
        &["is already in use by container"],
        "another container has that name",
        "run the same command again; if it stays, docker ps -a on the host shows whose it is",
    ),
    row(
        "device-missing",
        &["error gathering device information"],
        "the host does not have a device it wants",
        "correct [devices]: ls /dev on the host shows what is there",
    ),
    row(
        "mount-refused",
        &["error mounting", "bind source path does not exist"],
        "something it mounts cannot be mounted",
        "correct [volumes]: a file goes onto a file, a directory onto a directory",
    ),
    row(
        "command-missing",
        &["executable file not found", "no such file or directory: unknown"],
        "the image does not have the command that should run",
        "check [image] and [entrypoint]: they belong together",
    ),
    row(
        "command-not-runnable",
        &["permission denied: unknown", "exec format error"],
        "the image's command cannot be run",
        "check [entrypoint]; an [image] may be made for another processor",
    ),
    row(
        "group-missing",
        &["Unable to find group"],
        "the image does not have a group it should run with",
        "give [group_add] the number that the group has on the host: getent group NAME",
    ),
    row(
        "user-missing",
        &["unable to find user"],
        "the image does not have the user it should run as",
        "choose another [image]",
    ),
    row(
        "memory-limit-too-small",
        &["Minimum memory limit allowed"],
        "its memory limit is less than Docker allows",
        "raise [mem_limit]: plain numbers are bytes",
    ),
];
