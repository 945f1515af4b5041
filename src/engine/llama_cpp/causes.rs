//! What llama.cpp's server says when it does not come up, and what to do next.
//! It reads no log itself; the more specific rows come first.

use crate::diagnosis::{Row, row};

/// Words after which it never answers (tools/server/server.cpp).
pub(super) const GIVES_UP: &[&str] =
    &["exiting due to model loading error", "exiting due to HTTP server error"];

/// What is known of it (0.7.0; messages of ggml-org/llama.cpp's src/, common/ and tools/server/).
pub(super) const CAUSES: &[Row] = &[
    row(
        "llama-router-too-many",
        &["exceeds models_max"],
        "{1} models are to be loaded when it starts, and it keeps {2}",
        "set [models_max={1}], or let some of them be loaded with [load=on_demand]",
    )
    .reads(r"load on startup \((\d+)\) exceeds models_max \((\d+)\)"),
    row(
        "llama-router-option-unknown",
        &["not recognized in preset"],
        "this llama.cpp does not know {1} for a model behind a server of several",
        "correct the option of that name, or use the [image] of another version",
    )
    .reads(r"option ('[^']*') not recognized in preset"),
    row(
        "llama-router-file-wrong",
        &["failed to parse server config file", "preset file does not exist"],
        "the file with its models is not there or cannot be read",
        "take what mounts over /etc/homelab out of [volumes]; a template of your own must keep that file",
    ),
    row(
        "llama-draft-missing",
        &["failed to load draft model"],
        "its draft model cannot be loaded",
        "correct [model_draft], or mount it with [volumes]",
    ),
    row(
        "llama-mmproj-missing",
        &["failed to load multimodal model"],
        "its multimodal projector cannot be loaded",
        "correct [mmproj], or mount it with [volumes]",
    ),
    row(
        "llama-lora-missing",
        &["failed to load lora adapter"],
        "its adapter cannot be loaded",
        "correct [lora], or mount it with [volumes]",
    ),
    row(
        "llama-architecture-unknown",
        &["unknown model architecture"],
        "this llama.cpp does not know the architecture {1}",
        "use a newer [image], or another [model]",
    )
    .reads(r"unknown model architecture: ('[^']*')"),
    row(
        "llama-tokenizer-unknown",
        &["unknown pre-tokenizer type"],
        "this llama.cpp does not know the model's tokenizer",
        "use a newer [image]",
    ),
    row(
        "llama-not-gguf",
        &["invalid magic characters", "bad magic"],
        "its model is no GGUF file",
        "correct [model]; is the file whole? Git LFS leaves a short text where a model should be",
    ),
    row(
        "llama-file-broken",
        &[
            "failed to read key-value pairs",
            "is not within the file bounds",
            "model is corrupted or incomplete",
        ],
        "the model's file is cut off or broken",
        "remove it and run homelab deploy again, or copy it anew to where [model] says",
    ),
    row(
        "llama-file-missing",
        &["failed to open GGUF file"],
        "there is no file {1} in its container",
        "correct [model]; a directory of the host must be mounted with [volumes]",
    )
    .reads(r"failed to open GGUF file '([^']*)'"),
    row(
        "llama-repository-unknown",
        &[
            "invalid HF repo format",
            "status code: 404",
            "GET failed (404)",
            "no GGUF files found",
            "the hub has no GGUF files of",
            "curl: (22) The requested URL returned error: 404",
        ],
        "there is no such model at Hugging Face",
        "correct [model]: USER/REPOSITORY or USER/REPOSITORY:QUANTIZATION of one with GGUF files",
    ),
    row(
        "llama-hub-refused",
        &[
            "GET failed (401)",
            "GET failed (403)",
            "curl: (22) The requested URL returned error: 401",
            "curl: (22) The requested URL returned error: 403",
        ],
        "Hugging Face does not give the model to strangers, or does not take the token",
        "ask for access on the model's page, then set [hf_token] to a token of that account",
    ),
    row(
        "llama-hub-rate-limit",
        &["GET failed (429)", "curl: (22) The requested URL returned error: 429"],
        "Hugging Face allows no more downloads for now",
        "wait, or set [hf_token]: an account may do more than a stranger",
    ),
    row(
        "llama-hub-unreachable",
        // curl's: no such host, no connection, silence, no TLS, no answer, cut off.
        &[
            "HTTPLIB failed: Could not establish connection",
            "failed to resolve commit for",
            "curl: (6) ",
            "curl: (7) ",
            "curl: (28) ",
            "curl: (35) ",
            "curl: (52) ",
            "curl: (56) ",
        ],
        "the host does not reach Hugging Face, and the model is not in its cache",
        "check the host's network and DNS; a proxy or a mirror (HF_ENDPOINT) goes into [environment]",
    ),
    row(
        "llama-gpu-full",
        &["cudaMalloc failed: out of memory", "unable to allocate CUDA", "CUDA error: out of memory"],
        "the GPU's memory is full",
        "lower [ctx_size] or [n_gpu_layers], or choose a smaller [model]",
    ),
    row(
        "llama-context-beyond-memory",
        &["failed to allocate buffer for kv cache"],
        "its context does not fit into the memory",
        "lower [ctx_size], or make it smaller with [cache_type_k=q8_0]",
    ),
    row(
        "llama-not-enough-memory",
        &[
            "insufficient memory (attempted to allocate",
            "unable to allocate CPU",
            "failed to allocate CPU buffer",
        ],
        "there is not enough memory",
        "free memory on the host, raise [mem_limit] if one is set, or choose a smaller [model]",
    ),
    row(
        "llama-template-wrong",
        &["failed to initialize chat template", "the supplied chat template is not supported"],
        "its chat template cannot be read",
        "correct [chat_template] or [chat_template_file], or take it away: the model has one of its own",
    ),
    row(
        "llama-flag-unknown",
        &["error: invalid argument:"],
        "this llama.cpp does not know {1}",
        "correct [args], or use the [image] of another version",
    )
    .reads(r"error: invalid argument: (\S+)"),
    row(
        "llama-flag-wrong",
        &["error while handling argument"],
        "it does not take what {1} is set to",
        "correct the option of that name, or [args]",
    )
    .reads(r#"error while handling argument "([^"]*)""#),
    row(
        "llama-variable-wrong",
        &["error while handling environment variable"],
        "it does not take what the variable {1} is set to",
        "correct it in [environment]",
    )
    .reads(r#"error while handling environment variable "([^"]*)""#),
    row(
        "llama-port-taken",
        &["couldn't bind HTTP server socket"],
        "something else in its container listens on its port",
        "does [entrypoint] start more than one server? on the host's own network, who else listens there?",
    ),
    // What the process of that model said before is known better, so it goes last.
    row(
        "llama-router-model-failed",
        &["exited with status"],
        "the process of its model {1} exited with code {2}",
        "correct that model's [model] or its options; its log says before that why",
    )
    .reads(r"instance name=(\S+) exited with status ([1-9]\d*)"),
];
