//! LiteLLM: its typed options, its container, and the data its config is rendered from.
//! Facts about LiteLLM are those of 1.109 (its own source and runs of it).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::diagnostic::{Diagnostic, Origin};
use crate::engine::Kind;
use crate::inventory::{Fields, Node, parsed};
use crate::names::{ByteSize, ModelName, Port};
use crate::secret::SecretRef;
use crate::service::Service;

use super::around;
use super::edge::{self, Edge};
use super::own_words::Sections;
use super::route::{CONTAINER_PORT, Route, published};

/// Its name in the inventory and as a service.
pub const NAME: &str = "litellm";
/// Where its config is mounted.
pub const CONFIG_PATH: &str = "/etc/litellm/config.yml";
/// Answers 200 without a key once requests are taken; `/health` would ask every model for tokens.
pub const HEALTH: &str = "/health/readiness";
/// Where LiteLLM looks for the URL of its database.
pub const DATABASE_VARIABLE: &str = "DATABASE_URL";
/// The callback that counts for Prometheus. What it counted, `/metrics` tells whoever shows the master key.
const COUNTS: &str = "prometheus";
/// A version tag: rolling tags of LiteLLM were compromised twice.
const DEFAULT_IMAGE: &str = "ghcr.io/berriai/litellm:v1.109.1";

/// Of two kinds of silence only one is long: a backend that reads a prompt acknowledges what it gets, a host that is
/// off does not. LiteLLM has one timeout for both; the kernel, whose settings these are, tells them apart.
const SYSCTLS: [(&str, &str); 2] = [
    // A connection that nobody takes is given up after 3 s (1 s and 2 s); LiteLLM tries twice.
    ("net.ipv4.tcp_syn_retries", "1"),
    // One on which nobody acknowledges, after 3 to 4 s.
    ("net.ipv4.tcp_retries2", "3"),
];

const ENVIRONMENT: [(&str, &str); 6] = [
    // Else it fetches a price list over the network while it starts.
    ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
    // A connection on which an answer is awaited is asked for a sign of life: after 3 s without a word, every second,
    // three times (custom_httpx/http_handler.py).
    ("AIOHTTP_SO_KEEPALIVE", "True"),
    ("AIOHTTP_TCP_KEEPIDLE", "3"),
    ("AIOHTTP_TCP_KEEPINTVL", "1"),
    ("AIOHTTP_TCP_KEEPCNT", "3"),
    // Else a container that was replaced or stopped is asked at its old address for 5 minutes.
    ("AIOHTTP_TTL_DNS_CACHE", "0"),
];

/// What the user may say about the gateway, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The port on its host.
    pub port: Port,
    /// Which names stand in for a name that fails, in order.
    pub fallbacks: Fallbacks,
    /// Which names stand in for one whose context is too small for the request, in order.
    pub context_window_fallbacks: Fallbacks,
    /// Which names stand in for any other one that has no fallbacks of its own, in order.
    pub default_fallbacks: Vec<(String, Origin)>,
    /// How often a failed request is tried again where nothing stands in.
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
    /// The URL of LiteLLM's own database.
    pub database: Option<SecretRef>,
    /// Sections of its config in its own words, over homelab's.
    pub litellm: Sections,
    /// What stands before it; without one, clients reach it directly.
    pub edge: Option<Edge>,
    /// The path below which a proxy of the user's offers it.
    pub server_root_path: Option<String>,
    /// Whether it may be reached from anywhere.
    pub public: bool,
    /// Whether it counts for Prometheus.
    pub metrics: bool,
}

impl Options {
    /// Whether another name stands in for this one. The last of the names that stand in for all has none.
    #[must_use]
    pub fn has_fallback(&self, name: &ModelName) -> bool {
        let default = &self.default_fallbacks;
        let stands_in = default.iter().any(|(to, _)| to == name.as_str());
        self.fallbacks.contains_key(name.as_str()) || (!default.is_empty() && !stands_in)
    }
}

