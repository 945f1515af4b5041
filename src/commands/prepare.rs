//! What the verbs share: from the inventory's path to a spec, a look at the hosts, and a plan.
//! It reads files and hosts and changes neither.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::{Exit, guard, locked, passwords, whole};
use crate::cli::Common;
use crate::cluster::{self, Cluster, LocalFiles, Spec};
use crate::desired::{self, Desired, Overrides, TEMPLATES};
use crate::diagnostic::{Diagnostics, clipped};
use crate::engine::Gpus;
use crate::host::{self, Ask, Failed, Look, Need, Vault};
use crate::inventory::{self, Given, Inventory, Keyring, Values};
use crate::lock::{Lock, LockedModel};
use crate::names::{HostName, Secret};
use crate::plan::{self, Against, Plan, ROOT_KEY_FILE, Report};
use crate::secret::SecretRef;
use crate::service::label;
use crate::survey::{self, Failure, RootKey, Survey};
use crate::ui;

/// What the user's files say.
pub(super) struct Files {
    pub(super) spec: Spec,
    locals: LocalFiles,
    pub(super) overrides: Overrides,
    /// The hosts to act on.
    pub(super) within: BTreeSet<HostName>,
    /// The directory of the inventory.
    pub(super) dir: PathBuf,
    /// What `homelab.lock` says there.
    pub(super) lock: Lock,
    /// What is known of models: what it says, and what was found out since.
    pub(super) models: BTreeMap<String, LockedModel>,
}

/// The error of a verb that has said already what is wrong.
#[derive(Debug)]
pub(super) struct Said(pub(super) Exit);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("see above")
    }
}

impl std::error::Error for Said {}

/// What was seen, and the means to go on.
pub(super) struct Seen {
    pub(super) survey: Survey,
    pub(super) looks: BTreeMap<HostName, Look>,
    pub(super) vault: Vault,
    /// While a new root key takes the place of the one that was seen: whether it is on its host already.
    pub(super) replaced: Option<RootKey>,
}

/// Reads the inventory, as it stands in the working directory.
pub(super) fn inventory(common: &Common, values: Values) -> Result<Inventory> {
    Ok(guard::within(0, || inventory::load(&given(common, values, Path::new("."))))?)
}

/// What the command line says of the inventory. Its paths are those of `root`.
fn given(common: &Common, values: Values, root: &Path) -> Given {
    let extra = |given: &String| match given.strip_prefix('@') {
        Some(file) => format!("@{}", root.join(file).display()),
        None => given.clone(),
    };
    let under = |path: &PathBuf| match root.join(path) {
        there if there.exists() => there,
        // Hosts instead of a path.
        _ if path.to_string_lossy().contains(',') => path.clone(),
        there => there,
    };
    let env: BTreeMap<String, String> = std::env::vars().collect();
    Given {
        inventories: common.inventory.iter().map(under).collect(),
        extra_vars: common.extra_vars.iter().map(extra).collect(),
        cwd: root.to_owned(),
        keys: Arc::new(Keyring::new(passwords::all(&common.vault, &env), values)),
        env,
    }
}

/// The hosts that `--limit` leaves.
pub(super) fn within(common: &Common, inventory: &Inventory) -> Result<BTreeSet<HostName>> {
    match common.limit.as_deref().map(|pattern| inventory.select(pattern)) {
        None => Ok(inventory.hosts.keys().cloned().collect()),
        Some(Ok(hosts)) => Ok(hosts),
        Some(Err(why)) => {
            ui::errors::plain(&format!("--limit: {}", clipped(&why)), None);
            Err(Said(Exit::Usage).into())
        }
    }
}

/// Reads the inventory and every file it names. Warnings are shown.
pub(super) fn files(common: &Common, values: Values) -> Result<Files> {
    let given = given(common, values, Path::new("."));
    let (mut inventory, unread) = guard::within(0, || inventory::load_all(&given));
    if unread.has_errors() {
        return Err(guard::within(inventory.hosts.len(), || cluster::mistakes(&inventory, unread)).into());
    }
    inventory.warnings = unread.0;
    let within = within(common, &inventory)?;
    let files = read(inventory, within)?;
    ui::errors::diagnostics(&files.spec.warnings);
    Ok(files)
}

