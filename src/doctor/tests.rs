//! The table of checks, on what hosts said. "Recorded" is from a host of the lab or, in its form, from NVIDIA's own
//! programs; "synthetic" is written after the strings of the program that says it, since no such host was at hand.

use std::time::Duration;

use super::*;
use crate::diagnosis;
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
    Wants { gpus: true, ports: [(8000, "qwen".to_owned()), (22555, "beta".to_owned())].into() }
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
    let wants = Wants { gpus: true, ports: [(8000, "qwen".to_owned())].into() };
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

/// A host whose nvidia-smi ended so.
fn broken(code: i32, said: &[&str]) -> Evidence {
    let lines: String = said.iter().map(|line| format!("gpu {line}\n")).collect();
    let head = HOST.split("smi 0").next().unwrap();
    evidence(&format!("{head}smi {code}\n{lines}end\n"))
}

#[test]
fn a_driver_that_does_not_work_is_known_by_its_words() {
    // Synthetic, all of them.
    let mismatch =
        ["Failed to initialize NVML: Driver/library version mismatch", "NVML library version: 570.211"];
    for (code, said, seen, fix) in [
        (18, &mismatch[..], "the NVIDIA driver was updated, and the old one still runs", "reboot"),
        (
            9,
            &[
                "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the \
               latest NVIDIA driver is installed and running.",
            ],
            "the NVIDIA driver is installed, but not loaded",
            "modprobe",
        ),
        (
            6,
            &["No devices were found"],
            "the NVIDIA driver is loaded, but finds no GPU that it can use",
            "dmesg",
        ),
        (
            12,
            &["NVIDIA-SMI couldn't find libNVIDIA-ml.so library in your system."],
            "a part of the NVIDIA driver is missing",
            "anew",
        ),
        (
            4,
            &["Failed to initialize NVML: Insufficient Permissions"],
            "this user may not use the NVIDIA driver",
            "/dev/nvidia",
        ),
        (
            15,
            &[
                "Unable to determine the device handle for GPU0: 0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU",
            ],
            "the GPU is gone, from the container or from the host",
            "reboot",
        ),
        (124, &[], "nvidia-smi did not answer in 20 s", "reboot"),
        (3, &["something new"], "nvidia-smi ended with 3 and lists no GPU", "nvidia-smi"),
    ] {
        let found = one("gpu", &broken(code, said), &wants());
        assert_eq!((found.0, found.1.as_str()), (Verdict::Wrong, seen), "{said:?}");
        assert!(found.2.contains(fix), "{}", found.2);
        let nobody_wants = one("gpu", &broken(code, said), &Wants::default());
        assert_eq!(nobody_wants.0, Verdict::Warning);
    }
    // What it said stands below, and which driver runs.
    let mut seen = broken(18, &mismatch);
    seen.machine.as_mut().unwrap().nvidia.module = Some("NVRM version: NVIDIA UNIX x86_64 570.86.10".into());
    let found = all(&seen, &wants()).into_iter().find(|c| c.check == "gpu").unwrap();
    assert_eq!(found.lines, mismatch);
    assert!(found.seen.ends_with("; loaded: NVRM version: NVIDIA UNIX x86_64 570.86.10"), "{}", found.seen);
}

#[test]
fn every_row_of_the_driver_is_found_by_each_of_its_words() {
    for row in gpu::DRIVER {
        let diagnosis::KnownBy::Words(words) = row.known_by else { panic!("{}", row.id) };
        for word in words {
            let lines = vec![format!("NVIDIA-SMI: {word}.")];
            let seen = diagnosis::Evidence { lines: &lines, ..diagnosis::Evidence::default() };
            let found = diagnosis::find([gpu::DRIVER, diagnosis::NVIDIA], &seen).unwrap();
            assert_eq!(found.id, row.id, "{word}");
        }
    }
}

#[test]
fn a_gpu_that_is_not_there_matters_only_if_a_model_wants_it() {
    let head = HOST.split("smi 0").next().unwrap();
    let (none, card) = (format!("{head}end\n"), format!("{head}card 0x10de\nend\n"));
    assert!(one("gpu", &evidence(&none), &wants()).1.contains("none is there"));
    assert_eq!(says("gpu", &evidence(&none), &Wants::default()), []);
    let (is, seen, fix) = one("gpu", &evidence(&card), &wants());
    assert!(
        is == Verdict::Wrong && seen.contains("no driver") && fix.contains("ubuntu-drivers"),
        "{seen} {fix}"
    );
    assert_eq!(one("gpu", &evidence(&card), &Wants::default()).0, Verdict::Warning);
    // Recorded on no lab host: an AMD card's device files.
    let amd = format!("{head}device /dev/kfd render 993\ndevice /dev/dri/renderD128 render 993\nend\n");
    let (is, seen, _) = one("gpu", &evidence(&amd), &Wants::default());
    assert!(is == Verdict::Ok && seen.contains("/dev/dri/renderD128 (group render, 993)"), "{seen}");
}

