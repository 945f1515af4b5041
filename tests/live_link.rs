//! The link and the survey on the lab's real hosts: `tests/lab/lab up` makes them.
//! Whoever runs these without the lab is told so; nothing is skipped.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as its tests do")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use homelab::connection::Connection;
use homelab::host::{
    Ask, Hands, Link, Look, Placed, container_body, default_network, network_labels, survey,
};
use homelab::names::{HostName, Port, ProjectName, Secret, ServiceName};
use homelab::service::Service;
use homelab::survey::{Failure, Health, Look as Looked, Seen, State};

/// Ends a script and tells its stdout; a script that fails is the test's failure.
fn lab(args: &[&str]) -> String {
    let script = match std::env::var_os("HOMELAB_LAB") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"),
    };
    let output = Command::new(&script).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("{}: {e}", script.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the lab is needed: run {} up ({args:?}: {said})", script.display());
    String::from_utf8(output.stdout).unwrap()
}

fn facts() -> BTreeMap<String, String> {
    let pairs = lab(&["env"]);
    pairs.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// A connection of its own: no other test and no other program finds its master again.
fn to(host: &str) -> Connection {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let facts = facts();
    let fact =
        |key: &str| facts.get(key).unwrap_or_else(|| panic!("the lab has no {key}: run lab up")).clone();
    let mark = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    Connection {
        address: fact(&format!("LAB_ADDRESS_{host}")),
        user: Some("lab".into()),
        identity: Some(fact("LAB_KEY").into()),
        ssh_options: vec![
            ("UserKnownHostsFile".into(), fact("LAB_KNOWN_HOSTS")),
            ("SetEnv".into(), format!("HOMELAB_TEST={now}-{mark}")),
        ],
        ..Connection::new(HostName::new(host).unwrap())
    }
}

fn known_hosts(connection: &mut Connection, file: &Path) {
    connection.ssh_options[0].1 = file.display().to_string();
}

async fn refused(connection: &Connection) -> Failure {
    Look::open(connection).await.err().unwrap()
}

#[tokio::test]
async fn a_second_run_logs_in_no_more_and_a_changed_key_file_does() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    let mut connection = to("lab1");
    std::fs::copy(connection.identity.as_ref().unwrap(), &key).unwrap();
    connection.identity = Some(key.clone());
    for expected in [1, 0, 0] {
        let link = Link::open(&connection).await.unwrap();
        link.docker().await.unwrap().ping().await.unwrap();
        let output =
            link.run(r#"cat; printf %s "$1"; exit 3"#, &["it's $HOME; \"x\""], b"in\0").await.unwrap();
        assert_eq!((output.code, output.stdout.as_slice()), (Some(3), &b"in\0it's $HOME; \"x\""[..]));
        assert_eq!((link.counts().logins, link.counts().processes), (expected, 1));
        link.close().await;
    }
    // Another key in the same file, one that the host does not know: the old master would work.
    std::fs::remove_file(&key).unwrap();
    keygen(&key);
    let failure = refused(&connection).await;
    assert_eq!(failure.what, format!("{} accepts no key of yours for lab", connection.address));
    assert_eq!(
        failure.hint.unwrap(),
        format!(
            "check ansible_user, or put {} there: ssh-copy-id -i {0} lab@{}; a key with a passphrase must be in \
             the agent (ssh-add)",
            key.display(),
            connection.address
        )
    );
    assert!(failure.lines.iter().any(|l| l.contains("Permission denied (publickey")), "{:?}", failure.lines);
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn two_runs_at_the_same_moment_do_not_hinder_each_other() {
    let connection = to("lab2");
    let run = || async {
        let link = Link::open(&connection).await.unwrap();
        let output = link.run("echo here", &[], &[]).await.unwrap();
        link.docker().await.unwrap().ping().await.unwrap();
        link.close().await;
        output.stdout
    };
    let (one, two) = tokio::join!(run(), run());
    assert_eq!((one.as_slice(), two.as_slice()), (&b"here\n"[..], &b"here\n"[..]));
    assert_eq!(Link::open(&connection).await.unwrap().counts().logins, 0);
}

#[tokio::test]
async fn a_host_key_that_is_not_known_or_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known_hosts");
    std::fs::write(&file, "").unwrap();
    let mut connection = to("lab1");
    known_hosts(&mut connection, &file);
    let address = connection.address.clone();
    let failure = refused(&connection).await;
    assert_eq!(failure.what, format!("the host key of {address} is not known here"));
    assert_eq!(
        failure.hint.unwrap(),
        format!(
            "connect once by hand and compare it: ssh lab@{address}; or set homelab_host_key_checking: \
             accept-new to take the key of a host that was never seen"
        )
    );

    connection.accept_new = true;
    let link = Link::open(&connection).await.unwrap();
    assert_eq!(link.address(), Some(address.as_str()));
    // Names may be hashed there; ssh-keygen finds them all the same.
    let found = Command::new("ssh-keygen").arg("-f").arg(&file).args(["-F", &address]).output().unwrap();
    assert!(found.status.success(), "the key was not kept");

    keygen(&dir.path().join("other"));
    let other = std::fs::read_to_string(dir.path().join("other.pub")).unwrap();
    std::fs::write(&file, format!("{address} {other}")).unwrap();
    let mut connection = Connection { accept_new: true, ..to("lab1") };
    known_hosts(&mut connection, &file);
    let failure = refused(&connection).await;
    assert_eq!(failure.what, format!("the host key of {address} is not the one it had before"));
    assert_eq!(
        failure.hint.unwrap(),
        format!(
            "if the machine was installed anew, forget the old key: ssh-keygen -f {} -R '{address}'; if not, \
             somebody may be in between",
            file.display()
        )
    );
}

#[tokio::test]
async fn a_login_that_cannot_be_says_which_part_of_it() {
    let user = Connection { user: Some("nobody-here".into()), ..to("lab1") };
    assert_eq!(
        refused(&user).await.what,
        format!("{} accepts no key of yours for nobody-here", user.address)
    );

    let port = Connection { port: Some(Port::new(2).unwrap()), ..to("lab1") };
    let failure = refused(&port).await;
    assert_eq!(failure.what, format!("{} refuses connections on port 2", port.address));
    assert_eq!(
        failure.hint.unwrap(),
        "check ansible_port, and that sshd runs on the host (systemctl status ssh)"
    );

    let mut option = to("lab1");
    option.ssh_options.push(("ProxyJmp".into(), "bastion".into()));
    let failure = refused(&option).await;
    assert_eq!(failure.what, "ssh cannot read its configuration");
    assert!(failure.lines[0].contains("Bad configuration option: proxyjmp"), "{:?}", failure.lines);
    assert!(failure.lines[0].starts_with("the inventory: line"), "{:?}", failure.lines);

    let key = Connection { identity: Some("/nowhere/key".into()), ..to("lab1") };
    assert_eq!(refused(&key).await.what, "the key file /nowhere/key does not exist");
}

#[tokio::test]
async fn an_address_of_the_lab_where_nobody_is_does_not_answer() {
    // The last address of the lab's own network; it never has a host.
    let subnet = facts()["LAB_SUBNET"].clone();
    let address = format!("{}.254", subnet.rsplit_once('.').unwrap().0);
    let nobody = Connection { address: address.clone(), ..to("lab1") };
    let failure = refused(&nobody).await;
    assert_eq!(failure.what, format!("{address} does not answer on port 22 (or what ~/.ssh/config says)"));
    assert_eq!(
        failure.hint.unwrap(),
        "is it switched on and in this network? check ansible_host and the firewall"
    );
}

#[tokio::test]
async fn a_user_outside_the_docker_group_is_told_and_the_next_run_logs_in_anew() {
    let guest = Connection { user: Some("guest".into()), ..to("lab3") };
    for _ in 0..2 {
        let link = Link::open(&guest).await.unwrap();
        assert_eq!(link.counts().logins, 1);
        let failure = link.docker().await.unwrap_err();
        assert_eq!(failure.step, "asking Docker");
        assert_eq!(failure.what, "guest may not use Docker: /var/run/docker.sock is closed to them");
        assert_eq!(
            failure.hint.unwrap(),
            "on the host: sudo usermod -aG docker guest; homelab has closed its ssh connection, so the next run \
             sees the new group"
        );
    }
}

#[tokio::test]
async fn a_docker_that_is_stopped_killed_or_elsewhere_is_told() {
    struct Restart;
    impl Drop for Restart {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                lab(&["docker-start", "lab4"]);
            }
        }
    }
    let _restart = Restart;
    let connection = to("lab4");
    lab(&["docker-stop", "lab4"]);
    let failure = refused(&connection).await;
    assert_eq!(failure.what, "Docker does not run: there is no /var/run/docker.sock");
    assert_eq!(failure.hint.unwrap(), "start it on the host: sudo systemctl enable --now docker");
    lab(&["docker-start", "lab4"]);
    lab(&["docker-stop", "--kill", "lab4"]);
    let failure = refused(&connection).await;
    assert_eq!(failure.what, "Docker does not run: /var/run/docker.sock is there, but nobody answers");
}

