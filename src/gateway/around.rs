//! How LiteLLM leads requests around a server that is about to be replaced: a hook of its own kind, and the files that
//! the hook heeds. Such a file comes and goes without LiteLLM being told.

use std::collections::BTreeSet;

use super::route::Route;

/// The directory below the project's where files name servers that get no more requests.
pub const AROUND_DIRECTORY: &str = "around";
/// How the name of such a file ends; in it stands the URL by which the gateway knows the server.
pub const AROUND_ENDING: &str = ".url";
/// Where the gateway mounts the directory; the hook looks there.
pub const AROUND_MOUNTED: &str = "/etc/litellm/around";
/// The hook. LiteLLM asks it before it chooses among the servers of a name (`async_filter_deployments`, router.py of 1.109).
pub const AROUND_HOOK: &str = include_str!("homelab_around.py");
/// Where it is mounted: LiteLLM looks for a callback's module beside its config (proxy/types_utils/utils.py).
pub const AROUND_HOOK_PATH: &str = "/etc/litellm/homelab_around.py";
/// The hook's name in `callbacks`.
pub(super) const CALLBACK: &str = "homelab_around.lead_around";

/// Whether there is a name that several servers serve, so that one of them can be left out for a while.
#[must_use]
pub fn leads_around(routes: &[Route]) -> bool {
    let mut names = BTreeSet::new();
    routes.iter().any(|route| !names.insert(&route.public))
}