#[test]
fn the_toolkit_is_told_by_dockers_runtimes() {
    let bare = Engine { runtimes: ["runc".to_owned()].into(), ..engine() };
    let with = |text: &str, engine: Engine| Evidence { docker: Ok(engine), ..evidence(text) };
    let installed = HOST.replace("smi 0", "toolkit NVIDIA Container Toolkit CLI version 1.17.8\nsmi 0");
    let (is, seen, _) = one("gpu-toolkit", &with(&installed, engine()), &wants());
    assert_eq!(
        (is, seen.as_str()),
        (Verdict::Ok, "Docker has the runtime nvidia (NVIDIA Container Toolkit CLI version 1.17.8)")
    );
    let cdi = Engine { cdi: ["nvidia.com/gpu=all".to_owned()].into(), ..bare.clone() };
    let (is, seen, fix) = one("gpu-toolkit", &with(&installed, cdi), &wants());
    assert!(
        is == Verdict::Wrong && seen.contains("by CDI") && fix.starts_with("sudo nvidia-ctk"),
        "{seen} {fix}"
    );
    let (is, _, fix) = one("gpu-toolkit", &with(HOST, bare.clone()), &wants());
    assert!(is == Verdict::Wrong && fix.contains("docs.nvidia.com"), "{fix}");
    assert_eq!(one("gpu-toolkit", &with(HOST, bare.clone()), &Wants::default()).0, Verdict::Warning);
    let head = HOST.split("smi 0").next().unwrap();
    assert_eq!(says("gpu-toolkit", &with(&format!("{head}end\n"), bare), &Wants::default()), []);
}

#[test]
fn a_container_sees_as_many_gpus_as_the_host_or_something_is_wrong() {
    let two = HOST.replace("gpu 570", "gpu 570.211.01, 1, NVIDIA GeForce RTX 4090, 24564, 0\ngpu 570");
    let with = |inside| Evidence { inside, ..evidence(&two) };
    assert_eq!(one("gpu-container", &with(Inside::Said(gpu_lines(2))), &wants()).0, Verdict::Ok);
    let (is, seen, _) = one("gpu-container", &with(Inside::Said(gpu_lines(1))), &wants());
    assert_eq!((is, seen.as_str()), (Verdict::Wrong, "a container sees 1 of 2 GPUs"));
    assert_eq!(one("gpu-container", &with(Inside::NoImage), &wants()).0, Verdict::Unknown);
    assert_eq!(says("gpu-container", &with(Inside::NotTried), &wants()), []);
    // Synthetic: the driver's daemon reloaded cgroups under a container.
    let lost = Inside::Said(vec!["Failed to initialize NVML: Unknown Error".into()]);
    let (is, seen, _) = one("gpu-container", &with(lost), &wants());
    assert!(is == Verdict::Wrong && seen.contains("the GPU is gone"), "{seen}");
    let refused = |message: &str| {
        let lines = vec![message.to_owned()];
        let found = diagnosis::find(
            diagnosis::REFUSALS,
            &diagnosis::Evidence { lines: &lines, ..diagnosis::Evidence::default() },
        )
        .unwrap();
        let (what, hint) = (found.cause.clone(), Some(found.advice()));
        Inside::Failed(Failure { step: "trying".into(), what, lines, hint, finding: Some(Box::new(found)) })
    };
    // Recorded: a runtime that is runc under another name.
    let brings_nothing = "exec: \"nvidia-smi\": executable file not found in $PATH: unknown";
    let (is, seen, fix) = one("gpu-container", &with(refused(brings_nothing)), &wants());
    assert!(is == Verdict::Wrong && seen.contains("brings no nvidia-smi"), "{seen}");
    assert!(fix.contains("nvidia-ctk runtime configure") && !fix.contains("entrypoint"), "{fix}");
    let mismatch = "nvidia-container-cli: initialization error: nvml error: Driver/library version mismatch";
    assert!(one("gpu-container", &with(refused(mismatch)), &wants()).2.contains("reboot"));
}

#[test]
fn who_else_computes_on_a_gpu_is_named() {
    // Synthetic: in the form of `--query-compute-apps`; names may hold commas, and what is unknown is in brackets.
    let (ours, other, around) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
    let apps = format!(
        "smi 0\napp 71  VLLM::EngineCore, 20111\nof 71 root {ours}\napp 72  /opt/x, y/main, 900\nof 72 root {around} {other}\n\
         app 73  [Not Found], [N/A]\nof 73 - \napp 74  python3, 12\nof 74 anna"
    );
    let mut seen = evidence(&HOST.replace("smi 0", &apps));
    let containers = &mut seen.docker.as_mut().unwrap().containers;
    containers.insert(ours, ("home-qwen-1".into(), true));
    containers.insert(other, ("comfy".into(), false));
    let found = says("gpu-users", &seen, &wants());
    let expected = [
        (Verdict::Ok, "homelab's home-qwen-1: VLLM::EngineCore (process 71, user root), 20111 MiB"),
        (
            Verdict::Warning,
            "the container comfy, not homelab's, computes on a GPU: /opt/x, y/main (process 72, user root), 900 MiB",
        ),
        (Verdict::Warning, "somebody else computes on a GPU: [Not Found] (process 73), memory unknown"),
        (Verdict::Warning, "somebody else computes on a GPU: python3 (process 74, user anna), 12 MiB"),
    ];
    assert_eq!(found.iter().map(|(is, seen)| (*is, seen.as_str())).collect::<Vec<_>>(), expected);
    let nobody_minds = says("gpu-users", &seen, &Wants::default());
    assert!(nobody_minds.iter().all(|(is, _)| *is == Verdict::Ok), "{nobody_minds:?}");
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
