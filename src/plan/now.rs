//! A service as it is now: its containers, where its edge leads to, and what can be said of them.
//! It decides nothing.

use crate::cluster::Role;
use crate::desired::DesiredService;
use crate::gateway;
use crate::names::ServiceName;
use crate::survey::{Container, Health, Images, Seen, State};

use super::Action;

/// A service and the containers it has now.
pub(super) struct Now<'a> {
    pub(super) name: &'a ServiceName,
    pub(super) desired: &'a DesiredService,
    /// Where its files lie.
    pub(super) dir: &'a str,
    /// The images on its host.
    pub(super) images: &'a Images,
    pub(super) current: Option<&'a Container>,
    pub(super) previous: Option<&'a Container>,
    /// The steps that wait until it answers.
    pub(super) wait: Vec<Action>,
    /// Where its edge leads to, if it is a gateway behind one.
    pub(super) behind: Option<Behind<'a>>,
}

/// Where the edge leads to now.
#[derive(Clone)]
pub(super) struct Behind<'a> {
    /// The containers that files name: one, but for the moment of a switch.
    named: Vec<&'a str>,
    /// Seconds that a replaced gateway may take to end its answers.
    pub(super) drain: u64,
}

impl<'a> Behind<'a> {
    /// Of a gateway that an edge is to stand before.
    pub(super) fn of(desired: &DesiredService, seen: &'a Seen) -> Option<Self> {
        let Role::Gateway { drain: Some(drain), .. } = desired.role else { return None };
        let name = |path: &'a String| path.strip_prefix(gateway::UPSTREAM_DIRECTORY)?.strip_prefix('/');
        Some(Self { named: seen.files.keys().filter_map(name).collect(), drain })
    }

    /// Whether the edge leads to this container and no other.
    pub(super) fn leads_to(&self, container: &Container) -> bool {
        self.named == [short(&container.id)]
    }
}

/// Docker's short id, by which containers of one network know each other.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Whether it serves, as far as anybody knows: one whose label tells no port cannot be asked.
pub(super) fn serves(container: &Container) -> bool {
    let answers = matches!(container.health, Health::Ready | Health::NotAsked | Health::Lacks(_));
    container.state == State::Running && answers
}

/// Whether Docker keeps it running, so that it may be serving soon if it does not yet.
pub(super) fn is_running(container: &Container) -> bool {
    matches!(container.state, State::Running | State::Restarting | State::Paused)
}
