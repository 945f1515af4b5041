//! What Ollama says when a model does not come.
//! It knows nothing of the engine it runs inside, whose own words are in its log too.

use super::{Row, row};

/// Refusals (ollama/ollama, server/ and llm/).
pub const OLLAMA: &[Row] = &[
    row(
        "ollama-unknown-model",
        &["pull model manifest: file does not exist"],
        "Ollama's library has no such model",
        "correct [model]: name and tag as ollama.com/library has them",
    ),
    row(
        "ollama-no-gguf",
        &["Repository is not GGUF"],
        "the repository on Hugging Face has no GGUF file",
        "correct [model]: hf.co/user/repo:quant of a repository that has some; vLLM serves the others",
    ),
    row(
        "ollama-unknown-quant",
        &["specified tag is not available in the repository"],
        "the repository on Hugging Face has no file of that quantisation",
        "correct [model]: what stands after its colon is one of those on the repository's page",
    ),
    row(
        "ollama-not-allowed",
        &["pull model manifest: 401", "pull model manifest: 403"],
        "there is no such repository, or it is not for strangers",
        "correct [model]; of a repository that asks for a login Ollama's documentation of Hugging Face says how",
    ),
    row(
        "ollama-cut-off",
        &["max retries exceeded"],
        "the download broke off, again and again",
        "check the host's network; what has arrived stays, and homelab deploy goes on from there",
    ),
    row(
        "ollama-too-old",
        &["requires a newer version of Ollama"],
        "this Ollama is too old for the model",
        "use a newer [image]",
    ),
    row(
        "ollama-not-enough-memory",
        &["model requires more system memory"],
        "the model needs {1} of memory, and {2} are free",
        "choose a smaller [model], or one with fewer bits; a smaller [num_ctx] helps too",
    )
    .reads(r"memory \(([\d.]+ \w+)\) than is available \(([\d.]+ \w+)\)"),
    row(
        "ollama-load-timeout",
        &["timed out waiting for llama"],
        "the model did not load in the time that Ollama gives it",
        "give it longer: [OLLAMA_LOAD_TIMEOUT=15m]",
    ),
    row(
        "ollama-runner-died",
        &["llama runner process has terminated", "llama-server process has terminated"],
        "what Ollama runs the model with died",
        "the lines above it say why; often the memory: choose a smaller [model]",
    ),
    row(
        "ollama-unreachable",
        &["pull model manifest: Get "],
        "the host does not reach Ollama's registry",
        "check the host's network and DNS; a proxy (HTTPS_PROXY) goes into [environment]",
    ),
];
