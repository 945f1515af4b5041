//! Images as they are typed: which one runs.
//! It asks no registry.

use crate::diagnostic::{Diagnostic, Origin};
use crate::inventory::{Fields, Node};
use crate::service::Service;

/// An image and where it is typed.
pub(super) type Typed = (String, Origin);

/// Reads the name of an image.
pub(super) fn typed(node: &Node) -> Result<Typed, Diagnostic> {
    Ok((node.as_text()?, node.origin.clone()))
}

/// The image that runs: the service's own, else the one its host has for all; none leaves it to homelab.
pub(super) fn chosen(fields: &mut Fields<'_>, service: &Service, shared: Option<Typed>) -> Option<Typed> {
    let own = fields.node("image").map(|node| (service.image.clone(), node.origin.clone()));
    own.filter(|(image, _)| !image.is_empty()).or(shared)
}
