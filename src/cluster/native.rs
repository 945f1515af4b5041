//! Models that a host runs by itself, without Docker: what may be said of them, and what they are given.
//! It decides nothing about engines, which only learn where they listen and what starts them.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::engine::{Chip, Engine, Gpus, Native};
use crate::inventory::{Fields, Node, Value, texts};
use crate::service::{KEYS, Runtime, Service, Who};
use crate::survey::{Facts, Manager};

use super::Unit;
use super::model_spec::Places;
use super::spec::{HostSpec, ModelSpec};

/// The name by which a container reaches its own host, where `extra_hosts` says so
/// (<https://docs.docker.com/reference/cli/docker/container/run/#add-host>).
pub(super) const OWN_HOST: &str = "host.docker.internal";

/// Compose's keys that mean the same without a container.
const SHARED: [&str; 5] = ["environment", "labels", "mem_limit", "restart", "stop_grace_period"];

/// Reads what runs a model.
pub(super) fn runtime(node: &Node) -> Result<Runtime, Diagnostic> {
    let text = node.as_text()?;
    let words = || Runtime::ALL.map(Runtime::word);
    Runtime::ALL.into_iter().find(|runtime| runtime.word() == text).ok_or_else(|| {
        let what = format!("`runtime` is {}, not `{}`", words().join(" or "), text.escape_debug());
        let wrong = Diagnostic::error(&node.origin, what);
        let hint = "native runs it as a service of its host, without Docker; how a container gets at GPUs is `gpu_access`";
        wrong.meant(did_you_mean(&text, words()), hint)
    })
}

/// The program of a model that its host runs by itself: what the user types, else the engine's own.
pub(super) fn command(
    fields: &mut Fields<'_>,
    engine: &dyn Engine,
    options: &BTreeMap<String, serde_json::Value>,
    runtime: Runtime,
) -> Vec<String> {
    if engine.options().iter().any(|option| option.name == "command") {
        // The engine's own word for the same: in a container these are arguments.
        let words = options
            .get("command")
            .and_then(serde_json::Value::as_array)
            .filter(|_| runtime == Runtime::Native);
        let word =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return words.into_iter().flatten().map(word).collect();
    }
    let typed = fields.parse("command", |node| {
        let words = match node.value {
            Value::Str(_) | Value::Seq(_) => texts(node)?,
            _ => return Err(node.expected("`command` to be a string or a list")),
        };
        if !words.first().is_some_and(|first| is_program(first)) {
            let wrong = Diagnostic::error(&node.origin, "`command` names no program of the host's");
            return Err(wrong.hint(
                "a name, as in vllm, or a path that starts with / or ~/, as in /opt/vllm/venv/bin/vllm",
            ));
        }
        Ok(words)
    });
    match (typed, runtime) {
        (Some(_), Runtime::Docker) => {
            if let Some(origin) = fields.origin("command") {
                let nothing = Diagnostic::warning(origin, "`command` says nothing without `runtime: native`");
                let hint = "what a container runs is `entrypoint`; further arguments are `args`";
                fields.problems.push(nothing.hint(hint));
            }
            vec![]
        }
        (Some(words), Runtime::Native) => words,
        (None, Runtime::Native) => engine.program().map(str::to_owned).into_iter().collect(),
        (None, Runtime::Docker) => vec![],
    }
}

/// A name, or a path that says where it begins.
fn is_program(text: &str) -> bool {
    let plain = !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control);
    plain && (!text.contains('/') || text.starts_with('/') || text.starts_with("~/"))
}

/// Says which of the typed keys mean nothing without a container.
pub(super) fn refused(fields: &mut Fields<'_>, places: &Places, runtime: Runtime) {
    if runtime == Runtime::Docker {
        return;
    }
    let compose = KEYS.iter().filter(|(_, who)| *who == Who::User).map(|(key, _)| *key);
    let refused =
        compose.filter(|key| !SHARED.contains(key)).chain(["configs", "container_port", "prefetch"]);
    for key in refused {
        let Some((origin, _)) = places.get(key).filter(|_| fields.node(key).is_some()) else { continue };
        let wrong = Diagnostic::error(origin, format!("`{key}` means nothing with `runtime: native`"));
        let hint = match key {
            "image" => "there is no container: what runs is the program that `command` names",
            "entrypoint" => "there is no container: `command` names the program",
            "prefetch" => "the server downloads its model itself when it starts",
            "container_port" => "there is no container: the server listens on `port` itself",
            _ => "there is no container: take it away, or set it to null where it comes from defaults",
        };
        fields.problems.push(wrong.hint(hint));
    }
}

