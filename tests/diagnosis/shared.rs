//! Tests of what Hugging Face, NVIDIA, Docker and the system say.
//! Each names its proof, what it must be taken for, and the advice.

use crate::case::{Of, Proof};

cases! { SHARED, Of::Shared, {
    hub_gated: Proof::Source("transformers/utils/hub.py", "OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/google/gemma-3-4b-it.\n401 Client Error. (Request ID: Root=1-2)\n\nCannot access gated repo for url https://huggingface.co/google/gemma-3-4b-it/resolve/main/config.json."),
        "Hugging Face gives this model only to accounts that were granted access",
        "ask for access on the model's page, then set `hf_token` to a token of that account";
    hub_unknown_repository: Proof::Source("transformers/utils/hub.py", "OSError: Qwen/Qwen3-30B is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'\nIf this is a private repository, make sure to pass a token having permission to this repo"),
        "Hugging Face has no such model, or it is private",
        "correct `model`; a private one needs `hf_token`";
    hub_token_refused: Proof::Source("huggingface_hub/utils/_http.py", "httpx.HTTPStatusError: 401 Client Error. (Request ID: Root=1-2)\n\nInvalid username or password."),
        "Hugging Face does not take the token",
        "make a new one on the account's page and give it as `hf_token`";
    hub_rate_limit: Proof::Source("huggingface_hub/utils/_http.py", "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api/models/Qwen/Qwen3-4B"),
        "Hugging Face allows no more downloads for now",
        "wait, or set `hf_token`: an account may do more than a stranger";
    hub_not_a_repository: Proof::Source("huggingface_hub/utils/_validators.py", "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '/models/tiny-qwen'. Use `repo_type` argument if needed."),
        "its model is neither a directory in the container nor the name of a repository",
        "correct `model`; a directory of the host must be mounted with `volumes`";
    hub_offline: Proof::Source("huggingface_hub/errors.py", "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/a/b: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment variable."),
        "it may not download anything, and the model is not in the cache",
        "take HF_HUB_OFFLINE out of `environment`, or let the server download what it needs when it starts, with `prefetch: false`";
    hub_unreachable: captured!("engine/vllm-0.32-cpu-no-network.log"),
        "the host does not reach Hugging Face, and the model is not in its cache",
        "check the host's network and DNS; a proxy or a mirror (HF_ENDPOINT) goes into `environment`";
    hub_unknown_model: captured!("engine/vllm-0.32-cpu-no-config.log"),
        "there is no model /models/no-config with a config.json, neither in the container nor at Hugging Face",
        "correct `model`; a directory of the host must be mounted with `volumes`";
    nvidia_runtime_unknown: captured!("refusals/docker-20.10-runtime.txt"),
        "Docker does not know the NVIDIA runtime",
        "install the NVIDIA Container Toolkit, then sudo nvidia-ctk runtime configure --runtime=docker and sudo systemctl restart docker; or `gpu: none`";
    nvidia_driver_mismatch: Proof::Source("NVIDIA/libnvidia-container", "nvidia-container-cli: initialization error: nvml error: driver/library version mismatch: Failed to initialize NVML: Driver/library version mismatch"),
        "the NVIDIA driver was updated, and the old one still runs",
        "reboot the host";
    nvidia_driver_too_old_for_image: Proof::Source("NVIDIA/libnvidia-container, src/cli/common.c, quoted", "OCI runtime create failed: error running hook: stderr: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.9, please update your driver to a newer version, or use an earlier cuda container: unknown"),
        "the host's NVIDIA driver is too old for this image, which wants cuda>=12.9",
        "update the driver on the host, or choose an `image` made for an older CUDA";
    nvidia_driver_too_old: Proof::Source("PyTorch, torch/csrc/cuda/Module.cpp, quoted", "RuntimeError: The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by downloading and installing a new version"),
        "the host's NVIDIA driver is too old for this image",
        "update the driver on the host, or choose an `image` made for an older CUDA";
    nvidia_gpu_missing: Proof::Source("NVIDIA/libnvidia-container, quoted", "nvidia-container-cli: device error: 5: unknown device: unknown"),
        "the host does not have a GPU it should use",
        "correct `gpu`: nvidia-smi on the host lists those there are";
    nvidia_gpu_lost: Proof::Source("nvidia-smi, quoted", "Failed to initialize NVML: Unknown Error"),
        "the GPU is gone, from the container or from the host",
        "does nvidia-smi work on the host? if so, run homelab deploy again, else reboot it";
    nvidia_driver_broken: Proof::Source("NVIDIA/libnvidia-container, quoted", "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown"),
        "the NVIDIA driver does not work in containers",
        "does nvidia-smi work on the host? after a driver update the machine needs a reboot";
    nvidia_no_gpu: Proof::Source("PyTorch, torch/cuda/__init__.py", "RuntimeError: No CUDA GPUs are available"),
        "it sees no GPU",
        "does nvidia-smi work on the host? check `gpu`, or choose an `image` for CPUs with gpu: none";
    nvidia_gpu_too_old: Proof::Source("CUDA's runtime", "CUDA error: no kernel image is available for execution on the device"),
        "the image has no program for this GPU's generation",
        "choose another `image`: an older one for an old GPU, a newer one for a new GPU";
    ollama_unknown_model: Proof::Source("ollama/ollama, server/images.go", "pull model manifest: file does not exist"),
        "Ollama's library has no such model",
        "correct `model`: name and tag as ollama.com/library has them";
    ollama_no_gguf: Proof::Source("Hugging Face's answer to Ollama, quoted", "pull model manifest: 400: {\"error\":\"Repository is not GGUF or is not compatible with llama.cpp\"}"),
        "the repository on Hugging Face has no GGUF file",
        "correct `model`: hf.co/user/repo:quant of a repository that has some; vLLM serves the others";
    ollama_unknown_quant: Proof::Source("Hugging Face's answer to Ollama, quoted", "pull model manifest: 400: {\"error\":\"The specified tag is not available in the repository. Please use another tag or \\\"latest\\\"\"}"),
        "the repository on Hugging Face has no file of that quantisation",
        "correct `model`: what stands after its colon is one of those on the repository's page";
    ollama_not_allowed: Proof::Source("Hugging Face's answer to Ollama, quoted", "pull model manifest: 401: {\"error\":\"Invalid username or password.\"}"),
        "there is no such repository, or it is not for strangers",
        "correct `model`; of a repository that asks for a login Ollama's documentation of Hugging Face says how";
    ollama_cut_off: Proof::Source("ollama/ollama, server/download.go", "max retries exceeded: unexpected EOF"),
        "the download broke off, again and again",
        "check the host's network; what has arrived stays, and homelab deploy goes on from there";
    ollama_too_old: Proof::Source("ollama/ollama, server/images.go", "pull model manifest: 412: The model you are attempting to pull requires a newer version of Ollama that may be in pre-release."),
        "this Ollama is too old for the model",
        "use a newer `image`";
    ollama_not_enough_memory: Proof::Source("ollama/ollama, llm/server.go", "model requires more system memory (44.0 GiB) than is available (7.6 GiB)"),
        "the model needs 44.0 GiB of memory, and 7.6 GiB are free",
        "choose a smaller `model`, or one with fewer bits; a smaller `num_ctx` helps too";
    ollama_load_timeout: Proof::Source("ollama/ollama, llm/server.go", "timed out waiting for llama runner to start - progress 0.52 - "),
        "the model did not load in the time that Ollama gives it",
        "give it longer: `OLLAMA_LOAD_TIMEOUT: 15m`";
    ollama_runner_died: Proof::Source("ollama/ollama, llm/server.go", "llama runner process has terminated: signal: killed"),
        "what Ollama runs the model with died",
        "the lines above it say why; often the memory: choose a smaller `model`";
    ollama_unreachable: Proof::Source("ollama/ollama, server/images.go", "pull model manifest: Get \"https://registry.ollama.ai/v2/library/qwen3/manifests/14b\": dial tcp: lookup registry.ollama.ai: no such host"),
        "the host does not reach Ollama's registry",
        "check the host's network and DNS; a proxy (HTTPS_PROXY) goes into `environment`";
    shared_memory_too_small: Proof::Source("vllm/distributed/device_communicators/shm_broadcast.py", "RuntimeError: Insufficient space in /dev/shm for message queue: 160 MiB required, 64 MiB free. Increase /dev/shm (e.g. --shm-size or --ipc=host)."),
        "/dev/shm in its container is too small",
        "set `shm_size: 8g`, or `ipc: host`";
    disk_full: Proof::Source("Python's errno", "OSError: [Errno 28] No space left on device: '/root/.cache/huggingface/hub/models--a--b/blobs/00.incomplete'"),
        "the disk is full",
        "make room on the host: docker system df shows what Docker holds, docker image prune frees some; models lie in `hf_home`";
    port_taken_inside: Proof::Source("Python's errno", "OSError: [Errno 98] Address already in use"),
        "something else in its container listens on its port",
        "does `entrypoint` start more than one server? on the host's own network, who else listens there?";
    not_enough_memory: Proof::Source("PyTorch, c10/core/impl/alloc_cpu.cpp", "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 622329856 bytes. Error code 12 (Cannot allocate memory)"),
        "there is not enough memory",
        "raise `mem_limit` if one is set, free memory on the host, or choose a smaller model";
    too_many_files: Proof::Source("Python's errno", "OSError: [Errno 24] Too many open files: '/models/a.safetensors'"),
        "it may not open more files",
        "raise nofile in `ulimits`";
    wrong_processor: Proof::Source("Linux's errno", "exec /usr/bin/vllm: exec format error"),
        "the image is made for another processor",
        "choose an `image` for this host's processor";
    permission_denied: Proof::Source("Python's errno", "PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface/hub'"),
        "it may not read or write a file",
        "check who owns what `volumes` mounts on the host";
    container_out_of_memory: Proof::OutOfMemory(include_str!("../data/engine/vllm-0.32-cpu-out-of-memory.log")),
        "the kernel killed it because there was not enough memory",
        "raise `mem_limit` if one is set, free memory on the host, or choose a smaller model";
    container_killed: Proof::Code(137),
        "somebody killed it, perhaps the kernel for the host's memory",
        "on the host: sudo dmesg | grep -i killed; free memory there, or choose a smaller model";
    container_crashed: Proof::Code(139),
        "it crashed (segmentation fault)",
        "try another version of its `image`; a GPU's driver may be at fault too";
    container_aborted: Proof::Code(134),
        "it gave up (abort)",
        "the last lines of its log may say why";
    container_wrong_processor: Proof::Code(132),
        "its program uses instructions that the host's processor does not have",
        "choose an `image` made for this processor";
    container_not_runnable: Proof::Code(126),
        "what it should run cannot be run",
        "check `entrypoint` and `image`: they belong together";
    container_not_found: Proof::Code(127),
        "what it should run is not in its image",
        "check `entrypoint` and `image`: they belong together";
    container_stopped: Proof::Code(143),
        "somebody stopped it",
        "run homelab deploy again; if it stays, somebody else manages this host's containers";
} }

