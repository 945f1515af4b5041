//! One container for a moment: what it sees of the GPUs. All of what `homelab doctor` does to a host.
//! It makes that container, waits for its words and removes it, whatever happens; it touches no other.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerCreateBody, ContainerSummaryStateEnum, HostConfig};
use bollard::query_parameters::{AttachContainerOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use super::hands::Hands;
use super::look::Look;
use super::refusal::docker_failure;
use super::{failure, hinted, last_lines, private};
use crate::doctor::Inside;
use crate::survey::Failure;

const STEP: &str = "asking for GPUs in a container";
/// The label of every such container.
const LABEL: &str = "dev.homelab.doctor";
/// A GPU without persistence mode takes some seconds to wake up, many GPUs longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than that nvidia-smi does not say.
const MOST: usize = 64 << 10;
/// One that was made, never started, and is as old was left by a homelab that was killed in between.
const STALE: u64 = 300;

/// The columns that the host is asked for, too.
const QUERY: [&str; 2] =
    ["--query-gpu=driver_version,index,name,memory.total,memory.used", "--format=csv,noheader,nounits"];

/// A host on which one container may be tried.
pub struct Trial {
    hands: Hands,
}

impl Trial {
    /// The host of this look.
    #[must_use]
    pub fn new(look: Look) -> Self {
        Self { hands: look.into_hands(None) }
    }

    /// The same host for looking only.
    #[must_use]
    pub fn into_look(self) -> Look {
        self.hands.into_look()
    }

    /// What a container of this image sees of the GPUs, made as models are: by the runtime `nvidia`. The image
    /// must be on the host. It has no network, and is gone when this returns.
    pub async fn gpus(&self, image: &str, mut stop: watch::Receiver<bool>) -> Inside {
        self.sweep().await;
        let name = match private::random_name() {
            Ok(name) => format!("homelab-doctor-{name}"),
            Err(error) => return Inside::Failed(failure(STEP, format!("no random numbers: {error}"))),
        };
        let id = match self.hands.create(&name, body(image)).await {
            Ok(id) => id,
            Err(why) => return Inside::Failed(Failure { step: STEP.into(), ..why }),
        };
        let said = tokio::select! {
            said = timeout(PATIENCE, self.said(&id)) => said.unwrap_or_else(|_| {
                let seconds = PATIENCE.as_secs();
                let what = format!("nvidia-smi in a container did not answer in {seconds} s");
                Err(hinted(STEP, what, "does nvidia-smi answer on the host? a GPU may hang"))
            }),
            Ok(_) = stop.wait_for(|stop| *stop) => Err(failure(STEP, "interrupted")),
        };
        // Docker removes it by itself once it has ended, even if homelab is killed meanwhile.
        let _ = self.hands.remove(&id).await;
        match said {
            Ok(lines) => Inside::Said(lines),
            Err(why) => Inside::Failed(Failure { step: STEP.into(), ..why }),
        }
    }

    async fn said(&self, id: &str) -> Result<Vec<String>, Failure> {
        let failed = |e| docker_failure(STEP, &e);
        let options = AttachContainerOptionsBuilder::new().stream(true).logs(true).stdout(true).stderr(true);
        // Before it starts: Docker forgets it as soon as it ends.
        let attached = self.hands.docker()?.attach_container(id, Some(options.build())).await;
        let mut output = attached.map_err(failed)?.output;
        self.hands.start(id).await?;
        let mut text = Vec::new();
        while let Some(part) = output.next().await {
            text.extend_from_slice(&part.map_err(failed)?.into_bytes());
            if text.len() > MOST {
                break;
            }
        }
        Ok(last_lines(&String::from_utf8_lossy(&text), usize::MAX))
    }

    /// Removes what a homelab left that was killed before it could start its container.
    async fn sweep(&self) {
        let filters = HashMap::from([("label", vec![LABEL])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let Ok(docker) = self.hands.docker() else { return };
        let Ok(all) = docker.list_containers(Some(options)).await else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for one in all.into_iter().filter(|one| one.state == Some(ContainerSummaryStateEnum::CREATED)) {
            let made = one.created.and_then(|made| u64::try_from(made).ok()).unwrap_or(now);
            if let Some(id) = one.id.filter(|_| now.saturating_sub(made) > STALE) {
                let _ = self.hands.remove(&id).await;
            }
        }
    }
}

fn body(image: &str) -> ContainerCreateBody {
    let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: texts(&["nvidia-smi"]),
        cmd: texts(&QUERY),
        // nvidia-smi comes in only where `utility` is asked for.
        env: texts(&["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"]),
        labels: Some([(LABEL.to_owned(), "gpus".to_owned())].into()),
        host_config: Some(HostConfig {
            runtime: Some("nvidia".to_owned()),
            network_mode: Some("none".to_owned()),
            auto_remove: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