/// The same for another state of the inventory, in `dir` or, if that is a file, there. Its warnings
/// are not this one's.
pub(super) fn base(common: &Common, dir: &Path) -> Result<Files> {
    let given = |root: &Path| given(common, Values::Sealed, root);
    let given = match dir.is_file() {
        true => Given { inventories: vec![dir.to_owned()], ..given(Path::new(".")) },
        false => given(dir),
    };
    let inventory = guard::within(0, || inventory::load(&given))?;
    let within = inventory.hosts.keys().cloned().collect();
    read(inventory, within)
}

fn read(inventory: Inventory, within: BTreeSet<HostName>) -> Result<Files> {
    let overrides = overrides(&inventory)?;
    let lock = locked::read(&inventory.dir)?;
    let pins = || lock.pins.clone();
    let spec =
        guard::within(inventory.hosts.len(), || cluster::read(&inventory, pins(), !overrides.is_empty()))?;
    let read = |path: &str| inventory::bytes(&inventory.dir.join(path));
    let locals = spec.local_files().map(|file| (file.path.clone(), read(&file.path))).collect();
    let models = lock.models.clone();
    Ok(Files { spec, locals, overrides, within, dir: inventory.dir, lock, models })
}

/// The user's own templates, from `templates/` beside the inventory.
fn overrides(inventory: &Inventory) -> Result<Overrides> {
    let mut problems = Diagnostics::default();
    let dir = inventory.dir.join("templates");
    let there =
        TEMPLATES.iter().map(|(name, _)| (name, dir.join(name))).filter(|(_, path)| whole::present(path));
    let read =
        there.filter_map(|(name, path)| Some(((*name).to_owned(), problems.take(inventory::read(&path))?)));
    let overrides = read.collect();
    if problems.has_errors() { Err(problems.into()) } else { Ok(overrides) }
}

impl Files {
    /// What to look at, host by host.
    pub(super) fn asks(&self) -> Vec<Ask> {
        let ask = |host: &cluster::HostSpec| Ask {
            connection: host.connection.clone(),
            project: self.spec.project.clone(),
            dir: host.dir.clone(),
            gpus: host.models.iter().any(|model| model.gpus != Gpus::None),
            root_key: host.gateway.is_some(),
            // A host that has nothing to run may have something left in it.
            docker: if host.uses_docker() || host.models.is_empty() { Need::Docker } else { Need::Spare },
            programs: host.programs(),
            endpoints: if host.gateway.is_some() { self.spec.endpoints() } else { vec![] },
        };
        self.spec.hosts.values().map(ask).collect()
    }

    /// Looks at every host and reads the secrets, at the same time.
    pub(super) async fn look(&self) -> Seen {
        let wanted: BTreeSet<_> = self.spec.secrets().cloned().collect();
        let asks = self.asks();
        let ((mut survey, looks), mut vault) = tokio::join!(host::survey(&asks), Vault::open(wanted));
        survey.root_key = self.root_key(&survey, &looks, &mut vault);
        Seen { survey, looks, vault, replaced: None }
    }

    /// The value of the key that clients show: the user's own, else derived from what the gateway's host keeps. No
    /// other host is asked.
    pub(super) async fn client_key(&self, key: &SecretRef) -> Result<Secret> {
        let mut asks = self.asks();
        asks.retain(|ask| ask.root_key && matches!(key, SecretRef::Derived(_)));
        let wanted: BTreeSet<_> = [key.clone()].into_iter().filter(|_| asks.is_empty()).collect();
        let ((survey, looks), mut vault) = tokio::join!(host::survey(&asks), Vault::open(wanted));
        let root = self.root_key(&survey, &looks, &mut vault);
        futures_util::future::join_all(looks.values().map(Look::close)).await;
        let why = match (root, vault.value(key)) {
            (_, Ok(value)) => return Ok(value),
            (RootKey::Absent, Err(_)) if !asks.is_empty() => {
                ui::errors::plain("there is no key yet: homelab deploy makes it", None);
                return Err(Said(Exit::Failed).into());
            }
            (_, Err(why)) => why,
        };
        let failed = survey.hosts.into_iter().find_map(|(name, look)| match look {
            survey::Look::Failed(why) | survey::Look::Away(why) => Some((name.to_string(), why)),
            _ => None,
        });
        let (host, why) = failed.unwrap_or_else(|| ("this machine".to_owned(), why));
        ui::errors::failure(&host, None, &why);
        Err(Said(Exit::Failed).into())
    }

