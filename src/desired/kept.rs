//! What has to stand in whatever a template rendered.
//! It renders nothing.

use crate::cluster::{Role, Unit};
use crate::service::Service;

/// What is said beside everything that is wrong with what was rendered.
pub(super) const RENDERED: &str = "this is what the template rendered, not the template itself";

/// Whether a service still has what a survey finds it and asks it by; without that nobody could
/// tell that it is as it should be.
pub(super) fn kept(unit: &Unit, service: &Service) -> Result<(), String> {
    let own = unit.service.labels.iter().filter(|(name, _)| name.starts_with("dev.homelab."));
    for (name, value) in own {
        if service.labels.get(name) != Some(value) {
            return Err(format!("the template does not give `{}` its label `{name}: {value}`", unit.name));
        }
    }
    if matches!(unit.role, Role::Gateway { drain: Some(_), .. })
        && service.own_port().is_none_or(|port| port.host != 0)
    {
        return Err(format!("the template does not publish `{}` as `service.keys.ports` says", unit.name));
    }
    match unit.port.filter(|wanted| !service.published().any(|port| port.host == wanted.get())) {
        None => Ok(()),
        Some(port) => Err(format!("the template does not publish port {port} of `{}`", unit.name)),
    }
}