cases! { REFUSALS, Of::Refusals, {
    image_missing: captured!("refusals/docker-20.10-no-image.txt"),
        "the image is not on the host",
        "run homelab deploy again: it pulls what is missing";
    host_ip_missing: captured!("refusals/docker-20.10-host-ip.txt"),
        "the host does not have the address that it publishes its port on",
        "correct `host_ip`";
    port_taken: captured!("refusals/docker-20.10-port-container.txt"),
        "a port it publishes is taken",
        "homelab status shows by whom, or on the host: sudo ss -ltnp; free it or choose another `port`";
    name_taken: captured!("refusals/docker-20.10-name-taken.txt"),
        "another container has that name",
        "run the same command again; if it stays, docker ps -a on the host shows whose it is";
    device_missing: captured!("refusals/docker-20.10-no-device.txt"),
        "the host does not have a device it wants",
        "correct `devices`: ls /dev on the host shows what is there";
    mount_refused: captured!("refusals/docker-20.10-bind-source.txt"),
        "something it mounts cannot be mounted",
        "correct `volumes`: a file goes onto a file, a directory onto a directory";
    command_missing: captured!("refusals/docker-20.10-no-command.txt"),
        "the image does not have the command that should run",
        "check `image` and `entrypoint`: they belong together";
    command_not_runnable: captured!("refusals/docker-20.10-not-executable.txt"),
        "the image's command cannot be run",
        "check `entrypoint`; an `image` may be made for another processor";
    group_missing: captured!("refusals/docker-20.10-group.txt"),
        "the image does not have a group it should run with",
        "give `group_add` the number that the group has on the host: getent group NAME";
    user_missing: captured!("refusals/docker-20.10-user.txt"),
        "the image does not have the user it should run as",
        "choose another `image`";
    memory_limit_too_small: captured!("refusals/docker-20.10-mem-too-small.txt"),
        "its memory limit is less than Docker allows",
        "raise `mem_limit`: plain numbers are bytes";
} }

