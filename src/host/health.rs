//! What the servers in running containers say of themselves.
//! It asks their health paths, nothing else.

use std::time::Duration;

use super::asking;
use super::http::{HttpError, Reply, Request};
use super::link::Link;
use super::look::Look;
use crate::diagnostic::clean;
use crate::names::Secret;
use crate::plan::{Loaded, Probe};
use crate::service::{Service, label};
use crate::survey::{Container, Endpoint, Health, State};

/// A healthy server answers its health path at once.
const WAIT: Duration = Duration::from_secs(3);

/// Asks the health path on the port that is for the host itself: one that Docker chose, else the first. Where that
/// lists models, `models` must be among them.
pub(super) async fn ask(
    link: &Link,
    service: &Service,
    chosen: Option<u16>,
    (path, models): (&str, Option<&str>),
) -> Health {
    let Some(port) = service.own_port() else { return Health::NotAsked };
    let number = if port.host == 0 { chosen } else { Some(port.host) };
    let Some(number) = number else {
        return Health::NotReady("Docker has given it no port yet".to_owned());
    };
    let to = (port.local_address(), number);
    let reply = link.http(to, Request { path, ..Request::default() }, WAIT).await;
    let gone = match (models, &reply) {
        (Some(models), Ok(reply)) if reply.status == 200 => asking::gone(models, reply),
        _ => vec![],
    };
    if gone.is_empty() { health(path, reply) } else { Health::Lacks(gone) }
}

/// Asks a service of the host's own, if it runs.
pub(super) async fn of_unit(link: &Link, unit: &mut Container) {
    if let (State::Running, Ok(service), Some(path)) =
        (&unit.state, &unit.service, unit.labels.get(label::HEALTH))
    {
        unit.health = ask(link, service, None, (path, None)).await;
    }
}

/// Asks an endpoint that somebody else runs, without a key: whatever it says, it is there.
pub(super) async fn of_endpoint(link: &Link, endpoint: &Endpoint) -> Health {
    let request = Request { path: &endpoint.path, ..Request::default() };
    match link.http((&endpoint.host, endpoint.port), request, WAIT).await {
        Ok(reply) if reply.status < 500 => Health::Ready,
        Err(HttpError::Timeout) => Health::Hung(format!("no answer in {} s", WAIT.as_secs())),
        Err(error @ (HttpError::Refused | HttpError::Closed)) => Health::NotReady(error.to_string()),
        reply => health(&endpoint.path, reply),
    }
}

/// Which of its models a server of several has loaded; none where it does not tell. It loads none.
pub async fn loaded(look: &Look, probe: &Probe, key: Option<&Secret>) -> Option<Vec<Loaded>> {
    let to = (probe.address.as_str(), probe.port);
    let told = probe.models.iter().any(|known| known.loading.is_some());
    let path = if told { "/api/ps" } else { "/v1/models" };
    let reply = look.get(to, path, key, WAIT).await.ok()?;
    if told { asking::in_memory(probe, &reply) } else { asking::loaded(&reply) }
}

/// What Prometheus answers to one question; none where it does not answer.
pub async fn asked(look: &Look, to: (&str, u16), question: &str) -> Option<serde_json::Value> {
    let quoted: String = question.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let reply = look.get(to, &format!("/api/v1/query?query={quoted}"), None, WAIT).await.ok()?;
    serde_json::from_slice(&reply.body).ok()
}

fn health(path: &str, reply: Result<Reply, HttpError>) -> Health {
    match reply {
        Ok(Reply { status: 200, .. }) => Health::Ready,
        Ok(reply) => {
            let body = clean(&String::from_utf8_lossy(&reply.body));
            let first: String = body.trim().lines().next().unwrap_or_default().chars().take(200).collect();
            let said = if first.is_empty() { String::new() } else { format!(": {first}") };
            Health::NotReady(format!("{path} answers {}{said}", reply.status))
        }
        Err(HttpError::Refused | HttpError::Closed) => {
            Health::NotReady("it does not take connections yet".to_owned())
        }
        Err(HttpError::Timeout) => {
            Health::Hung(format!("{path} takes connections, but gave no answer in {} s", WAIT.as_secs()))
        }
        Err(HttpError::Other(text)) => Health::NotReady(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_worse_than_any_answer() {
        let reply =
            |status, body: &str| Ok(Reply { status, headers: hyper::HeaderMap::new(), body: body.into() });
        assert_eq!(health("/health", reply(200, "")), Health::Ready);
        assert_eq!(
            health("/health", reply(503, "{\"error\":\"Loading model\"}\nmore")),
            Health::NotReady("/health answers 503: {\"error\":\"Loading model\"}".into())
        );
        assert_eq!(health("/health", reply(404, "")), Health::NotReady("/health answers 404".into()));
        assert_eq!(
            health("/health", Err(HttpError::Closed)),
            Health::NotReady("it does not take connections yet".into())
        );
        assert_eq!(
            health("/health", Err(HttpError::Timeout)),
            Health::Hung("/health takes connections, but gave no answer in 3 s".into())
        );
    }
}
