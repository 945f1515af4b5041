//! What the user said of what stands beside the gateway: `metrics` and `webui`, read into types.
//! It looks at no model and no host.

use std::collections::BTreeMap;

use crate::companion::{GPU_EXPORTER, GRAFANA, Kind, NODE_EXPORTER, PROMETHEUS, Price, Retention, WEBUI};
use crate::diagnostic::{Diagnostic, Origin};
use crate::inventory::{Fields, Map, Node, Value, parsed};
use crate::names::{ByteSize, Port};

use super::image;
use super::overlay::{self, Overlay};

/// What the user said of one companion.
#[derive(Clone, Debug)]
pub struct CompanionSpec {
    /// Which.
    pub kind: Kind,
    /// Where it is asked for.
    pub origin: Origin,
    /// The port on its host.
    pub port: Port,
    /// Where its image is typed, if it is.
    pub image_origin: Option<Origin>,
    /// Compose's keys.
    pub overlay: Overlay,
}

/// What the user said of metrics.
#[derive(Clone, Debug)]
pub struct MetricsSpec {
    /// Prometheus.
    pub prometheus: CompanionSpec,
    /// How long it keeps what.
    pub retention: Retention,
    /// What a million tokens cost elsewhere.
    pub price: Option<Price>,
    /// Grafana, unless it is not wanted.
    pub grafana: Option<CompanionSpec>,
    /// The exporter on every host, if it is wanted.
    pub node_exporter: Option<CompanionSpec>,
    /// The exporter on every host with NVIDIA's GPUs, if it is wanted.
    pub gpu_exporter: Option<CompanionSpec>,
}

impl MetricsSpec {
    /// Those that run beside the gateway, on its own host.
    pub fn beside(&self) -> impl Iterator<Item = &CompanionSpec> {
        [&self.prometheus].into_iter().chain(&self.grafana)
    }

    /// Those that run on other hosts, too.
    pub fn exporters(&self) -> impl Iterator<Item = &CompanionSpec> {
        self.node_exporter.iter().chain(&self.gpu_exporter)
    }
}

/// Reads `metrics`.
pub(super) fn metrics(fields: &mut Fields<'_>) -> Option<MetricsSpec> {
    let (map, origin) = switched(fields, "metrics", false)?;
    let origin = origin?;
    let mut own = Fields::new(&map, "`metrics`");
    let time = own.parse("retention", |node| parsed(node, span));
    let size = own.parse("size", |node| parsed(node, str::parse::<ByteSize>));
    let interval = own.parse("scrape_interval", |node| parsed(node, span));
    let price = own.parse("price", price);
    let grafana = nested(&mut own, "grafana", GRAFANA, Some(&origin));
    let node_exporter = nested(&mut own, "node_exporter", NODE_EXPORTER, None);
    let gpu_exporter = nested(&mut own, "gpu_exporter", GPU_EXPORTER, None);
    let prometheus = companion(&mut own, PROMETHEUS, &origin);
    fields.problems.0.extend(own.finish(&[]).0);
    Some(MetricsSpec {
        prometheus: prometheus?,
        retention: Retention {
            time: time.unwrap_or_else(|| "15d".to_owned()),
            size,
            interval: interval.unwrap_or_else(|| "15s".to_owned()),
        },
        price,
        grafana,
        node_exporter,
        gpu_exporter,
    })
}

/// Reads `webui`.
pub(super) fn webui(fields: &mut Fields<'_>) -> Option<CompanionSpec> {
    nested(fields, "webui", WEBUI, None)
}

/// A key that is switched on and off, or has keys of its own: those, and where it is typed.
fn switched(fields: &mut Fields<'_>, key: &str, otherwise: bool) -> Option<(Map, Option<Origin>)> {
    let Some(node) = fields.node(key) else { return otherwise.then(|| (Map::default(), None)) };
    let map = match &node.value {
        Value::Map(map) => map.clone(),
        _ => {
            let wrong = |_| node.expected(&format!("`{key}` to be true, false, or a map of its keys"));
            let on = fields.problems.take(node.as_bool().map_err(wrong))?;
            on.then(Map::default)?
        }
    };
    Some((map, fields.origin(key).cloned()))
}

fn nested(
    fields: &mut Fields<'_>,
    key: &str,
    kind: Kind,
    otherwise: Option<&Origin>,
) -> Option<CompanionSpec> {
    let (map, origin) = switched(fields, key, otherwise.is_some())?;
    let origin = origin.or_else(|| otherwise.cloned())?;
    let mut own = Fields::new(&map, format!("`{key}`"));
    let read = companion(&mut own, kind, &origin);
    fields.problems.0.extend(own.finish(&[]).0);
    read
}

/// What every companion has: a port and Compose's keys.
fn companion(fields: &mut Fields<'_>, kind: Kind, origin: &Origin) -> Option<CompanionSpec> {
    let port = |node: &Node| Port::new(node.as_int()?).map_err(|why| Diagnostic::because(&node.origin, &why));
    let port = fields.parse("port", port).or_else(|| kind.default_port());
    let mut overlay = overlay::read(fields);
    let chosen = image::chosen(fields, &overlay.service, None);
    let image_origin = chosen.map(|(image, origin)| {
        overlay.service.image = image;
        origin
    });
    Some(CompanionSpec { kind, origin: origin.clone(), port: port?, image_origin, overlay })
}

/// A span of time in Prometheus's words: numbers with units, the largest first
/// (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/>).
fn span(text: &str) -> Result<String, String> {
    let units = ["y", "w", "d", "h", "m", "s"];
    let mut rest = text;
    let mut last = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = units.iter().position(|unit| rest[digits..].starts_with(unit));
        match unit {
            Some(unit) if digits > 0 && digits < 6 && last.is_none_or(|last| last < unit) => {
                last = Some(unit)
            }
            _ => break,
        }
        rest = &rest[digits + 1..];
    }
    match last.is_some() && rest.is_empty() {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{}` is no span of time: numbers with units, as in 15d or 1m30s",
            text.escape_debug()
        )),
    }
}

fn price(node: &Node) -> Result<Price, Diagnostic> {
    let map = node.as_map()?;
    let mut all = BTreeMap::new();
    for entry in &map.0 {
        let number = entry.node.to_json()?.as_f64().filter(|price| *price >= 0.0);
        let number = number.ok_or_else(|| entry.node.expected("what a million tokens cost"))?;
        all.insert(entry.key.as_str(), number);
    }
    match (all.remove("input"), all.remove("output"), all.is_empty()) {
        (Some(input), Some(output), true) => Ok(Price { input, output }),
        _ => Err(Diagnostic::error(&node.origin, "`price` has two keys, `input` and `output`")
            .hint("what a million tokens of prompts and of answers cost: {input: 3, output: 15}")),
    }
}