cases! { PULLS, Of::Pulls, {
    image_unknown: Proof::Source("moby/moby, distribution/", "manifest for registry.lab/qwen:1 not found: manifest unknown: manifest unknown"),
        "there is no image registry.lab/qwen:1",
        "check name and tag in `image`; a private one needs a login in `registry_auth`";
    image_other_processor: Proof::Source("moby/moby, distribution/", "no matching manifest for linux/arm64/v8 in the manifest list entries"),
        "registry.lab/qwen:1 is not made for this host's processor",
        "choose an `image` for it: docker manifest inspect lists them";
    registry_rate_limit: Proof::Source("Docker Hub", "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading"),
        "registry.lab allows no more pulls for now",
        "give a login in `registry_auth`, or wait";
    registry_unauthorised: Proof::Source("moby/moby, distribution/", "Head \"https://registry.lab/v2/qwen/manifests/1\": unauthorized: authentication required"),
        "registry.lab does not give registry.lab/qwen:1 to a stranger",
        "give registry.lab a login in `registry_auth`, as in {username: NAME, password: {env: VARIABLE}}";
    registry_certificate: Proof::Source("Go's crypto/x509", "Get \"https://registry.lab/v2/\": x509: certificate signed by unknown authority"),
        "the host's Docker does not trust the registry registry.lab",
        "put its certificate into /etc/docker/certs.d on the host, or name it in insecure-registries";
    image_broken: Proof::Source("moby/moby, distribution/", "filesystem layer verification failed for digest sha256:00"),
        "a layer of registry.lab/qwen:1 arrived broken",
        "run homelab deploy again; if it stays, the registry holds a broken image";
    registry_unreachable: captured!("refusals/docker-20.10-pull-unknown.txt"),
        "the host cannot reach the registry registry.lab",
        "check the host's network, its DNS and its proxy settings for Docker";
} }

cases! { PINS, Of::Pins, {
    image_pin_gone: Proof::Source("moby/moby, distribution/", "manifest for registry.lab/qwen@sha256:00 not found: manifest unknown: manifest unknown"),
        "the registry no longer has registry.lab/qwen:1 as homelab.lock pins it: its tag was moved, or the image was taken back",
        "find out why before you take what is there now: homelab update registry.lab/qwen:1";
} }
