//! A model as typed keys.
//! It looks at no other model and at no host.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin, did_you_mean};
use crate::engine::{self, Chip, Engine, Gpus, Kind};
use crate::gateway;
use crate::inventory::{Entry, Fields, HostVars, Map, Node, Value, parsed};
use crate::names::{ModelName, Seconds};
use crate::service::Runtime;

use super::access::Access;
use super::catalogue::OTHER_SHAPE;
use super::keys::{aliases, explain_reserved, kind, option, places, port, variable};
use super::spec::ModelSpec;
use super::{defaults, external, image, native, overlay};

/// How long a model may take to answer when nobody says: half an hour, in seconds.
const READY_TIMEOUT: u64 = 30 * 60;

/// What goes under every model of an engine. Its mistakes are said here, once, and not of each model.
pub(super) fn defaults_of(engine: &dyn Engine, vars: &HostVars, problems: &mut Diagnostics) -> Map {
    let Some(defaults) = defaults::read(engine, vars, problems) else { return Map::default() };
    let engine = stand_in("engine", Value::Str(engine.name().to_owned()), &defaults);
    let port = stand_in("port", Value::Int(1), &defaults);
    let model = defaults::laid_under(&engine, &defaults::laid_under(&port, &defaults));
    let _ = read_keys(&model, format!("`{}`", defaults.key), vars, problems);
    defaults.node.as_map().cloned().unwrap_or_default()
}

/// A key that an entry needs to be read by itself.
pub(super) fn stand_in(key: &str, value: Value, entry: &Entry) -> Map {
    let origin = entry.origin.clone();
    let node = Node { origin: origin.clone(), value };
    Map(vec![Entry { key: key.to_owned(), text: true, origin, node }])
}

pub(super) fn read_one(entry: &Entry, vars: &HostVars, problems: &mut Diagnostics) -> Option<ModelSpec> {
    read_keys(entry, format!("model `{}`", entry.key), vars, problems)
}

/// Reads the keys of `what`, which is a model or what models share.
pub(super) fn read_keys(
    entry: &Entry,
    what: String,
    vars: &HostVars,
    problems: &mut Diagnostics,
) -> Option<ModelSpec> {
    let name = ModelName::new(entry.key.as_str()).map_err(|why| Diagnostic::because(&entry.origin, &why));
    let name = problems.take(name)?;
    let Ok(map) = entry.node.as_map() else {
        problems.push(entry.node.expected(&format!("{what} to be a map")).hint(OTHER_SHAPE));
        return None;
    };
    let mut fields = Fields::new(map, what);
    if fields.parse("enabled", Node::as_bool) == Some(false) {
        return None;
    }
    let Some(engine) = engine_of(&mut fields, entry, problems) else {
        problems.0.extend(fields.problems.0);
        return None;
    };
    let spec = read_fields(&mut fields, engine, (entry, name), vars, problems);
    explain_reserved(map, engine, &mut fields);
    let options: Vec<&str> = engine.options().iter().map(|o| o.name).collect();
    let found = fields.finish(&options);
    let sound = !found.has_errors();
    problems.0.extend(found.0);
    // In spite of its mistakes: others may be in its way, or mean it.
    spec.map(|spec| ModelSpec { sound, ..spec })
}

fn engine_of(
    fields: &mut Fields<'_>,
    entry: &Entry,
    problems: &mut Diagnostics,
) -> Option<&'static dyn Engine> {
    let names = || engine::ALL.iter().map(|e| e.name()).chain([external::NAME]);
    let list = names().collect::<Vec<_>>().join(", ");
    let Some(node) = fields.node("engine") else {
        problems.push(
            Diagnostic::error(&entry.origin, format!("model `{}` has no `engine`", entry.key))
                .hint(format!("engine: {list}; {OTHER_SHAPE}")),
        );
        return None;
    };
    fields.parse("engine", |_| {
        let text = node.as_text()?;
        engine::by_name(&text).ok_or_else(|| {
            let unknown = Diagnostic::error(&node.origin, format!("there is no engine `{text}`"));
            unknown.meant(did_you_mean(&text, names()), format!("engine: {list}"))
        })
    })
}

/// The image, and where it is typed: the one that was chosen, else the engine's for these GPUs; an empty one where no
/// container is.
fn which_image(
    chosen: Option<(String, Origin)>,
    engine: &dyn Engine,
    runtime: Runtime,
    (gpus, access): (&Gpus, Option<Access>),
) -> (Option<String>, Option<Origin>) {
    let chip = match gpus {
        Gpus::None => Chip::None,
        Gpus::All | Gpus::Some(_) | Gpus::Named(_) => access.map_or(Chip::Nvidia, Access::chip),
    };
    match chosen {
        Some((image, origin)) => (Some(image), Some(origin)),
        None if runtime == Runtime::Native => (Some(String::new()), None),
        None => (engine.default_image(chip).map(str::to_owned), None),
    }
}

