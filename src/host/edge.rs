//! What is done to the edge, and through it: a switch, the end of an old gateway, a new config, and whether it answers.
//! It decides nothing; what it needs to know comes with the action.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::KillContainerOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep};

use super::act::Act;
use super::refusal::docker_failure;
use super::{failure, hinted, last_lines};
use crate::diagnostic::clean;
use crate::gateway;
use crate::names::ServiceName;
use crate::plan::{Action, upstream_file};
use crate::survey::{Failure, State};

/// A request that was led to a server a moment before it was to get no more has been sent by then.
pub(super) const ON_ITS_WAY: Duration = Duration::from_millis(500);
/// Between two looks at what ends its answers.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

impl Act<'_> {
    /// The port, or the one that Docker chose for that container.
    ///
    /// # Errors
    /// If it has none.
    pub(super) async fn port(&self, id: &str, port: u16) -> Result<u16, Failure> {
        if port != 0 {
            return Ok(port);
        }
        let chosen = self.hands.inspect(id).await?.chosen_port;
        chosen.ok_or_else(|| failure(self.words, "Docker has given it no port of the host: it does not run"))
    }

    /// Leads the edge to a container; none is the one that has the service's name.
    pub(super) async fn switch(&self, service: &ServiceName, id: Option<&str>) -> Result<(), Failure> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => self.running(service).await?,
        };
        self.hands.write_only(&self.path(&upstream_file(&id))?).await
    }

    /// Takes a container from those that the edge leads to, before it goes: after half a switch the old one is there, too.
    pub(super) async fn lead_away(&self, service: &ServiceName, id: &str) -> Result<(), Failure> {
        if *service != ServiceName::gateway() || !self.site()?.services.contains_key(&ServiceName::edge()) {
            return Ok(());
        }
        // The directory stays, since the edge has it mounted.
        self.hands.remove_file(&self.path(&upstream_file(id))?).await
    }

    /// Lets a container end its answers: a server that is told to stop takes no new requests and waits for those it
    /// has. One that is gone or has ended is done.
    pub(super) async fn drain(&self, id: &str, timeout: u64) -> Result<(), Failure> {
        sleep(ON_ITS_WAY).await;
        let begun = Instant::now();
        let end = begun + Duration::from_secs(timeout);
        if !self.signal(id, "SIGTERM").await? {
            return Ok(());
        }
        while !self.has_ended(id).await? {
            if Instant::now() >= end {
                (self.warn)(&format!("after {timeout} s it still had answers to give; they are cut off"));
                return self.signal(id, "SIGKILL").await.map(drop);
            }
            (self.tell)(&format!("its last answers, {} s", begun.elapsed().as_secs()), None);
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn has_ended(&self, id: &str) -> Result<bool, Failure> {
        let state = self.hands.inspect(id).await?.state;
        Ok(matches!(state, State::Exited { .. } | State::Dead | State::Created))
    }

    /// Whether there was somebody to hear it.
    async fn signal(&self, id: &str, signal: &str) -> Result<bool, Failure> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match self.hands.docker()?.kill_container(id, Some(options)).await {
            Ok(()) => Ok(true),
            // It is not running.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => {
                Ok(false)
            }
            Err(error) => Err(docker_failure(&format!("stopping container {id}"), &error)),
        }
    }

    /// Has Caddy take its new config, by a file beside that of the old one: if Caddy or its host restarts before somebody
    /// has an answer, the old one counts.
    pub(super) async fn reload(&self, service: &ServiceName) -> Result<(), Failure> {
        let site = self.site()?;
        let Some(content) = site.files.get(gateway::CADDYFILE) else {
            return Err(failure(self.words, "the cluster has no config for it"));
        };
        let bytes = content.fill(|secret| self.vault.value(secret))?;
        let next = format!("{}.next", gateway::CADDYFILE);
        self.hands.write_file(&self.path(&next)?, &bytes, content.mode()).await?;
        let took = self.load(service, &next).await;
        self.hands.remove_file(&self.path(&next)?).await?;
        took
    }

    /// Has Caddy take the config in its file again.
    pub(super) async fn reload_back(&self, service: &ServiceName) -> Result<(), Failure> {
        self.load(service, gateway::CADDYFILE).await
    }

    async fn load(&self, service: &ServiceName, file: &str) -> Result<(), Failure> {
        let config = format!("/etc/caddy/{}", file.rsplit('/').next().unwrap_or_default());
        let words =
            ["caddy", "reload", "--config", &config, "--adapter", "caddyfile", "--address", gateway::ADMIN];
        let id = self.running(service).await?;
        let (code, said) = self.run_in(&id, &words).await?;
        if code == 0 {
            return Ok(());
        }
        let hint =
            "it goes on with the config it had; correct what its words are about, certificates for instance";
        Err(Failure {
            lines: last_lines(&said, 5),
            ..hinted(self.words, "Caddy does not take its new config", hint)
        })
    }

    /// Runs a program in a container: its exit code, and what it said.
    async fn run_in(&self, id: &str, words: &[&str]) -> Result<(i64, String), Failure> {
        let refused = |e: &bollard::errors::Error| docker_failure(&format!("asking container {id}"), e);
        let ask = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..CreateExecOptions::default()
        };
        let docker = self.hands.docker()?;
        let exec = docker.create_exec(id, ask).await.map_err(|e| refused(&e))?.id;
        let mut said = String::new();
        let started = docker.start_exec(&exec, None).await.map_err(|e| refused(&e))?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(part) = output.next().await {
                let part = part.map_err(|e| refused(&e))?;
                said.push_str(&String::from_utf8_lossy(&part.into_bytes()));
            }
        }
        let code = docker.inspect_exec(&exec).await.map_err(|e| refused(&e))?.exit_code;
        Ok((code.unwrap_or(-1), clean(&said)))
    }

    /// Waits until clients have an answer through the edge.
    pub(super) async fn await_edge(&self, action: &Action) -> Result<(), Failure> {
        let Action::AwaitEdge {
            service,
            address,
            port,
            clients_address,
            clients_port,
            names,
            master_key,
            timeout,
        } = action
        else {
            return Ok(());
        };
        let key = self.vault.value(master_key)?;
        let id = self.running(service).await?;
        let port = self.port(&id, *port).await?;
        let clients = (clients_address.as_str(), *clients_port);
        self.waiting(&id).edge((address, port), &key, (clients, names), *timeout).await
    }
}