/// A project of this file's own on a host, gone again when the test ends.
struct Project {
    hands: Option<Hands>,
    ask: Ask,
    dir: String,
    image: String,
}

impl Project {
    async fn on(host: &str, name: &str) -> Self {
        lab(&["ssh", host, &clear(name)]);
        let project = ProjectName::new(name).unwrap();
        let ask = Ask { connection: to(host), project, dir: format!("~/homelab/{name}") };
        let (looked, look) = homelab::host::look(&ask).await;
        assert!(matches!(looked, Looked::Seen(_)), "{looked:?}");
        let image = facts()["LAB_IMAGE_PAUSE"].clone();
        let dir = format!("/home/lab/homelab/{name}");
        Self { hands: look.map(Look::into_hands), ask, dir, image }
    }

    fn hands(&self) -> &Hands {
        self.hands.as_ref().unwrap()
    }

    async fn seen(&self) -> Seen {
        match homelab::host::again(self.hands(), &self.ask).await {
            Looked::Seen(seen) => *seen,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&self, name: &str, service: &Service) -> (String, String) {
        let service_name = ServiceName::new(name).unwrap();
        let placed = Placed { project: &self.ask.project, name: &service_name, service, dir: &self.dir };
        let secrets = [("TOKEN".to_owned(), Secret::new("sk-secret".into()))];
        let body = container_body(&placed, &secrets).unwrap();
        let id = self.hands().create(&placed.container_name(), body).await.unwrap();
        self.hands().start(&id).await.unwrap();
        (placed.container_name(), id)
    }

    fn service(&self, script: &str, port: u16) -> Service {
        Service {
            image: self.image.clone(),
            entrypoint: Some(vec!["busybox".into(), "sh".into(), "-c".into()]),
            command: Some(vec![script.into()]),
            environment: [("GREETING".to_owned(), "hello $HOME".to_owned())].into(),
            ports: vec![format!("0.0.0.0:{port}:80")],
            volumes: vec!["./page.txt:/page.txt:ro".into()],
            ipc: Some("host".into()),
            mem_limit: Some("64m".parse().unwrap()),
            restart: Some("on-failure:3".into()),
            networks: vec!["default".into(), "bridge".into()],
            labels: [("dev.homelab.health".to_owned(), "/health".to_owned())].into(),
            ..Service::default()
        }
    }
}

fn clear(name: &str) -> String {
    format!(
        "docker ps -aq --filter label=com.docker.compose.project={name} | xargs -r docker rm -f >/dev/null; \
         docker network rm {name}_default >/dev/null 2>&1; rm -rf ~/homelab/{name}"
    )
}

impl Drop for Project {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if std::thread::panicking() {
            return;
        }
        lab(&["ssh", self.ask.connection.name.as_str(), &clear(self.ask.project.as_str())]);
    }
}

