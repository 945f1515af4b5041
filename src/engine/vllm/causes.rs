//! What vLLM says when it does not come up, and what to do next.
//! It reads no log itself; the more specific rows come first.

use crate::diagnosis::{Row, row};

/// Words after which vLLM never answers, wherever they stand. What led to them stands above
/// (vllm/v1/engine/utils.py, vllm/v1/engine/core.py, vllm/v1/executor/multiproc_executor.py; the last
/// is uvicorn's).
pub(super) const GIVES_UP: &[&str] = &[
    "Engine core initialization failed. See root cause above",
    "EngineCore failed to start.",
    "WorkerProc initialization failed due to an exception",
    "Application startup failed. Exiting.",
];

/// What is known of it (0.32 and 0.33; some messages are older).
pub(super) const CAUSES: &[Row] = &[
    // vllm/v1/core/kv_cache_utils.py
    row(
        "vllm-context-beyond-memory",
        &["is larger than the available KV cache memory"],
        "one request of {1} tokens needs {2} GiB of KV cache, and {3} GiB are left",
        "set [max_model_len={4}], or raise [gpu_memory_utilization]",
    )
    .reads(
        r"max seq len \((\d+)\), \(([\d.]+) GiB KV cache is needed.*?memory \(([\d.]+) GiB\).*?estimated maximum model length is (\d+)",
    ),
    row(
        "vllm-context-beyond-memory-by-far",
        &["is larger than the available KV cache memory"],
        "what is left of the memory does not hold one request (the KV cache)",
        "lower [max_model_len], or raise [gpu_memory_utilization]",
    ),
    // The same before 0.9.
    row(
        "vllm-context-beyond-cache",
        &["is larger than the maximum number of tokens that can be stored in KV cache"],
        "one request may have {1} tokens, and the memory left holds {2}",
        "set [max_model_len={2}], or raise [gpu_memory_utilization]",
    )
    .reads(r"max seq len \((\d+)\) is larger than the maximum number of tokens that can be stored in KV cache \((\d+)\)"),
    row(
        "vllm-nothing-left-for-cache",
        &["No available memory for the cache blocks", "Cannot auto-fit max_model_len"],
        "its weights leave no memory for requests (the KV cache)",
        "raise [gpu_memory_utilization], or choose a smaller [model]",
    ),
    // vllm/v1/worker/utils.py, vllm/v1/worker/gpu_worker.py, vllm/v1/worker/cpu_worker.py
    row(
        "vllm-gpu-taken",
        &["on startup is less than"],
        "the GPU has {1} of {2} GiB free, and it wants {3} GiB",
        "nvidia-smi on the host shows who holds the rest; end that, or lower [gpu_memory_utilization]",
    )
    .reads(r"Free memory on device (?:\S+ )?\(([\d.]+)/([\d.]+) GiB\) on startup is less than .*?, ([\d.]+) GiB\)"),
    row(
        "vllm-memory-freed-meanwhile",
        &["Error in memory profiling."],
        "another program freed memory on the GPU while it was measured",
        "run homelab deploy again, and keep other programs off that GPU while a model starts",
    ),
    row(
        "vllm-memory-taken",
        &["allocation is less than requested memory for kv"],
        "the host has too little free memory for its KV cache",
        "lower [gpu_memory_utilization] (on CPUs a share of the memory) or [kv_cache_memory_bytes], or free memory \
         there",
    ),
    // vllm/v1/worker/gpu_model_runner.py; the second is PyTorch's.
    row(
        "vllm-weights-too-big",
        &["Failed to load model - not enough GPU memory"],
        "its weights do not fit into the GPU's memory",
        "choose a smaller or quantized [model], or spread it over several GPUs with [gpu]",
    ),
    row(
        "vllm-gpu-full",
        &["CUDA out of memory", "torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"],
        "the GPU's memory is full",
        "lower [gpu_memory_utilization] or [max_num_seqs], choose a smaller [model], or spread it over several GPUs \
         with [gpu]",
    ),
    // vllm/config/model.py
    row(
        "vllm-context-beyond-model",
        &["is greater than the derived max_model_len"],
        "{1} tokens are more than the {2} that the model was made for",
        "set [max_model_len={2}] or less",
    )
    .reads(r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\w+=(\d+)"),
    row(
        "vllm-heads-not-divisible",
        &["must be divisible by tensor parallel size"],
        "its {1} attention heads cannot be spread over {2} GPUs",
        "give it another number of GPUs: [gpu], or [tensor_parallel_size]",
    )
    .reads(r"attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)"),
    row(
        "vllm-quantization-mismatch",
        &["does not match the quantization method specified in the `quantization` argument"],
        "its weights are quantized in another way than it is told",
        "take [quantization] away: vLLM reads it from the model",
    ),
    row(
        "vllm-quantization-unknown",
        &["Unknown quantization method:"],
        "this vLLM does not know the quantization",
        "correct [quantization], or use a newer [image]",
    ),
    // vllm/config/parallel.py
    row(
        "vllm-too-few-gpus",
        &["is larger than the number of available GPUs"],
        "it should use {1} GPUs and sees fewer",
        "correct [gpu], or lower [tensor_parallel_size]",
    )
    .reads(r"World size \((\d+)\)"),
    // vllm/config/vllm.py, vllm/platforms/cuda.py, vllm/config/device.py
    row(
        "vllm-quantization-beyond-gpu",
        &["is not supported for the current GPU"],
        "the GPU is too old for the way its weights are quantized",
        "choose a [model] that is quantized in another way (AWQ and GPTQ run on most GPUs)",
    ),
    row(
        "vllm-bfloat16-beyond-gpu",
        &["Bfloat16 is only supported on GPUs"],
        "the GPU is too old for bfloat16",
        "set [dtype=half]",
    ),
    row(
        "vllm-no-device",
        &["Failed to infer device type"],
        "it sees no GPU",
        "does nvidia-smi work on the host? check [gpu]; for CPUs, gpu: none and an [image] made for them",
    ),
    // vllm/entrypoints/launchers/cli_args.py and launcher.py
    row(
        "vllm-tools-without-parser",
        &["--enable-auto-tool-choice requires --tool-call-parser"],
        "tools are switched on without a parser for them",
        "set [tool_call_parser]: the model's page names the one that fits",
    ),
    row(
        "vllm-tool-parser-unknown",
        &["invalid tool call parser: "],
        "this vLLM has no tool call parser `{1}`",
        "correct [tool_call_parser]: the line lists those there are",
    )
    .reads(r"invalid tool call parser: (\S+)"),
    row(
        "vllm-reasoning-parser-unknown",
        &["invalid reasoning parser: "],
        "this vLLM has no reasoning parser `{1}`",
        "correct [reasoning_parser]: the line lists those there are",
    )
    .reads(r"invalid reasoning parser: (\S+)"),
    // vllm/model_executor/models/registry.py
    row(
        "vllm-architecture-dropped",
        &["was supported in vLLM until v"],
        "vLLM no longer knows the architecture {1}, since v{2}",
        "use an older [image]",
    )
    .reads(r"architecture (\S+) was supported in vLLM until v([\w.]*\w)"),
    row(
        "vllm-architecture-elsewhere",
        &["is not supported in-tree anymore"],
        "vLLM knows the architecture only with a plugin",
        "use an [image] that has it, or an older one",
    ),
    row(
        "vllm-architecture-unknown",
        &["are not supported for now"],
        "this vLLM does not know the architecture {1}",
        "use a newer [image], or another [model]",
    )
    .reads(r"Model architectures \[(.*?)\] are not supported"),
    // vllm/transformers_utils/config.py, vllm/tokenizers/hf.py; transformers' dynamic_module_utils.py
    row(
        "vllm-remote-code",
        &["`trust_remote_code=True` in LLM", "contains custom code which must be executed"],
        "the model brings code of its own, which does not run unless it is trusted",
        "if you trust its authors, set [trust_remote_code=true]",
    ),
    // vllm/model_executor/model_loader/default_loader.py, vllm/utils/import_utils.py
    row(
        "vllm-no-weights",
        &["Cannot find any model weights with"],
        "there are no weights where its model is",
        "correct [model], or the mount in [volumes]; a download may have been cut off: remove it from [hf_home]",
    ),
    row(
        "vllm-weights-broken",
        &["Error while deserializing header", "SafetensorError"],
        "a file of its weights is cut off or broken",
        "remove it (downloads lie in [hf_home]) and run homelab deploy again, or copy it anew to where [model] says",
    ),
    row(
        "vllm-extra-missing",
        &["Please install vllm["],
        "the image lacks a part of vLLM ({1})",
        "use an [image] that has it",
    )
    .reads(r"Please install vllm\[([\w-]+)\]"),
    // Python's argparse
    row(
        "vllm-flag-unknown",
        &["error: unrecognized arguments:"],
        "this vLLM does not know {1}",
        "correct [args], or use the [image] of another version",
    )
    .reads(r"unrecognized arguments: (.*)"),
    row(
        "vllm-flag-wrong",
        &["error: argument "],
        "it does not take what {1} is set to",
        "correct the option of that name, or [args]",
    )
    .reads(r"error: argument (\S+?):? "),
    // NVIDIA's entrypoint runs its arguments: those must begin with a program.
    row(
        "vllm-nvidia-entrypoint",
        &["exec: --: invalid option"],
        "NVIDIA's image takes its arguments for a program",
        "take [entrypoint] away, or let it end in vllm serve",
    ),
];
