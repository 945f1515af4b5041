//! What the user said of the gateway, read into types.
//! It looks at no model and no other host.

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::gateway::Options;
use crate::inventory::{Fields, HostVars};

use super::companion_spec::{self, CompanionSpec, MetricsSpec};
use super::image;
use super::keys::{Origins, variable};
use super::overlay::{LocalFile, Overlay, secret};

/// What the user said of the gateway.
#[derive(Clone, Debug)]
pub struct GatewaySpec {
    /// Where it is named.
    pub origin: Origin,
    /// Where its keys stand.
    pub(super) origins: Origins,
    /// Where its image is typed, if it is.
    pub image_origin: Option<Origin>,
    /// Its own options.
    pub options: Options,
    /// Compose's keys.
    pub overlay: Overlay,
    /// Prometheus and what goes with it, if it is wanted.
    pub metrics: Option<MetricsSpec>,
    /// Open WebUI, if it is wanted.
    pub webui: Option<CompanionSpec>,
}

impl GatewaySpec {
    /// Everything that stands beside it on its own host.
    pub(super) fn beside(&self) -> impl Iterator<Item = &CompanionSpec> {
        self.metrics.iter().flat_map(MetricsSpec::beside).chain(&self.webui)
    }

    /// Everything it asks for besides itself, on whichever host.
    pub(super) fn companions(&self) -> impl Iterator<Item = &CompanionSpec> {
        self.beside().chain(self.metrics.iter().flat_map(MetricsSpec::exporters))
    }

    /// The files of the user's that it and its companions mount.
    pub(super) fn local_files(&self) -> impl Iterator<Item = &LocalFile> {
        let overlays = self.companions().map(|one| &one.overlay).chain([&self.overlay]);
        overlays.flat_map(|overlay| overlay.configs.values())
    }
}

/// Reads it, if it is there and sound.
pub(super) fn read(vars: &HostVars, problems: &mut Diagnostics) -> Option<GatewaySpec> {
    let ours = vars.value_noting("homelab_gateway", problems);
    let node = ours.or_else(|| vars.value_noting("gateway", problems))?;
    let Ok(map) = node.as_map() else {
        let hint = "if `gateway` means something else in this inventory, put homelab's under `homelab_gateway`, which wins";
        problems.push(node.expected("`gateway` to be a map").hint(hint));
        return None;
    };
    let mut fields = Fields::new(map, "the gateway");
    let shared = variable(vars, "litellm_image", problems, image::typed);
    let mut options = crate::gateway::read(&mut fields, &node.origin, secret);
    let (metrics, webui) = (companion_spec::metrics(&mut fields), companion_spec::webui(&mut fields));
    options.metrics = metrics.is_some();
    let mut overlay = super::overlay::read(&mut fields);
    if overlay
        .service
        .environment
        .get("STORE_MODEL_IN_DB")
        .is_some_and(|on| !on.eq_ignore_ascii_case("false"))
        && let Some(origin) = fields.origin("environment")
    {
        let set = Diagnostic::error(origin, "`STORE_MODEL_IN_DB` cannot be set here");
        fields.problems.push(set.hint(crate::gateway::STORED));
    }
    let chosen = image::chosen(&mut fields, &overlay.service, shared);
    let image_origin = chosen.map(|(image, origin)| {
        overlay.service.image = image;
        origin
    });
    let found = fields.finish(&[]);
    let bad = found.has_errors();
    problems.0.extend(found.0);
    (!bad).then(|| GatewaySpec {
        origin: node.origin.clone(),
        origins: map.origins(),
        image_origin,
        options,
        overlay,
        metrics,
        webui,
    })
}