#[tokio::test]
async fn containers_made_for_a_service_are_seen_without_drift_and_with_their_health() {
    let project = Project::on("lab2", "linkhealth").await;
    let hands = project.hands();
    let network = default_network(&project.ask.project);
    let labels = network_labels(&project.ask.project);
    for _ in 0..2 {
        hands.ensure_network(&network, &labels).await.unwrap();
    }
    hands.write_file(&format!("{}/page.txt", project.dir), b"hi", 0o644).await.unwrap();
    let serve = "echo one; echo two >&2; echo ok >/tmp/health; exec httpd -f -p 80 -h /tmp";
    let ready = Service { networks: vec![], ..project.service(serve, 18471) };
    let ready = project.run("ready", &ready).await;
    let lost = project.run("lost", &project.service("exec httpd -f -p 80 -h /bin", 18472)).await;
    let closed = project.run("closed", &project.service("exec sleep 1000", 18473)).await;
    let hung = project.run("hung", &project.service("exec nc -ll -p 80 -e sleep 1000", 18474)).await;
    let ended = project.run("ended", &Service { restart: None, ..project.service("exit 4", 18475) }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;

    let seen = project.seen().await;
    for container in seen.containers.values() {
        assert_eq!(container.drift, Vec::<String>::new());
        assert!(container.service.is_ok());
    }
    let health = |name: &(String, String)| seen.containers[&name.0].health.clone();
    assert_eq!(health(&ready), Health::Ready);
    assert!(
        matches!(health(&lost), Health::NotReady(said) if said.starts_with("/health answers 404: <HTML>"))
    );
    assert_eq!(health(&closed), Health::NotReady("it does not take connections yet".into()));
    assert_eq!(health(&hung), Health::Hung("/health takes connections, but gave no answer in 3 s".into()));
    assert_eq!(seen.containers[&ended.0].state, State::Exited { code: 4, oom: false });
    assert_eq!((seen.networks[&network], seen.networks["bridge"]), (true, false));
    assert!(!seen.taken.contains_key(&18471), "our own port is not taken by somebody else");
    assert_eq!(seen.taken[&22], "a process");

    assert_eq!(hands.logs(&ready.1, 10).await.unwrap(), ["one", "two"]);
    assert_eq!(hands.inspect(&ready.1).await.unwrap().state, State::Running);
    lab(&[
        "ssh",
        "lab2",
        "docker update --restart always --memory 128m --memory-swap 256m linkhealth-ready-1",
    ]);
    assert_eq!(
        project.seen().await.containers[&ready.0].drift,
        [
            "mem_limit: label says 67108864, Docker says 134217728",
            "restart: label says on-failure:3, Docker says always"
        ]
    );

    hands.rename(&ready.1, "linkhealth-ready-1.previous").await.unwrap();
    hands.stop(&ready.1, Duration::from_secs(0)).await.unwrap();
    assert!(matches!(hands.inspect(&ready.1).await.unwrap().state, State::Exited { .. }));
    hands.remove(&ready.1).await.unwrap();
    let gone = hands.start(&ready.1).await.unwrap_err();
    assert_eq!(gone.what, "changed under us");
    assert_eq!(gone.step, format!("starting container {}", ready.1));
}

#[tokio::test]
async fn docker_composes_own_commands_see_the_containers() {
    let project = Project::on("lab3", "linkcompose").await;
    project
        .hands()
        .ensure_network("linkcompose_default", &network_labels(&project.ask.project))
        .await
        .unwrap();
    let service = Service { volumes: vec![], ..project.service("echo hello; exec sleep 1000", 18481) };
    project.run("one", &service).await;
    let listed = lab(&["ssh", "lab3", "docker-compose -p linkcompose ps --format '{{.Name}} {{.Service}}'"]);
    assert_eq!(listed.trim(), "linkcompose-one-1 one");
    assert!(lab(&["ssh", "lab3", "docker-compose -p linkcompose logs"]).contains("hello"));
    lab(&["ssh", "lab3", "docker-compose -p linkcompose down -t 0"]);
    assert_eq!(project.seen().await.containers, BTreeMap::new());
}

#[tokio::test]
async fn files_have_their_mode_and_content_and_the_root_key_is_read_back() {
    let project = Project::on("lab1", "linkfiles").await;
    let (hands, dir) = (project.hands(), &project.dir);
    assert_eq!(hands.read_root_key(dir).await, Ok(None));
    hands.write_file(&format!("{dir}/it's $x.env"), b"A=\"1\"\n", 0o600).await.unwrap();
    hands.write_file(&format!("{dir}/sub/large.yml"), &vec![b'x'; 400_000], 0o644).await.unwrap();
    hands.write_file(&format!("{dir}/root.key"), b"rk-1\n", 0o600).await.unwrap();
    hands.write_file(&format!("{dir}/root.key"), b"rk-2\n", 0o600).await.unwrap();
    assert_eq!(hands.read_root_key(dir).await.unwrap().unwrap().reveal(), "rk-2");
    let seen = project.seen().await;
    let modes: BTreeMap<&str, u32> = seen.files.iter().map(|(k, v)| (k.as_str(), v.mode)).collect();
    assert_eq!(
        modes,
        BTreeMap::from([("it's $x.env", 0o600), ("root.key", 0o600), ("sub/large.yml", 0o644)])
    );
    assert_eq!(lab(&["ssh", "lab1", "stat -c %a ~/homelab/linkfiles ~/homelab/linkfiles/sub"]), "700\n755\n");
    assert_eq!(
        seen.files["root.key"].sha256,
        lab(&["ssh", "lab1", "sha256sum ~/homelab/linkfiles/root.key"]).split(' ').next().unwrap()
    );
    assert_eq!(seen.facts.gpus[0].name, "NVIDIA GeForce RTX 4090");
    assert!(seen.facts.runtimes.contains("nvidia"));
    assert_eq!((seen.facts.home.as_str(), seen.facts.os.as_str()), ("/home/lab", "Linux"));
    hands.remove_file(&format!("{dir}/sub/large.yml")).await.unwrap();
    hands.remove_dir_if_empty(&format!("{dir}/sub")).await.unwrap();
    hands.remove_dir_if_empty(dir).await.unwrap();
    assert_eq!(project.seen().await.files.len(), 2);
    let failure = hands.write_file("/etc/homelab/x", b"", 0o600).await.unwrap_err();
    assert_eq!(
        (failure.step.as_str(), failure.what.as_str()),
        ("writing /etc/homelab/x", "the SSH user may not do that here")
    );
}

#[tokio::test]
async fn an_image_is_pulled_and_one_that_is_not_there_or_out_of_reach_says_so() {
    let project = Project::on("lab3", "linkpull").await;
    let mut status = String::new();
    project.hands().pull(&project.image, |p| status.clone_from(&p.status)).await.unwrap();
    assert!(status.starts_with("Status: "), "{status}");
    assert!(project.seen().await.images.contains(&project.image));
    let registry = facts()["LAB_REGISTRY"].clone();
    let absent = format!("{registry}/pause:absent");
    let failure = project.hands().pull(&absent, |_| ()).await.unwrap_err();
    assert_eq!(failure.what, format!("there is no image {absent}"));
    let failure = project.hands().pull("127.0.0.1:9/x:1", |_| ()).await.unwrap_err();
    assert_eq!(failure.what, "the host cannot reach the registry 127.0.0.1:9");
    let service = Service { image: absent, ..project.service("true", 18491) };
    let name = ServiceName::new("x").unwrap();
    let placed = Placed { project: &project.ask.project, name: &name, service: &service, dir: &project.dir };
    let body = container_body(&placed, &[]).unwrap();
    let failure = project.hands().create("linkpull-x-1", body).await.unwrap_err();
    assert_eq!(failure.what, "the image is not on the host");
}

/// Everything a survey could have changed on a host.
fn state(host: &str) -> String {
    lab(&[
        "ssh",
        "--user",
        "root",
        host,
        concat!(
            "docker ps -aq --no-trunc | sort; docker images -q --no-trunc | sort; docker network ls -q | sort; ",
            "find /home /root /etc /tmp /run/lock /srv -xdev -newermt '2020-01-01' ! -name '.cache' -printf '%p %T@ %m\\n' | sort"
        ),
    ])
}

#[tokio::test]
async fn a_survey_of_several_hosts_costs_one_process_each_and_changes_nothing() {
    // lab4: no other test here writes to it, but its Docker may be down at times.
    let host = "lab1";
    let project = ProjectName::new("linknothing").unwrap();
    let asks: Vec<Ask> = ["lab1", "lab2", "lab3"]
        .map(|host| Ask {
            connection: to(host),
            project: project.clone(),
            dir: "~/homelab/linknothing".into(),
        })
        .into();
    let _ = host;
    let quiet = |text: String| -> String {
        text.lines().filter(|l| l.contains("linknothing")).collect::<Vec<_>>().join("\n")
    };
    let before = quiet(state("lab1"));
    let (found, looks) = survey(&asks).await;
    assert_eq!(looks.len(), 3);
    for look in looks.values() {
        assert_eq!((look.counts().logins, look.counts().processes), (1, 1));
        look.close().await;
    }
    for ask in &asks {
        let seen = found.seen(&ask.connection.name).unwrap();
        assert!(seen.containers.is_empty() && seen.files.is_empty());
        assert_eq!(seen.facts.address.as_deref(), Some(ask.connection.address.as_str()));
        assert!(!seen.facts.docker.is_empty());
    }
    assert_eq!(quiet(state("lab1")), before);
}

#[tokio::test]
async fn this_machine_is_looked_at_without_ssh() {
    let name = HostName::new("here").unwrap();
    let connection = Connection { local: true, ..Connection::new(name) };
    let project = ProjectName::new("linkhere").unwrap();
    let ask = Ask { connection, project, dir: "~/homelab/linkhere".into() };
    let (looked, look) = homelab::host::look(&ask).await;
    let Looked::Seen(seen) = looked else { panic!("{looked:?}") };
    let look = look.unwrap();
    assert_eq!((look.counts().logins, look.counts().processes), (0, 1));
    assert_eq!(seen.facts.address, None);
    assert!(seen.strangers.iter().any(|name| name.starts_with("homelab-testlab-")), "{:?}", seen.strangers);
    assert!(seen.taken.values().any(|who| who == "container homelab-testlab-registry"), "{:?}", seen.taken);
}
