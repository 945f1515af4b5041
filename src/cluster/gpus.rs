//! The GPUs that the user says a host has, for judging what fits where nobody has looked or nothing tells.
//! It decides nothing: what a host itself tells of its GPUs counts before this.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::{Fields, HostVars, Node, Value, parsed};
use crate::names::ByteSize;

use super::keys::variable;

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
