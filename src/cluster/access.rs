//! How a container gets at the GPUs of its host: chosen by what the host offers, or by the user.
//! Pure; what a host offers was seen before.

use crate::engine::{Chip, Gpus};
use crate::service::{GpuRequest, Service, Ulimit};
use crate::survey::Facts;

/// A way to the GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The OCI runtime of NVIDIA's container toolkit.
    Nvidia,
    /// NVIDIA's devices by their CDI names.
    Cdi,
    /// Docker's own request for devices, which NVIDIA's hook answers: what `--gpus` asks for.
    Gpus,
    /// AMD's `/dev/kfd` and `/dev/dri`.
    Amd,
    /// `/dev/dri` alone: Intel's GPUs, and others by Vulkan.
    Dri,
}

impl Access {
    pub(super) const ALL: [Self; 5] = [Self::Nvidia, Self::Cdi, Self::Gpus, Self::Amd, Self::Dri];

    /// Its word in the inventory.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Cdi => "cdi",
            Self::Gpus => "gpus",
            Self::Amd => "amd",
            Self::Dri => "dri",
        }
    }

    pub(super) fn by_word(text: &str) -> Result<Self, String> {
        let list = || Self::ALL.map(Self::word).join(", ");
        let found = Self::ALL.into_iter().find(|access| access.word() == text);
        found.ok_or_else(|| format!("`{}` is no way to a GPU: {}", text.escape_debug(), list()))
    }

    /// What the host offers; none if nothing. NVIDIA's runtime comes first: it knows the driver at every start, while
    /// a CDI file is as old as whoever wrote it.
    pub(super) fn offered(facts: &Facts) -> Option<Self> {
        let devices = &facts.devices;
        let ways = [
            (Self::Nvidia, facts.runtimes.contains("nvidia")),
            (Self::Cdi, devices.cdi),
            (Self::Gpus, devices.hook),
            (Self::Amd, devices.kfd && devices.dri),
            (Self::Dri, devices.dri),
        ];
        ways.into_iter().find(|(_, there)| *there).map(|(way, _)| way)
    }

    /// Whose GPUs these are.
    pub(super) fn chip(self) -> Chip {
        match self {
            Self::Nvidia | Self::Cdi | Self::Gpus => Chip::Nvidia,
            Self::Amd => Chip::Amd,
            Self::Dri => Chip::Dri,
        }
    }

    /// Gives a service these GPUs, counted in PCI bus order, so that an index means what `nvidia-smi` shows.
    pub(super) fn give(self, gpus: &Gpus, facts: Option<&Facts>, service: &mut Service) {
        if *gpus == Gpus::None {
            return;
        }
        let each: Vec<String> = match gpus {
            Gpus::Some(_) | Gpus::Named(_) => gpus.to_string().split(',').map(str::to_owned).collect(),
            Gpus::All | Gpus::None => vec![],
        };
        let mut set = |name: &str, value: String| service.environment.insert(name.to_owned(), value);
        if self.chip() == Chip::Nvidia {
            set("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_owned());
        }
        match self {
            Self::Nvidia => {
                set("NVIDIA_VISIBLE_DEVICES", gpus.to_string());
                service.runtime = Some("nvidia".to_owned());
            }
            Self::Cdi => {
                // Else a runtime of NVIDIA's that is Docker's default one would give what the image asks for.
                set("NVIDIA_VISIBLE_DEVICES", "void".to_owned());
                let names = if each.is_empty() { vec!["all".to_owned()] } else { each };
                service.devices = names.iter().map(|name| format!("nvidia.com/gpu={name}")).collect();
            }
            Self::Gpus => {
                let count = each.is_empty().then(|| "all".to_owned());
                service.gpus = vec![GpuRequest { driver: "nvidia".to_owned(), count, device_ids: each }];
            }
            Self::Amd | Self::Dri => {
                // ROCm's and oneAPI's own words, and llama.cpp's for Vulkan.
                let words: &[&str] = match self {
                    Self::Amd => &["ROCR_VISIBLE_DEVICES"],
                    _ => &["GGML_VK_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"],
                };
                for word in words.iter().filter(|_| !each.is_empty()) {
                    set(word, each.join(","));
                }
                let nodes: &[&str] =
                    if self == Self::Amd { &["/dev/kfd", "/dev/dri"] } else { &["/dev/dri"] };
                service.devices = nodes.iter().map(|&node| node.to_owned()).collect();
                // By number: an image need not have the names of the host's groups.
                let groups = facts.map(|facts| &facts.devices.groups);
                service.group_add = groups.into_iter().flatten().map(ToString::to_string).collect();
            }
        }
        // Pinned memory for transfers, and stacks for kernels: what NVIDIA's own containers ask for.
        let both = |limit| Ulimit { soft: limit, hard: limit };
        service.ulimits = [("memlock".to_owned(), both(-1)), ("stack".to_owned(), both(64 << 20))].into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::Devices;

    fn facts(runtime: &str, devices: Devices) -> Facts {
        Facts { runtimes: [runtime.to_owned()].into(), devices, ..Facts::default() }
    }

    #[test]
    fn the_way_is_what_the_host_offers_the_surest_first() {
        let all = Devices { cdi: true, hook: true, kfd: true, dri: true, groups: [44, 992].into() };
        let cases = [
            (facts("nvidia", all.clone()), Some(Access::Nvidia)),
            (facts("runc", all.clone()), Some(Access::Cdi)),
            (facts("runc", Devices { cdi: false, ..all.clone() }), Some(Access::Gpus)),
            (facts("runc", Devices { cdi: false, hook: false, ..all.clone() }), Some(Access::Amd)),
            (facts("runc", Devices { dri: true, ..Devices::default() }), Some(Access::Dri)),
            (facts("runc", Devices { kfd: true, ..Devices::default() }), None),
        ];
        for (facts, way) in cases {
            assert_eq!(Access::offered(&facts), way, "{facts:?}");
        }
    }

    #[test]
    fn each_way_asks_docker_for_the_same_gpus_in_its_own_words() {
        let groups = facts("runc", Devices { groups: [44, 992].into(), ..Devices::default() });
        let given = |access: Access, gpus: &Gpus| {
            let mut service = Service::default();
            access.give(gpus, Some(&groups), &mut service);
            let Service { runtime, devices, gpus, group_add, environment, ulimits, .. } = service;
            assert_eq!(ulimits.is_empty(), gpus.is_empty() && devices.is_empty() && runtime.is_none());
            let environment: Vec<String> = environment.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
            let gpus: Vec<String> =
                gpus.iter().map(|g| format!("{:?} {:?}", g.count, g.device_ids)).collect();
            format!("{runtime:?} {devices:?} {gpus:?} {group_add:?} {}", environment.join(" "))
        };
        let two = Gpus::Some([0, 2].into());
        for (access, gpus, expected) in [
            (
                Access::Nvidia,
                &two,
                r#"Some("nvidia") [] [] [] CUDA_DEVICE_ORDER=PCI_BUS_ID NVIDIA_VISIBLE_DEVICES=0,2"#,
            ),
            (
                Access::Cdi,
                &two,
                r#"None ["nvidia.com/gpu=0", "nvidia.com/gpu=2"] [] [] CUDA_DEVICE_ORDER=PCI_BUS_ID NVIDIA_VISIBLE_DEVICES=void"#,
            ),
            (
                Access::Cdi,
                &Gpus::All,
                r#"None ["nvidia.com/gpu=all"] [] [] CUDA_DEVICE_ORDER=PCI_BUS_ID NVIDIA_VISIBLE_DEVICES=void"#,
            ),
            (Access::Gpus, &two, r#"None [] ["None [\"0\", \"2\"]"] [] CUDA_DEVICE_ORDER=PCI_BUS_ID"#),
            (Access::Gpus, &Gpus::All, r#"None [] ["Some(\"all\") []"] [] CUDA_DEVICE_ORDER=PCI_BUS_ID"#),
            (Access::Amd, &two, r#"None ["/dev/kfd", "/dev/dri"] [] ["44", "992"] ROCR_VISIBLE_DEVICES=0,2"#),
            (Access::Dri, &Gpus::All, r#"None ["/dev/dri"] [] ["44", "992"] "#),
            (Access::Amd, &Gpus::None, "None [] [] [] "),
        ] {
            assert_eq!(given(access, gpus), expected, "{access:?} {gpus}");
        }
    }
}
