//! A host's files, network and images: what must be there before anything is stopped, and what
//! goes when nothing needs it. It looks at no container but to learn which files it mounts.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::desired::{COMPOSE_FILE, DesiredHost};
use crate::names::ServiceName;
use crate::secret::Content;
use crate::survey::{Failure, FileSeen, Seen};

use super::{Action, Cause, Step, Task, fetch};

/// The directories whose files are named by content, so that homelab may remove them.
const OWN_DIRECTORIES: [&str; 4] = ["env/", "litellm/", "configs/", fetch::DIRECTORY];

/// The root key's file on the gateway's host.
pub const ROOT_KEY_FILE: &str = "root.key";

/// Files that are missing or differ, the Compose file last.
pub(super) fn missing_files(host: &DesiredHost, seen: &Seen) -> Vec<Step> {
    let mut paths: Vec<&String> = host.files.keys().collect();
    paths.sort_by_key(|path| (path.as_str() == COMPOSE_FILE, path.as_str()));
    let step = |path: &String| {
        let content = &host.files[path];
        let because = match seen.files.get(path) {
            None => Cause::Missing,
            Some(there) if !same_file(content, there) => Cause::Changed(vec![]),
            Some(_) => return None,
        };
        let action = Action::WriteFile { path: path.clone(), content: content.clone() };
        Some(Step { action, because, interrupts: false })
    };
    // A host that should have no service needs no file either; those it has go last.
    if host.services.is_empty() {
        return vec![];
    }
    paths.into_iter().filter_map(step).collect()
}

/// A secret file's name already tells its content, which cannot be compared without the values.
fn same_file(content: &Content, there: &FileSeen) -> bool {
    let found = file_seen(content);
    (content.is_secret() || found.sha256 == there.sha256) && found.mode == there.mode
}

/// What a look would find of a file with this content; a secret's sum tells nothing.
pub(super) fn file_seen(content: &Content) -> FileSeen {
    let digest = Sha256::digest(content.as_plain().unwrap_or_default());
    FileSeen { sha256: digest.iter().map(|b| format!("{b:02x}")).collect(), mode: content.mode() }
}

/// Files of ours that nothing mounts once the plan is carried out, and nothing else.
pub(super) fn stale_files(host: &DesiredHost, seen: &Seen) -> Vec<Step> {
    let own = |path: &str| OWN_DIRECTORIES.iter().any(|d| path.starts_with(d));
    let all_goes = host.services.is_empty();
    let stale = |path: &&String| match path.as_str() {
        COMPOSE_FILE => all_goes,
        // What was downloaded stays in its cache, and may be wanted again.
        path if path.starts_with(fetch::DIRECTORY) => all_goes,
        path => own(path) && !host.files.contains_key(path),
    };
    let remove = |path: &String| Step {
        action: Action::RemoveFile { path: path.clone() },
        because: Cause::NotNeeded,
        interrupts: false,
    };
    seen.files.keys().filter(stale).map(remove).collect()
}

/// Every file of ours on the host, the root key too.
pub(super) fn all(seen: &Seen) -> impl Iterator<Item = String> + '_ {
    let own = |path: &&String| {
        OWN_DIRECTORIES.iter().any(|d| path.starts_with(d))
            || [COMPOSE_FILE, ROOT_KEY_FILE].contains(&path.as_str())
    };
    seen.files.keys().filter(own).cloned()
}

/// The images that `services` need and the host lacks, each with the services that wait for it.
///
/// # Errors
/// An image that must not be pulled and is not there.
pub(super) fn pulls(
    host: &DesiredHost,
    seen: &Seen,
    services: &BTreeSet<&ServiceName>,
) -> (Vec<Task>, Vec<(ServiceName, Failure)>) {
    let mut wanted: BTreeMap<&str, (Vec<ServiceName>, Cause)> = BTreeMap::new();
    let mut refused = Vec::new();
    for name in services {
        let Some(desired) = host.services.get(*name) else { continue };
        let image = desired.service.image.as_str();
        let present = seen.images.contains(&full_name(image)) || seen.images.contains(image);
        match desired.service.pull_policy.as_deref() {
            Some("never") if !present => refused.push(((*name).clone(), never(image))),
            Some("never") => {}
            Some("always") => wanted
                .entry(image)
                .or_insert((vec![], Cause::Follows("pull_policy is always".into())))
                .0
                .push((*name).clone()),
            _ if present => {}
            _ => wanted.entry(image).or_insert((vec![], Cause::Missing)).0.push((*name).clone()),
        }
    }
    let task = |(image, (services, because)): (&str, (Vec<ServiceName>, Cause))| {
        let step = Step { action: Action::Pull { image: image.to_owned() }, because, interrupts: false };
        Task { services, steps: vec![step], ..Task::default() }
    };
    (wanted.into_iter().map(task).collect(), refused)
}

fn never(image: &str) -> Failure {
    Failure {
        step: "looking for its image".to_owned(),
        what: format!("the image {image} is not on the host, and pull_policy is never"),
        lines: vec![],
        hint: Some("build or load it there, or drop pull_policy".to_owned()),
        finding: None,
    }
}

/// An image as Docker lists it: without the default registry, with a tag.
fn full_name(image: &str) -> String {
    let short = image.strip_prefix("docker.io/").unwrap_or(image);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let untagged = |name: &str| -> String {
        let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
        let last = last.split(':').next().unwrap_or(last);
        if path.is_empty() { last.to_owned() } else { format!("{path}/{last}") }
    };
    match short.split_once('@') {
        // Docker lists a digest without the tag it was pulled by.
        Some((name, digest)) => format!("{}@{digest}", untagged(name)),
        None if untagged(short) == short => format!("{short}:latest"),
        None => short.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_under_the_name_docker_lists() {
        assert_eq!(full_name("docker.io/library/redis"), "redis:latest");
        assert_eq!(full_name("registry.lab:5000/litellm"), "registry.lab:5000/litellm:latest");
        assert_eq!(full_name("vllm/vllm-openai:v1"), "vllm/vllm-openai:v1");
        assert_eq!(full_name("r.lab:5000/a/b:v1@sha256:0a"), "r.lab:5000/a/b@sha256:0a");
        assert_eq!(full_name("redis@sha256:0a"), "redis@sha256:0a");
    }
}
