//! curl: a request by hand, for each kind of model there is.
//! The key goes in by a file descriptor: what stands among arguments can be read by everyone on the machine.

use serde_json::json;

use super::{Choice, Client, Key, Model, shell_word};
use crate::engine::Kind;

pub(super) struct Curl;

impl Client for Curl {
    fn name(&self) -> &'static str {
        "curl"
    }

    fn title(&self) -> &'static str {
        "curl"
    }

    fn needs(&self) -> &'static str {
        "curl 7.55 or newer, and a POSIX shell"
    }

    fn settings(&self) -> &'static str {
        "the environment"
    }

    fn keeps_key(&self) -> &'static str {
        "HOMELAB_API_KEY"
    }

    fn steps(&self, choice: &Choice<'_>, key: Key<'_>) -> Option<String> {
        let mut text = format!("HOMELAB_API_KEY={}\n", key.shell());
        for (what, path, body) in requests(choice) {
            // `printf` is the shell's own: no process has the key among its arguments.
            text += &format!(
                "\n# {what}\nprintf 'Authorization: Bearer %s\\n' \"$HOMELAB_API_KEY\" |\n  curl -sS -H @- -H 'Content-Type: application/json' -d {} {}\n",
                shell_word(&body),
                shell_word(&format!("{}{path}", choice.offer.url)),
            );
        }
        Some(text)
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        None
    }
}

/// What is asked, where, with which body: one request for every kind of model.
fn requests(choice: &Choice<'_>) -> Vec<(String, &'static str, String)> {
    let first = |kind| choice.offer.models.iter().find(|model| model.kind == kind);
    let one = |model: &Model| {
        let name = model.name.as_str();
        let (what, path, body) = match model.kind {
            Kind::Chat => (
                "an answer",
                "/v1/chat/completions",
                json!({"model": name, "messages": [{"role": "user", "content": "Say hello."}]}),
            ),
            Kind::Completion => (
                "a completion",
                "/v1/completions",
                json!({"model": name, "prompt": "def add(a, b):", "max_tokens": 32}),
            ),
            Kind::Embedding => ("a vector", "/v1/embeddings", json!({"model": name, "input": "Hello."})),
            Kind::Rerank => (
                "scores",
                "/v1/rerank",
                json!({"model": name, "query": "a fruit", "documents": ["an apple", "a spoon"]}),
            ),
        };
        (format!("{what} of {name}"), path, body.to_string())
    };
    let others = [Kind::Completion, Kind::Embedding, Kind::Rerank].into_iter().filter_map(first);
    std::iter::once(choice.main).chain(others).map(one).collect()
}
