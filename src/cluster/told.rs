//! The GPUs that the inventory says a host has, beside those that the host tells of.

use crate::diagnostic::Diagnostic;
use crate::names::{ByteSize, HostName};
use crate::survey::Facts;

use super::gpus::TypedGpu;
use super::spec::HostSpec;

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
