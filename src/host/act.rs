//! One action on one host: each arm of [`Action`] is one effect.
//! It decides nothing; what it needs to know comes with the action.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::body::{Placed, container_body, network_labels};
use super::fetch::{Fetching, fetch};
use super::hands::Hands;
use super::native::Deed;
use super::pull::{PullProgress, Pulling};
use super::vault::Vault;
use super::wait::{Tell, Waiting, reach};
use super::{failure, gpus};
use crate::cluster::Role;
use crate::desired::{Desired, DesiredHost, DesiredService, to_install};
use crate::engine::Load;
use crate::image;
use crate::names::{HostName, Secret, ServiceName};
use crate::plan::{
    Action, Ask, Probe, ROOT_KEY_FILE, container_name, fetch_marker, fetch_name, network_name, previous_name,
};
use crate::secret::Content;
use crate::service::{Runtime, label};
use crate::survey::{Failure, State};

/// Everything one action needs.
pub(super) struct Act<'a> {
    pub(super) desired: &'a Desired,
    pub(super) host: &'a HostName,
    pub(super) hands: &'a Hands,
    pub(super) all: &'a BTreeMap<HostName, Hands>,
    pub(super) vault: &'a Vault,
    /// The container this deploy made for the action's service.
    pub(super) made: Option<String>,
    /// What failed so far.
    pub(super) failed: &'a BTreeSet<(HostName, ServiceName)>,
    pub(super) words: &'a str,
    pub(super) tell: Tell<'a>,
    /// Says what is not as it should be but stops nothing.
    pub(super) warn: &'a (dyn Fn(&str) + Send + Sync),
}

