//! The steps to services of the user's own, which run without a login. Root's are the system's, and need none.
//! It installs no program that serves: which one, and from where, is the user's to say.

use super::system::Family;
use super::{Command, Root, Seen, Step, failure, step};
use crate::survey::Failure;

/// What systemd's manager of the user's services lacks.
pub(super) fn steps(seen: &Seen) -> Result<Vec<Step>, Failure> {
    let (ground, user) = (&seen.ground, &seen.machine.user);
    if !ground.systemd {
        return Err(failure(
            "the host is not run by systemd, which is to run models there",
            "say `runtime: docker`; under WSL, systemd=true in /etc/wsl.conf",
        ));
    }
    if ground.root == Root::Is {
        return Ok(vec![]);
    }
    let mut all = Vec::new();
    // Elsewhere it comes with systemd.
    let family = Family::of(&ground.os).ok().filter(|family| family.is_apt());
    if let Some(family) = family.filter(|_| !ground.has.contains("pam_systemd")) {
        let why = "without it nobody has a service manager of their own";
        all.push(step("install libpam-systemd", why, family.install(&["libpam-systemd"])));
    }
    if !ground.lingers {
        let why = "services of theirs then run without a login, and come back with the machine";
        let linger = Command::new(["loginctl", "enable-linger", user]);
        all.push(step(format!("let services of {user} linger"), why, vec![linger]));
    } else if !ground.has.contains("manager") {
        let start = Command::new(["systemctl", "restart", &format!("user@{}.service", ground.uid)]);
        let why = "it does not run";
        all.push(step(format!("start the service manager of {user}"), why, vec![start]));
    }
    Ok(all)
}
