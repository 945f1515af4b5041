//! The table of checks, on what hosts said. "Recorded" is from a host of the lab or, in its form, from NVIDIA's own
//! programs; "synthetic" is written after the strings of the program that says it, since no such host was at hand.

mod gpus;

use std::time::Duration;

use super::*;
use crate::names::HostName;

/// Recorded; the GPU is the lab's stand-in for one RTX 4090, in the form of NVIDIA's nvidia-smi.
const HOST: &str = "\
user lab
shell /bin/bash
disk 0 /dev/vda         264212084 65689356  29596532      69% /var/lib/docker
disk 1 overlay          264212084 65689356  29596532      69% /
memory MemTotal:       24683656 kB
memory MemFree:         2503092 kB
memory MemAvailable:   21701888 kB
memory SwapTotal:             0 kB
listens LISTEN 0      128       0.0.0.0:22    0.0.0.0:* ino:1261494 sk:1001 cgroup:unreachable:7d1 <->
listens LISTEN 0      5         0.0.0.0:22555 0.0.0.0:* users:((\"python3\",pid=45710,fd=3)) uid:1000 ino:2790674 sk:6 cgroup:unreachable:7d1 <->
smi 0
gpu 570.211.01, 0, NVIDIA GeForce RTX 4090, 24564, 412
end
";

const DIRS: [&str; 2] = ["/var/lib/docker", "~/.cache/huggingface"];

fn evidence(text: &str) -> Evidence {
    let machine = read_machine(text, &DIRS).unwrap();
    let login = Login { took: Duration::from_millis(310), fresh: true, sessions: 4, clock: Some(-1) };
    Evidence {
        login: Some(login),
        machine: Ok(machine),
        docker: Ok(engine()),
        inside: Inside::NotTried,
        reach: vec![],
    }
}

fn engine() -> Engine {
    Engine {
        version: "26.1.5".into(),
        storage: "overlay2".into(),
        cgroup: "2".into(),
        root_dir: "/var/lib/docker".into(),
        runtimes: ["nvidia".to_owned(), "runc".to_owned()].into(),
        ..Engine::default()
    }
}

fn wants() -> Wants {
    Wants {
        gpus: true,
        ports: [(8000, "qwen".to_owned()), (22555, "beta".to_owned())].into(),
        ..Wants::default()
    }
}

/// What one check says: how it is, and in which words.
fn says(check: &str, seen: &Evidence, wants: &Wants) -> Vec<(Verdict, String)> {
    let all = all(seen, wants);
    all.into_iter().filter(|c| c.check == check).map(|c| (c.is, c.seen)).collect()
}

fn all(seen: &Evidence, wants: &Wants) -> Vec<Checked> {
    let all = examine(&HostName::new("box").unwrap(), &Ok(seen.clone()), wants).checks;
    // What is not as it should be has a way out.
    assert!(all.iter().all(|checked| checked.is == Verdict::Ok || checked.fix.is_some()), "{all:?}");
    all
}

#[track_caller]
fn one(check: &str, seen: &Evidence, wants: &Wants) -> (Verdict, String, String) {
    let mut all: Vec<Checked> = all(seen, wants).into_iter().filter(|c| c.check == check).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    let one = all.remove(0);
    (one.is, one.seen, one.fix.unwrap_or_default())
}

#[test]
fn a_healthy_host_has_nothing_but_good_news() {
    let seen = Evidence { inside: Inside::Said(gpu_lines(1)), ..evidence(HOST) };
    let wants = Wants { gpus: true, ports: [(8000, "qwen".to_owned())].into(), ..Wants::default() };
    let all: Vec<_> = all(&seen, &wants).into_iter().map(|c| (c.is, c.check, c.seen)).collect();
    let ok = |check: &'static str, seen: &str| (Verdict::Ok, check, seen.to_owned());
    assert_eq!(
        all,
        [
            ok("ssh", "login in 0.3 s, as lab, /bin/bash"),
            ok("sessions", "sshd gives 4 sessions at once on one connection"),
            ok("docker", "Docker 26.1.5, storage overlay2, cgroup v2, data in /var/lib/docker"),
            ok("gpu", "GPU 0: NVIDIA GeForce RTX 4090, 412 of 24564 MiB used, driver 570.211.01"),
            ok("gpu-toolkit", "Docker has the runtime nvidia"),
            ok("gpu-container", "a container sees 1 of 1 GPUs"),
            ok("disk", "28 GiB free of 251 GiB for /var/lib/docker"),
            ok("disk", "28 GiB free of 251 GiB for ~/.cache/huggingface"),
            ok("memory", "20 GiB available of 23 GiB, no swap"),
            ok("clock", "as this machine's"),
            ok("ports", "free or homelab's own: 8000 (qwen)"),
        ]
    );
}

fn gpu_lines(n: u32) -> Vec<String> {
    (0..n).map(|i| format!("570.211.01, {i}, NVIDIA GeForce RTX 4090, 24564, 412")).collect()
}

#[test]
fn a_host_that_cannot_be_reached_has_one_finding() {
    let why = Failure {
        step: "connecting".into(),
        what: "10.0.0.5 does not answer".into(),
        lines: vec!["timed out".into()],
        hint: Some("is it switched on?".into()),
        finding: None,
    };
    let examined = examine(&HostName::new("box").unwrap(), &Err(why.clone()), &Wants::default());
    let checked = Checked {
        check: "ssh",
        is: Verdict::Wrong,
        seen: "connecting: 10.0.0.5 does not answer".into(),
        lines: why.lines.clone(),
        fix: why.hint.clone(),
    };
    assert_eq!(examined.checks, [checked]);
    assert!(!examined.is_fine());
    // A part that fails hides no other.
    let seen = Evidence { docker: Err(why.clone()), ..evidence(HOST) };
    assert_eq!(one("docker", &seen, &wants()).0, Verdict::Wrong);
    assert_eq!((says("gpu", &seen, &wants()).len(), says("disk", &seen, &wants()).len()), (1, 2));
    let seen = Evidence { machine: Err(why), ..evidence(HOST) };
    assert_eq!(
        (one("ssh", &seen, &wants()).0, one("docker", &seen, &wants()).0),
        (Verdict::Wrong, Verdict::Ok)
    );
}

#[test]
fn what_is_no_posix_shell_is_not_read() {
    for text in ["This account is currently not available.\n", "", "user lab\n", "end\n"] {
        assert_eq!(read_machine(text, &DIRS), None, "{text}");
    }
}

#[test]
fn the_login_the_sessions_and_the_clock_have_their_limits() {
    let with = |login: Login| Evidence { login: Some(login), ..evidence(HOST) };
    let fine = evidence(HOST).login.unwrap();
    let (is, seen, _) = one("ssh", &with(Login { took: Duration::from_millis(6200), ..fine }), &wants());
    assert_eq!((is, seen.as_str()), (Verdict::Warning, "the login took 6.2 s, as lab, /bin/bash"));
    let (is, seen, _) = one("ssh", &with(Login { fresh: false, ..fine }), &wants());
    assert_eq!(
        (is, seen.as_str()),
        (Verdict::Ok, "over the connection of an earlier run, as lab, /bin/bash")
    );
    for (sessions, is) in
        [(1, Verdict::Wrong), (2, Verdict::Warning), (3, Verdict::Warning), (4, Verdict::Ok)]
    {
        let found = one("sessions", &with(Login { sessions, ..fine }), &wants());
        assert_eq!((found.0, found.2.contains("MaxSessions")), (is, is != Verdict::Ok), "{sessions}");
    }
    let seen = [
        (0, Verdict::Ok),
        (-4, Verdict::Ok),
        (5, Verdict::Warning),
        (-29, Verdict::Warning),
        (30, Verdict::Wrong),
    ];
    for (ahead, is) in seen {
        let found = one("clock", &with(Login { clock: Some(ahead), ..fine }), &wants());
        assert_eq!(found.0, is, "{found:?}");
    }
    let behind = one("clock", &with(Login { clock: Some(-86_400), ..fine }), &wants());
    assert_eq!(behind.1, "86400 s behind this machine's: certificates and tokens are refused");
    let here = Evidence { login: None, ..evidence(HOST) };
    assert_eq!((says("clock", &here, &wants()), says("sessions", &here, &wants())), (vec![], vec![]));
    assert_eq!(one("ssh", &here, &wants()).1, "this machine, as lab, /bin/bash");
}

#[test]
fn what_a_deploy_needs_and_is_not_there_is_named() {
    let lacking = HOST.replace("shell ", "lacks flock\nlacks timeout\nshell ");
    let (is, seen, fix) = one("tools", &evidence(&lacking), &wants());
    assert_eq!((is, seen.as_str()), (Verdict::Wrong, "the host has no flock, timeout, which a deploy needs"));
    assert!(fix.contains("util-linux"), "{fix}");
}

#[test]
fn disks_have_room_or_not_and_one_file_system_is_told_once() {
    let with = |free: u64| HOST.replace(" 29596532 ", &format!(" {free} "));
    for (gib, is) in [(0, Verdict::Wrong), (1, Verdict::Warning), (19, Verdict::Warning), (20, Verdict::Ok)] {
        let found = says("disk", &evidence(&with(gib << 20)), &wants());
        assert!(found.iter().all(|(found, _)| *found == is), "{gib}: {found:?}");
    }
    let same = HOST.replace("69% /var/lib/docker", "69% /");
    assert_eq!(
        one("disk", &evidence(&same), &wants()).1,
        "28 GiB free of 251 GiB for /var/lib/docker and ~/.cache/huggingface"
    );
    // Recorded nowhere, but allowed: blanks in the device's name, and a disk that did not answer.
    let odd =
        HOST.replace("disk 0 /dev/vda ", "disk 0 //nas/my share ").replace("disk 1 overlay", "disk 1\nx");
    assert_eq!(says("disk", &evidence(&odd), &wants()).len(), 1);
}

#[test]
fn memory_that_is_short_or_shared_is_told() {
    let short = HOST.replace("21701888", "900000");
    assert_eq!(one("memory", &evidence(&short), &wants()).0, Verdict::Warning);
    // Synthetic: what such a part answers for its memory.
    let unified = HOST.replace("NVIDIA GeForce RTX 4090, 24564, 412", "NVIDIA GB10, [N/A], [N/A]");
    let (is, seen, _) = one("memory", &evidence(&unified), &wants());
    assert!(is == Verdict::Ok && seen.contains("the GPU shares it"), "{seen}");
    assert!(one("gpu", &evidence(&unified), &wants()).1.contains("memory shared with the system"));
}

#[test]
fn odd_dockers_are_told_of() {
    let with = |engine: Engine| says("docker", &Evidence { docker: Ok(engine), ..evidence(HOST) }, &wants());
    assert_eq!(with(engine()).len(), 1);
    for odd in [
        Engine { root_dir: "/var/snap/docker/common/var-lib-docker".into(), ..engine() },
        Engine { storage: "vfs".into(), ..engine() },
        Engine { cgroup: "1".into(), ..engine() },
        Engine { rootless: true, ..engine() },
    ] {
        let found = with(odd);
        assert_eq!((found.len(), found[1].0), (2, Verdict::Warning), "{found:?}");
    }
}

#[test]
fn who_has_a_port_is_told_as_far_as_it_may_be_seen() {
    let mut seen = evidence(HOST);
    let taken = &mut seen.docker.as_mut().unwrap().taken;
    taken.extend([(8000, "container web".to_owned()), (22555, "a process".to_owned())]);
    let found: Vec<String> = says("ports", &seen, &wants()).into_iter().map(|(_, seen)| seen).collect();
    assert_eq!(
        found,
        [
            "port 8000, which qwen wants, is taken by container web",
            "port 22555, which beta wants, is taken by python3 (process 45710)"
        ]
    );
    let root = Wants { ports: [(22, "ssh".to_owned())].into(), ..Wants::default() };
    seen.docker.as_mut().unwrap().taken.insert(22, "a process".to_owned());
    assert!(one("ports", &seen, &root).1.ends_with("taken by a process of root's"));
}

#[test]
fn ports_that_docker_publishes_past_ufw_are_told() {
    let wants = |open: &[u16]| Wants { open: open.iter().copied().collect(), ..wants() };
    let seen = evidence(&HOST.replace("user lab", "ufw ENABLED=yes\nuser lab"));
    let (is, said, _) = one("firewall", &seen, &wants(&[8000]));
    assert_eq!(is, Verdict::Warning);
    assert!(said.ends_with("whoever reaches the host reaches 8000 (qwen)"), "{said}");
    assert_eq!(one("firewall", &seen, &wants(&[])).0, Verdict::Ok);
    for off in ["ufw ENABLED=no\nuser lab", "user lab"] {
        assert_eq!(says("firewall", &evidence(&HOST.replace("user lab", off)), &wants(&[8000])), vec![]);
    }
}

#[test]
fn a_model_that_the_gateway_does_not_reach_is_told() {
    let reach = |answer| Reach { what: "qwen on box".into(), address: "10.0.0.5".into(), port: 8000, answer };
    let seen =
        Evidence { reach: vec![reach(Ok(())), reach(Err("no answer in time".into()))], ..evidence(HOST) };
    let found = says("reach", &seen, &wants());
    assert_eq!(
        found.iter().map(|(is, seen)| (*is, seen.as_str())).collect::<Vec<_>>(),
        [
            (Verdict::Ok, "the gateway reaches qwen on box at 10.0.0.5:8000"),
            (
                Verdict::Wrong,
                "the gateway does not reach qwen on box at 10.0.0.5:8000, which answers on its own host: no answer in time"
            )
        ]
    );
}

#[test]
fn what_a_host_says_cannot_pass_for_something_else() {
    // Every line of a program's begins with what it is about; one that breaks lines cannot begin another.
    let hostile = HOST.replace("gpu 570.211.01", "gpu \u{1b}[2Juser root\ngpu 570.211.01");
    let machine = read_machine(&hostile, &DIRS).unwrap();
    assert_eq!((machine.user.as_str(), machine.nvidia.said[0].as_str()), ("lab", "user root"));
}
