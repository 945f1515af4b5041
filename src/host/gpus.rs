//! What `nvidia-smi` tells of GPUs: while something leaves them, until it is gone; and in a container, whether it
//! still reaches those it was given. It looks and waits; it frees nothing and mends nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::after_mark;
use super::look::Look;
use super::refusal::docker_failure;
use super::wait::Tell;
use crate::survey::Failure;

/// `smi …`: NVIDIA's command wherever it is, for not too long: a driver that is broken lets it hang.
macro_rules! nvidia_smi {
    () => {
        r#"
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout 20'; fi
smi() {
  for command in nvidia-smi /usr/lib/wsl/lib/nvidia-smi; do
    if command -v "$command" >/dev/null 2>&1; then
      $limit "$command" "$@" 2>/dev/null
      return
    fi
  done
}
"#
    };
}
pub(super) use nvidia_smi;

/// How much is used of the GPUs `$1`, in MiB, and the processes there that have ended but that the driver
/// still lists. Where other users' processes cannot be seen, nobody knows which have.
const USED: &str = concat!(
    nvidia_smi!(),
    r#"
echo '#homelab'
smi -i "$1" --query-gpu=index,memory.used --format=csv,noheader,nounits
if [ -e /proc/1 ]; then
  smi -i "$1" --query-compute-apps=pid --format=csv,noheader,nounits | while IFS= read -r pid; do
    case $pid in
      '' | *[!0-9]*) ;;
      *) [ -e "/proc/$pid" ] || printf 'ended %s\n' "$pid" ;;
    esac
  done
fi
exit 0
"#
);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long it is waited for: what then still holds memory will not give it back by itself.
const LONGEST: Duration = Duration::from_secs(30);

/// How long `nvidia-smi` in a container may take to say what it finds.
const IN_CONTAINER: Duration = Duration::from_secs(5);
/// What it says there when the container may no longer open the devices
/// (<https://github.com/NVIDIA/nvidia-docker/issues/1730>).
const LOST: &str = "Failed to initialize NVML: Unknown Error";

/// Whether a container that was given GPUs has lost them. Nothing else tells: Docker's account stays the same, and a
/// server that has them open goes on until it needs something new. One that has no `nvidia-smi`, or in which that says
/// anything else, or nothing in time, counts as one that has them.
pub(super) async fn are_lost(look: &Look, id: &str) -> bool {
    let said = timeout(IN_CONTAINER, said_in(look, id)).await;
    said.is_ok_and(|said| said.is_ok_and(|said| said.contains(LOST)))
}

/// What `nvidia-smi -L` says in a container.
async fn said_in(look: &Look, id: &str) -> Result<String, Failure> {
    let refused = |e: Error| docker_failure("asking a container for its GPUs", &e);
    let ask = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec!["nvidia-smi", "-L"]),
        ..CreateExecOptions::default()
    };
    let exec = look.docker()?.create_exec(id, ask).await.map_err(refused)?.id;
    let mut said = String::new();
    if let StartExecResults::Attached { mut output, .. } =
        look.docker()?.start_exec(&exec, None).await.map_err(refused)?
    {
        while let Some(part) = output.next().await {
            said.push_str(&String::from_utf8_lossy(&part.map_err(refused)?.into_bytes()));
            // A GPU has a line; whatever talks on is something else.
            if said.len() > 64 << 10 {
                break;
            }
        }
    }
    Ok(said)
}

/// What is used of some GPUs at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
struct Used {
    /// MiB by index.
    memory: BTreeMap<u32, u64>,
    /// Whether a process that has ended is still listed.
    ended: bool,
}

/// Waits until GPUs have given back the memory of what was stopped: nothing that has ended is listed
/// there, and less is not used than a moment before. What it waited for in vain comes back in words.
///
/// # Errors
/// If the host could not be asked.
pub(super) async fn settled(look: &Look, gpus: &[u32], tell: Tell<'_>) -> Result<Option<String>, Failure> {
    let list: Vec<String> = gpus.iter().map(ToString::to_string).collect();
    let list = list.join(",");
    let end = Instant::now() + LONGEST;
    let mut last = None;
    loop {
        let output = look.link().run(USED, &[&list], &[]).await?;
        let now = parse(&String::from_utf8_lossy(after_mark(&output.stdout)));
        if last.as_ref().is_some_and(|last| is_settled(last, &now)) {
            return Ok(None);
        }
        let used: u64 = now.memory.values().sum();
        if Instant::now() >= end {
            let seconds = LONGEST.as_secs();
            return Ok(Some(format!(
                "after {seconds} s it still gives memory back ({used} MiB used): going on"
            )));
        }
        tell(&format!("{used} MiB used"), None);
        last = Some(now);
        sleep(PAUSE).await;
    }
}

/// A GPU that is no longer told of is nobody's to wait for.
fn is_settled(last: &Used, now: &Used) -> bool {
    let falls = |(gpu, used): (&u32, &u64)| last.memory.get(gpu).is_some_and(|before| used < before);
    !now.ended && !now.memory.iter().any(falls)
}

fn parse(text: &str) -> Used {
    let gpu = |line: &str| {
        let (index, used) = line.split_once(", ")?;
        Some((index.trim().parse().ok()?, used.trim().parse().ok()?))
    };
    Used {
        memory: text.lines().filter_map(gpu).collect(),
        ended: text.lines().any(|line| line.starts_with("ended ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_free_when_it_falls_no_more_and_nothing_that_ended_is_listed() {
        let (full, less) = (parse("0, 20412\n1, 412\n"), parse("0, 9000\n1, 412\n"));
        assert!(!is_settled(&full, &less));
        assert!(is_settled(&less, &less));
        // Somebody else's may grow meanwhile.
        assert!(is_settled(&less, &full));
        let ended = parse("0, 9000\n1, 412\nended 4711\n");
        assert!(!is_settled(&less, &ended));
        assert!(is_settled(&ended, &less));
        // A driver that fails now keeps nobody waiting, nor does one that tells nothing.
        let message = parse("NVIDIA-SMI has failed because it couldn't communicate\n0, [N/A]\n");
        assert_eq!(message, Used::default());
        assert!(is_settled(&full, &message));
    }
}