fn read_fields(
    fields: &mut Fields<'_>,
    engine: &'static dyn Engine,
    (entry, name): (&Entry, ModelName),
    vars: &HostVars,
    problems: &mut Diagnostics,
) -> Option<ModelSpec> {
    let gpus = fields.parse("gpu", gpus).unwrap_or(Gpus::All);
    let runtime = fields.parse("runtime", native::runtime).unwrap_or_default();
    let overlay = overlay::read(fields);
    let shared = variable(vars, engine.image_variable(), problems, image::typed);
    let chosen = image::chosen(fields, &overlay.service, shared).filter(|_| runtime == Runtime::Docker);
    let gpu_access = fields.parse("gpu_access", |node| parsed(node, Access::by_word));
    let (image, image_origin) = which_image(chosen, engine, runtime, (&gpus, gpu_access));
    fields.problems.0.extend(image.is_none().then(|| no_image(engine, entry, &name)));
    // An engine has hundreds of options, and a model a few: its keys are looked up, not theirs.
    let all = engine.options();
    let typed: BTreeSet<&str> =
        entry.node.as_map().into_iter().flat_map(|map| &map.0).map(|typed| typed.key.as_str()).collect();
    let options = typed.into_iter().filter_map(|key| {
        let known = &all[all.binary_search_by(|option| option.name.cmp(key)).ok()?];
        Some((known.name.to_owned(), fields.parse(known.name, |node| option(known, node))?))
    });
    let options = options.collect();
    let command = native::command(fields, engine, &options, runtime);
    let mut aliases = fields.parse("aliases", aliases).unwrap_or_default();
    let words = gateway::words(fields);
    let variants = gateway::variants(fields, &words);
    aliases.extend(variants.iter().map(|(name, origin, _)| (name.clone(), origin.clone())));
    let args = fields.texts("args");
    overlay::secret_arguments(fields, &args);
    let port = fields.parse("port", |n| n.as_int().and_then(|p| port(p, n)));
    if fields.node("port").is_none() {
        fields.problems.push(no_port(entry, &name));
    }
    let places = places(entry);
    native::refused(fields, &places, runtime);
    Some(ModelSpec {
        origin: entry.origin.clone(),
        places,
        sound: true,
        aliases,
        engine,
        kind: fields.parse("kind", |n| parsed(n, kind)).unwrap_or(Kind::Chat),
        model: fields.parse("model", Node::as_text),
        port_origin: fields.origin("port").unwrap_or(&entry.origin).clone(),
        gpus,
        gpu_access,
        runtime,
        command,
        image: image.unwrap_or_default(),
        image_origin,
        options,
        args,
        api_key: fields.parse("api_key", |n| parsed(n, api_key)).unwrap_or(true),
        ready_timeout: fields.parse("ready_timeout", |n| parsed(n, ready_timeout)).unwrap_or(READY_TIMEOUT),
        members: vec![],
        models_max: None,
        prefetch: fields.parse("prefetch", Node::as_bool).unwrap_or(true),
        revisions: Arc::default(),
        check_fit: fields.parse("check_fit", Node::as_bool).unwrap_or(true),
        public: fields.parse("public", Node::as_bool).unwrap_or(false),
        words,
        variants: variants.into_iter().map(|(name, _, words)| (name, words)).collect(),
        overlay,
        name,
        port: port?,
    })
}

fn no_port(entry: &Entry, name: &ModelName) -> Diagnostic {
    let none = Diagnostic::error(&entry.origin, format!("model `{name}` has no `port`"));
    none.hint("the port on its host that the gateway reaches it by, as in port: 8000")
}

fn no_image(engine: &dyn Engine, entry: &Entry, name: &ModelName) -> Diagnostic {
    let none = Diagnostic::error(&entry.origin, format!("model `{name}` has no `image`"));
    none.hint(format!(
        "the server's image with its version, as in image: ghcr.io/me/server:1.2; or {} for all of them",
        engine.image_variable()
    ))
}

fn gpus(node: &Node) -> Result<Gpus, Diagnostic> {
    let wrong = || {
        Diagnostic::error(&node.origin, "`gpu` is none, all, an index or a UUID, or a list of either")
            .hint("gpu: 0, or gpu: [0, 1] to spread one model over two; nvidia-smi -L lists UUIDs")
    };
    let index = |n: &Node| n.as_int().ok().and_then(|i| u32::try_from(i).ok()).ok_or_else(wrong);
    let uuid = |n: &Node| n.as_text().ok().filter(|text| is_uuid(text)).ok_or_else(wrong);
    match &node.value {
        Value::Str(text) if text == "none" => Ok(Gpus::None),
        Value::Str(text) if text == "all" => Ok(Gpus::All),
        Value::Str(_) => Ok(Gpus::Named([uuid(node)?].into())),
        Value::Int(_) => Ok(Gpus::Some([index(node)?].into())),
        Value::Seq(items) if matches!(items.first(), Some(Node { value: Value::Str(_), .. })) => {
            Ok(Gpus::Named(items.iter().map(uuid).collect::<Result<_, _>>()?))
        }
        Value::Seq(items) if !items.is_empty() => {
            Ok(Gpus::Some(items.iter().map(index).collect::<Result<_, _>>()?))
        }
        _ => Err(wrong()),
    }
}

/// `GPU-…`, or `MIG-…` for a part of one.
fn is_uuid(text: &str) -> bool {
    let rest = text.strip_prefix("GPU-").or_else(|| text.strip_prefix("MIG-"));
    rest.is_some_and(|rest| rest.len() >= 8 && rest.chars().all(|c| c.is_ascii_hexdigit() || c == '-'))
}

fn api_key(text: &str) -> Result<bool, String> {
    match text {
        "none" => Ok(false),
        _ => Err("a backend's key is made by homelab: `api_key: none` switches it off".to_owned()),
    }
}

fn ready_timeout(text: &str) -> Result<u64, String> {
    match text.parse::<Seconds>()? {
        Seconds(0) => Err("`0` leaves no time to answer: seconds, or a time such as 30m".to_owned()),
        Seconds(some) => Ok(some),
    }
}
