//! Versions of images that must not run, and tags that float while nothing pins them.
//! It asks no registry.

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::image;

use super::gateway_spec::GatewaySpec;
use super::spec::Spec;

/// Versions that harm, which are errors, and tags that float while nothing pins them.
pub(super) fn check(spec: &Spec, problems: &mut Diagnostics) {
    for host in spec.hosts.values() {
        let models =
            host.models.iter().map(|m| (m.image.as_str(), m.image_origin.as_ref(), &m.overlay, &m.origin));
        let gateway = host.gateway.iter().map(|g| {
            let image = &g.overlay.service.image;
            (image.as_str(), g.image_origin.as_ref(), &g.overlay, &g.origin)
        });
        let edges = host.gateway.iter().filter_map(|g| Some((g, g.options.edge.as_ref()?)));
        let edges =
            edges.map(|(g, edge)| (edge.image.as_str(), edge.image_origin.as_ref(), &g.overlay, &g.origin));
        let companions = host.gateway.iter().flat_map(GatewaySpec::companions).map(|one| {
            (one.overlay.service.image.as_str(), one.image_origin.as_ref(), &one.overlay, &one.origin)
        });
        for (image, typed, overlay, origin) in models.chain(gateway).chain(edges).chain(companions) {
            problems.0.extend(harmful(image, typed.unwrap_or(origin)));
            // An image that is never pulled was made there, and changes only there.
            let fixed = overlay.service.pull_policy.as_deref() == Some("never")
                || spec.pins.images.contains_key(image);
            if let (Some(typed), false) = (typed, fixed) {
                problems.0.extend(floating(image, typed));
            }
        }
    }
}

fn harmful(image: &str, origin: &Origin) -> Option<Diagnostic> {
    let wrong = Diagnostic::error(origin, format!("`{image}` must not run: {}", image::harm(image)?));
    Some(wrong.hint("take another version; if this one ran, change every key it could read"))
}

fn floating(image: &str, origin: &Origin) -> Option<Diagnostic> {
    let hint = "name a version, or a digest as in NAME@sha256:…; once it is deployed, homelab.lock pins it";
    Some(Diagnostic::warning(origin, image::floats(image)?).hint(hint))
}
