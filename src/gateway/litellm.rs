//! LiteLLM: its typed options, its container, and the data its config is rendered from.
//! Facts about LiteLLM are those of 1.109 (its own source and runs of it).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Origin};
use crate::engine::{Kind, Load};
use crate::inventory::{Fields, Node, parsed};
use crate::names::{ByteSize, ModelName, Port};
use crate::secret::SecretRef;
use crate::service::Service;

/// Its name in the inventory and as a service.
pub const NAME: &str = "litellm";
/// Where it listens in its container.
const CONTAINER_PORT: u16 = 4000;
/// Where its config is mounted.
pub const CONFIG_PATH: &str = "/etc/litellm/config.yml";
/// Answers 200 without a key once requests are taken; `/health` would ask every model for tokens.
pub const HEALTH: &str = "/health/readiness";
/// A version tag: rolling tags of LiteLLM were compromised twice.
const DEFAULT_IMAGE: &str = "ghcr.io/berriai/litellm:v1.109.1";

/// What the user may say about the gateway, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The port on its host.
    pub port: Port,
    /// Which names stand in for a name that fails, in order.
    pub fallbacks: Fallbacks,
    /// How often a failed request is tried again before its fallback.
    pub num_retries: u64,
    /// Seconds until a request without streaming is given up.
    pub timeout: u64,
    /// Seconds until a streaming request that sends nothing is given up.
    pub stream_timeout: u64,
    /// Whether parameters a backend does not know are dropped instead of refused.
    pub drop_params: bool,
    /// The key clients show; derived from the root key when nobody gives one.
    pub master_key: Option<SecretRef>,
    /// How long it may take to answer, in seconds.
    pub ready_timeout: u64,
}

/// Names that stand in for a name, each with the place where it is typed.
pub type Fallbacks = BTreeMap<String, (Origin, Vec<(String, Origin)>)>;

/// A name at the gateway and one backend that serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What clients ask for.
    pub public: ModelName,
    /// LiteLLM's provider, a slash, and what the backend calls the model.
    pub model: String,
    /// The backend's base URL; none where the provider has one of its own.
    pub api_base: Option<String>,
    /// The gateway's environment variable with the backend's key; none where it takes any.
    pub key_variable: Option<String>,
    /// What it is for.
    pub kind: Kind,
    /// When the backend loads it.
    pub load: Load,
}

/// Reads the gateway's own keys. `secret` reads a secret's place.
pub fn read(
    fields: &mut Fields<'_>,
    origin: &Origin,
    secret: impl Fn(&Node) -> Result<SecretRef, Diagnostic>,
) -> Options {
    let engine = fields.parse("engine", |node| {
        parsed(node, |text| match text {
            NAME => Ok(()),
            other => Err(format!("there is no gateway `{other}`: engine: {NAME}")),
        })
    });
    if engine.is_none() && fields.origin("engine").is_none() {
        fields
            .problems
            .push(Diagnostic::error(origin, "the gateway has no `engine`").hint("engine: litellm"));
    }
    let number = |fields: &mut Fields<'_>, key: &str, default: u64| {
        let read = |node: &Node| u64::try_from(node.as_int()?).map_err(|_| node.expected("0 or more"));
        fields.parse(key, read).unwrap_or(default)
    };
    Options {
        port: fields
            .parse("port", |n| Port::new(n.as_int()?).map_err(|why| Diagnostic::because(&n.origin, &why)))
            .unwrap_or(Port::LITELLM),
        fallbacks: fields.parse("fallbacks", fallbacks).unwrap_or_default(),
        // One more try finds another backend of the same name; more would only delay the fallback,
        // because a lone backend is never taken out of rotation (cooldown_handlers.py).
        num_retries: number(fields, "num_retries", 1),
        // LiteLLM's own default is 6000 s, and a switched-off host never refuses.
        timeout: number(fields, "timeout", 600),
        // Until the first token a long prompt is silent too.
        stream_timeout: number(fields, "stream_timeout", 300),
        drop_params: fields.parse("drop_params", Node::as_bool).unwrap_or(true),
        master_key: fields.parse("master_key", secret),
        ready_timeout: number(fields, "ready_timeout", 300),
    }
}

