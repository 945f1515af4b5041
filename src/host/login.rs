//! Why a login failed, in words that say what to do, from ssh's own last words.
//! It only reads text; it connects to nothing.

use std::io;
use std::time::Duration;

use super::{failure, hinted, last_lines};
use crate::connection::Connection;
use crate::survey::{Failure, Unreached};

/// What is being done, in failures.
pub(super) const STEP: &str = "connecting";

/// ssh is not to be had on this machine, or cannot be started.
pub(super) fn no_ssh(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => hinted(
            STEP,
            "this machine has no `ssh` command",
            "install the OpenSSH client (Debian and Ubuntu: sudo apt install openssh-client)",
        ),
        _ => failure(STEP, format!("`ssh` cannot be started: {error}")),
    }
}

/// ssh refuses its configuration.
pub(super) fn bad_configuration(text: &str) -> Failure {
    Failure {
        lines: last_lines(text, 5),
        ..hinted(
            STEP,
            "ssh cannot read its configuration",
            "correct ansible_ssh_common_args, ansible_ssh_extra_args or ~/.ssh/config",
        )
    }
}

/// It took too long.
pub(super) fn too_slow(connection: &Connection, limit: Duration) -> Failure {
    hinted(
        STEP,
        format!("the login to {} was not done after {} s", connection.address, limit.as_secs()),
        format!("see where it stops: {} true", command(connection, "ssh -v")),
    )
}

/// ssh ended without a session.
pub(super) fn refused(connection: &Connection, error: &openssh::Error) -> Unreached {
    match error {
        openssh::Error::Connect(e) => {
            let text = e.to_string();
            Unreached { silent: is_silence(&text), why: interpret(connection, &text) }
        }
        other => failure(STEP, format!("ssh did not start: {other}")).into(),
    }
}

/// What ssh says where nobody answers.
const SILENCE: [&str; 4] = ["timed out", "No route to host", "Network is unreachable", "Host is down"];

/// Whether no sshd answered. One that has gone takes its name along where the router or the machine itself gives it
/// (`laptop.lan`, `laptop.local`), and a machine that boots, or has booted another system, refuses.
fn is_silence(text: &str) -> bool {
    let marks = ["Could not resolve hostname", "Connection refused"];
    SILENCE.iter().chain(&marks).any(|mark| text.contains(mark)) && !text.contains("Permission denied")
}

/// What ssh says, and what it means. The first that fits counts, so the ones that other
/// messages follow stand first.
fn interpret(connection: &Connection, text: &str) -> Failure {
    type Meaning = fn(&Connection, &str) -> Failure;
    let meanings: [(&[&str], Meaning); 9] = [
        (&["IDENTIFICATION HAS CHANGED"], changed_key),
        (&["Host key verification failed", "host key is known for"], unknown_key),
        (&["Could not resolve hostname"], no_such_name),
        (&["Too many authentication failures"], too_many_keys),
        (&["bad permissions", "UNPROTECTED PRIVATE KEY"], open_key_file),
        (&["Permission denied"], denied),
        (&["Connection refused"], no_sshd),
        (&SILENCE, unreachable),
        (&["Bad owner or permissions on"], |_, text| bad_configuration(text)),
    ];
    let found = meanings.iter().find(|(marks, _)| marks.iter().any(|mark| text.contains(mark)));
    let meant = match found {
        Some((_, meaning)) => meaning(connection, text),
        None => hinted(
            STEP,
            format!("{} ended the connection before the login was done", connection.address),
            format!(
                "try it by hand: {} true; a jump host, a firewall, or MaxStartups in the host's sshd_config \
                 may be in the way",
                command(connection, "ssh -v")
            ),
        ),
    };
    Failure { lines: last_lines(text, 5), ..meant }
}

fn changed_key(connection: &Connection, text: &str) -> Failure {
    let file = text.lines().find_map(|line| {
        let place = line.trim().strip_prefix("Offending ")?.split_once(" in ")?.1;
        place.rsplit_once(':').map(|(file, _)| file.to_owned())
    });
    let file = file.map(|file| format!(" -f {file}")).unwrap_or_default();
    hinted(
        STEP,
        format!("the host key of {} is not the one it had before", connection.address),
        format!(
            "if the machine was installed anew, forget the old key: ssh-keygen{file} -R '{}'; if not, somebody \
             may be in between",
            known_as(connection)
        ),
    )
}

fn unknown_key(connection: &Connection, _: &str) -> Failure {
    hinted(
        STEP,
        format!("the host key of {} is not known here", connection.address),
        format!(
            "connect once by hand and compare it: {}; or set homelab_host_key_checking: accept-new to take the \
             key of a host that was never seen",
            command(connection, "ssh")
        ),
    )
}

fn no_such_name(connection: &Connection, _: &str) -> Failure {
    hinted(
        STEP,
        format!("no address is known for the name {}", connection.address),
        "correct the host's name, or set its ansible_host to an address",
    )
}

fn too_many_keys(connection: &Connection, _: &str) -> Failure {
    hinted(
        STEP,
        format!("{} hung up after too many keys were offered", connection.address),
        "name the right one: ansible_ssh_private_key_file",
    )
}

