//! Whether the hosts that wake others can.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::names::HostName;

use super::spec::Spec;

/// Hosts that are to be woken by others that cannot.
pub(super) fn check(spec: &Spec, problems: &mut Diagnostics) {
    for (name, host) in &spec.hosts {
        let Some((via, origin)) = host.wake.as_ref().and_then(|wake| wake.via.as_ref()) else { continue };
        if via == name {
            let itself = Diagnostic::error(origin, format!("{name} would have to wake itself"));
            problems.push(
                itself.hint("`via` names a host of the same network that stays on, such as the gateway's"),
            );
        } else if !spec.hosts.contains_key(via) {
            let unknown = Diagnostic::error(origin, format!("there is no host `{via}`")).of_absence();
            let names = spec.hosts.keys().map(HostName::as_str);
            let near = crate::diagnostic::did_you_mean(via.as_str(), names);
            problems.push(unknown.meant(near, "`via` names a host of the inventory that sends the packet"));
        }
    }
}