impl Act<'_> {
    /// Does the action; one that merely waits ends when the user wants to stop.
    ///
    /// # Errors
    /// What went wrong, with the step in words. A container that was made comes back by its id.
    pub(super) async fn until_stopped(
        &self,
        action: &Action,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Option<String>, Failure> {
        // Not `Reach`: it takes seconds at most, and nobody wants a model that answers led back for it.
        let waits = matches!(
            action,
            Action::Pull { .. }
                | Action::Fetch { .. }
                | Action::AwaitMemory { .. }
                | Action::AwaitModel { .. }
                | Action::AwaitGateway { .. }
                | Action::AwaitEdge { .. }
                | Action::Drain { .. }
                | Action::LeadAround { .. }
        );
        let done = tokio::select! {
            biased;
            lost = self.hands.lost() => Err(Failure { step: self.words.to_owned(), ..lost }),
            done = self.perform(action) => done,
            // If the sender is gone, nobody can ask to stop.
            Ok(_) = stop.wait_for(|stop| *stop), if waits => {
                self.stop_fetching(action).await;
                self.stop_leading_around(action).await;
                Err(failure(self.words, "interrupted"))
            }
        };
        // People know services, not container ids.
        let worded = |why: Failure| match why.step.contains(" container ") {
            true => Failure { step: self.words.to_owned(), ..why },
            false => why,
        };
        done.map_err(worded)
    }

    async fn perform(&self, action: &Action) -> Result<Option<String>, Failure> {
        match action {
            Action::Create { service } => return self.create(service).await.map(Some),
            Action::WriteRootKey => self.write_root_key().await?,
            Action::WriteFile { path, content } => self.write_file(path, content).await?,
            Action::CreateNetwork { name } => {
                self.hands.ensure_network(name, &network_labels(&self.desired.project)).await?;
            }
            Action::Pull { image, digest } => self.pull(image, digest.as_deref()).await?,
            Action::Fetch { service, marker, .. } => self.fetch(service, marker).await?,
            Action::SetAside { service, id } => self.set_aside(service, id).await?,
            Action::MoveAside { service, id } => {
                self.rename(id, &previous_name(self.desired, service)).await?;
            }
            Action::Switch { service, id } => self.switch(service, id.as_deref()).await?,
            Action::Drain { id, timeout, .. } => self.drain(id, *timeout).await?,
            Action::LeadAround { .. } => self.lead_around(action).await?,
            Action::LeadBack { service, gateway } => self.lead_back(service, gateway).await,
            Action::Reload { service } => self.reload(service).await?,
            Action::ReloadBack { service } => self.reload_back(service).await?,
            Action::Start { id, .. } => self.hands.start(id).await?,
            Action::Restart { id, .. } => self.hands.restart(id).await?,
            Action::PutBack { service, id } => self.put_back(service, id).await?,
            Action::Remove { id, .. } => self.remove(id).await?,
            Action::RemoveMade { service } => self.remove_made(service).await?,
            Action::AwaitMemory { gpus, .. } => {
                let step = |why: Failure| Failure { step: self.words.to_owned(), ..why };
                if let Some(why) = gpus::settled(self.hands, gpus, self.tell).await.map_err(step)? {
                    (self.warn)(&why);
                }
            }
            Action::AwaitModel { service, probe } => {
                let key = probe.key.as_ref().map(|key| self.vault.value(key)).transpose()?;
                let id = self.running(service).await?;
                self.waiting(&id).model(probe, key.as_ref()).await?;
                self.look_at_loaded(probe, key.as_ref()).await;
            }
            Action::Reach { from, address, port, .. } => match self.all.get(from) {
                Some(from) => reach(from, address, *port, self.words).await?,
                None => return Err(failure(self.words, format!("{from} was not reached"))),
            },
            Action::AwaitGateway { .. } => self.await_gateway(action).await?,
            Action::AwaitEdge { .. } => self.await_edge(action).await?,
            Action::RemoveFetch { id } => self.hands.remove(id).await?,
            Action::RemoveFile { path } => self.remove_file(path).await?,
            Action::RemoveNetwork { name } => self.hands.remove_network(name).await?,
        }
        Ok(None)
    }

    /// Says in which way models are not loaded as they should be, where their server tells.
    async fn look_at_loaded(&self, probe: &Probe, key: Option<&Secret>) {
        if probe.models.iter().any(|known| known.loading.is_some() && known.load == Load::Startup) {
            let loaded = super::loaded(self.hands, probe, key).await.unwrap_or_default();
            for one in loaded {
                if let Some(amiss) = one.amiss {
                    (self.warn)(&format!("{} is loaded, but {amiss}", one.name));
                }
            }
        }
    }

    pub(super) fn waiting<'b>(&'b self, id: &'b str) -> Waiting<'b> {
        Waiting::new(self.hands, id, self.words, self.tell)
    }

    pub(super) fn site(&self) -> Result<&DesiredHost, Failure> {
        let site = self.desired.hosts.get(self.host);
        site.ok_or_else(|| failure(self.words, "the plan names a host that the cluster does not have"))
    }

    pub(super) fn path(&self, path: &str) -> Result<String, Failure> {
        Ok(format!("{}/{path}", self.site()?.dir))
    }

    async fn write_root_key(&self) -> Result<(), Failure> {
        let Some(text) = self.vault.root_file() else {
            return Err(failure(self.words, "there is no root key to write"));
        };
        self.hands.write_file(&self.path(ROOT_KEY_FILE)?, text.reveal().as_bytes(), 0o600).await
    }

    async fn write_file(&self, path: &str, content: &Content) -> Result<(), Failure> {
        let bytes = content.fill(|secret| self.vault.value(secret))?;
        self.hands.write_file(&self.path(path)?, &bytes, content.mode()).await
    }

    async fn remove_file(&self, path: &str) -> Result<(), Failure> {
        self.hands.remove_file(&self.path(path)?).await?;
        // Directories that a name of ours made go when they are empty.
        let mut parent = path;
        while let Some((directory, _)) = parent.rsplit_once('/') {
            self.hands.remove_dir_if_empty(&self.path(directory)?).await?;
            parent = directory;
        }
        // So does the project's own, and the one around it that only homelab's default makes.
        let dir = &self.site()?.dir;
        self.hands.remove_dir_if_empty(dir).await?;
        match dir.rsplit_once('/') {
            Some((around, _)) if around.ends_with("/homelab") => self.hands.remove_dir_if_empty(around).await,
            _ => Ok(()),
        }
    }

    fn service(&self, name: &ServiceName) -> Result<&DesiredService, Failure> {
        let service = self.site()?.services.get(name);
        service.ok_or_else(|| failure(self.words, format!("the cluster has no service {name}")))
    }

    /// A service where it belongs, with the values of its secrets.
    fn placed<'b>(&'b self, name: &'b ServiceName) -> Result<(Placed<'b>, Vec<(String, Secret)>), Failure> {
        let (site, desired) = (self.site()?, self.service(name)?);
        let secrets = site.secrets_of(&desired.service).map_err(|why| failure(self.words, why))?;
        let value = |(variable, secret): (&String, _)| Ok((variable.clone(), self.vault.value(secret)?));
        let secrets = secrets.iter().map(value).collect::<Result<_, Failure>>()?;
        let (project, dir) = (&self.desired.project, site.dir.as_str());
        Ok((Placed { project, name, service: &desired.service, dir }, secrets))
    }

    async fn pull(&self, image: &str, digest: Option<&str>) -> Result<(), Failure> {
        let login = self.site()?.logins.get(image::registry(image));
        let password = login.map(|login| self.vault.value(&login.password)).transpose()?;
        let login = login.zip(password.as_ref()).map(|(login, password)| (login.username.as_str(), password));
        let tell = |p: &PullProgress| (self.tell)(&p.status, (p.total > 0).then_some((p.done, p.total)));
        self.hands.pull(Pulling { image, digest, login }, tell).await
    }

    /// Downloads what a service needs, and writes down where it lies.
    async fn fetch(&self, name: &ServiceName, marker: &str) -> Result<(), Failure> {
        let desired = self.service(name)?;
        let weights = desired.weights.iter().find(|weights| fetch_marker(weights) == marker);
        let (Some(weights), Role::Model(served)) = (weights, &desired.role) else {
            return Err(failure(self.words, format!("{name} downloads nothing")));
        };
        let (placed, secrets) = self.placed(name)?;
        let container = fetch_name(self.desired, weights);
        let engine = served.engine;
        let fetching = Fetching { placed, weights, engine, name: &container, step: self.words };
        let found = fetch(self.hands, fetching, &secrets, self.tell).await?;
        let came = |commit: &str| found.iter().any(|path| path.ends_with(&format!("/snapshots/{commit}")));
        if let Some((name, commit)) = weights.commits.iter().find(|(_, commit)| !came(commit)) {
            let what = format!("what came of {name} is not its commit {commit}, which homelab.lock pins");
            return Err(failure(self.words, what));
        }
        let lines: String = found.iter().map(|path| format!("{path}\n")).collect();
        self.hands.write_file(&self.path(marker)?, lines.as_bytes(), 0o644).await
    }

    /// Ends what downloads; what has arrived stays. If that fails, the next deploy does it.
    async fn stop_fetching(&self, action: &Action) {
        let Action::Fetch { service, marker, .. } = action else { return };
        let all = self.service(service).map(|service| service.weights.as_slice()).unwrap_or_default();
        if let Some(weights) = all.iter().find(|weights| fetch_marker(weights) == *marker) {
            let _ = self.hands.remove(&fetch_name(self.desired, weights)).await;
        }
    }

    async fn create(&self, name: &ServiceName) -> Result<String, Failure> {
        let id = self.make(name).await?;
        match self.hands.start(&id).await {
            Ok(()) => Ok(id),
            Err(why) => {
                // One that never ran leads nowhere; its name must be free for the next try.
                let _ = self.hands.remove(&id).await;
                Err(why)
            }
        }
    }

    /// What is started then: a container, or the unit that was pushed, installed.
    async fn make(&self, name: &ServiceName) -> Result<String, Failure> {
        let instance = container_name(self.desired, name);
        let service = &self.service(name)?.service;
        let used = self.site()?.secrets_of(service).map_err(|why| failure(self.words, why))?;
        let (version, replaced) = (self.vault.root_version(), self.vault.replaced(used.values()));
        if service.runtime() == Runtime::Native {
            let unit = self.site()?.unit(name).and_then(Content::as_plain);
            let unit =
                unit.ok_or_else(|| failure(self.words, format!("the unit of {name} is not rendered")))?;
            let unit = to_install(unit, version, &replaced).map_err(|why| failure(self.words, why))?;
            return self.hands.install(&instance, &unit).await;
        }
        let (placed, secrets) = self.placed(name)?;
        let mut body = container_body(&placed, &secrets).map_err(|why| failure(self.words, why))?;
        let labels = body.labels.get_or_insert_default();
        labels.insert(label::ROOT_KEY.to_owned(), version.to_owned());
        if !replaced.is_empty() {
            labels.insert(label::KEYS.to_owned(), replaced);
        }
        self.hands.create(&instance, body).await
    }

    /// Stops a container and gives it the name of a previous version; done twice, it is as done once.
    async fn set_aside(&self, service: &ServiceName, id: &str) -> Result<(), Failure> {
        if self.hands.unit(id, Deed::SetAside).await? {
            return Ok(());
        }
        self.hands.stop(id).await?;
        self.rename(id, &previous_name(self.desired, service)).await
    }

    /// Gives a container its name back and starts it; done twice, it is as done once.
    async fn put_back(&self, service: &ServiceName, id: &str) -> Result<(), Failure> {
        if self.hands.unit(id, Deed::PutBack).await? {
            return Ok(());
        }
        let name = container_name(self.desired, service);
        self.rename(id, &name).await?;
        if self.hands.inspect(id).await?.state == State::Running {
            return Ok(());
        }
        // Its network may have been removed while it was aside.
        let (network, labels) = (network_name(self.desired), network_labels(&self.desired.project));
        self.hands.attach(id, (&network, &labels), vec![name, service.to_string()]).await?;
        self.hands.start(id).await
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), Failure> {
        if self.hands.inspect(id).await?.name == name {
            return Ok(());
        }
        self.hands.rename(id, name).await
    }

    /// Stops it first, so that a server may end what it is doing.
    async fn remove(&self, id: &str) -> Result<(), Failure> {
        self.hands.stop(id).await?;
        self.hands.remove(id).await
    }

    /// Removes what this run made and what did not come up. A server that Docker restarted has ended
    /// by itself; the way back does not wait until its next try heeds a signal, which vLLM's does
    /// after its imports only.
    async fn remove_made(&self, service: &ServiceName) -> Result<(), Failure> {
        let Some(id) = &self.made else { return Ok(()) };
        self.lead_away(service, id).await?;
        let now = self.hands.inspect(id).await?;
        if now.state == State::Running && now.restarts == 0 {
            return self.remove(id).await;
        }
        self.hands.remove(id).await
    }

    /// The container or unit of a service by its name, whichever step made or started it.
    pub(super) async fn running(&self, service: &ServiceName) -> Result<String, Failure> {
        let name = container_name(self.desired, service);
        if let Some(id) = self.hands.unit_named(&name).await? {
            return Ok(id);
        }
        Ok(self.hands.inspect(&name).await?.id)
    }

    async fn await_gateway(&self, action: &Action) -> Result<(), Failure> {
        let Action::AwaitGateway { service, address, port, master_key, names, timeout } = action else {
            return Ok(());
        };
        let key = self.vault.value(master_key)?;
        let id = self.running(service).await?;
        let able = names.iter().filter(|ask| ask.backends.iter().any(|b| !self.failed.contains(b)));
        let able: Vec<_> = able.collect();
        let port = self.port(&id, *port).await?;
        let waiting = self.waiting(&id);
        tokio::select! {
            biased;
            why = self.backend_lost(&able) => Err(why),
            answered = waiting.gateway((address, port), &key, &able, *timeout) => answered,
        }
    }

    /// Ends when a host that serves one of these names is lost: the gateway would take minutes to say so.
    async fn backend_lost(&self, asks: &[&Ask]) -> Failure {
        let hosts: BTreeSet<&HostName> =
            asks.iter().flat_map(|ask| &ask.backends).map(|(host, _)| host).collect();
        let hands = hosts.into_iter().filter_map(|host| Some((host, self.all.get(host)?)));
        let lost = hands.map(|(host, hands)| {
            Box::pin(async move {
                let why = hands.lost().await;
                Failure { what: format!("{host}: {}", why.what), step: self.words.to_owned(), ..why }
            })
        });
        let lost: Vec<_> = lost.collect();
        if lost.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(lost).await.0
    }
}
