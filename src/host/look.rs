//! A host that was reached, for looking only.
//! Nothing here changes a host, and nothing here hands out what could: that is [`Hands`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

use super::claim::Claim;
use super::hands::Hands;
use super::http::{HttpError, Reply, Request};
use super::link::{Counts, Link};
use super::pull::{self, Pulling};
use super::refusal::docker_failure;
use super::vault::Vault;
use super::{containers, ending, hinted, logs};
use crate::names::{HostName, Secret};
use crate::secret::Login;
use crate::survey::{Failure, State, Unreached};

/// A host with its link and its Docker, read only.
pub struct Look {
    link: Arc<Link>,
    docker: Docker,
    root_key: Mutex<Option<Secret>>,
}

/// What Docker says of one container at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its full id.
    pub id: String,
    /// Its name, without Docker's slash.
    pub name: String,
    /// What it does.
    pub state: State,
    /// How often Docker restarted it.
    pub restarts: u32,
    /// RFC 3339; none if it never ran.
    pub started_at: Option<String>,
    /// Whether the kernel killed a process of it for its memory; it may run on without that one.
    pub oom: bool,
    /// Whether it is in no network at all, which nothing of ours is: somebody took it out.
    pub detached: bool,
    /// The port of the host that Docker chose for it; none where it publishes none of that kind, or does not run.
    pub chosen_port: Option<u16>,
}

impl Inspected {
    /// When its run began, in Unix seconds; 0 for the very beginning: Docker has restarted it since
    /// somebody started it, and what the runs before said belongs to it.
    fn since(&self) -> i32 {
        let started = self.started_at.as_deref().filter(|_| self.restarts == 0);
        let started = started.and_then(|at| at.parse::<Timestamp>().ok()).map(Timestamp::as_second);
        started.and_then(|seconds| i32::try_from(seconds).ok()).unwrap_or(0)
    }
}

impl Look {
    /// Connects to a host and to its Docker.
    ///
    /// # Errors
    /// Why one of them cannot be reached and what to do.
    pub async fn open(connection: &crate::connection::Connection) -> Result<Self, Failure> {
        Self::reach(connection).await.map_err(|unreached| unreached.why)
    }

    /// The same, with whether anybody answered.
    ///
    /// # Errors
    /// Why one of them cannot be reached and what to do.
    pub async fn reach(connection: &crate::connection::Connection) -> Result<Self, Unreached> {
        let link = Link::reach(connection).await?;
        match link.docker().await {
            Ok(docker) => Ok(Self::new(link, docker)),
            Err(failure) => {
                link.close().await;
                Err(failure.into())
            }
        }
    }

    /// A host whose Docker was found to be alive.
    pub(super) fn new(link: Link, docker: Docker) -> Self {
        Self { link: Arc::new(link), docker, root_key: Mutex::default() }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.link.connection().name
    }

    /// What the connection has cost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.link.counts()
    }

    /// The file of the root key as this host had it when it was last looked at; none if it has none or was not asked for it.
    #[must_use]
    pub fn root_key(&self) -> Option<Secret> {
        self.root_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what was read of the root key.
    pub(super) fn keep_root_key(&self, key: Option<Secret>) -> Result<(), Failure> {
        match key {
            Some(key) if key.reveal().is_empty() => Err(hinted(
                "reading the root key",
                "root.key in the project's directory is empty",
                "put it back from a copy, or remove the file: homelab deploy then makes new keys",
            )),
            Some(key) => {
                *self.root_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What Docker says of a container now; asked for by id or by name.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn inspect(&self, id: &str) -> Result<Inspected, Failure> {
        let said = self.docker().inspect_container(id, None).await;
        let said: ContainerInspectResponse =
            said.map_err(|e| docker_failure(&format!("inspecting container {id}"), &e))?;
        Ok(containers::inspected(&said))
    }

    /// How the run of a container ended that was seen: Docker may have restarted it since, and then
    /// its own account has forgotten. None if Docker does not tell.
    pub async fn ending(&self, seen: &Inspected) -> Option<State> {
        ending::ending(self.docker(), &seen.id, seen.started_at.as_deref()?).await
    }

    /// The last `tail` lines of a container's log, stdout and stderr, cleaned.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn logs(&self, id: &str, tail: usize) -> Result<Vec<String>, Failure> {
        logs::tail(self.docker(), id, tail).await
    }

    /// The first `head` lines that a container said in the run of it that is going on.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn first_logs(&self, id: &str, head: usize) -> Result<Vec<String>, Failure> {
        let seen = self.inspect(id).await?;
        logs::head_since(self.docker(), &seen.id, head, seen.since()).await
    }

    /// The last `tail` lines that a container said since the run of it that was seen began, and at most
    /// so much of each that a person would read.
    pub(super) async fn logs_since(&self, seen: &Inspected, tail: usize) -> Result<Vec<String>, Failure> {
        logs::tail_since(self.docker(), &seen.id, tail, seen.since()).await
    }

    /// The last lines that a container said since the run of it that was seen began, and every further
    /// one until it stops, cleaned.
    pub(super) fn follow_logs<'a>(&'a self, seen: &'a Inspected) -> BoxStream<'a, Result<String, Failure>> {
        logs::follow(self.docker(), &seen.id, seen.since())
    }

    /// GETs a path from a port as the host itself reaches it: that the gateway's host reaches a
    /// model is asked from there.
    ///
    /// # Errors
    /// Why there is no answer; any status is an answer.
    pub async fn get(
        &self,
        to: (&str, u16),
        path: &str,
        bearer: Option<&Secret>,
        timeout: Duration,
    ) -> Result<Reply, HttpError> {
        self.link.http(to, Request { path, bearer, json: None }, timeout).await
    }

    /// The digest that an image's tag stands for in its registry now.
    ///
    /// # Errors
    /// Why the registry does not tell.
    pub async fn image_digest(
        &self,
        image: &str,
        login: Option<&Login>,
        vault: &Vault,
    ) -> Result<String, Failure> {
        let password = login.map(|login| vault.value(&login.password)).transpose()?;
        let login = login.zip(password.as_ref()).map(|(login, password)| (login.username.as_str(), password));
        pull::digest(self.docker(), Pulling { image, digest: None, login }).await
    }

    /// Closes what this run opened on the host; the ssh master stays for the next run.
    pub async fn close(&self) {
        self.link.close().await;
    }

    /// The same host for acting on it, as long as the claim holds. Only carrying out a plan may ask for
    /// this; without a claim only what it looks at is of use.
    #[must_use]
    pub fn into_hands(self, claim: Option<&Claim>) -> Hands {
        Hands::new(self, claim)
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Docker, for one request.
    pub(super) fn docker(&self) -> &Docker {
        self.link.count_request();
        &self.docker
    }
}
