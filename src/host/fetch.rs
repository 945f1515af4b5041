//! Downloading what a server needs before it starts: a container of the server's own image that
//! runs beside what serves, and ends.
//! It chooses neither what nor when; what the container says is read here and nowhere else.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, EndpointSettings};
use futures_util::StreamExt as _;
use tokio::time::sleep;

use super::body::{Placed, container_body};
use super::explain::{Whose, explained};
use super::hands::Hands;
use super::wait::Tell;
use super::{failure, hinted};
use crate::cluster::Weights;
use crate::names::{ByteSize, Secret};
use crate::service::{Service, label};
use crate::survey::{Failure, State};

/// How many of its last lines explain a failure.
const KEPT_LINES: usize = 200;
/// How long until it is asked again whether it has ended, after its log broke off.
const PAUSE: Duration = Duration::from_secs(1);

/// What is downloaded for which service.
#[derive(Clone, Copy)]
pub(super) struct Fetching<'a> {
    /// The service as it will run.
    pub(super) placed: Placed<'a>,
    pub(super) weights: &'a Weights,
    /// The engine's name.
    pub(super) engine: &'a str,
    /// The container's name.
    pub(super) name: &'a str,
    /// The step in words, for failures.
    pub(super) step: &'a str,
}

/// Downloads it and tells how far it is; gives the directories of the host that hold it then.
///
/// # Errors
/// Why it cannot be had, and what to do. What has arrived by then stays.
pub(super) async fn fetch(
    hands: &Hands,
    of: Fetching<'_>,
    secrets: &[(String, Secret)],
    tell: Tell<'_>,
) -> Result<Vec<String>, Failure> {
    // What a run that was cut off left would have its name.
    hands.remove(of.name).await?;
    let body = body(&of, secrets).map_err(|why| failure(of.step, why))?;
    let id = hands.create(of.name, body).await?;
    let done = match hands.start(&id).await {
        Ok(()) => follow(hands, &of, &id, tell).await,
        Err(why) => Err(why),
    };
    // Nothing but its files is wanted of it, however it ended.
    let removed = hands.remove(&id).await;
    done.and_then(|found| removed.map(|()| found))
}

/// The service's container with another program: without its ports, its GPUs and its name on the
/// networks, and without the label that would make it the service's own.
fn body(of: &Fetching<'_>, secrets: &[(String, Secret)]) -> Result<ContainerCreateBody, String> {
    let mut service = Service {
        entrypoint: Some(of.weights.entrypoint.clone()),
        command: Some(of.weights.command.clone()),
        ports: vec![],
        ipc: None,
        runtime: None,
        ulimits: [].into(),
        devices: vec![],
        gpus: vec![],
        restart: None,
        labels: [].into(),
        ..of.placed.service.clone()
    };
    service.environment.remove("HF_HUB_OFFLINE");
    // Where NVIDIA's runtime is Docker's default one, it would give all.
    service.environment.insert("NVIDIA_VISIBLE_DEVICES".to_owned(), "void".to_owned());
    let mut body = container_body(&Placed { service: &service, ..of.placed }, secrets)?;
    let labels = [
        (label::ROLE, "fetch".to_owned()),
        (label::FETCH, of.placed.name.to_string()),
        (label::PROJECT, of.placed.project.to_string()),
    ];
    body.labels = Some(labels.map(|(name, value)| (name.to_owned(), value)).into());
    if let Some(networking) = &mut body.networking_config {
        let networks = networking.endpoints_config.take().unwrap_or_default();
        let nameless = networks.into_keys().map(|name| (name, EndpointSettings::default()));
        networking.endpoints_config = Some(nameless.collect::<HashMap<_, _>>());
    }
    Ok(body)
}

/// What a line of the container means to homelab.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// Bytes that are there, and that will be.
    Progress(u64, u64),
    /// Bytes that are missing, and that are free.
    Full(u64, u64),
    /// A directory of the container that holds a whole download.
    Snapshot(String),
}

fn news(line: &str) -> Option<News> {
    let (kind, rest) = line.strip_prefix("homelab: ")?.split_once(' ')?;
    let numbers = || {
        let (a, b) = rest.split_once(' ')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    };
    match kind {
        "progress" => numbers().map(|(done, total)| News::Progress(done, total)),
        "full" => numbers().map(|(missing, free)| News::Full(missing, free)),
        "snapshot" => Some(News::Snapshot(rest.to_owned())),
        _ => None,
    }
}

async fn follow(hands: &Hands, of: &Fetching<'_>, id: &str, tell: Tell<'_>) -> Result<Vec<String>, Failure> {
    let first = hands.inspect(id).await?;
    let (mut said, mut found, mut full) = (Vec::new(), Vec::new(), None);
    let state = loop {
        let mut lines = hands.follow_logs(&first);
        while let Some(Ok(line)) = lines.next().await {
            match news(&line) {
                Some(News::Progress(done, total)) if total > 0 => tell("downloading", Some((done, total))),
                Some(News::Progress(..)) => tell("downloading", None),
                Some(News::Full(missing, free)) => full = Some((missing, free)),
                Some(News::Snapshot(path)) => found.extend(on_host(of.weights, &path)),
                None => said.push(line),
            }
        }
        let now = hands.inspect(id).await?.state;
        if now != State::Running {
            break now;
        }
        sleep(PAUSE).await;
    };
    match (state, full) {
        (State::Exited { code: 0, .. }, _) => {
            found.sort();
            found.dedup();
            Ok(found)
        }
        (_, Some((missing, free))) => Err(no_room(hands, of, missing, free)),
        (state, None) => {
            let what = match state {
                State::Exited { code, .. } => format!("the download ended with code {code}"),
                _ => "the download broke off".to_owned(),
            };
            said.drain(..said.len().saturating_sub(KEPT_LINES));
            let goes_on = "nothing was stopped; homelab deploy goes on with what has arrived";
            let failed = hinted(of.step, what, goes_on);
            Err(explained(failed, (Some(&state), false), Whose::of(Some(of.engine)), &said))
        }
    }
}

