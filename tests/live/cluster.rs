//! A cluster of a test's own on the lab's hosts: an inventory, homelab run on it, and what it did.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{OURS, lab};
use crate::process::{Going, Run, run};
use crate::web::{self, Answer};

/// Ports below those that the system gives to clients.
static NEXT_PORT: AtomicU16 = AtomicU16::new(21_000);

pub(crate) struct Cluster {
    pub(crate) project: String,
    /// `all.vars` and `all.hosts` of the inventory. Change them as a user would edit the file.
    pub(crate) vars: Value,
    pub(crate) hosts: Value,
    dir: TempDir,
    base: u16,
    env: Vec<(String, String)>,
    said: Mutex<String>,
    since: Instant,
}

/// A container: its id, when it was started, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) started: String,
    pub(crate) state: String,
}

impl Cluster {
    /// A cluster with nothing in it yet but a gateway on lab3.
    pub(crate) fn new(name: &str) -> Self {
        let lab = lab();
        let project = format!("{OURS}{name}");
        let vars = json!({
            "homelab_project": project,
            "ansible_user": "lab",
            "ansible_ssh_private_key_file": lab.fact("LAB_KEY"),
            "ansible_ssh_common_args": format!("-o UserKnownHostsFile={}", lab.fact("LAB_KNOWN_HOSTS")),
        });
        let mut cluster = Self {
            project,
            vars,
            hosts: json!({}),
            dir: tempfile::tempdir().unwrap(),
            base: NEXT_PORT.fetch_add(10, Ordering::Relaxed),
            env: vec![],
            said: Mutex::default(),
            since: Instant::now(),
        };
        cluster.host("lab3");
        cluster.hosts["lab3"]["gateway"] =
            json!({"engine": "litellm", "image": lab.fact("LAB_IMAGE_LITELLM"), "port": cluster.port(0)});
        cluster
    }

    /// One of the ports that are this cluster's alone; 0 is the gateway's.
    pub(crate) fn port(&self, n: u16) -> u16 {
        self.base + n
    }

    pub(crate) fn host(&mut self, host: &str) {
        if self.hosts.get(host).is_none() {
            self.hosts[host] = json!({"ansible_host": lab().address(host)});
        }
    }

    /// Puts a small model on a host.
    pub(crate) fn model(&mut self, host: &str, name: &str, port: u16) {
        self.host(host);
        self.hosts[host]["models"][name] = json!({
            "engine": "llama_cpp",
            "image": lab().fact("LAB_IMAGE_LLAMA"),
            "model": lab().fact("LAB_MODEL"),
            "port": self.port(port),
            "gpu": "none",
            "ctx_size": 512,
            "parallel": 1,
            "threads": 1,
            // Half of what a start computes.
            "warmup": false,
            "fit": "off",
            "volumes": [format!("{}:/models:ro", lab().fact("LAB_MODELS_DIR"))],
        });
    }

    /// Makes a model's server take its time before it starts.
    pub(crate) fn slow(&mut self, host: &str, name: &str, seconds: u32) {
        let start = format!("trap 'exit 143' TERM; sleep {seconds} & wait; exec /app/llama-server \"$@\"");
        self.hosts[host]["models"][name]["entrypoint"] = json!(["/bin/sh", "-c", start, "llama-server"]);
    }

    /// Gives a model a server that logs and dies while it loads.
    pub(crate) fn broken(&mut self, host: &str, name: &str) {
        self.hosts[host]["models"][name]["image"] = json!(lab().fact("LAB_IMAGE_LLAMA_BROKEN"));
        self.hosts[host]["models"][name]["entrypoint"] = json!(["/app/entry"]);
    }

    /// A variable that homelab sees.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// A file beside the inventory.
    pub(crate) fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let inventory = json!({"all": {"vars": self.vars, "hosts": self.hosts}});
        self.file("inventory.yml", &serde_yaml::to_string(&inventory).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab"));
        command.args(args).current_dir(&self.dir).env_remove("HOMELAB_INVENTORY");
        // Only tests with a hub of their own ask one.
        command.env("HF_HUB_OFFLINE", "1");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs homelab to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let run = run(&mut self.command(args));
        self.heard(args, &run);
        run
    }

