//! Tests of what engines and the gateway say.
//! Each names its proof, what it must be taken for, and the advice.

use crate::case::{Of, Proof};

cases! { VLLM, Of::Vllm, {
    vllm_context_beyond_memory: captured!("engine/vllm-0.32-cpu-kv-cache-too-small.log"),
        "one request of 4194304 tokens needs 2.0 GiB of KV cache, and 1.0 GiB are left",
        "set `max_model_len: 2097024`, or raise `gpu_memory_utilization`";
    vllm_context_beyond_memory_by_far: Proof::Source("vllm/v1/core/kv_cache_utils.py", "To serve at least one request with the model's max seq len (40960), (5.62 GiB KV cache is needed, which is larger than the available KV cache memory (0.01 GiB). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."),
        "what is left of the memory does not hold one request (the KV cache)",
        "lower `max_model_len`, or raise `gpu_memory_utilization`";
    vllm_context_beyond_cache: Proof::Source("vllm/worker/worker.py of 0.8", "The model's max seq len (40960) is larger than the maximum number of tokens that can be stored in KV cache (12304). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine."),
        "one request may have 40960 tokens, and the memory left holds 12304",
        "set `max_model_len: 12304`, or raise `gpu_memory_utilization`";
    vllm_nothing_left_for_cache: Proof::Source("vllm/v1/core/kv_cache_utils.py", "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine."),
        "its weights leave no memory for requests (the KV cache)",
        "raise `gpu_memory_utilization`, or choose a smaller `model`";
    vllm_gpu_taken: Proof::Source("vllm/v1/worker/utils.py", "Free memory on device cuda:0 (12.18/23.56 GiB) on startup is less than desired GPU memory utilization (0.92, 21.67 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."),
        "the GPU has 12.18 of 23.56 GiB free, and it wants 21.67 GiB",
        "nvidia-smi on the host shows who holds the rest; end that, or lower `gpu_memory_utilization`";
    vllm_memory_freed_meanwhile: Proof::Source("vllm/v1/worker/gpu_worker.py", "Error in memory profiling. Initial free memory 20.11 GiB, current free memory 21.90 GiB. This happens when other processes sharing the same container release GPU memory while vLLM is profiling during initialization."),
        "another program freed memory on the GPU while it was measured",
        "run homelab deploy again, and keep other programs off that GPU while a model starts";
    vllm_memory_taken: Proof::Source("vllm/v1/worker/cpu_worker.py", "Available memory on node 0 (3.21/15.60 GiB) on kv cache allocation is less than requested memory for kv (4.00/12.48 GiB). Reduce CPU memory used by other processes."),
        "the host has too little free memory for its KV cache",
        "lower `gpu_memory_utilization` (on CPUs a share of the memory) or `kv_cache_memory_bytes`, or free memory there";
    vllm_weights_too_big: Proof::Source("vllm/v1/worker/gpu_model_runner.py", "Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization to free memory for weights, increasing --tensor-parallel-size, or using --quantization. See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more tips. (original error: CUDA out of memory. Tried to allocate 96.00 MiB.)"),
        "its weights do not fit into the GPU's memory",
        "choose a smaller or quantized `model`, or spread it over several GPUs with `gpu`";
    vllm_gpu_full: Proof::Source("PyTorch, c10/cuda/CUDACachingAllocator.cpp", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 594.00 MiB. GPU 0 has a total capacity of 23.56 GiB of which 412.00 MiB is free."),
        "the GPU's memory is full",
        "lower `gpu_memory_utilization` or `max_num_seqs`, choose a smaller `model`, or spread it over several GPUs with `gpu`";
    vllm_context_beyond_model: captured!("engine/vllm-0.32-cpu-context-too-long.log"),
        "65536 tokens are more than the 4096 that the model was made for",
        "set `max_model_len: 4096` or less";
    vllm_heads_not_divisible: captured!("engine/vllm-0.32-cpu-two-parts.log"),
        "its 4 attention heads cannot be spread over 3 GPUs",
        "give it another number of GPUs: `gpu`, or `tensor_parallel_size`";
    vllm_quantization_mismatch: Proof::Source("vllm/config/model.py", "Quantization method specified in the model config (gptq) does not match the quantization method specified in the `quantization` argument (awq)."),
        "its weights are quantized in another way than it is told",
        "take `quantization` away: vLLM reads it from the model";
    vllm_quantization_unknown: captured!("engine/vllm-0.32-cpu-unknown-quantization.log"),
        "this vLLM does not know the quantization",
        "correct `quantization`, or use a newer `image`";
    vllm_too_few_gpus: Proof::Source("vllm/config/parallel.py", "World size (4) is larger than the number of available GPUs (2) in this node."),
        "it should use 4 GPUs and sees fewer",
        "correct `gpu`, or lower `tensor_parallel_size`";
    vllm_quantization_beyond_gpu: Proof::Source("vllm/config/vllm.py", "The quantization method fp8 is not supported for the current GPU. Minimum capability: 89. Current capability: 75."),
        "the GPU is too old for the way its weights are quantized",
        "choose a `model` that is quantized in another way (AWQ and GPTQ run on most GPUs)";
    vllm_bfloat16_beyond_gpu: Proof::Source("vllm/platforms/cuda.py", "Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for example: --dtype=half."),
        "the GPU is too old for bfloat16",
        "set `dtype: half`";
    vllm_no_device: Proof::Source("vllm/config/device.py", "Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue."),
        "it sees no GPU",
        "does nvidia-smi work on the host? check `gpu`; for CPUs, gpu: none and an `image` made for them";
    vllm_tools_without_parser: Proof::Source("vllm/entrypoints/launchers/cli_args.py", "Error: --enable-auto-tool-choice requires --tool-call-parser"),
        "tools are switched on without a parser for them",
        "set `tool_call_parser`: the model's page names the one that fits";
    vllm_tool_parser_unknown: captured!("engine/vllm-0.32-cpu-bad-tool-parser.log"),
        "this vLLM has no tool call parser `hermess`",
        "correct `tool_call_parser`: the line lists those there are";
    vllm_reasoning_parser_unknown: Proof::Source("vllm/entrypoints/launchers/launcher.py", "KeyError: 'invalid reasoning parser: qwen4 (chose from { deepseek_r1,qwen3 })'"),
        "this vLLM has no reasoning parser `qwen4`",
        "correct `reasoning_parser`: the line lists those there are";
    vllm_architecture_dropped: Proof::Source("vllm/model_executor/models/registry.py", "Model architecture MPTForCausalLM was supported in vLLM until v0.10.2, and is not supported anymore. Please use an older version of vLLM if you want to use this model architecture."),
        "vLLM no longer knows the architecture MPTForCausalLM, since v0.10.2",
        "use an older `image`";
    vllm_architecture_elsewhere: Proof::Source("vllm/model_executor/models/registry.py", "Model architecture BartForConditionalGeneration is not supported in-tree anymore. Please install the plugin at https://github.com/vllm-project/bart-plugin if you want to use this model architecture."),
        "vLLM knows the architecture only with a plugin",
        "use an `image` that has it, or an older one";
    vllm_architecture_unknown: captured!("engine/vllm-0.32-cpu-unsupported-architecture.log"),
        "this vLLM does not know the architecture 'FooForCausalLM'",
        "use a newer `image`, or another `model`";
    vllm_remote_code: Proof::Source("vllm/transformers_utils/config.py", "Failed to load the model config. If the model is a custom model not yet available in the HuggingFace transformers library, consider setting `trust_remote_code=True` in LLM or using the `--trust-remote-code` flag in the CLI."),
        "the model brings code of its own, which does not run unless it is trusted",
        "if you trust its authors, set `trust_remote_code: true`";
    vllm_no_weights: Proof::Source("vllm/model_executor/model_loader/default_loader.py", "Cannot find any model weights with `/models/empty`"),
        "there are no weights where its model is",
        "correct `model`, or the mount in `volumes`; a download may have been cut off: remove it from `hf_home`";
    vllm_weights_broken: captured!("engine/vllm-0.32-cpu-truncated-weights.log"),
        "a file of its weights is cut off or broken",
        "remove it (downloads lie in `hf_home`) and run homelab deploy again, or copy it anew to where `model` says";
    vllm_extra_missing: Proof::Source("vllm/utils/import_utils.py", "Please install vllm[audio] for audio support"),
        "the image lacks a part of vLLM (audio)",
        "use an `image` that has it";
    vllm_flag_unknown: captured!("engine/vllm-0.32-cpu-bad-flag.log"),
        "this vLLM does not know --bogus-flag 3",
        "correct `args`, or use the `image` of another version";
    vllm_flag_wrong: Proof::Source("Python's argparse.py", "vllm serve: error: argument --max-model-len: invalid human_readable_int_or_auto value: 'many'"),
        "it does not take what --max-model-len is set to",
        "correct the option of that name, or `args`";
    vllm_nvidia_entrypoint: Proof::Source("quoted of nvcr.io/nvidia/vllm:26.02-py3", "/opt/nvidia/nvidia_entrypoint.sh: line 55: exec: --: invalid option"),
        "NVIDIA's image takes its arguments for a program",
        "take `entrypoint` away, or let it end in vllm serve";
} }

cases! { LLAMA_CPP, Of::LlamaCpp, {
    llama_router_too_many: captured!("engine/llama.cpp-0.7.0-router-too-many.log"),
        "2 models are to be loaded when it starts, and it keeps 1",
        "set `models_max: 2`, or let some of them be loaded with `load: on_demand`";
    llama_router_option_unknown: captured!("engine/llama.cpp-0.7.0-router-unknown-option.log"),
        "this llama.cpp does not know 'no-such-key' for a model behind a server of several",
        "correct the option of that name, or use the `image` of another version";
    llama_router_file_wrong: captured!("engine/llama.cpp-0.7.0-router-bad-file.log"),
        "the file with its models is not there or cannot be read",
        "take what mounts over /etc/homelab out of `volumes`; a template of your own must keep that file";
    llama_router_model_failed: captured!("engine/llama.cpp-0.7.0-router-model-killed.log"),
        "the process of its model a exited with code 1",
        "correct that model's `model` or its options; its log says before that why";
    llama_draft_missing: captured!("engine/llama.cpp-0.7.0-missing-draft.log"),
        "its draft model cannot be loaded",
        "correct `model_draft`, or mount it with `volumes`";
    llama_mmproj_missing: captured!("engine/llama.cpp-0.7.0-missing-mmproj.log"),
        "its multimodal projector cannot be loaded",
        "correct `mmproj`, or mount it with `volumes`";
    llama_lora_missing: captured!("engine/llama.cpp-0.7.0-missing-lora.log"),
        "its adapter cannot be loaded",
        "correct `lora`, or mount it with `volumes`";
    llama_architecture_unknown: captured!("engine/llama.cpp-0.7.0-unknown-arch.log"),
        "this llama.cpp does not know the architecture 'qwen99'",
        "use a newer `image`, or another `model`";
    llama_tokenizer_unknown: Proof::Source("src/llama-vocab.cpp", "llama_model_load: error loading model: error loading model vocabulary: unknown pre-tokenizer type: 'qwen99'"),
        "this llama.cpp does not know the model's tokenizer",
        "use a newer `image`";
    llama_not_gguf: captured!("engine/llama.cpp-0.7.0-not-gguf.log"),
        "its model is no GGUF file",
        "correct `model`; is the file whole? Git LFS leaves a short text where a model should be";
    llama_file_broken: captured!("engine/llama.cpp-0.7.0-truncated.log"),
        "the model's file is cut off or broken",
        "remove it and run homelab deploy again, or copy it anew to where `model` says";
    llama_file_missing: captured!("engine/llama.cpp-0.7.0-missing-file.log"),
        "there is no file /models/none.gguf in its container",
        "correct `model`; a directory of the host must be mounted with `volumes`";
    llama_repository_unknown: captured!("engine/llama.cpp-0.7.0-repository.log"),
        "there is no such model at Hugging Face",
        "correct `model`: USER/REPOSITORY or USER/REPOSITORY:QUANTIZATION of one with GGUF files";
    llama_hub_refused: Proof::Source("common/hf-cache.cpp", "0.00.024.798 E get_repo_commit: error: GET failed (401): Access to model a/b is restricted."),
        "Hugging Face does not give the model to strangers, or does not take the token",
        "ask for access on the model's page, then set `hf_token` to a token of that account";
    llama_hub_rate_limit: Proof::Source("common/hf-cache.cpp", "0.00.024.798 E get_repo_commit: error: GET failed (429): Too Many Requests"),
        "Hugging Face allows no more downloads for now",
        "wait, or set `hf_token`: an account may do more than a stranger";
    llama_hub_unreachable: captured!("engine/llama.cpp-0.7.0-no-network.log"),
        "the host does not reach Hugging Face, and the model is not in its cache",
        "check the host's network and DNS; a proxy or a mirror (HF_ENDPOINT) goes into `environment`";
    llama_gpu_full: Proof::Source("ggml/src/ggml-cuda/ggml-cuda.cu", "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9216.00 MiB on device 0: cudaMalloc failed: out of memory"),
        "the GPU's memory is full",
        "lower `ctx_size` or `n_gpu_layers`, or choose a smaller `model`";
    llama_context_beyond_memory: captured!("engine/llama.cpp-0.7.0-huge-ctx.log"),
        "its context does not fit into the memory",
        "lower `ctx_size`, or make it smaller with `cache_type_k: q8_0`";
    llama_not_enough_memory: Proof::Source("src/llama-model.cpp", "llama_model_load: error loading model: unable to allocate CPU buffer"),
        "there is not enough memory",
        "free memory on the host, raise `mem_limit` if one is set, or choose a smaller `model`";
    llama_template_wrong: captured!("engine/llama.cpp-0.7.0-bad-template.log"),
        "its chat template cannot be read",
        "correct `chat_template` or `chat_template_file`, or take it away: the model has one of its own";
    llama_flag_unknown: captured!("engine/llama.cpp-0.7.0-bad-flag.log"),
        "this llama.cpp does not know --bogus-flag",
        "correct `args`, or use the `image` of another version";
    llama_flag_wrong: captured!("engine/llama.cpp-0.7.0-bad-value.log"),
        "it does not take what --ctx-size is set to",
        "correct the option of that name, or `args`";
    llama_variable_wrong: captured!("engine/llama.cpp-0.7.0-bad-env.log"),
        "it does not take what the variable LLAMA_ARG_CTX_SIZE is set to",
        "correct it in `environment`";
    llama_port_taken: captured!("engine/llama.cpp-0.7.0-port-taken.log"),
        "something else in its container listens on its port",
        "does `entrypoint` start more than one server? on the host's own network, who else listens there?";
} }

cases! { LITELLM, Of::Litellm, {
    litellm_no_master_key: captured!("gateway/litellm-1.106-no-master-key.log"),
        "it has no master key",
        "set `master_key`, or take it away: homelab then makes one; the template of your own must keep master_key";
    litellm_weak_master_key: Proof::Source("litellm/proxy/auth/master_key_boot_check.py", "LiteLLM proxy refused to start: the master key is a publicly known default."),
        "it does not take its master key",
        "set `master_key` to another one, or take it away: homelab then makes one";
    litellm_config_unreadable: captured!("gateway/litellm-1.106-bad-yaml.log"),
        "its config is no YAML",
        "correct your own template of it: homelab render shows what comes out";
    litellm_config_missing: captured!("gateway/litellm-1.106-no-config.log"),
        "its config is not where it looks for it",
        "take `entrypoint` and what mounts over /etc/litellm out of `volumes`";
    litellm_fallbacks_wrong: captured!("gateway/litellm-1.106-fallbacks.log"),
        "its fallbacks have the wrong shape",
        "correct your own template of its config: a list of maps with one name each";
    litellm_option_unknown: captured!("gateway/litellm-1.106-bad-flag.log"),
        "this LiteLLM does not know --prot",
        "use the `image` of another version";
    litellm_database_missing: Proof::Source("prisma, quoted", "prisma.errors.PrismaError: Can't reach database server at `db:5432`"),
        "it wants a database and does not reach it",
        "correct DATABASE_URL in `environment`, or take it away: homelab needs none";
} }
