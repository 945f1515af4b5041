//! The GPUs that the user says a host has, for judging what fits where nobody has looked or nothing tells.
//! It decides nothing: what a host itself tells of its GPUs counts before this.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::{Fields, HostVars, Node, Value, parsed};
use crate::names::{ByteSize, HostName};
use crate::survey::Facts;

use super::spec::{HostSpec, variable};

/// A GPU as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedGpu {
    /// What it is called.
    pub name: Option<String>,
    /// Its memory; the system's where both share it.
    pub memory: ByteSize,
    /// Whether it shares the system's memory.
    pub shared: bool,
}

/// `gpus`: the size of the only one, or a list in PCI bus order.
pub(super) fn read(vars: &HostVars, problems: &mut Diagnostics) -> Vec<TypedGpu> {
    variable(vars, "gpus", problems, |node| match &node.value {
        Value::Seq(list) => list.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    })
    .unwrap_or_default()
}

fn one(node: &Node) -> Result<TypedGpu, Diagnostic> {
    if !matches!(node.value, Value::Map(_)) {
        return Ok(TypedGpu { name: None, memory: memory(node)?, shared: false });
    }
    let mut fields = Fields::new(node.as_map()?, "a GPU".to_owned());
    let name = fields.parse("name", Node::as_text);
    let size = fields.parse("memory", memory);
    let shared = fields.parse("unified", Node::as_bool).unwrap_or(false);
    if let Some(first) = fields.finish(&[]).0.into_iter().next() {
        return Err(first);
    }
    let none = || Diagnostic::error(&node.origin, "a GPU has no `memory`").hint(HINT);
    Ok(TypedGpu { name, memory: size.ok_or_else(none)?, shared })
}

const HINT: &str = "gpus: 24GB, or a list such as [{name: RTX 4090, memory: 24GB}]";

fn memory(node: &Node) -> Result<ByteSize, Diagnostic> {
    let size: ByteSize = parsed(node, |text| text.parse())?;
    match size.0 >= 1 << 28 {
        true => Ok(size),
        false => Err(Diagnostic::error(&node.origin, "no GPU has less than 256 MB").hint(HINT)),
    }
}

/// Names and tools count the same memory differently, by less than this part of it.
const TOLERANCE: u64 = 10;

/// Where what is typed is not what the host tells.
#[must_use]
pub fn disagreement(name: &HostName, host: &HostSpec, facts: &Facts) -> Option<Diagnostic> {
    if host.gpus.is_empty() || facts.gpus.is_empty() {
        return None;
    }
    let seen: Vec<Option<u64>> = facts.gpus.iter().map(|gpu| Some(gpu.memory_total? << 20)).collect();
    let alike = |(typed, seen): (&TypedGpu, &Option<u64>)| match seen {
        Some(seen) => !typed.shared && seen.abs_diff(typed.memory.0) <= typed.memory.0 / TOLERANCE,
        None => typed.shared,
    };
    if host.gpus.len() == seen.len() && host.gpus.iter().zip(&seen).all(alike) {
        return None;
    }
    let list = |all: Vec<String>| all.join(", ");
    let size = |bytes: u64| ByteSize(bytes).to_string();
    let typed = list(host.gpus.iter().map(|gpu| size(gpu.memory.0)).collect());
    let told = list(
        facts
            .gpus
            .iter()
            .map(|gpu| match gpu.memory_total {
                Some(mib) => format!("{} with {}", gpu.name, size(mib << 20)),
                None => format!("{}, which shares the system's memory", gpu.name),
            })
            .collect(),
    );
    let origin = host.origins.get("gpus").unwrap_or(&host.origin);
    let message = format!("`gpus` says that {name} has {typed}, and nvidia-smi there tells of {told}");
    Some(
        Diagnostic::warning(origin, message)
            .hint("what the host tells counts; correct `gpus` for plans that ask no host"),
    )
}
