//! Leading requests around a server through the gateway, until it has ended its answers; and back.
//! It decides nothing; what it needs to know comes with the action.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::act::Act;
use super::edge::{ON_ITS_WAY, PAUSE};
use super::failure;
use super::hands::Hands;
use crate::engine;
use crate::names::{HostName, Secret, ServiceName};
use crate::plan::{Action, Probe, around_file};
use crate::survey::Failure;

/// How often in a row it must have nothing to answer: between two answers it may be idle for a moment.
const QUIET: u32 = 2;
/// A server that says nothing for so long does not tell.
const WAIT: Duration = Duration::from_secs(3);

impl Act<'_> {
    /// Has the gateway ask others, and waits until the server is idle.
    ///
    /// # Errors
    /// When the gateway's host cannot be told: nothing was stopped.
    pub(super) async fn lead_around(&self, action: &Action) -> Result<(), Failure> {
        let Action::LeadAround { service, gateway, backend, probe } = action else { return Ok(()) };
        let key = probe.key.as_ref().map(|key| self.vault.value(key)).transpose()?;
        let (there, path) = self.around(service, gateway)?;
        there.write_file(&path, backend.as_bytes(), 0o644).await?;
        self.until_idle(probe, key.as_ref()).await;
        Ok(())
    }

    /// Has the gateway ask the server again. What fails is no reason to undo anything: the next deploy does it.
    pub(super) async fn lead_back(&self, service: &ServiceName, gateway: &HostName) {
        let done = match self.around(service, gateway) {
            Ok((there, path)) => there.remove_file(&path).await,
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            (self.warn)(&format!("{}; until the next deploy the gateway asks it nothing", why.what));
        }
    }

    /// Undoes what was begun when the user wants to stop.
    pub(super) async fn stop_leading_around(&self, action: &Action) {
        if let Action::LeadAround { service, gateway, .. } = action {
            self.lead_back(service, gateway).await;
        }
    }

    /// The gateway's host, and the file there that has requests led around a service of this host.
    fn around(&self, service: &ServiceName, gateway: &HostName) -> Result<(&Hands, String), Failure> {
        let there = self.all.get(gateway).zip(self.desired.hosts.get(gateway));
        let (there, host) = there.ok_or_else(|| failure(self.words, format!("{gateway} was not reached")))?;
        Ok((there, format!("{}/{}", host.dir, around_file(self.host, service))))
    }

    /// Waits until a server answers nothing more, but not for ever, and not if it does not tell.
    async fn until_idle(&self, probe: &Probe, key: Option<&Secret>) {
        sleep(ON_ITS_WAY).await;
        let Some(occupied) = engine::by_name(&probe.engine).and_then(|engine| engine.occupied()) else {
            return;
        };
        let begun = Instant::now();
        let end = begun + Duration::from_secs(probe.timeout);
        let mut quiet = 0;
        while quiet < QUIET {
            let reply = self.hands.get((&probe.address, probe.port), occupied.path, key, WAIT).await;
            let told = reply.ok().filter(|reply| reply.status == 200);
            let Some(count) = told.and_then(|reply| (occupied.count)(&reply.body)) else { return };
            quiet = if count == 0 { quiet + 1 } else { 0 };
            if count > 0 && Instant::now() >= end {
                let answers = if count == 1 { "1 answer".to_owned() } else { format!("{count} answers") };
                (self.warn)(&format!(
                    "after {} s it still had {answers} to give; they are cut off",
                    probe.timeout
                ));
                return;
            }
            if count > 0 {
                (self.tell)(&format!("its last answers ({count}), {} s", begun.elapsed().as_secs()), None);
            }
            sleep(PAUSE).await;
        }
    }
}
