//! The steps to services of the user's own, which run without a login. Root's are the system's, and need none.
//! It installs no program that serves: which one, and from where, is the user's to say.

use super::system::Family;
use super::{Command, Plan, Root, Seen, Step, Wanted, failure, step};
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
    let manager = format!("user@{}.service", ground.uid);
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
        // It begins by itself then; this waits until it has.
        let start = Command::new(["systemctl", "start", &manager]);
        all.push(step(format!("let services of {user} linger"), why, vec![linger, start]));
    } else if !ground.has.contains("manager") {
        let start = Command::new(["systemctl", "restart", &manager]);
        let why = "it does not run";
        all.push(step(format!("start the service manager of {user}"), why, vec![start]));
    }
    Ok(all)
}

/// What a Mac lacks is its owner's to do: a login at its screen, programs, a look at its energy settings.
pub(super) fn on_a_mac(seen: &Seen, wanted: &Wanted, plan: &mut Plan) -> Result<(), Failure> {
    let (ground, user) = (&seen.ground, &seen.machine.user);
    if ground.kernel != "Darwin" {
        return Err(failure(
            format!("homelab knows no service manager of {}", ground.kernel),
            "models run by themselves on Linux with systemd and on macOS",
        ));
    }
    let automatic = format!("System Settings, Users & Groups, Automatically log in as {user}");
    let for_root = "or log in as root (ansible_user: root): root's services need nobody";
    if ground.root != Root::Is && !ground.has.contains("manager") {
        return Err(failure(
            format!(
                "{user} is not logged in at the screen of this Mac, and launchd runs their services only then"
            ),
            format!("log in there, and have it happen by itself ({automatic}); {for_root}"),
        ));
    }
    for program in &ground.lacks {
        let how = wanted.programs.get(program).copied().unwrap_or("install it there");
        plan.notes.push(format!("there is no program {program}: {how}"));
    }
    if ground.root != Root::Is && !ground.lingers {
        let away = format!(
            "after a restart its models are away until {user} logs in at its screen: {automatic}; {for_root}"
        );
        plan.notes.push(away);
    }
    if ground.sleep > 0 {
        let minutes = ground.sleep;
        plan.notes.push(format!(
            "it falls asleep after {minutes} idle minutes, and its models with it: sudo pmset -a sleep 0"
        ));
    }
    Ok(())
}
