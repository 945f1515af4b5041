//! The inventory as the rest of the program sees it: hosts, and what their variables come to.
//! It holds and answers; it reads neither files nor the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Node;
use super::interpolate::Session;
use super::layers::Contest;
use super::tree::{Group, Vars};
use super::vault::Values;
use super::world::World;
use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::names::HostName;

/// Everything the user's inventory says.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The directory of the first inventory, as the user gave it: what `configs` names lies there.
    pub dir: PathBuf,
    /// All hosts.
    pub hosts: BTreeMap<HostName, HostVars>,
    /// All groups, with `all` and `ungrouped`.
    pub groups: BTreeMap<String, Group>,
    /// What works, but maybe not as meant.
    pub warnings: Vec<Diagnostic>,
    /// What `localhost` is where no inventory names it. It is in no group, so nothing is planned for it.
    pub localhost: Option<HostVars>,
    /// The variables of every group, those of `group_vars/` beside the inventories included.
    pub(super) group_vars: BTreeMap<String, Vars>,
    /// All groups in the order in which they came up.
    pub(super) group_order: Vec<String>,
    /// All hosts in the order in which they came up.
    pub(super) host_order: Vec<HostName>,
}

/// One host and its variables.
#[derive(Clone)]
pub struct HostVars {
    /// Its name in the inventory.
    pub name: HostName,
    /// Where it is first named.
    pub origin: Origin,
    /// Its groups: `all` first, the one that wins last.
    pub groups: Vec<String>,
    /// Its variables as they were typed, after Ansible's precedence; expressions are not evaluated.
    pub raw: Arc<BTreeMap<String, Arc<Node>>>,
    /// Variables that a group of it wants to be different.
    pub contests: Vec<Contest>,
    /// What expressions may refer to.
    pub(super) world: Arc<World>,
}

impl fmt::Debug for HostVars {
    /// Not the environment: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostVars")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .field("raw", &self.raw)
            .finish_non_exhaustive()
    }
}

impl HostVars {
    /// A variable with every expression in it evaluated; nothing when the host has no such variable.
    ///
    /// # Errors
    /// The first expression that cannot be evaluated, at its place.
    pub fn value(&self, name: &str) -> Result<Option<Node>, Diagnostic> {
        let mut problems = Diagnostics::default();
        let node = self.value_noting(name, &mut problems);
        match problems.0.into_iter().next() {
            Some(first) => Err(first),
            None => Ok(node),
        }
    }

    /// The same, with every expression that cannot be evaluated added to `problems` and left as it is.
    pub fn value_noting(&self, name: &str, problems: &mut Diagnostics) -> Option<Node> {
        let node = self.raw.get(name)?;
        Some(Session::new(&self.world, self.world.keys.values()).evaluate(&self.name, name, node, problems))
    }

    /// The same of a map of which only some entries are wanted: the others stay as they were typed.
    pub fn value_where(
        &self,
        name: &str,
        wanted: &dyn Fn(&str) -> bool,
        problems: &mut Diagnostics,
    ) -> Option<Node> {
        let node = self.raw.get(name)?;
        Some(Session::new(&self.world, self.world.keys.values()).evaluate_where(
            &self.name,
            name,
            node,
            (wanted, problems),
        ))
    }

    /// All variables with every expression evaluated; what cannot be evaluated stays as it was typed, and what
    /// is encrypted stays sealed.
    #[must_use]
    pub fn evaluated(&self) -> BTreeMap<String, Node> {
        let session = Session::new(&self.world, Values::Sealed);
        let mut ignored = Diagnostics::default();
        self.raw
            .iter()
            .map(|(name, node)| (name.clone(), session.evaluate(&self.name, name, node, &mut ignored)))
            .collect()
    }
}