    /// Why a step failed, with the places in the user's files of the keys that may have to change.
    pub(super) fn placed(&self, failed: &Failed) -> Failure {
        let member = failed.why.finding.as_ref().and_then(|finding| finding.model.as_deref());
        let place = |key: &str| self.spec.place(&failed.host, (failed.service.as_ref()?, member), key);
        failed.why.clone().placed(place)
    }

    /// Looks again at the hosts that were reached.
    pub(super) async fn look_again(&self, seen: &mut Seen) {
        let asks = self.asks();
        let reached = asks.iter().filter_map(|ask| Some((ask, seen.looks.get(&ask.connection.name)?)));
        let again = reached
            .map(|(ask, look)| async move { (ask.connection.name.clone(), host::again(look, ask).await) });
        seen.survey.hosts.extend(futures_util::future::join_all(again).await);
        seen.survey.root_key = match seen.replaced {
            Some(now) => now,
            None => self.root_key(&seen.survey, &seen.looks, &mut seen.vault),
        };
    }

    /// Nothing was looked at and no secret was read.
    pub(super) fn offline(&self) -> Seen {
        let hosts = self.spec.hosts.keys().map(|name| (name.clone(), survey::Look::NotAsked)).collect();
        let survey = Survey { hosts, ..Survey::default() };
        Seen { survey, looks: BTreeMap::new(), vault: Vault::default(), replaced: None }
    }

    /// What a plan that asked no host cannot know; `first` is about what runs.
    pub(super) fn unknown(&self, first: &str) -> Vec<String> {
        let secrets: BTreeSet<_> = self.spec.secrets().collect();
        let mut all = vec![
            first.to_owned(),
            "free ports, images, networks and GPUs".to_owned(),
            "home directories (shown as ~)".to_owned(),
            "addresses from ssh's own configuration".to_owned(),
        ];
        if self.asks().iter().any(|ask| ask.gpus) {
            let pool = "whether GPU and system share their memory (then `restart` and `mem_limit` have other defaults)";
            all.push(pool.to_owned());
        }
        if !secrets.is_empty() {
            all.push("values of secrets".to_owned());
        }
        all
    }

    /// The hosts that left the inventory.
    pub(super) fn dropped(&self) -> BTreeSet<HostName> {
        locked::dropped(&self.lock, &self.spec).into_keys().collect()
    }

    /// The gateway's host, as far as the inventory names one.
    pub(super) fn gateway(&self) -> Option<&HostName> {
        self.spec.hosts.iter().find(|(_, host)| host.gateway.is_some()).map(|(name, _)| name)
    }

    fn root_key(&self, survey: &Survey, looks: &BTreeMap<HostName, Look>, vault: &mut Vault) -> RootKey {
        let Some(name) = self.gateway() else {
            return RootKey::Unknown;
        };
        if survey.seen(name).is_some_and(|seen| !seen.files.contains_key(ROOT_KEY_FILE)) {
            return RootKey::Absent;
        }
        if let Some(key) = looks.get(name).and_then(Look::root_key) {
            vault.set_root(&key);
            return RootKey::Present;
        }
        // Containers elsewhere tell which key they were made with: enough to see that nothing changed.
        let seen = survey.hosts.keys().filter_map(|host| survey.seen(host));
        // One without a secret keeps the version it was made with.
        let keyed = seen
            .flat_map(|s| s.containers.values())
            .filter(|container| container.service.as_ref().is_ok_and(|service| !service.env_file.is_empty()));
        for container in keyed {
            if let Some(version) = container.labels.get(label::ROOT_KEY) {
                vault.set_root_version(version, container.labels.get(label::KEYS).map(String::as_str));
            }
        }
        RootKey::Unknown
    }

