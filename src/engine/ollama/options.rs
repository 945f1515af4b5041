//! What Ollama can be told, by its own names: parameters of a model, and variables of its server.
//! The names are those of 0.33 (ollama/ollama, docs/modelfile.mdx, api/types.go and envconfig/config.go).

use super::super::option::{Opt, flag, int, many, number, text};

/// What only a server's variables can say begins with this.
pub(super) const OF_SERVER: &str = "OLLAMA_";

pub(super) const OPTIONS: &[Opt] = &[
    int("OLLAMA_CONTEXT_LENGTH"),
    text("OLLAMA_DEBUG"),
    text("OLLAMA_FLASH_ATTENTION"),
    int("OLLAMA_GPU_OVERHEAD"),
    text("OLLAMA_KEEP_ALIVE"),
    text("OLLAMA_KV_CACHE_TYPE"),
    text("OLLAMA_LLM_LIBRARY"),
    text("OLLAMA_LOAD_TIMEOUT"),
    int("OLLAMA_MAX_LOADED_MODELS"),
    int("OLLAMA_MAX_QUEUE"),
    text("OLLAMA_MULTIUSER_CACHE"),
    text("OLLAMA_NOPRUNE"),
    text("OLLAMA_NO_CLOUD"),
    int("OLLAMA_NUM_PARALLEL"),
    text("OLLAMA_ORIGINS"),
    text("OLLAMA_SCHED_SPREAD"),
    int("draft_num_predict"),
    number("frequency_penalty"),
    text("keep_alive"),
    int("main_gpu"),
    number("min_p"),
    int("num_batch"),
    int("num_ctx"),
    int("num_gpu"),
    int("num_keep"),
    int("num_predict"),
    int("num_thread"),
    number("presence_penalty"),
    int("repeat_last_n"),
    number("repeat_penalty"),
    int("seed"),
    many("stop"),
    int("top_k"),
    flag("use_mmap"),
];

const PER_REQUEST: &str = "Ollama's endpoint of OpenAI's protocol sets it itself where a request does not say it: \
                           say it to LiteLLM, as in litellm_params: {temperature: 0.6}";

pub(super) const RESERVED: &[(&str, &str)] = &[
    ("OLLAMA_HOST", "homelab sets it: the port on the host is `port`, the address `host_ip`"),
    (
        "OLLAMA_MODELS",
        "models lie in ~/.ollama on the host: volumes: [\"/big/ollama:/root/.ollama\"] puts them elsewhere, and with `runtime: \
         native` environment: {OLLAMA_MODELS: /big/ollama/models}",
    ),
    ("temperature", PER_REQUEST),
    ("top_p", PER_REQUEST),
    ("ttl", "Ollama's own words are `keep_alive` and, for all of its models, OLLAMA_KEEP_ALIVE"),
];
