//! Containers, files and images on real hosts, acted on and looked at.

use super::*;

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
        let ask = Ask {
            connection: to(host),
            project,
            dir: format!("~/homelab/{name}"),
            gpus: true,
            root_key: true,
            docker: homelab::host::Need::Docker,
            programs: None,
            endpoints: vec![],
        };
        let (looked, look) = homelab::host::look(&ask).await;
        assert!(matches!(looked, Looked::Seen(_)), "{looked:?}");
        let image = facts()["LAB_IMAGE_PAUSE"].clone();
        let dir = format!("/home/lab/homelab/{name}");
        Self { hands: look.map(|look| look.into_hands(None)), ask, dir, image }
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

    /// What is seen once these servers take connections and that one has ended, or after a while.
    async fn settled(&self, serving: &[&String], ended: &String) -> Seen {
        for _ in 0..50 {
            let seen = self.seen().await;
            let closed = Health::NotReady("it does not take connections yet".into());
            let serve = serving.iter().all(|name| seen.containers[*name].health != closed);
            if serve && seen.containers[ended].state != State::Running {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.seen().await
    }

    async fn create(&self, name: &str, service: &Service) -> Result<(String, String), Failure> {
        let service_name = ServiceName::new(name).unwrap();
        let placed = Placed { project: &self.ask.project, name: &service_name, service, dir: &self.dir };
        let secrets = [("TOKEN".to_owned(), Secret::new("sk-secret".into()))];
        let body = container_body(&placed, &secrets).unwrap();
        Ok((placed.container_name(), self.hands().create(&placed.container_name(), body).await?))
    }

    async fn run(&self, name: &str, service: &Service) -> (String, String) {
        let (name, id) = self.create(name, service).await.unwrap();
        self.hands().start(&id).await.unwrap();
        (name, id)
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

    let seen = project.settled(&[&ready.0, &lost.0, &hung.0], &ended.0).await;
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

    let mut lines = hands.logs(&ready.1, 10).await.unwrap();
    // Docker does not say which of its two streams came first.
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
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
    hands.stop(&ready.1).await.unwrap();
    assert!(matches!(hands.inspect(&ready.1).await.unwrap().state, State::Exited { .. }));
    hands.remove(&ready.1).await.unwrap();
    let gone = hands.start(&ready.1).await.unwrap_err();
    assert_eq!(gone.what, "changed under us");
    assert_eq!(gone.step, format!("starting container {}", ready.1));
}

/// A run that was killed may have asked Docker for a container just before.
#[tokio::test]
async fn only_what_never_ran_and_is_the_same_service_s_makes_way_for_a_container() {
    let project = Project::on("lab2", "linklate").await;
    let hands = project.hands();
    hands
        .ensure_network(&default_network(&project.ask.project), &network_labels(&project.ask.project))
        .await
        .unwrap();
    let service = Service {
        networks: vec![],
        volumes: vec![],
        ports: vec![],
        ..project.service("exec sleep 1000", 18476)
    };
    let late = project.create("a", &service).await.unwrap();
    let (name, id) = project.create("a", &service).await.unwrap();
    assert_eq!(hands.inspect(&name).await.unwrap().id, id);
    assert_eq!(hands.inspect(&late.1).await.unwrap_err().what, "changed under us");
    // A name that is given back.
    hands.rename(&id, "linklate-a-1.previous").await.unwrap();
    let late = project.create("a", &service).await.unwrap();
    hands.rename(&id, &name).await.unwrap();
    assert_eq!(hands.inspect(&name).await.unwrap().id, id);
    assert!(hands.inspect(&late.1).await.is_err());
    // One that runs stays, and so does another service's, and a stranger's.
    hands.start(&id).await.unwrap();
    let taken = project.create("a", &service).await.unwrap_err();
    assert_eq!(taken.what, "another container has that name");
    let other = project.create("b", &service).await.unwrap();
    hands.rename(&other.1, "linklate-c-1").await.unwrap();
    assert!(project.create("c", &service).await.is_err());
    lab(&["ssh", "lab2", &format!("docker create --name linklate-d-1 {}", project.image)]);
    assert!(project.create("d", &service).await.is_err());
    lab(&["ssh", "lab2", "docker rm linklate-d-1"]);
    // Removed twice is removed.
    hands.remove(&id).await.unwrap();
    hands.remove(&id).await.unwrap();
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
    project.seen().await;
    assert_eq!(hands.root_key(), None);
    hands.write_file(&format!("{dir}/it's $x.env"), b"A=\"1\"\n", 0o600).await.unwrap();
    hands.write_file(&format!("{dir}/sub/large.yml"), &vec![b'x'; 400_000], 0o644).await.unwrap();
    hands.write_file(&format!("{dir}/root.key"), b"rk-1\n", 0o600).await.unwrap();
    hands.write_file(&format!("{dir}/root.key"), b"rk-2\n", 0o600).await.unwrap();
    let seen = project.seen().await;
    assert_eq!(hands.root_key().unwrap().reveal(), "rk-2");
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
    assert_eq!(seen.facts.home, "/home/lab");
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
    project.hands().pull(by_tag(&project.image), |p| status.clone_from(&p.status)).await.unwrap();
    assert!(status.starts_with("Status: "), "{status}");
    assert!(project.seen().await.images.contains(&project.image));
    let registry = facts()["LAB_REGISTRY"].clone();
    let absent = format!("{registry}/pause:absent");
    let failure = project.hands().pull(by_tag(&absent), |_| ()).await.unwrap_err();
    assert_eq!(failure.what, format!("there is no image {absent}"));
    let failure = project.hands().pull(by_tag("127.0.0.1:9/x:1"), |_| ()).await.unwrap_err();
    assert_eq!(failure.what, "the host cannot reach the registry 127.0.0.1:9");
    let service = Service { image: absent, ..project.service("true", 18491) };
    let name = ServiceName::new("x").unwrap();
    let placed = Placed { project: &project.ask.project, name: &name, service: &service, dir: &project.dir };
    let body = container_body(&placed, &[]).unwrap();
    let failure = project.hands().create("linkpull-x-1", body).await.unwrap_err();
    assert_eq!(failure.what, "the image is not on the host");
}

#[tokio::test]
async fn a_survey_of_several_hosts_costs_one_login_and_one_process_each() {
    let project = ProjectName::new("linknothing").unwrap();
    let asks: Vec<Ask> = ["lab1", "lab2", "lab3"]
        .map(|host| Ask {
            connection: to(host),
            project: project.clone(),
            dir: "~/homelab/linknothing".into(),
            gpus: false,
            root_key: false,
            docker: homelab::host::Need::Docker,
            programs: None,
            endpoints: vec![],
        })
        .into();
    let (found, looks) = survey(&asks).await;
    assert_eq!(looks.len(), 3);
    for look in looks.values() {
        // Ping, containers, images, networks.
        assert_eq!(look.counts(), Counts { logins: 1, processes: 1, requests: 4 });
        look.close().await;
    }
    for ask in &asks {
        let seen = found.seen(&ask.connection.name).unwrap();
        assert!(seen.containers.is_empty() && seen.files.is_empty());
        assert_eq!(seen.facts.address.as_deref(), Some(ask.connection.address.as_str()));
    }
}

#[tokio::test]
async fn this_machine_is_looked_at_without_ssh() {
    let name = HostName::new("here").unwrap();
    let connection = Connection { local: true, ..Connection::new(name) };
    let project = ProjectName::new("linkhere").unwrap();
    let ask = Ask {
        connection,
        project,
        dir: "~/homelab/linkhere".into(),
        gpus: true,
        root_key: true,
        docker: homelab::host::Need::Docker,
        programs: None,
        endpoints: vec![],
    };
    let (looked, look) = homelab::host::look(&ask).await;
    let Looked::Seen(seen) = looked else { panic!("{looked:?}") };
    let look = look.unwrap();
    assert_eq!((look.counts().logins, look.counts().processes), (0, 1));
    assert_eq!(seen.facts.address, None);
    assert!(
        seen.strangers.iter().any(|name| name.starts_with(&format!("{}-", facts()["LAB_NAME"]))),
        "{:?}",
        seen.strangers
    );
    assert!(
        seen.taken.values().any(|who| *who == format!("container {}-registry", facts()["LAB_NAME"])),
        "{:?}",
        seen.taken
    );
}

fn by_tag(image: &str) -> homelab::host::Pulling<'_> {
    homelab::host::Pulling { image, digest: None, login: None }
}
