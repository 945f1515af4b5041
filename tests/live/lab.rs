//! The lab: where its hosts are and how to look at them without homelab.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::process::{self, Run};

/// Every project and every stranger's thing that a test makes has a name that starts so.
pub(crate) const OURS: &str = "promise-";
const NOT_UP: &str = "the lab is not up: run `tests/lab/lab up --pull`";
/// The hosts the tests need.
pub(crate) const HOSTS: [&str; 4] = ["lab1", "lab2", "lab3", "lab4"];

pub(crate) struct Lab {
    script: String,
    facts: BTreeMap<String, String>,
    /// Its end begins with the end of this process, however that ends.
    _janitor: Child,
}

/// The lab, tidied of what an earlier run left.
pub(crate) fn lab() -> &'static Lab {
    static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
    match LAB.get_or_init(Lab::find) {
        Ok(lab) => lab,
        Err(why) => panic!("{why}"),
    }
}

/// lab4 is for what befalls a whole host: one test at a time has it.
pub(crate) fn lab4() -> Lab4 {
    static TURN: Mutex<()> = Mutex::new(());
    let whole = Lab4 { _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner) };
    // A run that was killed may have left it as it was then.
    whole.heal();
    whole
}

/// Whoever holds it may stop lab4; it is whole again afterwards.
pub(crate) struct Lab4 {
    _turn: MutexGuard<'static, ()>,
}

impl Lab4 {
    fn heal(&self) {
        for command in ["start", "mend", "docker-start"] {
            lab().script(&[command, "lab4"]);
        }
    }

    pub(crate) fn lab(&self, command: &str) {
        let ran = lab().script(&[command, "lab4"]);
        assert_eq!(ran.code, Some(0), "lab {command} lab4: {}", ran.stderr);
    }
}

impl Drop for Lab4 {
    fn drop(&mut self) {
        self.heal();
    }
}

impl Lab {
    fn find() -> Result<Self, String> {
        let script = std::env::var("HOMELAB_LAB")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab").to_owned());
        let said = process::run(Command::new(&script).arg("env"));
        if said.code != Some(0) {
            return Err(format!("{NOT_UP} ({})", said.stderr.trim()));
        }
        let pairs = said.stdout.lines().filter_map(|line| line.split_once('='));
        let facts: BTreeMap<String, String> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        if let Some(host) = HOSTS.iter().find(|h| !facts.contains_key(&format!("LAB_ADDRESS_{h}"))) {
            return Err(format!("{NOT_UP} (it has no {host})"));
        }
        let janitor = janitor(&facts)?;
        Ok(Self { script, facts, _janitor: janitor })
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        &self.facts[name]
    }

    pub(crate) fn address(&self, host: &str) -> &str {
        self.fact(&format!("LAB_ADDRESS_{host}"))
    }

    /// One of the lab's own commands.
    pub(crate) fn script(&self, args: &[&str]) -> Run {
        process::run(Command::new(&self.script).args(args))
    }

    /// A host loses power and boots again.
    pub(crate) fn restart(&self, host: &str) {
        for command in ["stop", "start"] {
            let ran = self.script(&[command, host]);
            assert_eq!(ran.code, Some(0), "lab {command} {host}: {}{}", ran.stdout, ran.stderr);
        }
    }

    /// What a command on a host prints; it must succeed.
    pub(crate) fn ssh(&self, host: &str, command: &str) -> String {
        let ran = self.try_ssh(host, command);
        assert_eq!(ran.code, Some(0), "{host}: {command}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    pub(crate) fn try_ssh(&self, host: &str, command: &str) -> Run {
        process::run(&mut self.ssh_command("lab", host, command))
    }

    /// The same as root, who sees every process and file.
    pub(crate) fn root(&self, host: &str, command: &str) -> String {
        let ran = process::run(&mut self.ssh_command("root", host, command));
        assert_eq!(ran.code, Some(0), "{host}: {command}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Connections are kept for the next command, but not to hosts that come and go.
    pub(crate) fn ssh_command(&self, user: &str, host: &str, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        let (state, known) = (self.fact("LAB_STATE"), self.fact("LAB_KNOWN_HOSTS"));
        ssh.args(["-F", "none", "-i", self.fact("LAB_KEY"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"])
            .args(["-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=yes"])
            .arg(format!("-oUserKnownHostsFile={known}"));
        if host != "lab4" && !host.starts_with("bare") {
            ssh.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=20"])
                .arg(format!("-oControlPath={state}/promises-%r-%h"));
        }
        ssh.arg(format!("{user}@{}", self.address(host))).arg(command);
        ssh
    }
}

/// Keeps a second run of these tests waiting, and sweeps the hosts before the tests and after them:
/// it knows that this process has ended when nothing more can come from it.
const JANITOR: &str = r#"
key=$1 known=$2; shift 2
sweep() {
  for address; do
    ssh -F none -i "$key" -o BatchMode=yes -o ConnectTimeout=5 -o LogLevel=ERROR -o UserKnownHostsFile="$known" \
      "lab@$address" 'docker ps -aq --filter name=promise- | xargs -r docker rm -fv
        docker network ls -q --filter name=promise- | xargs -r docker network rm
        rm -rf ~/homelab/promise-* ~/promise-* /tmp/promise-* /tmp/homelab-promise-*; rmdir ~/homelab 2>/dev/null; echo swept' </dev/null &
  done | grep -c '^swept$'
}
[ "$(sweep "$@")" = $# ] && echo ready || echo unreachable
read -r end
sweep "$@" >/dev/null
"#;

fn janitor(facts: &BTreeMap<String, String>) -> Result<Child, String> {
    let lock = format!("{}/promises.lock", facts["LAB_STATE"]);
    let addresses = HOSTS.map(|host| &facts[&format!("LAB_ADDRESS_{host}")]);
    // In a session of its own: a Ctrl-C in the terminal is not for it.
    let mut child = Command::new("setsid")
        .args(["flock", &lock, "sh", "-c", JANITOR, "janitor", &facts["LAB_KEY"], &facts["LAB_KNOWN_HOSTS"]])
        .args(addresses)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("setsid and flock (util-linux): {e}"))?;
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    if said == "ready\n" { Ok(child) } else { Err(format!("{NOT_UP} (not every host answers)")) }
}

/// Looks until something is there.
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