/// Names that stand in for a name, each with the place where it is typed.
pub type Fallbacks = BTreeMap<String, (Origin, Vec<(String, Origin)>)>;

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
        context_window_fallbacks: fields.parse("context_window_fallbacks", fallbacks).unwrap_or_default(),
        default_fallbacks: fields.parse("default_fallbacks", placed).unwrap_or_default(),
        num_retries: number(fields, "num_retries", 1),
        // LiteLLM's own default is 6000 s, and a switched-off host never refuses.
        timeout: number(fields, "timeout", 600),
        // Until the first token a long prompt is silent too.
        stream_timeout: number(fields, "stream_timeout", 300),
        drop_params: fields.parse("drop_params", Node::as_bool).unwrap_or(true),
        master_key: fields.parse("master_key", &secret),
        ready_timeout: number(fields, "ready_timeout", 300),
        database: fields.parse("database", |node| database(node, &secret)),
        litellm: super::own_words::sections(fields),
        metrics: false,
        edge: edge(fields, &secret),
        server_root_path: fields.parse("server_root_path", |node| parsed(node, root_path)),
        public: fields.parse("public", Node::as_bool).unwrap_or(false),
    }
}

fn edge(fields: &mut Fields<'_>, secret: impl Fn(&Node) -> Result<SecretRef, Diagnostic>) -> Option<Edge> {
    let node = fields.node("edge")?;
    edge::read(node, secret, &mut fields.problems)
}

fn root_path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    match text.strip_prefix('/') {
        Some(rest) if !rest.is_empty() && rest.chars().all(plain) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!("`{}` is not a path: as in /llm", text.escape_debug())),
    }
}

fn database(
    node: &Node,
    secret: impl Fn(&Node) -> Result<SecretRef, Diagnostic>,
) -> Result<SecretRef, Diagnostic> {
    match node.as_map()?.0.as_slice() {
        [entry] if entry.key == "url" => secret(&entry.node),
        _ => Err(Diagnostic::error(&node.origin, "`database` has one key, `url`")
            .hint("database: {url: {env: DATABASE_URL}}")),
    }
}

fn placed(node: &Node) -> Result<Vec<(String, Origin)>, Diagnostic> {
    node.as_seq()?.iter().map(|n| Ok((n.as_text()?, n.origin.clone()))).collect()
}

fn fallbacks(node: &Node) -> Result<Fallbacks, Diagnostic> {
    let mut all = BTreeMap::new();
    for entry in &node.as_map()?.0 {
        all.insert(entry.key.clone(), (entry.origin.clone(), placed(&entry.node)?));
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
        environment: environment(options),
        sysctls: SYSCTLS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ports: vec![match options.edge {
            // Only the host itself asks it there, on a port that Docker chooses: two of them can be up.
            Some(_) => format!("127.0.0.1::{CONTAINER_PORT}"),
            None => published(host_ip, options.port, CONTAINER_PORT),
        }],
        networks: vec!["default".to_owned()],
        // 357 MB right after start; the usual 512 MB gets it killed, and 1 GB where it has a database.
        mem_limit: Some(ByteSize(if options.database.is_some() { 2 << 30 } else { 1 << 30 })),
        restart: Some("unless-stopped".to_owned()),
        ..Service::default()
    }
}

