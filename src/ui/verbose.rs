//! What `-v` adds: what the connections cost.
//! It only reports counts that were kept anyway.

use std::collections::BTreeMap;

use super::{DIM, note, paint};
use crate::host::Look;
use crate::names::HostName;

/// What each host's connection cost.
pub fn connections(verbose: bool, looks: &BTreeMap<HostName, Look>) {
    if !verbose {
        return;
    }
    for (host, look) in looks {
        let counts = look.counts();
        let text = format!("{host}: {} ssh logins, {} remote processes\n", counts.logins, counts.processes);
        note(&paint(DIM, &text));
    }
}
