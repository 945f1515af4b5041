//! What is known of one container, or of a unit that is no container, at this moment.
//! It reads Docker's account and asks nobody.

use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, PortBinding};
use jiff::Timestamp;

use crate::survey::State;

/// What Docker says of one container at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Its full id.
    pub id: String,
    /// Its name, without Docker's slash.
    pub name: String,
    /// What it does.
    pub state: State,
    /// How often Docker restarted it.
    pub restarts: u32,
    /// RFC 3339; none if it never ran.
    pub started_at: Option<String>,
    /// Whether the kernel killed a process of it for its memory; it may run on without that one.
    pub oom: bool,
    /// Whether it is in no network at all, which nothing of ours is: somebody took it out.
    pub detached: bool,
    /// The port of the host that Docker chose for it; none where it publishes none of that kind, or does not run.
    pub chosen_port: Option<u16>,
    /// When it was made, in Unix seconds; none for a container, whose log is its own from the beginning.
    pub made_at: Option<i64>,
    /// How its last run ended, where it is between two.
    pub last: Option<State>,
}

impl Inspected {
    /// What matters of `docker inspect`.
    pub(super) fn of(seen: &ContainerInspectResponse) -> Self {
        let state = seen.state.clone().unwrap_or_default();
        // Docker's zero time stands for never.
        let started_at = state.started_at.clone().filter(|t| !t.is_empty() && !t.starts_with("0001-"));
        Self {
            id: seen.id.clone().unwrap_or_default(),
            name: name_of(seen.name.as_deref()),
            state: state_of(&state),
            restarts: seen.restart_count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            started_at,
            oom: state.oom_killed.unwrap_or_default(),
            detached: is_detached(seen).unwrap_or(false),
            chosen_port: chosen_port(seen),
            made_at: None,
            last: None,
        }
    }

    /// When its run began, in Unix seconds; 0 for the very beginning: Docker has restarted it since
    /// somebody started it, and what the runs before said belongs to it.
    pub(super) fn since(&self) -> i64 {
        let started = self.started_at.as_deref().filter(|_| self.restarts == 0);
        let started = started.and_then(|at| at.parse::<Timestamp>().ok()).map(Timestamp::as_second);
        started.or(self.made_at).unwrap_or(0)
    }

    /// The same for Docker, which counts in 32 bits.
    pub(super) fn since_in_docker(&self) -> i32 {
        i32::try_from(self.since()).unwrap_or(0)
    }
}

pub(super) fn name_of(name: Option<&str>) -> String {
    crate::diagnostic::clean(name.unwrap_or_default().trim_start_matches('/'))
}

/// Docker chooses a port again each time a container starts.
pub(super) fn chosen_port(seen: &ContainerInspectResponse) -> Option<u16> {
    let asked = seen.host_config.as_ref()?.port_bindings.as_ref()?;
    let any = |bindings: &Option<Vec<PortBinding>>| {
        bindings
            .iter()
            .flatten()
            .any(|b| b.host_port.as_deref().is_none_or(|port| port.is_empty() || port == "0"))
    };
    let (container, _) = asked.iter().find(|(_, bindings)| any(bindings))?;
    let given = seen.network_settings.as_ref()?.ports.as_ref()?.get(container)?.as_ref()?;
    given.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok())
}

fn is_detached(seen: &ContainerInspectResponse) -> Option<bool> {
    Some(seen.network_settings.as_ref()?.networks.as_ref()?.is_empty())
}

fn state_of(state: &ContainerState) -> State {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        Some(ContainerStateStatusEnum::RUNNING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
        Some(ContainerStateStatusEnum::EXITED) => State::Exited {
            code: state.exit_code.unwrap_or_default(),
            oom: state.oom_killed.unwrap_or_default(),
        },
        _ => State::Dead,
    }
}
