//! What changes a host: each call is one effect on files or on Docker.
//! It decides nothing and undoes nothing; only carrying out a plan may hold one.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RenameContainerOptionsBuilder};

use super::claim::{Claim, Lost};
use super::http::{HttpError, Reply, Request};
use super::late;
use super::look::Look;
use super::native::{self, Deed, Unit};
use super::pull::{self, PullProgress, Pulling};
use super::refusal::{docker_failure, is_missing};
use super::{files, hinted};
use crate::survey::Failure;

/// A host to act on. Whatever [`Look`] can see, it can see too.
pub struct Hands {
    look: Look,
    /// Where there is no claim it cannot be lost.
    lost: Option<Lost>,
}

impl Look {
    /// The same host for acting on it, as long as the claim holds. Only carrying out a plan may ask for
    /// this; without a claim only what it looks at is of use.
    #[must_use]
    pub fn into_hands(self, claim: Option<&Claim>) -> Hands {
        Hands::new(self, claim)
    }
}

impl Deref for Hands {
    type Target = Look;
    fn deref(&self) -> &Look {
        &self.look
    }
}

impl Hands {
    pub(super) fn new(look: Look, claim: Option<&Claim>) -> Self {
        Self { look, lost: claim.map(Claim::lost) }
    }

    /// Ends when the host may no longer be acted on: its lock is not ours any more.
    pub(super) async fn lost(&self) -> Failure {
        if let Some(mut lost) = self.lost.clone()
            // If the sender is gone, the claim was given up on purpose.
            && lost.wait_for(|lost| *lost).await.is_ok()
        {
            return hinted(
                "acting",
                "the connection broke off, and with it the lock on the host",
                "when the host is back, run the same command again: homelab goes on where it stopped",
            );
        }
        std::future::pending().await
    }

    /// The same host for looking only.
    #[must_use]
    pub fn into_look(self) -> Look {
        self.look
    }

    /// Writes a file: with its mode from the start, whole or not at all. Directories that are not
    /// there are made: 0700 for a file nobody else may read, else 0755.
    ///
    /// # Errors
    /// What the host said.
    pub async fn write_file(&self, path: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
        files::write(self.link(), path, content, mode).await
    }

    /// Makes an empty file the only one of its directory.
    ///
    /// # Errors
    /// What the host said.
    pub async fn write_only(&self, path: &str) -> Result<(), Failure> {
        files::write_only(self.link(), path).await
    }

    /// Removes a file; one that is gone already is no failure.
    ///
    /// # Errors
    /// What the host said.
    pub async fn remove_file(&self, path: &str) -> Result<(), Failure> {
        files::remove(self.link(), path).await
    }

    /// Removes a directory if it is there and empty.
    ///
    /// # Errors
    /// What the host said.
    pub async fn remove_dir_if_empty(&self, path: &str) -> Result<(), Failure> {
        files::remove_dir_if_empty(self.link(), path).await
    }

