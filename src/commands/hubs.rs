//! Asking Hugging Face's hub, from this machine, which commits names mean and what models are.
//! `update` asks for what it is told to; `plan` and `deploy` only for what is new to its host and not in the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::prepare::{Files, Seen};
use crate::cluster::{Cluster, HostSpec, Unit, Weighed};
use crate::engine::Repository;
use crate::host::Vault;
use crate::hub::{Hub, Known, Unknown};
use crate::lock::LockedModel;
use crate::names::{HostName, Secret, ServiceName};
use crate::plan;
use crate::secret::SecretRef;
use crate::ui;

/// How long a deploy waits for the hub: without it, what is downloaded is pinned afterwards.
const PATIENCE: Duration = Duration::from_secs(8);

/// A variable of this machine, by which the hub's own clients are led.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A repository that something loads, and how its hub is asked for it.
pub(super) struct Loaded {
    pub(super) repository: Repository,
    /// The models that are judged by what is in it, as their engines call them.
    models: BTreeSet<String>,
    endpoint: Option<String>,
    token: Option<Token>,
}

enum Token {
    Plain(Secret),
    By(SecretRef),
}

/// What a hub says of a repository.
pub(super) struct Said {
    pub(super) commit: String,
    pub(super) models: Vec<(String, LockedModel)>,
}

/// All repositories of these services by their names in the lock.
pub(super) fn loaded(
    files: &Files,
    cluster: &Cluster,
    pick: impl Fn(&HostName, &Unit) -> bool,
) -> BTreeMap<String, Loaded> {
    let mut all = BTreeMap::new();
    let units = cluster.hosts.iter().flat_map(|(name, host)| host.units.iter().map(move |unit| (name, unit)));
    for (name, unit) in units.filter(|(name, unit)| pick(name, unit)) {
        let Some(host) = files.spec.hosts.get(name) else { continue };
        for repository in &unit.repositories {
            let plain = |name: &str| unit.service.environment.get(name).cloned();
            let token = unit.secrets.get("HF_TOKEN").cloned().map(Token::By);
            let token = token.or_else(|| Some(Token::Plain(Secret::new(plain("HF_TOKEN")?))));
            let loaded = all.entry(repository.key()).or_insert_with(|| Loaded {
                repository: repository.clone(),
                models: BTreeSet::new(),
                endpoint: plain("HF_ENDPOINT"),
                token,
            });
            loaded.models.extend(judged(host, unit, &repository.id));
        }
    }
    all
}

/// The models of a service of which this repository tells whether they fit.
fn judged(host: &HostSpec, unit: &Unit, id: &str) -> Vec<String> {
    let is = |name: &&str| *name == id || name.strip_prefix(id).is_some_and(|rest| rest.starts_with(':'));
    let mut models = Weighed::on_gpus(host);
    models.retain(|model| ServiceName::of_model(&model.server.name) == unit.name);
    models.iter().filter_map(Weighed::model).filter(is).map(str::to_owned).collect()
}

impl Loaded {
    /// The secret that its hub is shown, if it is one.
    pub(super) fn secret(&self) -> Option<&SecretRef> {
        match &self.token {
            Some(Token::By(secret)) => Some(secret),
            _ => None,
        }
    }

    fn hub(&self, vault: &Vault) -> Hub {
        let mut hub = Hub::of(env);
        if let Some(endpoint) = &self.endpoint {
            endpoint.trim_end_matches('/').clone_into(&mut hub.endpoint);
        }
        match &self.token {
            Some(Token::Plain(token)) => hub.token = Some(token.clone()),
            Some(Token::By(secret)) => hub.token = vault.value(secret).ok().or(hub.token),
            None => {}
        }
        hub
    }

    /// What the hub says that it is now. What is known of a model already is not asked for again.
    ///
    /// # Errors
    /// Why its commit cannot be found out; a model that cannot is left out.
    pub(super) async fn ask(
        &self,
        vault: &Vault,
        known: &BTreeMap<String, LockedModel>,
    ) -> Result<Said, Unknown> {
        let hub = self.hub(vault);
        let commit = hub.commit(&self.repository.id, self.repository.reference()).await?;
        let missing = |name: &&String| known.get(*name).is_none_or(|model| model.commit != commit);
        let one = async |name: &String| {
            let model = hub.model_at(name, &commit).await.ok()?;
            Some((name.clone(), locked(model)?))
        };
        let models = join_all(self.models.iter().filter(missing).map(one)).await;
        let models = models.into_iter().flatten().collect();
        Ok(Said { commit, models })
    }
}

/// What the lock keeps of a model whose commit is known.
pub(super) fn locked(known: Known) -> Option<LockedModel> {
    let Known { facts, extras, gguf, from: _, commit } = known;
    Some(LockedModel { commit: commit?, gguf, besides: extras, facts })
}

/// Asks for what is new to its host and not in the lock. Where no hub answers, nothing is pinned yet.
pub(super) async fn ask(files: &mut Files, seen: &Seen) {
    if env("HF_HUB_OFFLINE")
        .is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
    {
        return;
    }
    // What is wrong with the files is said when they are planned with.
    let Ok(cluster) = files.resolve(&seen.survey) else { return };
    let wanted = loaded(files, &cluster, |host, unit| {
        files.within.contains(host) && plan::is_new(&cluster.project, unit, seen.survey.seen(host))
    });
    let open: Vec<(&String, &Loaded)> =
        wanted.iter().filter(|(_, one)| one.repository.commit.is_none()).collect();
    if open.is_empty() {
        return;
    }
    let asked = join_all(open.iter().map(|(_, one)| one.ask(&seen.vault, &files.models)));
    let Ok(said) = ui::progress::looking(tokio::time::timeout(PATIENCE, asked)).await else { return };
    let mut pins = files.spec.pins.clone();
    for ((name, _), said) in open.into_iter().zip(said) {
        let Ok(said) = said else { continue };
        pins.revisions.insert(name.clone(), said.commit);
        files.models.extend(said.models);
    }
    files.spec.pin(pins);
}