fn no_room(hands: &Hands, of: &Fetching<'_>, missing: u64, free: u64) -> Failure {
    let place = &of.weights.on_host;
    let what = format!("{} more is needed in {place}, and {} is free", ByteSize(missing), ByteSize(free));
    let hint = match of.weights.moved_by {
        "volumes" => format!("make room on {}, or mount a larger disk there with `volumes`", hands.host()),
        key => format!("make room on {}, or set `{key}` to a directory on a larger disk", hands.host()),
    };
    hinted(of.step, what, hint)
}

/// A directory of the container by its name on the host; none if it lies elsewhere, or if a line
/// break or a way up would make it another one.
fn on_host(weights: &Weights, path: &str) -> Option<String> {
    let rest = path.strip_prefix(&weights.cache).filter(|rest| rest.starts_with('/'))?;
    let plain = !rest.split('/').any(|part| part == "..") && !rest.contains(char::is_control);
    plain.then(|| format!("{}{rest}", weights.on_host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ProjectName, ServiceName};

    fn weights() -> Weights {
        Weights {
            what: "a/b".into(),
            repositories: vec!["a/b".into()],
            key: "0123456789abcdef".into(),
            entrypoint: vec!["python3".into()],
            command: vec!["[]".into()],
            cache: "/root/.cache/huggingface/hub".into(),
            on_host: "/srv/hf/hub".into(),
            commits: [].into(),
            open_key: None,
            moved_by: "hf_home",
        }
    }

    #[test]
    fn its_lines_are_told_from_those_of_what_it_runs() {
        assert_eq!(news("homelab: progress 5 10"), Some(News::Progress(5, 10)));
        assert_eq!(news("homelab: full 10 5"), Some(News::Full(10, 5)));
        assert_eq!(news("homelab: snapshot /a b"), Some(News::Snapshot("/a b".into())));
        for other in ["homelab: progress x 1", "homelab: ", "progress 1 2", "I homelab: progress 1 2"] {
            assert_eq!(news(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_downloaded_is_found_on_the_host_and_nothing_else_is_believed() {
        let hub = "/root/.cache/huggingface/hub";
        let there = on_host(&weights(), &format!("{hub}/models--a--b/snapshots/1"));
        assert_eq!(there.as_deref(), Some("/srv/hf/hub/models--a--b/snapshots/1"));
        for hostile in ["/etc/passwd", "/root/.cache/huggingface/hub2", &format!("{hub}/../../x")] {
            assert_eq!(on_host(&weights(), hostile), None, "{hostile}");
        }
    }

    #[test]
    fn the_container_has_nothing_of_what_serves_and_cannot_pass_for_it() {
        let service: Service = serde_json::from_str(
            r#"{"image": "v:1", "entrypoint": ["vllm", "serve"], "command": ["a/b"], "ipc": "host",
                "environment": {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://m"}, "ports": ["8000:8000"],
                "volumes": ["/srv/hf:/root/.cache/huggingface"], "networks": ["default", "proxy"],
                "runtime": "nvidia", "restart": "always", "labels": {"dev.homelab.role": "model"}}"#,
        )
        .unwrap();
        let (project, name) = (ProjectName::new("home").unwrap(), ServiceName::new("qwen").unwrap());
        let placed = Placed { project: &project, name: &name, service: &service, dir: "/d" };
        let weights = weights();
        let of = Fetching { placed, weights: &weights, engine: "vllm", name: "n", step: "s" };
        let token = [("HF_TOKEN".to_owned(), Secret::new("hf_1".into()))];
        let body = body(&of, &token).unwrap();
        let env = body.env.unwrap();
        assert!(
            env.contains(&"HF_TOKEN=hf_1".to_owned()) && env.contains(&"HF_ENDPOINT=http://m".to_owned())
        );
        assert!(!env.iter().any(|pair| pair.starts_with("HF_HUB_OFFLINE")), "{env:?}");
        let labels = body.labels.unwrap();
        assert_eq!(labels.len(), 3);
        assert!(!labels.contains_key(label::SERVICE) && !labels.contains_key(label::COMPOSE_SERVICE));
        let host = body.host_config.unwrap();
        assert_eq!((host.runtime, host.ipc_mode), (None, None));
        assert!(host.port_bindings.unwrap().is_empty());
        let networks = body.networking_config.unwrap().endpoints_config.unwrap();
        assert_eq!(networks.len(), 2);
        assert!(networks.values().all(|endpoint| endpoint.aliases.is_none()));
    }
}
