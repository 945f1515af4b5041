//! What stands in the way of pulling an image.
//! It knows only what the host's Docker says of it; homelab asks no registry itself.

use super::{Row, row};

/// What is said of an image that `homelab.lock` pins to a digest.
pub const PINNED: &[Row] = &[row(
    "image-pin-gone",
    &["manifest unknown", "not found", "does not exist", "no such manifest"],
    "the registry no longer has {image} as homelab.lock pins it: its tag was moved, or the image was taken back",
    "find out why before you take what is there now: homelab update {image}",
)];

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
        "check name and tag in [image]; a private one needs a login in [registry_auth]",
    ),
    row(
        "registry-rate-limit",
        &["toomanyrequests", "rate limit"],
        "{registry} allows no more pulls for now",
        "give a login in [registry_auth], or wait",
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
        "give {registry} a login in [registry_auth], as in {username: NAME, password: {env: VARIABLE}}",
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
