//! Names of images as Docker reads them: registry, repository, tag and digest; which tags float, and which versions
//! nobody should run.
//! Text only: it asks no registry and no host.

/// The registry of a name that names none.
pub const DOCKER_HUB: &str = "docker.io";

/// Versions that are known to harm: the end of a repository's name, the version, and what is known of it.
const HARMFUL: [(&str, &str, &str); 3] = [
    ("litellm", "1.82.7", STOLEN_2026_03),
    ("litellm", "1.82.8", STOLEN_2026_03),
    // BerriAI/litellm, discussion 48242.
    (
        "litellm",
        "1.107.0",
        "was not made by its authors, although it is signed with their key (October 2026)",
    ),
];

/// BerriAI/litellm, issues 24518 and 24521.
const STOLEN_2026_03: &str = "was published with stolen credentials and sends away keys (March 2026)";

/// An image as Docker lists it: without the default registry, with a tag or a digest.
#[must_use]
pub fn listed(image: &str) -> String {
    let short = familiar(image);
    match short.split_once('@') {
        // Docker lists a digest without the tag it was pulled by.
        Some((name, digest)) => format!("{}@{digest}", untagged(name)),
        None if untagged(short) == short => format!("{short}:latest"),
        None => short.to_owned(),
    }
}

/// The same with this digest, as Docker lists it.
#[must_use]
pub fn listed_at(image: &str, digest: &str) -> String {
    let name = familiar(image).split('@').next().unwrap_or_default();
    format!("{}@{digest}", untagged(name))
}

/// The registry it comes from.
#[must_use]
pub fn registry(image: &str) -> &str {
    let first = image.split_once('/').map(|(first, _)| first);
    first.filter(|first| first.contains(['.', ':']) || *first == "localhost").unwrap_or(DOCKER_HUB)
}

/// Whether the name says by itself which bytes are meant.
#[must_use]
pub fn has_digest(image: &str) -> bool {
    image.contains('@')
}

/// Whether that is a digest as registries give them.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    })
}

/// A digest as people read it: its first twelve digits.
#[must_use]
pub fn short(digest: &str) -> &str {
    let end = digest.find(':').map_or(0, |at| at + 1) + 12;
    digest.get(..end).unwrap_or(digest)
}

/// Why its tag may mean another image tomorrow; none if it is a version or there is a digest.
#[must_use]
pub fn floats(image: &str) -> Option<String> {
    if has_digest(image) {
        return None;
    }
    match tag(image) {
        None => Some(format!("`{image}` has no tag: it is whatever was pushed last")),
        Some(tag) if is_version(tag) => None,
        Some(tag) => {
            Some(format!("the tag `{tag}` floats: it may mean another image on every host and every day"))
        }
    }
}

/// What is known against this version, as a sentence; none if nothing is.
#[must_use]
pub fn harm(image: &str) -> Option<String> {
    let name = image.split('@').next()?;
    let tag = tag(name)?;
    let repository = untagged(name).rsplit('/').next()?;
    let has = |version: &str| tag.split(['-', '_']).any(|part| part.trim_start_matches('v') == version);
    let known = |(of, version, _): &&(&str, &str, &str)| repository.starts_with(of) && has(version);
    HARMFUL.iter().find(known).map(|(_, version, why)| format!("{version} {why}"))
}

/// Without the default registry and its default user, which Docker leaves out.
fn familiar(image: &str) -> &str {
    let short = image.strip_prefix("docker.io/").unwrap_or(image);
    short.strip_prefix("library/").unwrap_or(short)
}

fn tag(name: &str) -> Option<&str> {
    name.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

fn untagged(name: &str) -> &str {
    tag(name).map_or(name, |tag| &name[..name.len() - tag.len() - 1])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_under_the_name_docker_lists() {
        assert_eq!(listed("docker.io/library/redis"), "redis:latest");
        assert_eq!(listed("registry.lab:5000/litellm"), "registry.lab:5000/litellm:latest");
        assert_eq!(listed("vllm/vllm-openai:v1"), "vllm/vllm-openai:v1");
        assert_eq!(listed("r.lab:5000/a/b:v1@sha256:0a"), "r.lab:5000/a/b@sha256:0a");
        assert_eq!(listed("redis@sha256:0a"), "redis@sha256:0a");
        assert_eq!(listed_at("docker.io/a/b:v1", "sha256:0a"), "a/b@sha256:0a");
        assert_eq!(listed_at("r.lab:5000/b", "sha256:0a"), "r.lab:5000/b@sha256:0a");
    }

    #[test]
    fn the_registry_is_what_stands_before_the_first_slash_if_it_looks_like_one() {
        for (image, expected) in [
            ("vllm/vllm-openai:v1", "docker.io"),
            ("redis", "docker.io"),
            ("ghcr.io/a/b", "ghcr.io"),
            ("registry.lab:5000/a@sha256:0", "registry.lab:5000"),
            ("localhost/a", "localhost"),
        ] {
            assert_eq!(registry(image), expected);
        }
    }

    #[test]
    fn versions_that_harm_are_known_by_every_tag_they_have() {
        for bad in [
            "ghcr.io/berriai/litellm:v1.82.7",
            "ghcr.io/berriai/litellm:main-v1.82.8-stable",
            "litellm/litellm:1.107.0",
            "ghcr.io/berriai/litellm-non_root:v1.107.0@sha256:00",
        ] {
            assert!(harm(bad).is_some(), "{bad}");
        }
        for good in [
            "ghcr.io/berriai/litellm:v1.109.1",
            "ghcr.io/berriai/litellm:v1.82.70",
            "ghcr.io/berriai/litellm",
            "me/other:1.107.0",
            "vllm/vllm-openai:v1.82.7",
        ] {
            assert_eq!(harm(good), None, "{good}");
        }
    }

    #[test]
    fn a_digest_is_told_from_what_only_looks_like_one() {
        let whole = format!("sha256:{}", "0a".repeat(32));
        assert!(is_digest(&whole));
        assert_eq!(short(&whole), "sha256:0a0a0a0a0a0a");
        for bad in ["", "sha256:0a", &whole.to_uppercase(), &format!("{whole}0"), &whole.replace('0', "g")] {
            assert!(!is_digest(bad), "{bad}");
        }
        assert_eq!(short("sha256:ä"), "sha256:ä");
    }
}
