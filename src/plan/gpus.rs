//! When the memory of a GPU must be waited for: what was stopped may hold it for a moment longer, and an
//! engine that measures meanwhile counts it as taken, or stops because it changes.
//! It puts that step before others; it decides nothing else.

use std::collections::BTreeSet;

use crate::engine::Gpus;
use crate::survey::Seen;

use super::needs::Needs;
use super::now::is_running;
use super::site::ModelWork;
use super::{Action, Step};

/// Puts the wait before whatever loads on a GPU that something of the same lane leaves, and before
/// whatever is put back on the way back: what failed may have held the GPU as well.
pub(super) fn await_memory(lane: &mut [ModelWork<'_>], seen: &Seen) {
    let left: BTreeSet<u32> = lane.iter().flat_map(|item| leaves(item, seen)).collect();
    for item in lane {
        let own = measured(&item.needs.gpus, seen);
        let first = item.task.steps.iter().find(|step| loads(&step.action));
        if let Some(step) = first
            && let Some(wait) = wait(step, own.intersection(&left))
        {
            item.task.steps.insert(0, wait);
        }
        let is_back = |step: &Step| matches!(step.action, Action::PutBack { .. });
        if let Some(at) = item.task.way_back.iter().position(is_back)
            && let Some(wait) = wait(&item.task.way_back[at], own.iter())
        {
            item.task.way_back.insert(at, wait);
        }
    }
}

/// The GPUs of what a task stops ahead of all others.
fn leaves(item: &ModelWork<'_>, seen: &Seen) -> BTreeSet<u32> {
    let stopped = |step: &Step| match &step.action {
        Action::SetAside { id, .. } | Action::Remove { id, .. } => {
            seen.containers.values().find(|c| c.id == *id && is_running(c))
        }
        _ => None,
    };
    let stopped = item.task.ahead.iter().filter_map(stopped);
    stopped.flat_map(|container| measured(&Needs::of(container).gpus, seen)).collect()
}

/// Those of the GPUs whose memory the host tells: none without NVIDIA's, or where it is the system's own.
fn measured(gpus: &Gpus, seen: &Seen) -> BTreeSet<u32> {
    let told = seen.facts.gpus.iter().filter(|gpu| gpu.memory_used.is_some()).map(|gpu| gpu.index);
    told.filter(|index| gpus.meet(&Gpus::Some([*index].into()))).collect()
}

fn loads(action: &Action) -> bool {
    matches!(
        action,
        Action::Create { .. } | Action::Start { .. } | Action::Restart { .. } | Action::PutBack { .. }
    )
}

/// The wait that goes before a step.
fn wait<'a>(step: &Step, gpus: impl Iterator<Item = &'a u32>) -> Option<Step> {
    let gpus: Vec<u32> = gpus.copied().collect();
    let service = step.action.service()?.clone();
    let action = Action::AwaitMemory { service, gpus: gpus.clone() };
    (!gpus.is_empty()).then(|| Step { action, because: step.because.clone(), interrupts: false })
}
