//! Logging in, and the way to Docker: what works, and what each failure says.

use super::*;

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
            "homelab bootstrap, or on the host: sudo usermod -aG docker guest; homelab has closed its ssh connection, so the next run \
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
    assert_eq!(
        failure.hint.unwrap(),
        "start it on the host: sudo systemctl enable --now docker; homelab bootstrap does the same"
    );
    lab(&["docker-start", "lab4"]);
    lab(&["docker-stop", "--kill", "lab4"]);
    let failure = refused(&connection).await;
    assert_eq!(failure.what, "Docker does not run: /var/run/docker.sock is there, but nobody answers");
}

/// sshd allows ten sessions on one connection, which every homelab of a user shares.
#[tokio::test]
async fn several_homelabs_at_once_have_more_sessions_than_one_connection_gives() {
    let connection = to("lab2");
    let mut links = vec![];
    for _ in 0..3 {
        links.push(Link::open(&connection).await.unwrap());
    }
    assert_eq!(links.iter().map(|link| link.counts().logins).sum::<u32>(), 1, "they share one");
    let one = |link| async move { Link::run(link, "sleep 2; echo done", &[], b"").await.unwrap().stdout };
    let all = links.iter().flat_map(|link| (0..8).map(move |_| one(link)));
    for said in futures_util::future::join_all(all).await {
        assert_eq!(said, b"done\n");
    }
    let logins: u32 = links.iter().map(|link| link.counts().logins).sum();
    assert!((2..=4).contains(&logins), "{logins} logins");
    for link in &links {
        link.close().await;
    }
}