    /// Makes a bridge network unless one of that name is there.
    ///
    /// # Errors
    /// What Docker said.
    pub async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), Failure> {
        let step = format!("making the network {name}");
        match self.docker()?.inspect_network(name, None).await {
            Ok(_) => return Ok(()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(docker_failure(&step, &error)),
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        match self.docker()?.create_network(request).await {
            // Another lane of this run was faster.
            Ok(_) | Err(Error::DockerResponseServerError { status_code: 409, .. }) => Ok(()),
            Err(error) => Err(docker_failure(&step, &error)),
        }
    }

    /// Removes a network; one that is gone already is no failure.
    ///
    /// # Errors
    /// What Docker said: containers may still be in it.
    pub async fn remove_network(&self, name: &str) -> Result<(), Failure> {
        match self.docker()?.remove_network(name).await {
            Err(error) if !is_missing(&error) => {
                Err(docker_failure(&format!("removing the network {name}"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Pulls an image, gives a pinned one its tag, and tells how far it is.
    ///
    /// # Errors
    /// Whether there is no such image, or no way to it, and what to do.
    pub async fn pull(&self, of: Pulling<'_>, on_progress: impl FnMut(&PullProgress)) -> Result<(), Failure> {
        pull::pull(self.docker()?, of, on_progress).await
    }

    /// Makes a container and puts it into all its networks; gives its id.
    ///
    /// # Errors
    /// What Docker said.
    pub async fn create(&self, name: &str, mut body: ContainerCreateBody) -> Result<String, Failure> {
        let step = format!("making the container {name}");
        let further = further_networks(&mut body);
        let options = || Some(CreateContainerOptionsBuilder::new().name(name).build());
        let mut made = self.docker()?.create_container(options(), body.clone()).await;
        if let Err(error) = &made
            && late::freed(self.docker()?, name, body.labels.as_ref(), error).await
        {
            made = self.docker()?.create_container(options(), body).await;
        }
        let id = made.map_err(|e| docker_failure(&step, &e))?.id;
        for (network, endpoint_config) in further {
            let request =
                NetworkConnectRequest { container: id.clone(), endpoint_config: Some(endpoint_config) };
            if let Err(error) = self.docker()?.connect_network(&network, request).await {
                // Half a container must not pass for a whole one in the next look.
                let _ = self.remove(&id).await;
                return Err(docker_failure(&format!("{step} in the network {network}"), &error));
            }
        }
        Ok(id)
    }

    /// Installs a unit of the host's service manager, which does not start it; gives its id.
    ///
    /// # Errors
    /// What the host said.
    pub(super) async fn install(&self, name: &str, text: &[u8]) -> Result<String, Failure> {
        native::create(self.link(), name, text).await
    }

    /// Stops a unit and sets it aside, or puts it back and starts it; false if the id is no unit's.
    ///
    /// # Errors
    /// What the host said; "changed under us" if it is gone.
    pub(super) async fn unit(&self, id: &str, deed: Deed) -> Result<bool, Failure> {
        let Some(unit) = Unit::of(id) else { return Ok(false) };
        native::act(self.link(), &unit, deed).await.map(|()| true)
    }

    /// Puts a container into a network of that name where it is in none, or in one that is gone; makes the network
    /// if need be.
    ///
    /// # Errors
    /// What Docker said.
    pub async fn attach(
        &self,
        id: &str,
        (network, labels): (&str, &BTreeMap<String, String>),
        aliases: Vec<String>,
    ) -> Result<(), Failure> {
        self.ensure_network(network, labels).await?;
        let step = format!("putting container {id} into the network {network}");
        let refused = |e: &Error| docker_failure(&step, e);
        let there = self.docker()?.inspect_network(network, None).await.map_err(|e| refused(&e))?.id;
        let seen = self.docker()?.inspect_container(id, None).await.map_err(|e| refused(&e))?;
        let networks = seen.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        if networks.get(network).is_some_and(|own| own.network_id == there) {
            return Ok(());
        }
        let force = NetworkDisconnectRequest { container: id.to_owned(), force: Some(true) };
        // It may be in none.
        let _ = self.docker()?.disconnect_network(network, force).await;
        let endpoint = EndpointSettings { aliases: Some(aliases), ..EndpointSettings::default() };
        let request = NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(endpoint) };
        self.docker()?.connect_network(network, request).await.map_err(|e| refused(&e))
    }

    /// Starts a container.
    ///
    /// # Errors
    /// What Docker said; "changed under us" if it is gone.
    pub async fn start(&self, id: &str) -> Result<(), Failure> {
        if let Some(unit) = Unit::of(id) {
            return native::act(self.link(), &unit, Deed::Start).await;
        }
        let done = self.docker()?.start_container(id, None).await;
        done.map_err(|e| docker_failure(&format!("starting container {id}"), &e))
    }

    /// Stops a container; after its own `stop_grace_period` it is killed.
    ///
    /// # Errors
    /// What Docker said; "changed under us" if it is gone.
    pub async fn stop(&self, id: &str) -> Result<(), Failure> {
        if let Some(unit) = Unit::of(id) {
            return native::act(self.link(), &unit, Deed::Stop).await;
        }
        let done = self.docker()?.stop_container(id, None).await;
        done.map_err(|e| docker_failure(&format!("stopping container {id}"), &e))
    }

    /// Stops and starts a container; it is stopped as [`Self::stop`] does.
    ///
    /// # Errors
    /// What Docker said; "changed under us" if it is gone.
    pub async fn restart(&self, id: &str) -> Result<(), Failure> {
        if let Some(unit) = Unit::of(id) {
            return native::act(self.link(), &unit, Deed::Restart).await;
        }
        let done = self.docker()?.restart_container(id, None).await;
        done.map_err(|e| docker_failure(&format!("restarting container {id}"), &e))
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// What Docker said; "changed under us" if it is gone.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), Failure> {
        let options = || RenameContainerOptionsBuilder::new().name(name).build();
        let mut done = self.docker()?.rename_container(id, options()).await;
        if let Err(error) = &done
            && late::freed_for(self.docker()?, name, id, error).await
        {
            done = self.docker()?.rename_container(id, options()).await;
        }
        done.map_err(|e| docker_failure(&format!("renaming container {id} to {name}"), &e))
    }

    /// Removes a container with its anonymous volumes, by its id or name, running or not. One that is gone, or that
    /// somebody else is removing, is no failure.
    ///
    /// # Errors
    /// What Docker said.
    pub async fn remove(&self, container: &str) -> Result<(), Failure> {
        if let Some(unit) = Unit::of(container) {
            return native::act(self.link(), &unit, Deed::Remove).await;
        }
        let done = late::remove(self.docker()?, container).await;
        done.map_err(|e| docker_failure(&format!("removing container {container}"), &e))
    }

    /// Asks a port as the host itself reaches it; may POST.
    ///
    /// # Errors
    /// Why there is no answer; any status is an answer.
    pub async fn http(
        &self,
        to: (&str, u16),
        request: Request<'_>,
        timeout: Duration,
    ) -> Result<Reply, HttpError> {
        self.link().http(to, request, timeout).await
    }
}

/// Before API 1.44 a container is created in one network only: the others are joined afterwards,
/// which every version can.
fn further_networks(body: &mut ContainerCreateBody) -> BTreeMap<String, EndpointSettings> {
    let first = body.host_config.as_ref().and_then(|h| h.network_mode.clone()).unwrap_or_default();
    let Some(networking) = &mut body.networking_config else { return BTreeMap::new() };
    let all: HashMap<String, EndpointSettings> = networking.endpoints_config.take().unwrap_or_default();
    let (own, further): (HashMap<_, _>, HashMap<_, _>) =
        all.into_iter().partition(|(name, _)| *name == first);
    networking.endpoints_config = Some(own);
    further.into_iter().collect()
}