impl HostSpec {
    /// The programs of the models that the host runs by itself; none where there is no such model.
    #[must_use]
    pub fn programs(&self) -> Option<Vec<String>> {
        let native: Vec<_> = self.models.iter().filter(|model| model.runtime == Runtime::Native).collect();
        let programs: BTreeSet<_> =
            native.iter().filter_map(|model| model.command.first().cloned()).collect();
        (!native.is_empty()).then(|| programs.into_iter().collect())
    }

    /// Whether something there runs in Docker.
    #[must_use]
    pub fn uses_docker(&self) -> bool {
        self.gateway.is_some() || self.models.iter().any(|model| model.runtime == Runtime::Docker)
    }
}

/// How a model is started where no container runs it.
pub(super) fn started(model: &ModelSpec) -> Option<Native<'_>> {
    (model.runtime == Runtime::Native).then(|| Native {
        program: &model.command,
        host: model.overlay.host_ip.as_deref().unwrap_or("0.0.0.0"),
        port: model.port.get(),
    })
}

/// The commits that a model is pinned to: for a program of the host's own a pin would be another command line, and
/// nothing is fetched for it ahead.
pub(super) fn pins(model: &ModelSpec) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    if model.runtime == Runtime::Native { &NONE } else { &model.revisions }
}

/// Lets a container reach what runs beside it without one, if something does.
pub(super) fn reach(beside: &[Unit], service: &mut Service) {
    let own = format!("{OWN_HOST}:host-gateway");
    let native = beside.iter().any(|unit| unit.service.runtime() == Runtime::Native);
    if native && !service.extra_hosts.contains(&own) {
        service.extra_hosts.push(own);
    }
}

/// What runs services of a host's own: root's are the system's.
pub(super) fn manager(host: &HostSpec, facts: Option<&Facts>) -> Manager {
    let root = host.connection.user.as_deref() == Some("root");
    let assumed = match (host.launchd, root) {
        (false, false) => Manager::User,
        (false, true) => Manager::System,
        (true, false) => Manager::Agent,
        (true, true) => Manager::Daemon,
    };
    facts.and_then(|facts| facts.native.manager).unwrap_or(assumed)
}

/// Makes of a container's keys those of a program: no image, no network, and its real path.
pub(super) fn settle(service: &mut Service, model: &ModelSpec, manager: Manager, facts: Option<&Facts>) {
    service.image.clear();
    service.networks.clear();
    for word in service.entrypoint.iter_mut().flatten() {
        if let Some(Some(path)) = facts.and_then(|facts| facts.native.programs.get(word)) {
            word.clone_from(path);
        }
    }
    match manager.is_launchd() {
        true => metal(model, &mut service.environment),
        false => gpus(&model.gpus, chip(model, facts), &mut service.environment),
    }
    // The system's own services are given none, and their caches lie below it.
    if let (true, Some(facts)) = (manager.is_system(), facts) {
        service.environment.entry("HOME".to_owned()).or_insert_with(|| facts.home.clone());
    }
}

/// A Mac has one GPU, which a program uses unless it is told not to.
fn metal(model: &ModelSpec, environment: &mut BTreeMap<String, String>) {
    if let (Gpus::None, Some((variable, value))) = (&model.gpus, model.engine.without_gpu()) {
        environment.entry(variable.to_owned()).or_insert_with(|| value.to_owned());
    }
}

/// Whose GPUs a program of the host's own would use.
fn chip(model: &ModelSpec, facts: Option<&Facts>) -> Chip {
    let amd = facts.is_some_and(|facts| facts.gpus.is_empty() && facts.devices.kfd);
    let seen = if amd { Chip::Amd } else { Chip::Nvidia };
    model.gpu_access.map_or(seen, super::access::Access::chip)
}

/// Lets a program see these GPUs, counted in PCI bus order, so that an index means what `nvidia-smi` shows
/// (<https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables>: an index that
/// there is not hides all that come after it).
fn gpus(gpus: &Gpus, chip: Chip, environment: &mut BTreeMap<String, String>) {
    let variable = match chip {
        Chip::Nvidia => "CUDA_VISIBLE_DEVICES",
        Chip::Amd => "ROCR_VISIBLE_DEVICES",
        Chip::Dri => "GGML_VK_VISIBLE_DEVICES",
        Chip::None => return,
    };
    let mut set = |name: &str, value: String| {
        environment.entry(name.to_owned()).or_insert(value);
    };
    match gpus {
        Gpus::All => {}
        Gpus::None if chip != Chip::Nvidia => {}
        Gpus::None => set(variable, "-1".to_owned()),
        Gpus::Some(_) | Gpus::Named(_) => {
            set(variable, gpus.to_string());
            if chip == Chip::Nvidia {
                set("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned());
            }
        }
    }
}
