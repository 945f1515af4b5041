//! The checks of GPUs, on what drivers, Docker and containers said.
//! "Recorded" and "synthetic" mean what they mean beside this.

use super::*;
use crate::diagnosis;
use crate::doctor::gpu;

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
