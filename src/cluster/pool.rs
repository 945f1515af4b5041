//! Hosts whose GPU takes its memory from the system's own (GB10, Jetson): what models get there unless the user says
//! otherwise. A start that takes too much can freeze such a host, sshd and all, and a restart policy that outlives a
//! reboot freezes it again. It knows hosts by what was seen of them; where nobody looked, no host is one.

use crate::engine::Gpus;
use crate::names::ByteSize;
use crate::service::{Service, label};
use crate::survey::Seen;

/// The memory that a host's system and GPU share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pool {
    /// All of it, as far as the host tells.
    pub(super) total: Option<ByteSize>,
}

/// The part that must stay for everything but models: a sixth. On a GB10 with 121.7 GiB at most 101 to 102 are ever
/// free for the GPU; weights pass through 4 GiB more while they load, and one start differs from the next by 1 GiB.
const STAYS: u64 = 6;

impl Pool {
    /// The pool of a host, if it was seen and has one. Where `nvidia-smi` tells nothing this time, what runs there
    /// still does: a driver that fails must not change what models should be.
    pub(super) fn of(seen: Option<&Seen>) -> Option<Self> {
        let seen = seen?;
        let told = seen.facts.gpus.iter().any(|gpu| gpu.memory_total.is_none());
        let marked = |labels: &std::collections::BTreeMap<String, String>| labels.contains_key(label::MEMORY);
        let was = seen.facts.gpus.is_empty() && seen.containers.values().any(|c| marked(&c.labels));
        (told || was).then_some(Self { total: seen.facts.memory })
    }

    /// What models may have of it all together, from 0 to 1.
    pub(super) fn part() -> f64 {
        1.0 - 1.0 / f64::from(u32::try_from(STAYS).unwrap_or(u32::MAX))
    }

    /// What must stay.
    pub(super) fn stays(self) -> Option<ByteSize> {
        self.total.map(|ByteSize(all)| ByteSize(all / STAYS))
    }

    /// What a container may have of it, in whole GiB: a kernel's update changes the total by some MiB, which is no
    /// reason to replace a model. Docker counts what the CPU has of the pool, not what the GPU has.
    fn cap(self) -> Option<ByteSize> {
        let ByteSize(all) = self.total?;
        let whole = (all - all / STAYS) >> 30 << 30;
        (whole > 0).then_some(ByteSize(whole))
    }

    /// Sets what a model with GPUs has there unless the user says otherwise.
    pub(super) fn defaults(self, gpus: &Gpus, service: &mut Service) {
        if *gpus == Gpus::None {
            return;
        }
        service.restart = Some("on-failure:3".to_owned());
        service.mem_limit = self.cap();
        service.labels.insert(label::MEMORY.to_owned(), "shared".to_owned());
    }
}
