//! A first inventory: from a few answers to commented YAML that plans as it stands.
//! It asks nobody and writes no file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cluster::{self, LocalFiles};
use crate::desired::{Overrides, render_plain};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::engine::{self, Chip, Gpus};
use crate::inventory;
use crate::lock::Pins;
use crate::names::{HostName, ModelName};
use crate::survey::Survey;

/// What the file is called.
pub const INVENTORY_FILE: &str = "inventory.yml";

const TEMPLATE: &str = "inventory.yml.tera";

/// The first port on a host that a model gets.
const FIRST_PORT: u16 = 8000;

/// A host as it is answered: `NAME`, `NAME=[USER@]ADDRESS`, or `NAME=local` for this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name in the inventory.
    pub name: HostName,
    /// What ssh connects to, if not the name.
    pub address: Option<String>,
    /// Who ssh logs in as, if its own configuration does not say.
    pub user: Option<String>,
    /// Whether it is this machine.
    pub local: bool,
}

/// A model as it is answered: `NAME=HOST:ENGINE:MODEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its public name.
    pub name: ModelName,
    /// Where it is to run.
    pub host: HostName,
    /// The engine's name in the inventory.
    pub engine: String,
    /// A repo id, or a path in the container.
    pub model: String,
    /// The GPUs it may use; none leaves it to what is known of the host.
    pub gpus: Option<Gpus>,
}

/// All answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Where the gateway is to run.
    pub gateway: HostName,
    /// What is to be served.
    pub models: Vec<Model>,
    /// How many GPUs each host has, as far as it was asked.
    pub gpus: BTreeMap<HostName, usize>,
    /// The hosts that are Macs, whose GPU no container sees.
    pub macs: BTreeSet<HostName>,
}

/// The engines by name that a first inventory may use; one whose image only the user can know needs more keys.
pub fn engines() -> impl Iterator<Item = &'static str> {
    engine::ALL
        .iter()
        .filter(|engine| engine.default_image(Chip::Nvidia).is_some())
        .map(|engine| engine.name())
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let (user, address) = match rest.map(|rest| rest.rsplit_once('@').ok_or(rest)) {
            None => (None, None),
            Some(Ok((user, address))) => (Some(user.to_owned()), Some(address.to_owned())),
            Some(Err(address)) => (None, Some(address.to_owned())),
        };
        if [&user, &address].into_iter().flatten().any(String::is_empty) {
            return Err("a host is NAME, NAME=ADDRESS, NAME=USER@ADDRESS or NAME=local".to_owned());
        }
        let local = address.as_deref() == Some("local");
        Ok(Self { name: name.parse()?, address: address.filter(|_| !local), user, local })
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "a model is NAME=HOST:ENGINE:MODEL, as in qwen3-4b=box:vllm:Qwen/Qwen3-4B-AWQ".to_owned();
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let mut parts = rest.splitn(3, ':');
        let (Some(host), Some(engine), Some(model)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let names: Vec<&str> = engines().collect();
        if !names.contains(&engine) {
            return Err(format!("there is no engine `{engine}`: {}", names.join(" or ")));
        }
        let (name, host) = (name.parse()?, host.parse()?);
        Ok(Self { name, host, engine: engine.to_owned(), model: model.to_owned(), gpus: None })
    }
}

impl fmt::Display for Host {
    /// The name and how it is reached.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.address) {
            _ if self.local => write!(f, "{} (this machine)", self.name),
            (Some(user), Some(address)) => write!(f, "{} ({user}@{address})", self.name),
            (None, Some(address)) => write!(f, "{} ({address})", self.name),
            _ => write!(f, "{}", self.name),
        }
    }
}

#[derive(Serialize)]
struct HostContext<'a> {
    name: &'a HostName,
    local: bool,
    address: Option<&'a String>,
    user: Option<&'a String>,
    gateway: bool,
    mac: bool,
    models: Vec<ModelContext<'a>>,
}

#[derive(Serialize)]
struct ModelContext<'a> {
    name: &'a ModelName,
    engine: &'a str,
    model: &'a str,
    port: Option<u16>,
    gpu: Value,
    share: Option<f64>,
    mount: Option<String>,
}

/// The inventory's text. It has been read back, and a plan of it can be made.
///
/// # Errors
/// What of the answers does not go together, shown in the text that would have been written.
pub fn inventory(answers: &Answers) -> Result<String, Diagnostics> {
    together(answers).map_err(|why| Diagnostics::from(Diagnostic::everywhere(why)))?;
    let hosts: Vec<_> = answers.hosts.iter().map(|host| host_context(host, answers)).collect();
    let source =
        Source { name: TEMPLATE.into(), text: include_str!("../templates/inventory.yml.tera").into() };
    let template = Overrides::from([(TEMPLATE.to_owned(), Arc::new(source))]);
    let text = render_plain(TEMPLATE, &template, &json!({ "hosts": hosts }))?;
    let read = inventory::parse(INVENTORY_FILE, &text, BTreeMap::new())?;
    let spec = cluster::read(&read, Pins::default(), false)?;
    cluster::resolve(&spec, &LocalFiles::new(), &Survey::default())?;
    Ok(text)
}

