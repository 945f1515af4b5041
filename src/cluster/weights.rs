//! What a model's server downloads, where it comes to lie on its host, and whether the server may stay offline then.
//! Pure; an engine says what is downloaded, and this only finds its place.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::engine::{Fetch, HUB_OFFLINE, Serve};
use crate::secret::SecretRef;
use crate::service::Service;

use super::Weights;
use super::spec::ModelSpec;

/// What else keeps a server from the hub, or leads it to another one.
const ELSEWHERE: [&str; 3] = [HUB_OFFLINE, "TRANSFORMERS_OFFLINE", "VLLM_USE_MODELSCOPE"];

/// What is downloaded for a server before it starts. One that needs nothing but that is told to
/// stay offline: vLLM asks the hub even for what it has, and ends where nobody answers (seen with 0.32.0).
pub(super) fn of(
    model: &ModelSpec,
    serve: &Serve<'_>,
    service: &mut Service,
    secrets: &BTreeMap<String, SecretRef>,
) -> Vec<Weights> {
    let typed = |name: &&str| service.environment.contains_key(*name) || secrets.contains_key(*name);
    let is_elsewhere = ELSEWHERE.iter().any(typed);
    let mut fetches = model.engine.fetches(serve);
    fetches.retain(|fetch| model.prefetch && (fetch.directory.is_some() || !is_elsewhere));
    let offline = fetches.iter().map(|fetch| fetch.offline).reduce(Option::and).flatten();
    let all: Vec<Weights> = fetches.into_iter().filter_map(|fetch| placed(fetch, service)).collect();
    if let Some(variable) = offline.filter(|_| !all.is_empty()) {
        service.environment.insert(variable.to_owned(), "1".to_owned());
    }
    all
}

/// A download with its place on the host; none where it would be gone with the container.
fn placed(fetch: Fetch, service: &Service) -> Option<Weights> {
    let cache = fetch.cache(&service.environment);
    let on_host = on_host(&service.volumes, &cache)?;
    let key = key(&fetch.what, &fetch.command, &on_host);
    let own = service.entrypoint.clone().filter(|_| fetch.runs_server).unwrap_or_default();
    let mut command = fetch.command;
    if fetch.runs_server {
        let server = command.splice(1.., []).collect::<Vec<_>>();
        command.insert(0, cache.clone());
        command.extend(own.into_iter().chain(server));
    }
    let moved_by = if fetch.directory.is_some() { "volumes" } else { "hf_home" };
    Some(Weights {
        what: fetch.what.join(", "),
        repositories: fetch.repositories,
        key,
        entrypoint: fetch.entrypoint,
        command,
        cache,
        on_host,
        commits: BTreeSet::new(),
        open_key: None,
        moved_by,
    })
}

/// The directory of the host that a container may write to under this path.
fn on_host(volumes: &[String], path: &str) -> Option<String> {
    let mounts = volumes.iter().filter_map(|volume| {
        let mut parts = volume.split(':');
        let (source, target, mode) = (parts.next()?, parts.next()?.trim_end_matches('/'), parts.next());
        let rest = path.strip_prefix(target).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some((target.len(), format!("{}{rest}", source.trim_end_matches('/')), mode == Some("ro")))
    });
    // Of two mounts the deeper one counts, of two at the same place the later one.
    let (_, path, read_only) = mounts.max_by_key(|(depth, ..)| *depth)?;
    (!read_only && !path.starts_with('.')).then_some(path)
}

fn key(what: &[String], command: &[String], on_host: &str) -> String {
    let mut digest = Sha256::new();
    for part in what.iter().chain(command).map(String::as_str).chain([on_host]) {
        digest.update(part);
        digest.update([0]);
    }
    digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_container_is_found_on_the_host() {
        let volumes = |all: &[&str]| all.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let hub = "/root/.cache/huggingface/hub";
        let one = volumes(&["/srv/hf:/root/.cache/huggingface", "/x:/root/.cache/hugging"]);
        assert_eq!(on_host(&one, hub).as_deref(), Some("/srv/hf/hub"));
        let deeper = volumes(&["/srv/hf:/root/.cache/huggingface/", "/big:/root/.cache/huggingface/hub"]);
        assert_eq!(on_host(&deeper, hub).as_deref(), Some("/big"));
        assert_eq!(on_host(&volumes(&["/srv/hf:/root/.cache/huggingface:ro"]), hub), None);
        assert_eq!(on_host(&volumes(&["/srv/models:/models"]), hub), None);
    }
}