fn open_key_file(connection: &Connection, _: &str) -> Failure {
    let file = connection.identity.as_ref().map_or("the key file".to_owned(), |i| i.display().to_string());
    hinted(STEP, format!("others may read {file}, so ssh does not use it"), format!("chmod 600 {file}"))
}

fn denied(connection: &Connection, _: &str) -> Failure {
    let user = match &connection.user {
        Some(user) => format!("for {user}"),
        None => "for the user ssh chose".to_owned(),
    };
    let key = match &connection.identity {
        Some(file) => format!("put {} there: ssh-copy-id -i {0}", file.display()),
        None => "put your key there: ssh-copy-id".to_owned(),
    };
    hinted(
        STEP,
        format!("{} accepts no key of yours {user}", connection.address),
        format!(
            "check ansible_user, or {}; a key with a passphrase must be in the agent (ssh-add)",
            command(connection, &key)
        ),
    )
}

fn no_sshd(connection: &Connection, _: &str) -> Failure {
    hinted(
        STEP,
        format!("{} refuses connections on port {}", connection.address, port(connection)),
        "check ansible_port, and that sshd runs on the host (systemctl status ssh)",
    )
}

fn unreachable(connection: &Connection, _: &str) -> Failure {
    hinted(
        STEP,
        format!("{} does not answer on port {}", connection.address, port(connection)),
        "is it switched on and in this network? check ansible_host and the firewall",
    )
}

fn port(connection: &Connection) -> String {
    connection.port.map_or("22 (or what ~/.ssh/config says)".to_owned(), |port| port.to_string())
}

/// `PROGRAM [-p PORT] [USER@]ADDRESS`, to be typed by a person.
fn command(connection: &Connection, program: &str) -> String {
    let port = connection.port.map(|port| format!(" -p {port}")).unwrap_or_default();
    let user = connection.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    format!("{program}{port} {user}{}", connection.address)
}

/// The name under which known_hosts keeps it.
fn known_as(connection: &Connection) -> String {
    match connection.port {
        Some(port) if port.get() != 22 => format!("[{}]:{port}", connection.address),
        _ => connection.address.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{HostName, Port};

    fn connection() -> Connection {
        Connection {
            address: "10.0.0.5".into(),
            user: Some("lab".into()),
            port: Some(Port::new(2222).unwrap()),
            ..Connection::new(HostName::new("box").unwrap())
        }
    }

    #[test]
    fn ssh_s_last_words_say_what_to_do() {
        let denied = "lab@10.0.0.5: Permission denied (publickey).";
        let changed = "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
            Offending ED25519 key in /home/me/.ssh/known_hosts:3\n\
            Host key for [10.0.0.5]:2222 has changed and you have requested strict checking.\n\
            Host key verification failed.";
        let cases = [
            (
                "connect to host 10.0.0.5 port 2222: Connection refused",
                "10.0.0.5 refuses connections on port 2222",
            ),
            (
                "connect to host 10.0.0.5 port 2222: Connection timed out",
                "10.0.0.5 does not answer on port 2222",
            ),
            ("connect to host 10.0.0.5 port 2222: No route to host", "10.0.0.5 does not answer on port 2222"),
            (
                "Could not resolve hostname 10.0.0.5: Name or service not known",
                "no address is known for the name 10.0.0.5",
            ),
            ("Host key verification failed.", "the host key of 10.0.0.5 is not known here"),
            (changed, "the host key of 10.0.0.5 is not the one it had before"),
            (denied, "10.0.0.5 accepts no key of yours for lab"),
            (
                "Received disconnect from 10.0.0.5 port 2222:2: Too many authentication failures",
                "10.0.0.5 hung up after too many keys were offered",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host",
                "10.0.0.5 ended the connection before the login was done",
            ),
            ("", "10.0.0.5 ended the connection before the login was done"),
        ];
        for (said, what) in cases {
            let failure = interpret(&connection(), said);
            assert_eq!((failure.what.as_str(), failure.step.as_str()), (what, "connecting"), "{said}");
            assert!(failure.hint.is_some(), "{said}");
        }
        assert_eq!(interpret(&connection(), denied).lines, [denied]);
        assert_eq!(
            interpret(&connection(), changed).hint.unwrap(),
            "if the machine was installed anew, forget the old key: ssh-keygen -f /home/me/.ssh/known_hosts -R \
             '[10.0.0.5]:2222'; if not, somebody may be in between"
        );
    }

    #[test]
    fn a_host_that_is_off_is_told_from_one_that_refuses() {
        for silent in [
            "connect to host 10.0.0.5 port 22: Connection timed out",
            "connect to host 10.0.0.5 port 22: No route to host",
            "connect to host 10.0.0.5 port 22: Connection refused",
            "ssh: Could not resolve hostname laptop.local: Name or service not known",
            "Connection timed out during banner exchange",
        ] {
            assert!(is_silence(silent), "{silent}");
        }
        for said in [
            "lab@10.0.0.5: Permission denied (publickey).",
            "Host key verification failed.",
            "kex_exchange_identification: Connection closed by remote host",
            "",
        ] {
            assert!(!is_silence(said), "{said}");
        }
    }

    #[test]
    fn what_a_host_says_cannot_move_the_cursor() {
        let failure = interpret(&connection(), "\u{1b}[2JPermission denied (publickey).\r\n");
        assert_eq!(failure.lines, ["Permission denied (publickey)."]);
    }
}
