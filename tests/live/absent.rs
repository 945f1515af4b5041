//! Hosts that come and go: optional ones, and ones that are woken. These tests have lab4 to themselves. No card of a
//! real network is in them: whoever listens for the packet switches lab4 on, as its card would.

use std::net::UdpSocket;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::lab::{lab, lab4, until};

/// How long a run may take that waits for nobody: under the 10 s that a host which is not optional has to answer.
const SOON: Duration = Duration::from_secs(9);

/// A run that must not have waited for the host that is away.
fn soon(cluster: &Cluster, args: &[&str]) -> crate::process::Run {
    let began = Instant::now();
    let run = cluster.run(args).exits(0);
    eprintln!("homelab {} took {:.1} s", args.join(" "), began.elapsed().as_secs_f64());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    run
}

#[test]
#[ignore = "starts gateways: make test-hosts"]
fn an_optional_host_is_passed_over_while_it_is_away_and_picked_up_when_it_is_back() {
    let whole = lab4();
    let mut cluster = Cluster::new("optional");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab4", "beta", 1);
    cluster.model("lab4", "gamma", 2);
    cluster.hosts["lab4"]["optional"] = json!(true);
    cluster.hosts["lab3"]["gateway"]["fallbacks"] = json!({"beta": ["alpha"]});

    // Its packets vanish, as those of a machine that sleeps do: nobody says that it is not there.
    whole.lab("cut");
    let deployed = cluster.deploy();
    let said = ["Done. Everything else is as the inventory says, and the model answers", "lab4 is away: "];
    for words in said {
        assert!(deployed.stderr.contains(words), "{}", deployed.stderr);
    }
    let shown = soon(&cluster, &["plan", "--detailed-exitcode"])
        .says("lab4\n  ? away: ")
        .says("  ? beta: served nowhere else; alpha stands in\n")
        .says("  ? gamma: served nowhere else, and nothing stands in: requests fail until it is back\n");
    assert!(shown.stdout.ends_with(
        "\nNothing to do: 2 hosts are in sync; 1 host is away, and picked up by the next deploy once it is back.\n"
    ));
    assert!(cluster.ask("beta").is_chat(), "nothing stands in for it");
    soon(&cluster, &["status"]).says("away: ");
    let status: Value = serde_json::from_str(&soon(&cluster, &["status", "--json"]).stdout).unwrap();
    let rows = status["services"].as_array().unwrap();
    let beta = rows.iter().find(|row| row["model"] == "beta").unwrap();
    assert_eq!((&beta["condition"]["is"], &status["ok"]), (&json!("away"), &json!(true)));
    cluster.run(&["doctor", "lab4", "--no-container"]).exits(0).says("? unknown: ssh: away: ");
    cluster.run(&["bootstrap", "--limit", "lab4"]).exits(0).says("? away: ");
    cluster.run(&["down", "--limit", "lab4"]).exits(1).says("run homelab down again when it is back");

    // It is back: only what was missed is done, and the gateway need not change.
    whole.lab("mend");
    let before = cluster.containers();
    cluster.deploy().says("2 names answer through the gateway");
    cluster.answers("gamma");
    let after = cluster.containers();
    assert!(before.iter().all(|(name, seen)| after[name] == *seen), "{before:?} {after:?}");
    cluster.run(&["status"]).exits(0);

    // It falls asleep, and what an earlier run left of a connection leads nowhere.
    whole.lab("cut");
    soon(&cluster, &["plan", "--detailed-exitcode"]).says("? away: ");
    whole.lab("mend");
    soon(&cluster, &["plan", "--detailed-exitcode"]).says("Nothing to do: 3 hosts are in sync.");
}

