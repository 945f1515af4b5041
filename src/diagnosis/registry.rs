//! What stands in the way of pulling an image.
//! It knows only what the host's Docker says of it; homelab asks no registry itself.

use super::{Row, row};

/// Refusals of registries and of the way there (distribution/distribution, registry/api/errcode;
/// Docker Hub; moby/moby, distribution/).
pub const REGISTRY: &[Row] = &[
    row(
        "image-other-processor",
        &["no matching manifest"],
        "{image} is not made for this host's processor",
        "choose an [image] for it: docker manifest inspect lists them",
    ),
    row(
        "image-unknown",
        &["manifest unknown", "not found", "does not exist", "no such manifest"],
        "there is no image {image}",
        "check name and tag in [image]; a private one needs docker login on the host",
    ),
    row(
        "registry-rate-limit",
        &["toomanyrequests", "rate limit"],
        "{registry} allows no more pulls for now",
        "log in on the host (docker login), or wait",
    ),
    row(
        "registry-unauthorised",
        &[
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "denied: ",
            "access denied",
            "403 Forbidden",
        ],
        "{registry} does not give {image} to a stranger",
        "pull it once on the host by hand: docker login {registry}, then docker pull {image}",
    ),
    row(
        "registry-certificate",
        &["x509: ", "server gave HTTP response to HTTPS client"],
        "the host's Docker does not trust the registry {registry}",
        "put its certificate into /etc/docker/certs.d on the host, or name it in insecure-registries",
    ),
    row(
        "image-broken",
        &["filesystem layer verification failed", "unexpected commit digest", "failed to register layer"],
        "a layer of {image} arrived broken",
        "run homelab deploy again; if it stays, the registry holds a broken image",
    ),
    row(
        "registry-unreachable",
        &[
            "dial tcp",
            "no such host",
            "i/o timeout",
            "connection refused",
            "TLS handshake",
            "EOF",
            "Client.Timeout",
        ],
        "the host cannot reach the registry {registry}",
        "check the host's network, its DNS and its proxy settings for Docker",
    ),
];
