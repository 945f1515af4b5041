//! What `homelab doctor` finds out about a host: the login, the machine, its Docker.
//! It only reads; what it means is decided in `doctor`, and the one container is [`super::Trial`]'s.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::SystemInfo;
use bollard::query_parameters::ListContainersOptionsBuilder;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::{Instant, timeout};

use super::link::{Ends, Link};
use super::look::Look;
use super::refusal::docker_failure;
use super::survey::{Ask, again};
use super::{after_mark, containers, hinted, last_lines};
use crate::diagnostic::clean;
use crate::doctor::{Engine, Evidence, Inside, Login, Machine, Reach, SESSIONS, read_machine};
use crate::survey::{self, Failure, Seen, Unreached};

const STEP: &str = "reading the host's facts";
/// Where Docker keeps its data unless somebody moved it.
const DOCKER_DATA: &str = "/var/lib/docker";
/// For all that one script asks: nvidia-smi alone may take 20 s, three times.
const PATIENCE: Duration = Duration::from_secs(90);
/// For one session to say that it is there.
const SESSION: Duration = Duration::from_secs(10);

/// For a port that is reached to answer.
const REACH: Duration = Duration::from_secs(5);

/// One of several sessions at once. It ends with its input.
const HELLO: &str = "echo '#homelab'; date +%s; cat >/dev/null";

