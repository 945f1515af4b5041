//! What NVIDIA's driver, its container runtime and CUDA say, to Docker or in an engine's log.
//! It knows no GPU; what is on a host was seen elsewhere.

use super::{Row, row};

/// Refusals (NVIDIA/libnvidia-container, src/; NVIDIA/nvidia-container-toolkit; moby/moby,
/// daemon/; CUDA's runtime and PyTorch, c10/cuda and torch/cuda/__init__.py).
pub const NVIDIA: &[Row] = &[
    row(
        "nvidia-runtime-unknown",
        &[
            "Unknown runtime specified",
            "unknown or invalid runtime name",
            "could not select device driver",
            "unresolvable CDI devices",
        ],
        "Docker does not know the NVIDIA runtime",
        "install the NVIDIA Container Toolkit, then sudo nvidia-ctk runtime configure --runtime=docker and sudo \
         systemctl restart docker; or [gpu=none]",
    ),
    row(
        "nvidia-driver-mismatch",
        &["Driver/library version mismatch"],
        "the NVIDIA driver was updated, and the old one still runs",
        "reboot the host",
    ),
    row(
        "nvidia-driver-too-old-for-image",
        &["unsatisfied condition: "],
        "the host's NVIDIA driver is too old for this image, which wants {1}",
        "update the driver on the host, or choose an [image] made for an older CUDA",
    )
    .reads(r"unsatisfied condition: (.*?)(?:,? please| brand|, |$)"),
    row(
        "nvidia-driver-too-old",
        &[
            "The NVIDIA driver on your system is too old",
            "CUDA driver version is insufficient for CUDA runtime version",
            "the provided PTX was compiled with an unsupported toolchain",
            "system has unsupported display driver / cuda driver combination",
        ],
        "the host's NVIDIA driver is too old for this image",
        "update the driver on the host, or choose an [image] made for an older CUDA",
    ),
    row(
        "nvidia-gpu-missing",
        &["nvidia-container-cli: device error", "CUDA error: invalid device ordinal"],
        "the host does not have a GPU it should use",
        "correct [gpu]: nvidia-smi on the host lists those there are",
    ),
    row(
        "nvidia-gpu-lost",
        &["Failed to initialize NVML: Unknown Error", "GPU is lost", "Unable to determine the device handle"],
        "the GPU is gone, from the container or from the host",
        "does nvidia-smi work on the host? if so, run homelab deploy again, else reboot it",
    ),
    row(
        "nvidia-driver-broken",
        &["nvidia-container-cli", "libnvidia-ml.so"],
        "the NVIDIA driver does not work in containers",
        "does nvidia-smi work on the host? after a driver update the machine needs a reboot",
    ),
    row(
        "nvidia-no-gpu",
        &[
            "No CUDA GPUs are available",
            "no CUDA-capable device is detected",
            "Found no NVIDIA driver on your system",
        ],
        "it sees no GPU",
        "does nvidia-smi work on the host? check [gpu], or choose an [image] for CPUs with gpu: none",
    ),
    row(
        "nvidia-gpu-too-old",
        &["no kernel image is available for execution on the device"],
        "the image has no program for this GPU's generation",
        "choose another [image]: an older one for an old GPU, a newer one for a new GPU",
    ),
];