/// Whether every name means one thing that is there: YAML itself would let the later one win.
fn together(answers: &Answers) -> Result<(), String> {
    let mut hosts = BTreeSet::new();
    for host in &answers.hosts {
        if !hosts.insert(&host.name) {
            return Err(format!("the host {} is given twice", host.name));
        }
    }
    let known = |host: &HostName, who: &str| match hosts.contains(host) {
        true => Ok(()),
        false => Err(format!("{who} is to run on {host}, which is not among the hosts")),
    };
    known(&answers.gateway, "the gateway")?;
    let mut models = BTreeSet::new();
    for model in &answers.models {
        known(&model.host, &format!("`{}`", model.name))?;
        if !models.insert((&model.host, &model.name)) {
            return Err(format!("`{}` is given twice for {}", model.name, model.host));
        }
    }
    Ok(())
}

fn host_context<'a>(host: &'a Host, answers: &'a Answers) -> HostContext<'a> {
    let here: Vec<&Model> = answers.models.iter().filter(|model| model.host == host.name).collect();
    let gpus: Vec<Gpus> = here.iter().enumerate().map(|(i, model)| gpus(model, i, answers)).collect();
    let mac = answers.macs.contains(&host.name);
    let models = here.iter().enumerate().map(|(i, model)| ModelContext {
        name: &model.name,
        engine: &model.engine,
        model: &model.model,
        // Models that share a server have its port.
        port: (!shares(model)).then(|| u16::try_from(i).unwrap_or(0).saturating_add(FIRST_PORT)),
        gpu: typed(&gpus[i]),
        share: share(model, &gpus[i], &gpus),
        mount: mount(&model.model).filter(|_| !mac),
    });
    HostContext {
        name: &host.name,
        local: host.local,
        address: host.address.as_ref(),
        user: host.user.as_ref(),
        gateway: host.name == answers.gateway,
        mac,
        models: models.collect(),
    }
}

/// Whether one server has all models of its engine.
fn shares(model: &Model) -> bool {
    engine::by_name(&model.engine).is_some_and(|engine| engine.shared_port().is_some())
}

/// What was chosen, else the host's GPUs in turn, and all for a server that has several models. Where nobody looked, vLLM gets the first and
/// the others, which serve well without, none.
fn gpus(model: &Model, nth: usize, answers: &Answers) -> Gpus {
    let one = |index: usize| Gpus::Some([u32::try_from(index).unwrap_or(0)].into());
    match (&model.gpus, answers.gpus.get(&model.host)) {
        (Some(chosen), _) => chosen.clone(),
        (None, Some(0)) => Gpus::None,
        (None, Some(_)) if shares(model) => Gpus::All,
        (None, Some(count)) => one(nth % count),
        (None, None) if model.engine == "vllm" => one(0),
        (None, None) => Gpus::None,
    }
}

/// As it stands in an inventory.
fn typed(gpus: &Gpus) -> Value {
    match gpus {
        Gpus::Some(list) if list.len() == 1 => json!(list.first()),
        Gpus::Some(list) => json!(list),
        other => json!(other.to_string()),
    }
}

/// vLLM takes nine tenths of a GPU unless it is told of the others there; in hundredths.
fn share(model: &Model, mine: &Gpus, all: &[Gpus]) -> Option<f64> {
    let sharing = u32::try_from(all.iter().filter(|other| mine.meet(other)).count()).unwrap_or(1);
    (model.engine == "vllm" && sharing > 1).then(|| f64::from(90 / sharing) / 100.0)
}

/// The directory of a file on the host, mounted where the model's path looks for it.
fn mount(model: &str) -> Option<String> {
    let (dir, _) = model.rsplit_once('/').filter(|(dir, _)| dir.starts_with('/'))?;
    Some(format!("{dir}:{dir}:ro"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_a_mac_run_without_docker_on_its_only_gpu() {
        let answers = Answers {
            hosts: vec!["studio=me@studio.local".parse().unwrap(), "nas".parse().unwrap()],
            gateway: "nas".parse().unwrap(),
            models: vec![
                "qwen3-14b=studio:llama_cpp:Qwen/Qwen3-14B-GGUF:Q4_K_M".parse().unwrap(),
                "gemma=studio:ollama:gemma3:4b".parse().unwrap(),
            ],
            gpus: [("studio".parse().unwrap(), 0), ("nas".parse().unwrap(), 0)].into(),
            macs: ["studio".parse().unwrap()].into(),
        };
        let text = inventory(&answers).unwrap();
        let (studio, nas) = text.split_once("    nas:").unwrap();
        assert!(studio.contains("      ansible_service_mgr: launchd"), "{text}");
        assert_eq!(studio.matches("          runtime: native").count(), 2, "{text}");
        assert!(!studio.contains("gpu:"), "{text}");
        assert!(!nas.contains("launchd"), "{text}");
    }
}
