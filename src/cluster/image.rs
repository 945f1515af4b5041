//! Images as they are typed: which one runs, and whether its tag stays what it is.
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

/// The image that runs: the service's own, else the one its host has for all; none leaves it to homelab. A tag that
/// floats is told of.
pub(super) fn chosen(fields: &mut Fields<'_>, service: &Service, shared: Option<Typed>) -> Option<String> {
    let own = fields.node("image").map(|node| (service.image.clone(), node.origin.clone()));
    let (image, origin) = own.filter(|(image, _)| !image.is_empty()).or(shared)?;
    // An image that is never pulled was made there, and changes only there.
    if service.pull_policy.as_deref() != Some("never") {
        fields.problems.0.extend(floating(&image, &origin));
    }
    Some(image)
}

fn floating(image: &str, origin: &Origin) -> Option<Diagnostic> {
    if image.contains('@') {
        return None;
    }
    let message = match image.rsplit('/').next()?.split_once(':') {
        None => format!("`{image}` has no tag: it is whatever was pushed last"),
        Some((_, tag)) if is_version(tag) => return None,
        Some((_, tag)) => {
            format!("the tag `{tag}` floats: it may mean another image on every host and every day")
        }
    };
    Some(Diagnostic::warning(origin, message).hint("name a version, or a digest as in NAME@sha256:…"))
}

/// Whether a part of a tag is a version (`v1.2`, `26.04`), a build (`b8562`), a date or a commit.
fn is_version(tag: &str) -> bool {
    tag.split(['-', '_', '+']).any(|part| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let numbers: Vec<&str> = part.trim_start_matches('v').split('.').collect();
        let version =
            numbers.len() > 1 && digits(numbers[0]) && numbers[1].starts_with(|c: char| c.is_ascii_digit());
        let build = part.strip_prefix('b').is_some_and(|n| n.len() > 2 && digits(n));
        let hex = part.bytes().all(|c| c.is_ascii_hexdigit()) && part.bytes().any(|c| c.is_ascii_digit());
        version || build || (hex && part.len() >= 7)
    })
}
