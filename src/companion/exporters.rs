//! Exporters: what a host's kernel and its GPUs count, for Prometheus.

use crate::service::Service;

use super::{Draft, GPU_EXPORTER, NODE_EXPORTER, pairs, words};

/// Prometheus's own exporter. In a container's network it counts that network, so what is about networks is left out;
/// the rest it reads from the host's root, mounted read-only as its README says.
#[must_use]
pub fn node_exporter() -> Draft {
    Draft {
        name: NODE_EXPORTER.name,
        service: Service {
            image: "prom/node-exporter:v1.9.1".to_owned(),
            command: Some(words(&[
                "--path.rootfs=/host",
                "--path.procfs=/host/proc",
                "--path.sysfs=/host/sys",
                "--web.listen-address=:9100",
                "--no-collector.arp",
                "--no-collector.netclass",
                "--no-collector.netdev",
                "--no-collector.netstat",
                "--no-collector.sockstat",
                "--no-collector.softnet",
            ])),
            volumes: words(&["/:/host:ro"]),
            ..Service::default()
        },
        container_port: 9100,
        health: "/",
        ..Draft::default()
    }
}

/// An exporter that asks `nvidia-smi`, which NVIDIA's runtime puts into the container. NVIDIA's own, dcgm-exporter, needs
/// a daemon of DCGM's beside it and tells little on GPUs that are not for data centres, which most of a home's are.
#[must_use]
pub fn gpu_exporter() -> Draft {
    Draft {
        name: GPU_EXPORTER.name,
        service: Service {
            image: "utkuozdemir/nvidia_gpu_exporter:1.4.1".to_owned(),
            environment: pairs(&[("NVIDIA_DRIVER_CAPABILITIES", "utility")]),
            ..Service::default()
        },
        container_port: 9835,
        health: "/",
        ..Draft::default()
    }
}
