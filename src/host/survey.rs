//! The survey: reaches every host at once and writes down what is there.
//! It only reads: it holds a [`Look`], which offers nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::SystemInfo;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder};
use futures_util::future::{join_all, try_join_all};

use super::facts::Wanted;
use super::look::{Look, Need};
use super::refusal::docker_failure;
use super::wake::sleeps;
use super::{containers, facts, health, master};
use crate::connection::Connection;
use crate::diagnostic::clean;
use crate::names::{HostName, ProjectName};
use crate::service::label;
use crate::survey::{self, Devices, Endpoint, Facts, Failure, Images, Seen, Survey, Unreached};

/// What to look at on one host.
#[derive(Clone, Debug)]
pub struct Ask {
    /// How it is reached.
    pub connection: Connection,
    /// Whose containers are ours.
    pub project: ProjectName,
    /// The project's directory on the host: absolute, or below `~/`.
    pub dir: String,
    /// Whether a model there wants a GPU: what Docker, the host and containers know of GPUs is asked only then, for
    /// it takes longer than all the rest.
    pub gpus: bool,
    /// Whether this host keeps the root key.
    pub root_key: bool,
    /// How much Docker matters there.
    pub docker: Need,
    /// The programs of services of the host's own, by name or path; none where no model is to be one.
    pub programs: Option<Vec<String>>,
    /// What it is to find out of endpoints that somebody else runs.
    pub endpoints: Vec<Endpoint>,
}

/// Looks at all hosts at the same time. Those that were reached come back for what follows.
pub async fn survey(asks: &[Ask]) -> (Survey, BTreeMap<HostName, Look>) {
    let looked = join_all(asks.iter().map(look)).await;
    let (mut survey, mut looks) = (Survey::default(), BTreeMap::new());
    for (ask, (seen, look)) in asks.iter().zip(looked) {
        if look.is_none()
            && let Some(address) = master::address(&ask.connection).await
        {
            survey.addresses.insert(ask.connection.name.clone(), clean(&address));
        }
        survey.hosts.insert(ask.connection.name.clone(), seen);
        looks.extend(look.map(|look| (ask.connection.name.clone(), look)));
    }
    (survey, looks)
}

/// Reaches one host and looks at it.
pub async fn look(ask: &Ask) -> (survey::Look, Option<Look>) {
    match Look::reach(&ask.connection, ask.docker).await {
        Ok(look) => (again(&look, ask).await, Some(look)),
        Err(Unreached { why, silent: true }) if ask.connection.optional => (survey::Look::Away(why), None),
        Err(Unreached { why, .. }) => (survey::Look::Failed(why), None),
    }
}

/// Looks once more at a host that was reached before.
pub async fn again(look: &Look, ask: &Ask) -> survey::Look {
    match see(look, ask).await {
        Ok(seen) => survey::Look::Seen(Box::new(seen)),
        Err(failure) if ask.connection.optional && sleeps(&ask.connection).await => {
            survey::Look::Away(failure)
        }
        Err(failure) => survey::Look::Failed(failure),
    }
}