fn fallbacks(node: &Node) -> Result<Fallbacks, Diagnostic> {
    let mut all = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        let one = |n: &Node| Ok((n.as_text()?, n.origin.clone()));
        let to = entry.node.as_seq()?.iter().map(one).collect::<Result<Vec<_>, Diagnostic>>()?;
        all.insert(entry.key.clone(), (entry.origin.clone(), to));
    }
    Ok(all)
}

/// Its container, before the user's Compose keys, its config and its secrets.
#[must_use]
pub fn service(options: &Options, host_ip: &str) -> Service {
    let port = CONTAINER_PORT.to_string();
    let words = ["--config", CONFIG_PATH, "--host", "0.0.0.0", "--port", &port];
    Service {
        image: DEFAULT_IMAGE.to_owned(),
        command: Some(words.map(str::to_owned).to_vec()),
        // Else it fetches a price list over the network while it starts.
        environment: [("LITELLM_LOCAL_MODEL_COST_MAP".to_owned(), "True".to_owned())].into(),
        ports: vec![published(host_ip, options.port, CONTAINER_PORT)],
        networks: vec!["default".to_owned()],
        // 357 MB right after start; the usual 512 MB gets it killed.
        mem_limit: Some(ByteSize(1 << 30)),
        restart: Some("unless-stopped".to_owned()),
        ..Service::default()
    }
}

/// A port as Compose publishes it: `HOST_IP:HOST_PORT:CONTAINER_PORT`.
#[must_use]
pub fn published(host_ip: &str, port: Port, container_port: u16) -> String {
    format!("{}:{port}:{container_port}", bracketed(host_ip))
}

/// An address as it stands before a colon.
#[must_use]
pub fn bracketed(host_ip: &str) -> String {
    if host_ip.contains(':') { format!("[{host_ip}]") } else { host_ip.to_owned() }
}

/// What `litellm.yml.tera` is rendered from.
#[derive(Debug, Serialize)]
pub struct ConfigContext {
    models: Vec<ConfigModel>,
    fallbacks: Vec<BTreeMap<String, Vec<String>>>,
    num_retries: u64,
    drop_params: bool,
}

#[derive(Debug, Serialize)]
struct ConfigModel {
    name: String,
    params: BTreeMap<&'static str, serde_json::Value>,
    info: BTreeMap<&'static str, serde_json::Value>,
}

/// The config's data: one entry per public name and backend.
#[must_use]
pub fn config(options: &Options, routes: &[Route]) -> ConfigContext {
    let model = |route: &Route| ConfigModel {
        name: route.public.to_string(),
        params: params(options, route),
        info: match route.kind {
            Kind::Chat => BTreeMap::new(),
            Kind::Completion => [("mode", "completion".into())].into(),
            Kind::Embedding => [("mode", "embedding".into())].into(),
            Kind::Rerank => [("mode", "rerank".into())].into(),
        },
    };
    let names = |to: &[(String, Origin)]| to.iter().map(|(name, _)| name.clone()).collect();
    ConfigContext {
        models: routes.iter().map(model).collect(),
        // A list of maps with one key each: any other shape is refused (router_python_core.py).
        fallbacks: options
            .fallbacks
            .iter()
            .map(|(from, (_, to))| [(from.clone(), names(to))].into())
            .collect(),
        num_retries: options.num_retries,
        drop_params: options.drop_params,
    }
}

fn params(options: &Options, route: &Route) -> BTreeMap<&'static str, serde_json::Value> {
    let key = route.key_variable.as_ref().map(|variable| format!("os.environ/{variable}"));
    // Without a URL of ours it is a provider's, which a key that is none would only confuse.
    let key = key.or_else(|| route.api_base.is_some().then(|| "none".to_owned()));
    let texts =
        [("api_base", route.api_base.clone()), ("api_key", key), ("model", Some(route.model.clone()))];
    let numbers = [("stream_timeout", options.stream_timeout), ("timeout", options.timeout)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?.into())));
    texts.chain(numbers.map(|(name, number)| (name, number.into()))).collect()
}
