//! What Docker still does for somebody who is gone: the last request of a run that was killed may be carried out only
//! after this run has looked. It waits for that, and clears away nothing but what never ran.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use tokio::time::{Instant, sleep};

use super::refusal::{is_going, is_missing, is_name_taken};
use crate::service::label;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// How long Docker may take to end what it was asked.
const LONGEST: Duration = Duration::from_secs(20);

/// Whether a name that was refused to a container with these labels is free now. Only a container that is made for
/// the same service and never ran is removed for it: it holds nothing.
pub(super) async fn freed(
    docker: &Docker,
    name: &str,
    labels: Option<&HashMap<String, String>>,
    why: &Error,
) -> bool {
    if !is_name_taken(why) {
        return false;
    }
    let since = Instant::now();
    let there = loop {
        match docker.inspect_container(name, None).await {
            Ok(there) => break there,
            // Docker keeps the name for what it is still making.
            Err(error) if is_missing(&error) && since.elapsed() < LONGEST => sleep(PAUSE).await,
            Err(_) => return false,
        }
    };
    let never_ran = there.state.as_ref().is_some_and(|s| s.status == Some(ContainerStateStatusEnum::CREATED));
    let same = |key: &str| {
        let value = labels.and_then(|labels| labels.get(key));
        value.is_some() && value == label_of(&there, key)
    };
    match &there.id {
        Some(id) if never_ran && same(label::PROJECT) && same(label::COMPOSE_SERVICE) => {
            remove(docker, id).await.is_ok()
        }
        _ => false,
    }
}

/// The same for a container that is there and is to be renamed.
pub(super) async fn freed_for(docker: &Docker, name: &str, id: &str, why: &Error) -> bool {
    let Ok(own) = docker.inspect_container(id, None).await else { return false };
    freed(docker, name, own.config.and_then(|config| config.labels).as_ref(), why).await
}

fn label_of<'a>(container: &'a ContainerInspectResponse, key: &str) -> Option<&'a String> {
    container.config.as_ref()?.labels.as_ref()?.get(key)
}

/// Removes a container with its anonymous volumes, and is done when it is gone, whoever removed it.
pub(super) async fn remove(docker: &Docker, container: &str) -> Result<(), Error> {
    let since = Instant::now();
    loop {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match docker.remove_container(container, Some(options)).await {
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) if is_going(&error) && since.elapsed() < LONGEST => sleep(PAUSE).await,
            done => return done,
        }
    }
}
