//! What `-v` adds: what the connections cost.
//! It only reports counts that were kept anyway.

use std::collections::BTreeMap;

use super::{DIM, note, paint};
use crate::host::{Counts, Look};
use crate::names::HostName;

/// What each host's connection cost.
pub fn connections(verbose: bool, looks: &BTreeMap<HostName, Look>) {
    if !verbose {
        return;
    }
    for (host, look) in looks {
        let Counts { logins, processes, requests } = look.counts();
        let text = format!(
            "{host}: {logins} ssh logins, {processes} remote processes, {requests} requests to Docker\n"
        );
        note(&paint(DIM, &text));
    }
}