fn environment(options: &Options) -> BTreeMap<String, String> {
    let root = options.server_root_path.iter().map(|path| ("SERVER_ROOT_PATH", path.as_str()));
    ENVIRONMENT.into_iter().chain(root).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Where containers beside it reach it over the Compose network.
#[must_use]
pub fn inside() -> String {
    format!("{NAME}:{CONTAINER_PORT}")
}

/// What `litellm.yml.tera` is rendered from.
#[derive(Debug, Serialize)]
pub struct ConfigContext {
    models: Vec<ConfigModel>,
    /// Its other sections, those that are maps key by key.
    settings: BTreeMap<String, BTreeMap<String, Json>>,
    /// Sections of another shape.
    others: Sections,
}

#[derive(Debug, Serialize)]
struct ConfigModel {
    name: String,
    params: BTreeMap<String, Json>,
    info: BTreeMap<String, Json>,
}

/// The config's data: one entry per public name and backend.
#[must_use]
pub fn config(options: &Options, routes: &[Route]) -> ConfigContext {
    let model = |route: &Route| ConfigModel {
        name: route.public.to_string(),
        params: laid(params(options, route), &route.words.params),
        info: laid(mode(route.kind), &route.words.info),
    };
    let mut settings = settings(options);
    let mut others = Sections::new();
    for (section, value) in &options.litellm {
        match value {
            Json::Object(over) => {
                let under = settings.remove(section).unwrap_or_default();
                settings.insert(section.clone(), laid(under, over));
            }
            other => drop(others.insert(section.clone(), other.clone())),
        }
    }
    let around = around::leads_around(routes).then_some(around::CALLBACK);
    let own = options.metrics.then_some(COUNTS).into_iter().chain(around);
    own.for_each(|callback| calls(settings.entry("litellm_settings".to_owned()).or_default(), callback));
    ConfigContext { models: routes.iter().map(model).collect(), settings, others }
}

/// What homelab sets with the user's laid over it, where null takes away.
fn laid(mut base: BTreeMap<String, Json>, over: &Map<String, Json>) -> BTreeMap<String, Json> {
    base.extend(over.clone());
    base.retain(|_, value| !value.is_null());
    base
}

/// Adds a callback of homelab's to the user's.
fn calls(settings: &mut BTreeMap<String, Json>, callback: &str) {
    let callbacks = settings.entry("callbacks".to_owned()).or_insert_with(|| json!([]));
    if let Json::String(one) = callbacks {
        *callbacks = json!([one]);
    }
    if let Json::Array(all) = callbacks
        && !all.contains(&json!(callback))
    {
        all.push(json!(callback));
    }
}

fn settings(options: &Options) -> BTreeMap<String, BTreeMap<String, Json>> {
    let names = |to: &[(String, Origin)]| to.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    // A list of maps with one key each: any other shape is refused (router_python_core.py).
    let list = |all: &Fallbacks| -> Json {
        all.iter().map(|(from, (_, to))| json!({from.as_str(): names(to)})).collect::<Vec<_>>().into()
    };
    let mut router = vec![
        ("num_retries", options.num_retries.into()),
        // A retry may pick the same backend again; this picks another one of the same name.
        ("enable_weighted_failover", true.into()),
        // Else one that answers again is left out for seconds, in which another one may be replaced.
        ("disable_cooldowns", true.into()),
        ("fallbacks", list(&options.fallbacks)),
    ];
    if !options.context_window_fallbacks.is_empty() {
        // An empty list would keep a request that is too long from its other fallbacks.
        router.push(("context_window_fallbacks", list(&options.context_window_fallbacks)));
    }
    if !options.default_fallbacks.is_empty() {
        router.push(("default_fallbacks", names(&options.default_fallbacks).into()));
    }
    let mut general = vec![("master_key", "os.environ/LITELLM_MASTER_KEY".into())];
    if options.database.is_some() {
        general.push(("database_url", format!("os.environ/{DATABASE_VARIABLE}").into()));
    }
    let litellm = vec![("drop_params", options.drop_params.into())];
    let section = |keys: Vec<(&str, Json)>| keys.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    [("router_settings", router), ("litellm_settings", litellm), ("general_settings", general)]
        .map(|(name, keys)| (name.to_owned(), section(keys)))
        .into()
}

fn mode(kind: Kind) -> BTreeMap<String, Json> {
    let mode = |word: &str| [("mode".to_owned(), word.into())].into();
    if kind == Kind::Chat { BTreeMap::new() } else { mode(kind.word()) }
}

fn params(options: &Options, route: &Route) -> BTreeMap<String, Json> {
    let key = route.key_variable.as_ref().map(|variable| format!("os.environ/{variable}"));
    // Without a URL of ours it is a provider's, which a key that is none would only confuse.
    let key = key.or_else(|| route.api_base.is_some().then(|| "none".to_owned()));
    let stands_in = options.has_fallback(&route.public);
    let all: [(&str, Option<Json>); 7] = [
        ("model", Some(route.model.clone().into())),
        ("api_base", route.api_base.clone().map(Json::from)),
        ("api_key", key.map(Json::from)),
        ("timeout", Some(options.timeout.into())),
        ("stream_timeout", Some(options.stream_timeout.into())),
        // Another try would only delay what stands in: one of the same name is asked before it anyhow.
        ("num_retries", stands_in.then(|| 0.into())),
        // More than that would queue at the backend, while another one may be free.
        ("max_parallel_requests", route.slots.filter(|_| stands_in).map(Json::from)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