    /// What the inventory means, given what was seen.
    pub(super) fn resolve(&self, survey: &Survey) -> Result<Cluster> {
        Ok(guard::within(self.spec.hosts.len(), || cluster::resolve(&self.spec, &self.locals, survey))?)
    }

    /// What every host should have. What runs since before there were pins of revisions is wanted as it is, for as long
    /// as nothing else changes it.
    pub(super) fn desired(&self, survey: &Survey, seen: &Survey, vault: &Vault) -> Result<Desired> {
        let cluster = self.resolve(survey)?;
        let opened = plan::made_before_pins(&cluster, seen);
        if opened.is_empty() {
            return self.rendered(&cluster, vault);
        }
        let desired = self.rendered(&cluster.clone().opened(&opened), vault)?;
        let moving = plan::moving(&desired, seen, &opened);
        if moving.is_empty() {
            return Ok(desired);
        }
        self.rendered(&cluster.opened(&(&opened - &moving)), vault)
    }

    fn rendered(&self, cluster: &Cluster, vault: &Vault) -> Result<Desired> {
        let secrets: BTreeSet<_> = cluster.secrets().cloned().collect();
        let versions = vault.versions(secrets.iter());
        let rendered = || desired::render(cluster, &versions, &self.overrides);
        Ok(guard::within(cluster.hosts.len(), rendered)?.pinned(&self.spec.pins.images))
    }

    /// What every host should have, and the plan that leads there. Without the value of a secret
    /// nobody can tell whether what uses it is as it should be.
    ///
    /// # Errors
    /// What the files get wrong; nothing but the sign to stop where secrets could not be read,
    /// which is said already.
    pub(super) fn plan(&self, seen: &Seen) -> Result<(Desired, Plan)> {
        let unread: Vec<_> = seen.vault.unread().collect();
        if !unread.is_empty() && !seen.looks.is_empty() {
            unread.iter().for_each(|why| ui::errors::failure("this machine", None, why));
            return Err(Said(Exit::Failed).into());
        }
        let desired = self.desired(&seen.survey, &seen.survey, &seen.vault)?;
        ui::errors::diagnostics(&cluster::headroom(&self.spec, &seen.survey));
        let mut plan = plan::plan(&desired, &seen.survey).limited_to(&self.within);
        for blocked in &mut plan.blocked {
            let place = |key: &str| self.spec.place(&blocked.host, (blocked.service.as_ref()?, None), key);
            blocked.why = blocked.why.clone().placed(place);
        }
        let makes_key = seen.survey.root_key == RootKey::Absent && !seen.looks.is_empty();
        if makes_key && desired.gateway.as_ref().is_some_and(|gateway| !self.within.contains(gateway)) {
            let hint = "the first deploy makes the root key on the gateway's host: take it into --limit";
            ui::errors::plain(
                "there is no root key yet, and --limit leaves the gateway's host out",
                Some(hint),
            );
            return Err(Said(Exit::Failed).into());
        }
        Ok((desired, plan))
    }
}

/// A plan against what was seen, with what it does to files if that is asked for.
pub(super) async fn report(
    files: &Files,
    seen: &Seen,
    (desired, plan): (&Desired, &Plan),
    with_diffs: bool,
) -> Report {
    let mut report = Report::new(plan.clone(), Against::Hosts, files.within.len());
    report.dropped = files.dropped();
    if with_diffs {
        let changes = plan.file_changes();
        let before = host::before(&seen.looks, desired, &changes, &seen.vault).await;
        report.diffs = Some(plan::diffs(&changes, desired, &before));
    }
    report
}

impl Seen {
    /// Closes every connection; ssh's masters stay for the next run.
    pub(super) async fn close(self) {
        futures_util::future::join_all(self.looks.values().map(Look::close)).await;
    }
}
