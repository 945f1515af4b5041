//! A host's files, network and images: what must be there before anything is stopped, and what
//! goes when nothing needs it. It looks at no container but to learn which files it mounts.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::desired::{COMPOSE_FILE, DesiredHost, KEYS};
use crate::diagnosis;
use crate::gateway::{AROUND_DIRECTORY, AROUND_ENDING, CADDYFILE, UPSTREAM_DIRECTORY};
use crate::names::{HostName, ServiceName};
use crate::secret::Content;
use crate::service::Runtime;
use crate::survey::{Failure, FileSeen, Seen};

use super::{Action, Cause, Step, Task, fetch};

/// The directories that homelab alone writes to, so that it may remove what is in them.
const OWN_DIRECTORIES: [&str; 8] =
    ["env/", "litellm/", "configs/", "edge/", "around/", "native/", KEYS, fetch::DIRECTORY];

/// The root key's file on the gateway's host.
pub const ROOT_KEY_FILE: &str = "root.key";

/// Files that are missing or differ, the Compose file last. Where the edge reloads its config, that is how it is
/// written.
pub(super) fn missing_files(host: &DesiredHost, seen: &Seen, reloads: bool) -> Vec<Step> {
    let mut paths: Vec<&String> =
        host.files.keys().filter(|path| !reloads || path.as_str() != CADDYFILE).collect();
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

/// The file on the gateway's host that has requests led around a service, below the project's directory.
#[must_use]
pub fn around_file(host: &HostName, service: &ServiceName) -> String {
    format!("{AROUND_DIRECTORY}/{host}.{service}{AROUND_ENDING}")
}

/// Whether a file is such a one.
fn is_around_file(path: &str) -> bool {
    path.starts_with(AROUND_DIRECTORY) && path.ends_with(AROUND_ENDING)
}

/// What earlier runs that were killed have left: nothing is to be led around now.
pub(super) fn forgotten(seen: &Seen) -> impl Iterator<Item = Step> + '_ {
    let step = |path: &String| Step {
        action: Action::RemoveFile { path: path.clone() },
        because: Cause::CutOff,
        interrupts: false,
    };
    seen.files.keys().filter(|path| is_around_file(path)).map(step)
}

/// Files of ours that nothing mounts once the plan is carried out, and nothing else.
pub(super) fn stale_files(host: &DesiredHost, seen: &Seen) -> Vec<Step> {
    let own = |path: &str| OWN_DIRECTORIES.iter().any(|d| path.starts_with(d));
    let all_goes = host.services.is_empty();
    let stale = |path: &&String| match path.as_str() {
        COMPOSE_FILE => all_goes || !host.files.contains_key(COMPOSE_FILE),
        // What was downloaded stays in its cache, and may be wanted again.
        path if path.starts_with(fetch::DIRECTORY) => all_goes,
        // It says where the edge leads to.
        path if path.starts_with(UPSTREAM_DIRECTORY) => !host.files.contains_key(CADDYFILE),
        // They go before anything else is done.
        path if is_around_file(path) => false,
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
    let mut wanted: BTreeMap<&str, (Option<String>, Vec<ServiceName>, Cause)> = BTreeMap::new();
    let mut refused = Vec::new();
    for name in services {
        let Some(desired) = host.services.get(*name) else { continue };
        if desired.service.runtime() == Runtime::Native {
            continue;
        }
        let image = desired.service.image.as_str();
        let there = seen.images.contains(image);
        let present = match &desired.digest {
            None => there,
            Some(digest) => seen.images.id(image).is_some_and(|id| seen.images.is(id, image, digest)),
        };
        let because = if there { Cause::Follows(OTHER_PIN.to_owned()) } else { Cause::Missing };
        let mut pull = |because| {
            let (_, services, _) = wanted.entry(image).or_insert((desired.digest.clone(), vec![], because));
            services.push((*name).clone());
        };
        match desired.service.pull_policy.as_deref() {
            Some("never") if !present => refused.push(((*name).clone(), never(image))),
            Some("never") => {}
            Some("always") if !there || present => pull(Cause::Follows("pull_policy is always".into())),
            _ if present => {}
            _ => pull(because),
        }
    }
    let task = |(image, (digest, services, because)): (&str, (Option<String>, Vec<ServiceName>, Cause))| {
        let action = Action::Pull { image: image.to_owned(), digest };
        let step = Step { action, because, interrupts: false };
        Task { services, steps: vec![step], ..Task::default() }
    };
    (wanted.into_iter().map(task).collect(), refused)
}

/// Why an image is pulled although its host has one of that name.
const OTHER_PIN: &str = "homelab.lock pins another one than is there";

fn never(image: &str) -> Failure {
    let what = format!("the image {image} is not on the host, and pull_policy is never");
    let finding = diagnosis::told("image-not-there", &what, "build or load it there, or drop [pull_policy]");
    Failure {
        step: "looking for its image".to_owned(),
        what,
        lines: vec![],
        hint: Some(finding.advice()),
        finding: Some(Box::new(finding)),
    }
}