async fn see(look: &Look, ask: &Ask) -> Result<Seen, Failure> {
    let wanted = Wanted { gpus: ask.gpus, root_key: ask.root_key, programs: ask.programs.as_deref() };
    let others = ask.endpoints.iter().map(|endpoint| health::of_endpoint(look.link(), endpoint));
    let (read, docker, others) = tokio::join!(
        facts::read(look.link(), (&ask.project, &ask.dir), wanted),
        docker(look, ask),
        join_all(others)
    );
    let (read, (mut seen, mut our_ports)) = (read?, docker?);
    look.keep_root_key(read.root_key)?;
    if ask.programs.is_some() || !read.native.units.is_empty() {
        look.note_units();
    }
    let mut units = read.native.units;
    join_all(units.values_mut().map(|unit| health::of_unit(look.link(), unit))).await;
    seen.containers.extend(units);
    seen.strangers.extend(read.native.strangers);
    // Docker's own listener for a container of ours that is just starting or stopping is no
    // stranger's: the list of containers and the list of ports are not of the same moment.
    let services = seen.containers.values().filter_map(|c| c.service.as_ref().ok());
    our_ports
        .extend(services.flat_map(|service| service.published().map(|port| port.host).collect::<Vec<_>>()));
    for port in read.listening.difference(&our_ports) {
        seen.taken.entry(*port).or_insert_with(|| "a process".to_owned());
    }
    if read.gpus.is_empty() {
        // Then it is the host that has none to give back.
        seen.containers.values_mut().for_each(|container| container.lost_gpu = false);
    }
    seen.files = read.files;
    seen.snapshots = read.snapshots;
    seen.holders = read.holders;
    seen.endpoints = ask.endpoints.iter().cloned().zip(others).collect();
    let address = look.link().address().map(clean);
    let devices = Devices { cdi: seen.facts.devices.cdi, ..read.devices };
    let runtimes = seen.facts.runtimes;
    seen.facts = Facts {
        home: read.home,
        runtimes,
        devices,
        gpus: read.gpus,
        memory: read.memory,
        address,
        native: read.native.facts,
    };
    Ok(seen)
}

const ASKING: &str = "asking Docker what is there";

/// Docker's part, and the ports this project's containers publish.
async fn docker(look: &Look, ask: &Ask) -> Result<(Seen, BTreeSet<u16>), Failure> {
    let project = &ask.project;
    if !look.has_docker() {
        return Ok((Seen::default(), BTreeSet::new()));
    }
    let refused = |e| docker_failure(ASKING, &e);
    let every = ListContainersOptionsBuilder::new().all(true).build();
    let runtimes = async {
        let info =
            if ask.gpus { look.docker()?.info().await.map_err(refused)? } else { SystemInfo::default() };
        let found = info.discovered_devices.unwrap_or_default();
        let cdi = found
            .iter()
            .filter_map(|device| device.id.as_deref())
            .any(|id| id.starts_with("nvidia.com/gpu="));
        Ok::<_, Failure>((info.runtimes.unwrap_or_default().into_keys().collect(), cdi))
    };
    let ((runtimes, cdi), containers, images, networks) = tokio::try_join!(
        runtimes,
        async { look.docker()?.list_containers(Some(every)).await.map_err(refused) },
        async {
            let all = Some(ListImagesOptionsBuilder::new().build());
            look.docker()?.list_images(all).await.map_err(refused)
        },
        async { look.docker()?.list_networks(None).await.map_err(refused) },
    )?;
    let sorted = containers::sort(project, containers);
    let accounts = sorted.ours.iter().map(|id| containers::account(look, project, (id, ask.gpus)));
    let accounts = try_join_all(accounts).await?;
    let references = images.into_iter().flat_map(|image| {
        let names = image.repo_tags.into_iter().chain(image.repo_digests);
        let named = names.filter(|name| !name.starts_with("<none>"));
        named.map(|name| (name, image.id.clone())).collect::<Vec<_>>()
    });
    let ours = |labels: Option<HashMap<String, String>>| {
        labels.is_some_and(|labels| labels.get(label::PROJECT).is_some_and(|p| p == project.as_str()))
    };
    let seen = Seen {
        facts: Facts { runtimes, devices: Devices { cdi, ..Devices::default() }, ..Facts::default() },
        containers: accounts.into_iter().flatten().collect(),
        taken: sorted.taken,
        strangers: sorted.strangers,
        images: Images(references.collect()),
        networks: networks.into_iter().filter_map(|n| Some((n.name?, ours(n.labels)))).collect(),
        files: BTreeMap::new(),
        snapshots: BTreeMap::new(),
        holders: Vec::new(),
        endpoints: BTreeMap::new(),
    };
    Ok((seen, sorted.our_ports))
}