/// `$1`, `$2` … are directories. Every line begins with what it is about: what a program says cannot pass for
/// another's words. `ss` tells the process behind a port only of one's own.
const MACHINE: &str = r#"
echo '#homelab'
cd / || exit 1
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout 20'; fi
has() { command -v "$1" >/dev/null 2>&1; }
of() { while IFS= read -r line; do printf '%s %s\n' "$1" "$line"; done; }
printf 'user %s\n' "$(id -un)"
printf 'shell %s\n' "$SHELL"
for tool in flock timeout; do has $tool || has perl || echo "lacks $tool"; done
for tool in head date find stat; do has $tool || echo "lacks $tool"; done
has sha256sum || has shasum || echo 'lacks sha256sum'
at=0
for dir do
  case $dir in
    "~") dir=$HOME ;;
    "~/"*) dir=$HOME/${dir#??} ;;
  esac
  while [ -n "$dir" ] && [ ! -e "$dir" ]; do dir=${dir%/*}; done
  printf 'disk %s %s\n' $at "$($limit df -Pk "${dir:-/}" 2>/dev/null | tail -n 1)"
  at=$((at + 1))
done
if [ -x /bin/launchctl ]; then
  echo "memory MemTotal: $(($(sysctl -n hw.memsize) / 1024)) kB"
  vm_stat | awk '
    /page size of/ { size = $8 }
    /^Pages (free|inactive|speculative|purgeable):/ { pages += $NF }
    END { printf "memory MemAvailable: %d kB\n", pages * size / 1024 }'
  sysctl -n vm.swapusage | awk '{ printf "memory SwapTotal: %d kB\n", $3 * 1024 }'
else of memory 2>/dev/null </proc/meminfo
fi
ss -ltnpeH 2>/dev/null | of listens
grep -s '^ENABLED=' /etc/ufw/ufw.conf | of ufw
for card in /sys/bus/pci/devices/*; do
  if [ -r "$card/class" ] && IFS= read -r class <"$card/class" && IFS= read -r vendor <"$card/vendor"; then
    case $class in 0x03*) echo "card $vendor" ;; esac
  fi
done
for device in /dev/kfd /dev/dri/renderD*; do
  if [ -e "$device" ]; then echo "device $device $(stat -c '%G %g' "$device" 2>/dev/null)"; fi
done
if [ -r /proc/driver/nvidia/version ]; then head -n 1 /proc/driver/nvidia/version | of module; fi
if has nvidia-ctk; then nvidia-ctk --version 2>/dev/null | head -n 1 | of toolkit; fi
for smi in nvidia-smi /usr/lib/wsl/lib/nvidia-smi; do
  has "$smi" || continue
  said=$($limit "$smi" --query-gpu=driver_version,index,name,memory.total,memory.used --format=csv,noheader,nounits 2>&1)
  code=$?
  echo "smi $code"
  printf '%s\n' "$said" | of gpu
  [ $code = 0 ] || break
  $limit "$smi" --query-gpu=persistence_mode --format=csv,noheader 2>/dev/null | of persistence
  $limit "$smi" --query-compute-apps=pid,process_name,used_memory --format=csv,noheader,nounits 2>/dev/null |
    while IFS=, read -r pid rest; do
      case $pid in '' | *[!0-9]*) continue ;; esac
      user=$(stat -c %U "/proc/$pid" 2>/dev/null)
      inside=$(grep -o '[0-9a-f]\{64\}' "/proc/$pid/cgroup" 2>/dev/null | sort -u | tr '\n' ' ')
      printf 'app %s %s\nof %s %s %s\n' "$pid" "$rest" "$pid" "${user:--}" "$inside"
    done
  break
done
echo end
"#;

/// A host that was reached.
pub struct Diagnosed {
    /// What was found out.
    pub evidence: Evidence,
    /// The host, for what follows, and what is there; none if its Docker does not answer.
    pub docker: Option<(Look, Seen)>,
}

/// Finds out what it can about one host: a part that fails keeps nobody from the others. `models` is where
/// models lie, if any are wanted there.
///
/// # Errors
/// Why it cannot be reached.
pub async fn diagnose(ask: &Ask, models: Option<&str>) -> Result<Diagnosed, Unreached> {
    let began = Instant::now();
    let link = Link::reach(&ask.connection).await?;
    let took = began.elapsed();
    let login = match ask.connection.local {
        true => None,
        false => Some(sessions(&link, took).await),
    };
    let mut machine = machine(&link, DOCKER_DATA, models).await;
    let (docker, kept) = match link.docker().await {
        Err(why) => {
            link.close().await;
            (Err(why), None)
        }
        Ok(docker) => {
            let look = Look::new(link, docker);
            match engine(&look, ask).await {
                Ok((engine, seen)) => {
                    if engine.root_dir != DOCKER_DATA {
                        machine = self::machine(look.link(), &engine.root_dir, models).await;
                    }
                    (Ok(engine), Some((look, seen)))
                }
                Err(why) => {
                    look.close().await;
                    (Err(why), None)
                }
            }
        }
    };
    let evidence = Evidence { login, machine, docker, inside: Inside::NotTried, reach: vec![] };
    Ok(Diagnosed { evidence, docker: kept })
}

/// Asks sshd for as many sessions at once as homelab may want; the first that answers tells the time, too.
async fn sessions(link: &Link, took: Duration) -> Login {
    let fresh = link.counts().logins > 0;
    // One by one: each is kept open until all were tried.
    let mut open = vec![];
    let mut clock = None;
    for _ in 0..SESSIONS {
        let Ok(Ok((ends, ahead))) = timeout(SESSION, session(link)).await else { break };
        clock = clock.or(ahead);
        open.push(ends);
    }
    let sessions = u32::try_from(open.len()).unwrap_or(u32::MAX);
    for mut ends in open {
        // Until the host has seen its end, it counts.
        let ended = async {
            let _ = ends.input.shutdown().await;
            drop(ends.input);
            let _ = ends.output.read_to_end(&mut vec![]).await;
        };
        let _ = timeout(SESSION, ended).await;
    }
    Login { took, fresh, sessions, clock }
}

/// One session that has said something, and how many seconds its clock is ahead of ours.
async fn session(link: &Link) -> Result<(Ends, Option<i64>), Failure> {
    let sent = now();
    let mut ends = link.attend_shared(HELLO, &[]).await?;
    let mut lines = BufReader::new(&mut ends.output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(there) = line.trim().parse::<i64>() {
            let here = (sent + now()) / 2;
            drop(lines);
            return Ok((ends, Some(there - here)));
        }
    }
    Err(hinted(STEP, "the session ended at once", "see ssh -v"))
}

/// This machine's clock, in seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(super) async fn machine(link: &Link, docker: &str, models: Option<&str>) -> Result<Machine, Failure> {
    let dirs: Vec<&str> = [docker].into_iter().chain(models).collect();
    let ran = timeout(PATIENCE, link.run(MACHINE, &dirs, &[])).await;
    let slow =
        || hinted(STEP, "the host did not answer in time", "does df hang there? a network disk may be gone");
    let output = ran.map_err(|_| slow())?.map_err(|f| Failure { step: STEP.into(), ..f })?;
    let said = String::from_utf8_lossy(after_mark(&output.stdout)).into_owned();
    read_machine(&said, &dirs).ok_or_else(|| Failure {
        lines: last_lines(&String::from_utf8_lossy(&output.stderr), 5),
        ..hinted(
            STEP,
            "the host's shell did not answer as a POSIX shell does",
            "the SSH user needs a login shell that runs commands (chsh -s /bin/sh)",
        )
    })
}

/// What Docker tells of itself and of what is there.
async fn engine(look: &Look, ask: &Ask) -> Result<(Engine, Seen), Failure> {
    let every = ListContainersOptionsBuilder::new().all(true).build();
    let docker = look.docker()?;
    let (info, all, seen) =
        tokio::join!(docker.info(), docker.list_containers(Some(every)), again(look, ask));
    let failed = |e| docker_failure("asking Docker what is there", &e);
    let (info, all) = (info.map_err(failed)?, all.map_err(failed)?);
    let seen = match seen {
        survey::Look::Seen(seen) => *seen,
        survey::Look::Failed(why) | survey::Look::Away(why) => return Err(why),
        survey::Look::NotAsked => Seen::default(),
    };
    let containers = all.iter().filter_map(|one| containers::named(&ask.project, one)).collect();
    Ok((Engine { containers, taken: seen.taken.clone(), images: seen.images.clone(), ..told(info) }, seen))
}

fn told(info: SystemInfo) -> Engine {
    let text = |text: Option<String>| clean(&text.unwrap_or_default());
    let devices = info.discovered_devices.unwrap_or_default().into_iter().filter_map(|device| device.id);
    let cdi: BTreeSet<String> = devices.filter(|id| id.starts_with("nvidia.com/")).collect();
    Engine {
        version: text(info.server_version),
        storage: text(info.driver),
        cgroup: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
        root_dir: text(info.docker_root_dir),
        rootless: info.security_options.unwrap_or_default().iter().any(|option| option == "name=rootless"),
        runtimes: info.runtimes.unwrap_or_default().into_keys().collect(),
        cdi,
        ..Engine::default()
    }
}

/// Asks a model's port from a host that wants to reach it.
pub async fn reached(from: &Look, what: String, address: &str, port: u16) -> Reach {
    let answer = from.get((address, port), "/", None, REACH).await;
    Reach { what, address: address.to_owned(), port, answer: answer.map(drop).map_err(|why| why.to_string()) }
}
