//! What the remote process wrote about a host's ground, line by line: each begins with what it is about.
//! It reads text only.

use super::{Ground, Os, Root};
use crate::diagnostic::clean;

/// What the script told; none if what answered is no POSIX shell.
#[must_use]
pub fn ground(text: &str) -> Option<Ground> {
    let mut ground = Ground::default();
    for line in text.lines() {
        let (about, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = clean(rest.trim());
        let words = || rest.split_whitespace().map(str::to_owned);
        match about {
            "kernel" => ground.kernel = rest,
            "os" => os(&rest, &mut ground.os),
            "root" => ground.root = root(&rest),
            "groups" => ground.groups = words().collect(),
            "session" => ground.session = words().collect(),
            "has" => ground.has.extend(words()),
            "systemd" => ground.systemd = true,
            "open" => ground.open = true,
            "enabled" => ground.unit.0 = rest,
            "active" => ground.unit.1 = rest,
            "runtime" => ground.runtime = true,
            "uid" => ground.uid = plain(&rest),
            "lingers" => ground.lingers = true,
            "lacks" => drop(ground.lacks.insert(rest)),
            "sleep" => ground.sleep = rest.parse().unwrap_or(0),
            "half" => ground.half = true,
            "reboot" => ground.reboot = true,
            _ => {}
        }
    }
    (text.lines().last() == Some("end") && !ground.kernel.is_empty()).then_some(ground)
}

fn root(word: &str) -> Root {
    match word {
        "is" => Root::Is,
        "sudo" => Root::Sudo,
        "password" => Root::Password,
        _ => Root::No,
    }
}

/// A line of /etc/os-release. Quotes around a value are the shell's; nothing in those that are read needs more.
fn os(line: &str, os: &mut Os) {
    let Some((key, value)) = line.split_once('=') else { return };
    let value = value.trim_matches(['"', '\'']);
    let word = || plain(value);
    match key {
        "ID" => os.id = word(),
        "ID_LIKE" => os.like = value.split_whitespace().map(plain).collect(),
        "VERSION_CODENAME" => os.codename = word(),
        "UBUNTU_CODENAME" => os.ubuntu = word(),
        "DEBIAN_CODENAME" => os.debian = word(),
        "PRETTY_NAME" => os.name = value.to_owned(),
        _ => {}
    }
}

/// As os-release(5) wants it; what is not so becomes part of no file and no address.
fn plain(value: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    value.chars().filter(|c| good(*c)).collect()
}
