//! A host that was reached, for looking only.
//! Nothing here changes a host, and nothing here hands out what could: that is `Hands`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::http::{HttpError, Reply, Request};
use super::inspected::Inspected;
use super::link::{Counts, Link};
use super::native::{self, Unit};
use super::pull::{self, Pulling};
use super::refusal::docker_failure;
use super::vault::Vault;
use super::{ending, hinted, logs};
use crate::names::{HostName, Secret};
use crate::secret::Login;
use crate::survey::{Failure, State, Unreached};

/// How much a host's Docker matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// Something there runs in it, or it is not known whether something does.
    #[default]
    Docker,
    /// What may be left in it matters; that there is none is fine.
    IfInstalled,
    /// All that is to run there is the host's own: without Docker nothing is missed.
    Spare,
}

/// So many lines of a unit's log are read for its first ones: a journal tells its last ones only.
const MOST_LINES: usize = 5000;

/// A host with its link and its Docker, read only.
pub struct Look {
    link: Arc<Link>,
    /// Why there is none, where that is fine.
    docker: Result<Docker, Failure>,
    root_key: Mutex<Option<Secret>>,
    /// Whether there may be services of the host's own.
    units: AtomicBool,
}

impl Look {
    /// Connects to a host and to its Docker.
    ///
    /// # Errors
    /// Why one of them cannot be reached and what to do.
    pub async fn open(connection: &crate::connection::Connection) -> Result<Self, Failure> {
        Self::reach(connection, Need::Docker).await.map_err(|unreached| unreached.why)
    }

    /// The same for a host that may do without Docker, with whether anybody answered.
    ///
    /// # Errors
    /// Why one of them cannot be reached and what to do, but for what is not needed.
    pub async fn reach(connection: &crate::connection::Connection, need: Need) -> Result<Self, Unreached> {
        let link = Link::reach(connection).await?;
        match link.docker_as(need).await {
            Ok(docker) => Ok(Self::of(link, docker)),
            Err(failure) => {
                link.close().await;
                Err(failure.into())
            }
        }
    }

    /// A host whose Docker was found to be alive.
    pub(super) fn new(link: Link, docker: Docker) -> Self {
        Self::of(link, Ok(docker))
    }

    fn of(link: Link, docker: Result<Docker, Failure>) -> Self {
        Self { link: Arc::new(link), docker, root_key: Mutex::default(), units: AtomicBool::new(false) }
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

    /// Notes that there may be services of the host's own.
    pub(super) fn note_units(&self) {
        self.units.store(true, Ordering::Relaxed);
    }

    /// The id of the unit that is installed by that name, where there may be one.
    pub(super) async fn unit_named(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.units.load(Ordering::Relaxed) {
            true => native::by_name(&self.link, name).await,
            false => Ok(None),
        }
    }

    /// What Docker says of a container now; asked for by id or by name.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn inspect(&self, id: &str) -> Result<Inspected, Failure> {
        if let Some(unit) = Unit::of(id) {
            return native::inspect(&self.link, &unit).await;
        }
        let said = self.docker()?.inspect_container(id, None).await;
        let said: ContainerInspectResponse =
            said.map_err(|e| docker_failure(&format!("inspecting container {id}"), &e))?;
        Ok(Inspected::of(&said))
    }

    /// How the run of a container ended that was seen: Docker may have restarted it since, and then
    /// its own account has forgotten. None if Docker does not tell.
    pub async fn ending(&self, seen: &Inspected) -> Option<State> {
        if let Some(unit) = Unit::of(&seen.id) {
            return native::inspect(&self.link, &unit).await.ok()?.last;
        }
        ending::ending(self.docker().ok()?, &seen.id, seen.started_at.as_deref()?).await
    }

    /// The last `tail` lines of a container's log, stdout and stderr, cleaned.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn logs(&self, id: &str, tail: usize) -> Result<Vec<String>, Failure> {
        if let Some(unit) = Unit::of(id) {
            let made_at = native::inspect(&self.link, &unit).await?.made_at;
            return native::log(&self.link, &unit, tail, made_at.unwrap_or(0)).await;
        }
        logs::tail(self.docker()?, id, tail).await
    }

    /// The first `head` lines that a container said in the run of it that is going on.
    ///
    /// # Errors
    /// "changed under us" if it is gone.
    pub async fn first_logs(&self, id: &str, head: usize) -> Result<Vec<String>, Failure> {
        let seen = self.inspect(id).await?;
        if let Some(unit) = Unit::of(&seen.id) {
            let mut lines = native::log(&self.link, &unit, MOST_LINES, seen.since()).await?;
            lines.truncate(head);
            return Ok(lines);
        }
        logs::head_since(self.docker()?, &seen.id, head, seen.since_in_docker()).await
    }

    /// The last `tail` lines that a container said since the run of it that was seen began, and at most
    /// so much of each that a person would read.
    pub(super) async fn logs_since(&self, seen: &Inspected, tail: usize) -> Result<Vec<String>, Failure> {
        if let Some(unit) = Unit::of(&seen.id) {
            return native::log(&self.link, &unit, tail, seen.since()).await;
        }
        logs::tail_since(self.docker()?, &seen.id, tail, seen.since_in_docker()).await
    }

    /// The last lines that a container said since the run of it that was seen began, and every further
    /// one until it stops, cleaned.
    pub(super) fn follow_logs<'a>(&'a self, seen: &'a Inspected) -> BoxStream<'a, Result<String, Failure>> {
        if let Some(unit) = Unit::of(&seen.id) {
            return native::follow(&self.link, unit, seen.since());
        }
        match self.docker() {
            Ok(docker) => logs::follow(docker, &seen.id, seen.since_in_docker()),
            Err(why) => stream::iter([Err(why)]).boxed(),
        }
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
        pull::digest(self.docker()?, Pulling { image, digest: None, login }).await
    }

    /// Closes what this run opened on the host; the ssh master stays for the next run.
    pub async fn close(&self) {
        self.link.close().await;
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Whether Docker was found alive.
    pub(super) fn has_docker(&self) -> bool {
        self.docker.is_ok()
    }

    /// Docker, for one request.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn docker(&self) -> Result<&Docker, Failure> {
        self.link.count_request();
        self.docker.as_ref().map_err(Clone::clone)
    }
}
