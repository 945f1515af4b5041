//! Containers as Docker tells of them, put into homelab's words.
//! It reads Docker's answers; the one thing it asks for itself is one container's account.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerInspectResponse, ContainerSummary};

use super::body::Placed;
use super::inspected::{Inspected, chosen_port, name_of};
use super::look::Look;
use super::refusal::{docker_failure, is_missing};
use super::{drift, gpus, health};
use crate::names::{ProjectName, ServiceName};
use crate::service::{Service, label};
use crate::survey::{Container, Failure, Health, State};

/// Containers by whose they are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sorted {
    /// Ids of homelab's containers of this project.
    pub(super) ours: Vec<String>,
    /// Names of the others.
    pub(super) strangers: BTreeSet<String>,
    /// Ports that containers of this project publish.
    pub(super) our_ports: BTreeSet<u16>,
    /// Ports that others publish, with the container's name.
    pub(super) taken: BTreeMap<u16, String>,
}

/// Sorts a list of containers. Only running ones hold ports; Docker lists none for the rest.
pub(super) fn sort(project: &ProjectName, all: Vec<ContainerSummary>) -> Sorted {
    let mut sorted = Sorted::default();
    for one in all {
        let labels = one.labels.unwrap_or_default();
        let name = name_of(one.names.as_deref().and_then(|n| n.first()).map(String::as_str));
        let ours = labels.get(label::PROJECT).is_some_and(|p| p == project.as_str())
            // `docker compose` run on our file gives a container our role, but not our truth.
            && (labels.contains_key(label::SERVICE) || labels.contains_key(label::ROLE));
        let tcp = |port: &bollard::models::PortSummary| {
            (port.typ != Some(bollard::models::PortSummaryTypeEnum::UDP)).then_some(port.public_port?)
        };
        let ports = one.ports.iter().flatten().filter_map(tcp);
        if ours {
            sorted.our_ports.extend(ports);
            sorted.ours.extend(one.id);
        } else {
            sorted.taken.extend(ports.map(|port| (port, format!("container {name}"))));
            sorted.strangers.insert(name);
        }
    }
    sorted
}

/// A container's id, its name, and whether it is this project's.
pub(super) fn named(project: &ProjectName, one: &ContainerSummary) -> Option<(String, (String, bool))> {
    let ours = one.labels.as_ref().and_then(|labels| labels.get(label::PROJECT));
    let name = name_of(one.names.as_deref().and_then(|n| n.first()).map(String::as_str));
    Some((one.id.clone()?, (name, ours.is_some_and(|ours| ours == project.as_str()))))
}

/// Looks at one container of ours and asks its server how it is, and whether it still has its `gpus` if it was
/// given any. None if it has just gone.
pub(super) async fn account(
    look: &Look,
    project: &ProjectName,
    (id, gpus): (&str, bool),
) -> Result<Option<(String, Container)>, Failure> {
    let seen = match look.docker()?.inspect_container(id, None).await {
        Ok(seen) => seen,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(docker_failure(&format!("inspecting container {id}"), &error)),
    };
    let name = name_of(seen.name.as_deref());
    let mut container = container(project, &seen);
    if let (State::Running, Ok(service)) = (&container.state, &container.service) {
        let health = async {
            match container.labels.get(label::HEALTH) {
                Some(path) => {
                    let models = container.labels.get(label::MODELS).map(String::as_str);
                    health::ask(look.link(), service, chosen_port(&seen), (path, models)).await
                }
                None => Health::NotAsked,
            }
        };
        let lost = async { gpus && service.runtime.is_some() && gpus::are_lost(look, id).await };
        (container.health, container.lost_gpu) = tokio::join!(health, lost);
    }
    Ok(Some((name, container)))
}

fn container(project: &ProjectName, seen: &ContainerInspectResponse) -> Container {
    let labels = seen.config.as_ref().and_then(|c| c.labels.clone()).unwrap_or_default();
    let labels: BTreeMap<String, String> = labels.into_iter().collect();
    let truth = labels.get(label::SERVICE).map(String::as_str).unwrap_or_default();
    let service = serde_json::from_str::<Service>(truth).map_err(|e| e.to_string());
    let name = labels.get(label::COMPOSE_SERVICE).map(|name| ServiceName::new(name.as_str()));
    let drift = match (&service, name, labels.get(label::WORKING_DIR)) {
        (Ok(service), Some(Ok(name)), Some(dir)) => {
            drift::drift(&Placed { project, name: &name, service, dir }, seen)
        }
        _ => Vec::new(),
    };
    let Inspected { id, state, restarts, started_at, .. } = Inspected::of(seen);
    Container {
        id,
        image: seen.image.clone().unwrap_or_default(),
        service,
        labels,
        state,
        restarts,
        started_at,
        health: Health::NotAsked,
        lost_gpu: false,
        drift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_and_their_ports_are_sorted_by_whose_they_are() {
        let all = serde_json::json!([
            {"Id": "1", "Names": ["/home-a-1"], "State": "running",
             "Labels": {"com.docker.compose.project": "home", "dev.homelab.service": "{}"},
             "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"},
                       {"IP": "::", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"}]},
            {"Id": "2", "Names": ["/home-hand-1"], "Labels": {"com.docker.compose.project": "home"},
             "Ports": [{"PrivatePort": 81, "Type": "tcp"}]},
            {"Id": "3", "Names": ["/shop"], "Labels": {},
             "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"},
                       {"IP": "0.0.0.0", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"}]},
            {"Id": "4", "Names": ["/other-a-1"], "Ports": [],
             "Labels": {"com.docker.compose.project": "other", "dev.homelab.service": "{}"}}
        ]);
        let project = ProjectName::new("home").unwrap();
        let sorted = sort(&project, serde_json::from_value(all).unwrap());
        assert_eq!(sorted.ours, ["1"]);
        assert_eq!(sorted.strangers, ["home-hand-1", "other-a-1", "shop"].map(str::to_owned).into());
        assert_eq!(sorted.our_ports, [8000].into());
        assert_eq!(sorted.taken, [(80, "container shop".to_owned())].into());
    }

    #[test]
    fn an_account_says_what_docker_says() {
        let seen = serde_json::json!({
            "Id": "1", "RestartCount": 2,
            "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true, "StartedAt": "2026-11-23T03:00:00Z"},
            "Config": {"Labels": {"dev.homelab.service": "{\"nonsense\": 1}"}},
        });
        let container = container(&ProjectName::new("home").unwrap(), &serde_json::from_value(seen).unwrap());
        assert_eq!(container.state, State::Exited { code: 137, oom: true });
        assert_eq!((container.restarts, container.started_at.as_deref()), (2, Some("2026-11-23T03:00:00Z")));
        assert!(container.service.unwrap_err().starts_with("unknown field `nonsense`"));
        let never = serde_json::json!({"State": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}});
        let never = Inspected::of(&serde_json::from_value(never).unwrap());
        assert_eq!((never.state, never.restarts, never.started_at), (State::Created, 0, None));
    }
}