#[test]
#[ignore = "two starts of the gateway: make test-hosts"]
fn a_rotation_says_who_keeps_old_keys_and_the_next_deploy_brings_the_new_ones() {
    let whole = lab4();
    let mut cluster = Cluster::new("away-keys");
    cluster.model("lab1", "alpha", 1);
    cluster.model("lab4", "beta", 1);
    cluster.hosts["lab4"]["homelab_optional"] = json!(true);
    cluster.deploy();
    let old = cluster.master_key();
    whole.lab("stop");
    let rotated = cluster.run(&["secrets", "rotate", "--yes"]).exits(0);
    assert!(rotated.stderr.contains("warning: lab4 is away and keeps its old keys\n"), "{}", rotated.stderr);
    assert_ne!(cluster.master_key(), old);
    cluster.answers("alpha");
    whole.lab("start");
    until("beta's own server", Duration::from_secs(60), || {
        (cluster.ask("beta").status == 401 || cluster.ask("beta").status == 500).then_some(())
    });
    cluster.run(&["plan"]).exits(0).says("~ replace beta: secrets");
    cluster.deploy();
    cluster.answers("beta");
}

/// Switches lab4 on when the packet for its card comes, as the card would; gives where that came from.
fn card(socket: &UdpSocket) -> JoinHandle<String> {
    let socket = socket.try_clone().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        let (length, from) = socket.recv_from(&mut packet).unwrap();
        let mut expected = vec![0xff; 6];
        (0..16).for_each(|_| expected.extend([0xa8, 0xa1, 0x59, 0x0c, 0x3e, 0x7f]));
        assert_eq!(&packet[..length], expected);
        let started = lab().script(&["start", "lab4"]);
        assert_eq!(started.code, Some(0), "{}", started.stderr);
        from.ip().to_string()
    })
}

/// How many packets have come that nobody has read.
fn unread(socket: &UdpSocket) -> usize {
    socket.set_nonblocking(true).unwrap();
    let count = std::iter::from_fn(|| socket.recv(&mut [0; 1500]).ok()).count();
    socket.set_nonblocking(false).unwrap();
    count
}

#[test]
#[ignore = "lab4 boots twice: make test-hosts"]
fn a_host_that_sleeps_is_woken_by_what_changes_it_and_by_nothing_else() {
    let whole = lab4();
    let mut cluster = Cluster::new("wake");
    cluster.model("lab4", "beta", 1);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let network = lab().fact("LAB_SUBNET").rsplit_once('.').unwrap().0.to_owned();
    let wake = |timeout: u64| {
        json!({
            "mac": "A8-A1-59-0C-3E-7F",
            "broadcast": format!("{network}.255"),
            "port": socket.local_addr().unwrap().port(),
            "timeout": timeout,
        })
    };
    whole.lab("stop");
    cluster.hosts["lab4"]["wake"] = wake(6);
    cluster.run(&["plan"]).exits(1);
    cluster.run(&["status"]).exits(1);
    cluster.run(&["bootstrap", "--yes", "--no-wake", "--limit", "lab4"]).exits(1);
    assert_eq!(unread(&socket), 0, "nobody is woken by a look");
    let asleep = cluster.run(&["bootstrap", "--yes", "--limit", "lab4"]).exits(1);
    assert!(asleep.stderr.contains("lab4: waking it: it sleeps on\nwarning: lab4: "), "{}", asleep.stderr);
    assert!(
        asleep
            .stderr
            .contains(" has not answered for 6 s, with packets to a8:a1:59:0c:3e:7f from this machine")
    );
    assert!(asleep.first_error().starts_with("error: lab4: connecting: "), "{}", asleep.stderr);
    assert!(unread(&socket) > 1, "one packet may be lost");

    cluster.hosts["lab4"]["wake"] = wake(60);
    let listening = card(&socket);
    let deployed = cluster.deploy();
    listening.join().unwrap();
    assert!(deployed.stderr.contains("lab4: waking it: done after "), "{}", deployed.stderr);
    cluster.answers("beta");

    // From another host, and by a look that is told to.
    whole.lab("stop");
    cluster.hosts["lab4"]["wake"]["via"] = json!("lab3");
    let _ = unread(&socket);
    let listening = card(&socket);
    cluster.run(&["status", "--wake"]).says("waking it: done after ");
    assert_eq!(listening.join().unwrap(), lab().address("lab3"));
    until("beta's own server", Duration::from_secs(60), || cluster.ask("beta").is_chat().then_some(()));
    cluster.run(&["plan", "--detailed-exitcode"]).exits(0);
}