    /// Runs homelab on a terminal  of its own, where somebody answers one question.
    pub(crate) fn typing(&self, args: &[&str], question: &str, answer: &str) -> Run {
        let typist = format!(
            "import os, pty, sys\npid, tty = pty.fork()\nif pid == 0: os.execv(sys.argv[1], sys.argv[1:])\nsaid, done = b'', \
             False\nwhile True:\n  try: more = os.read(tty, 4096)\n  except OSError: break\n  if not more: break\n  said += \
             more\n  if not done and {question:?}.encode() in said:\n    os.write(tty, {answer:?}.encode() + b'\\r'); done = \
             True\nprint(said.decode(errors='replace'))\nsys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
        );
        let homelab = self.command(args);
        let mut python = Command::new("python3");
        python
            .args(["-c", &typist])
            .arg(homelab.get_program())
            .args(homelab.get_args())
            .current_dir(&self.dir);
        python.envs(homelab.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let run = run(&mut python);
        self.heard(args, &run);
        run
    }

    /// Starts homelab; give what came of it to [`Self::heard`].
    pub(crate) fn begin(&self, args: &[&str]) -> Going {
        Going::start(&mut self.command(args))
    }

    /// Keeps what a run said; the harness shows it where the test fails.
    pub(crate) fn heard(&self, args: &[&str], run: &Run) {
        let all = format!("$ homelab {}\n{}{}→ {:?}\n", args.join(" "), run.stdout, run.stderr, run.code);
        eprintln!("{all}");
        self.said.lock().unwrap().push_str(&all);
    }

    /// What was said before is another test's.
    pub(crate) fn forget(&self) {
        self.said.lock().unwrap().clear();
    }

    /// Removes the files beside the inventory.
    pub(crate) fn remove_files(&self) {
        for entry in std::fs::read_dir(&self.dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
    }

    /// Everything homelab has said so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn deploy(&self) -> Run {
        self.run(&["deploy", "--yes"]).exits(0)
    }

    /// This project's containers on all its hosts, by host and name.
    pub(crate) fn containers(&self) -> BTreeMap<String, Seen> {
        let format = "{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}";
        let look = format!(
            "docker ps -aq --filter name=^{}- | xargs -r docker inspect --format '{format}'",
            self.project
        );
        let mut all = BTreeMap::new();
        for host in self.hosts.as_object().unwrap().keys() {
            for line in lab().ssh(host, &look).lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let [name, id, started, state] = words[..] else { panic!("{line}") };
                let name = name.trim_start_matches('/').trim_start_matches(&self.project);
                let seen = Seen { id: id.into(), started: started.into(), state: state.into() };
                all.insert(format!("{host}{name}"), seen);
            }
        }
        all
    }

    /// A container's name on its host.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }

    /// Where clients reach the gateway.
    pub(crate) fn gateway(&self) -> String {
        format!("{}:{}", lab().address("lab3"), self.port(0))
    }

    /// Where a model's own server is reached.
    pub(crate) fn backend(&self, host: &str, port: u16) -> String {
        format!("{}:{}", lab().address(host), self.port(port))
    }

    /// The value of a variable in a service's env file on its host.
    pub(crate) fn secret(&self, host: &str, service: &str, variable: &str) -> String {
        let file = format!("~/homelab/{}/env/{service}-*.env", self.project);
        let text = lab().ssh(host, &format!("cat {file}"));
        let value = text.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == variable);
        value.unwrap_or_else(|| panic!("{variable} is not in {file}")).1.to_owned()
    }

    /// The key that clients show, found where a user finds it.
    pub(crate) fn master_key(&self) -> String {
        self.secret("lab3", "litellm", "LITELLM_MASTER_KEY")
    }

    /// One chat request through the gateway.
    pub(crate) fn ask(&self, model: &str) -> Answer {
        web::chat(&self.gateway(), &self.master_key(), model)
    }

    #[track_caller]
    pub(crate) fn answers(&self, model: &str) {
        let answer = self.ask(model);
        assert!(answer.is_chat(), "{model}: {answer:?}");
    }

    /// Whether the project's directory is on a host, and the files in it.
    pub(crate) fn remote_files(&self, host: &str) -> Vec<String> {
        let look = format!("cd ~/homelab/{} 2>/dev/null && find . -type f | sort; true", self.project);
        lab().ssh(host, &look).lines().map(str::to_owned).collect()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = self.run(&["down", "--yes"]);
        if !std::thread::panicking() {
            assert_eq!(down.code, Some(0), "down: {}{}", down.stdout, down.stderr);
            assert_eq!(self.containers().into_keys().collect::<Vec<_>>(), Vec::<String>::new());
        }
        eprintln!("{} took {:.1} s", self.project, self.since.elapsed().as_secs_f64());
    }
}
