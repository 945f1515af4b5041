//! Waking hosts before a verb looks at them: those that do not answer, and that the inventory says how to wake.
//! Which verbs do that is theirs to say.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::prepare::Files;
use crate::cluster::{HostSpec, WakeSpec};
use crate::host;
use crate::names::HostName;
use crate::ui;

/// Wakes those of the hosts that sleep, all at the same time; one that does not wake is found as it is. `docker`: whether
/// they are to have one.
pub(super) async fn beforehand(files: &Files, hosts: &BTreeSet<HostName>, docker: bool) {
    let able = files.spec.hosts.iter().filter(|(name, _)| hosts.contains(*name));
    let able: Vec<(&HostSpec, &WakeSpec)> =
        able.filter_map(|(_, host)| Some((host, host.wake.as_ref()?))).collect();
    if able.is_empty() {
        return;
    }
    let asked = join_all(able.iter().map(|(host, _)| host::sleeps(&host.connection)));
    let asleep = ui::progress::looking(asked).await;
    let asleep: Vec<_> = able.iter().zip(asleep).filter(|(_, asleep)| *asleep).map(|(one, _)| one).collect();
    if asleep.is_empty() {
        return;
    }
    let (events, heard) = mpsc::unbounded_channel();
    let shown = tokio::spawn(ui::progress::show(heard));
    let via = |wake: &WakeSpec| Some(&files.spec.hosts.get(&wake.via.as_ref()?.0)?.connection);
    let waking = asleep
        .iter()
        .map(|(host, wake)| host::wake(&host.connection, (&wake.how, via(wake)), docker, &events));
    let woken = join_all(waking).await;
    drop(events);
    // Ends when the last sender is gone.
    let _ = shown.await;
    // What it means that one sleeps on, the look says.
    for ((host, _), why) in asleep.iter().zip(woken).filter_map(|(one, woken)| Some((one, woken.err()?))) {
        ui::errors::warning(&format!("{}: {}", host.connection.name, why.what), why.hint.as_deref());
    }
}
