//! The user's inventory: hosts and their variables, every key with its place.
//! It does not know what a model or a gateway is, and it changes nothing.

mod fields;
mod value;

pub use fields::{Fields, parsed, texts};
pub use value::{Entry, Map, Node, Value};

/// stub
#[derive(Debug)]
pub struct Inventory {
    pub dir: std::path::PathBuf,
    pub hosts: std::collections::BTreeMap<crate::names::HostName, HostVars>,
    pub warnings: Vec<crate::diagnostic::Diagnostic>,
}
/// stub
#[derive(Debug)]
pub struct HostVars {
    pub name: crate::names::HostName,
    pub origin: crate::diagnostic::Origin,
    pub groups: Vec<String>,
}
impl HostVars {
    pub fn value(&self, _n: &str) -> Result<Option<Node>, crate::diagnostic::Diagnostic> {
        Ok(None)
    }
    pub fn evaluated(&self) -> std::collections::BTreeMap<String, Node> {
        Default::default()
    }
}
