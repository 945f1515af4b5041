//! GPUs by the NVIDIA runtime. On lab1 the runtime `nvidia` is runc under a second name, and
//! `nvidia-smi` prints a recorded table: what is real here is what Docker is asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::lab::lab;
use crate::running::Running;

/// What lab1's `nvidia-smi` tells: one test at a time has it, and leaves it as it was recorded.
struct Table {
    _turn: MutexGuard<'static, ()>,
}

impl Table {
    fn borrow() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self { _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The used memory, in MiB, time after time it is asked for; the last one stays.
    fn used(&self, told: &[u32]) {
        let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
        let write = format!("mkdir -p /run/lab && printf '%s\\n' {} >/run/lab/memory.used", lines.join(" "));
        lab().root("lab1", &format!("{write} && chmod 666 /run/lab/memory.used"));
    }

    /// The processes on the GPU.
    fn processes(&self, pids: &str) {
        lab().root("lab1", &format!("mkdir -p /run/lab && echo {pids} >/run/lab/compute-apps"));
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        lab().root("lab1", "rm -rf /run/lab");
    }
}

/// A cluster whose `alpha` has GPU 0.
fn with_gpu(name: &'static str) -> Running {
    let mut cluster = Running::borrow(name);
    cluster.hosts["lab1"]["models"]["alpha"]["gpu"] = json!(0);
    // The lab's hosts may not raise a limit above their own, which is what homelab asks for.
    cluster.hosts["lab1"]["models"]["alpha"]["ulimits"] = json!({"memlock": 65536});
    cluster.deploy();
    cluster
}

#[test]
fn a_model_gets_the_gpu_it_asks_for_and_status_shows_its_memory() {
    let _table = Table::borrow();
    let cluster = with_gpu("gpu");
    let alpha = cluster.container("alpha");
    let format = "{{.HostConfig.Runtime}} {{json .Config.Env}} {{json .HostConfig.Ulimits}}";
    let seen = lab().ssh("lab1", &format!("docker inspect --format '{format}' {alpha}"));
    assert!(seen.starts_with("nvidia "), "{seen}");
    assert!(seen.contains("\"NVIDIA_VISIBLE_DEVICES=0\""), "{seen}");
    assert!(seen.contains("\"CUDA_DEVICE_ORDER=PCI_BUS_ID\""), "{seen}");
    assert!(seen.contains(r#""Name":"stack","Hard":67108864,"Soft":67108864"#), "{seen}");
    cluster.run(&["status"]).exits(0).says("GPU MEMORY").says("412/24564 MiB");
    cluster.answers("alpha");
    assert_eq!(cluster.deploy().stdout, "Nothing to do: 2 hosts are in sync.\n");
}

#[test]
fn the_next_model_loads_when_the_memory_of_the_last_one_is_free() {
    let table = Table::borrow();
    let mut cluster = with_gpu("memory");
    let swap = |cluster: &mut Running, ctx_size: u32| {
        cluster.hosts["lab1"]["models"]["alpha"]["ctx_size"] = json!(ctx_size);
        cluster.run(&["deploy", "--yes"]).exits(0)
    };
    // The look at the host takes the first one; what follows is told while it is waited for.
    table.used(&[20_412, 20_412, 15_000, 9_000, 412]);
    let said = swap(&mut cluster, 1024).stderr;
    let at = |words: &str| said.find(words).unwrap_or_else(|| panic!("no `{words}`"));
    assert!(at("alpha: stopping it") < at("alpha: waiting until the memory of GPU 0 is free"));
    assert!(at("alpha: waiting until the memory of GPU 0 is free") < at("alpha: starting it"));
    assert!(!said.contains("is free: warning"), "{said}");
    assert_eq!(lab().root("lab1", "cat /run/lab/memory.used"), "412\n");
    // A process that is gone, but not for the driver: it is not waited for without end.
    table.processes("4194399");
    swap(&mut cluster, 512)
        .says("is free: warning: after 30 s it still gives memory back (412 MiB used): going on");
    cluster.answers("alpha");
}

#[test]
fn a_container_that_lost_its_gpu_is_noticed_and_healed() {
    let _table = Table::borrow();
    let cluster = with_gpu("lost");
    let alpha = cluster.container("alpha");
    // No GPU is here to lose. What says so in this container is a stand-in for NVIDIA's command; as with the real
    // devices, a new start brings a new /dev.
    let smi = "[ ! -e /dev/lost ] || { echo Failed to initialize NVML: Unknown Error; exit 255; }; echo GPU 0: here";
    let write = format!("printf '#!/bin/sh\\n{smi}\\n' >/usr/bin/nvidia-smi; chmod +x /usr/bin/nvidia-smi");
    lab().ssh("lab1", &format!("docker exec {alpha} sh -c \"{write}\""));
    cluster.run(&["status"]).exits(0);
    lab().ssh("lab1", &format!("docker exec {alpha} touch /dev/lost"));
    cluster.run(&["status"]).exits(1).says("its container has lost the GPU");
    let before = cluster.containers();
    cluster.run(&["plan"]).says("~ restart alpha: its container has lost the GPU  (interrupts it)");
    cluster.deploy();
    let after = cluster.containers();
    assert_eq!(after["lab1-alpha-1"].id, before["lab1-alpha-1"].id);
    assert_ne!(after["lab1-alpha-1"].started, before["lab1-alpha-1"].started);
    assert_eq!(after["lab1-beta-1"], before["lab1-beta-1"]);
    cluster.answers("alpha");
    cluster.run(&["status"]).exits(0);
}
