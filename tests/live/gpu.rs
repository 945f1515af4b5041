//! GPUs by the NVIDIA runtime. On lab1 the runtime `nvidia` is runc under a second name, and
//! `nvidia-smi` prints a recorded table: what is real here is what Docker is asked for.

use serde_json::json;

use crate::lab::lab;
use crate::running::Running;

#[test]
fn a_model_gets_the_gpu_it_asks_for_and_status_shows_its_memory() {
    let mut cluster = Running::borrow("gpu");
    cluster.hosts["lab1"]["models"]["alpha"]["gpu"] = json!(0);
    // The lab's hosts may not raise a limit above their own, which is what homelab asks for.
    cluster.hosts["lab1"]["models"]["alpha"]["ulimits"] = json!({"memlock": 65536});
    cluster.deploy();
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
