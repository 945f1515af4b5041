//! What a model cannot do for a client: too short a context for an agent, no tool calls.
//! It warns; every setting is made nevertheless.

use super::{Choice, Client};
use crate::diagnostic::Diagnostic;

/// From how many tokens of context agents are at ease: what Ollama's own set-up of Codex and opencode asks for
/// (ollama/ollama, cmd/launch), and opencode's documentation of local models.
pub const AT_EASE: u64 = 65_536;

/// What is to be known before this client is used with this choice.
#[must_use]
pub fn warnings(client: &dyn Client, choice: &Choice<'_>) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = choice.offer.authority.iter().map(|how| untrusted(how)).collect();
    let Some(first) = client.first_request() else { return all };
    let (title, model) = (client.title(), choice.main);
    match model.context {
        None => all.push(
            Diagnostic::aside(format!("how long a context `{}` has is not in the inventory, so {title} is not told", model.name))
                .hint("set max_model_len (vLLM) or ctx_size (llama.cpp)"),
        ),
        Some(context) if context <= first + model.answer().unwrap_or(0) => all.push(
            Diagnostic::aside(format!(
                "`{}` has {context} tokens of context, and {title} fills about {first} before it has read a line: it cannot work with it",
                model.name
            ))
            .hint(format!("serve it with more, {AT_EASE} if that fits, or take another one by --model; chat and completion need less")),
        ),
        Some(context) if context < AT_EASE => all.push(
            Diagnostic::aside(format!(
                "`{}` has {context} tokens of context, and {title} fills about {first} before it has read a line: {} are left for files and answers",
                model.name,
                context - first
            ))
            .hint(format!("agents are at ease from {AT_EASE}; until then give it small tasks, one file at a time")),
        ),
        Some(_) => {}
    }
    if model.tools == Some(false) {
        all.push(
            Diagnostic::aside(format!(
                "`{}` calls no tools as it is served, and {title} can only talk then",
                model.name
            ))
            .hint("set tool_call_parser (vLLM), or leave jinja on (llama.cpp)"),
        );
    }
    all
}

/// What a client must be told of an authority of one's own.
fn untrusted(how: &str) -> Diagnostic {
    let what = "the gateway's certificate is signed by an authority of its own, which no client trusts yet";
    Diagnostic::aside(what).hint(format!(
        "{how} > root.crt, and trust it: NODE_EXTRA_CA_CERTS, SSL_CERT_FILE or the system's store, see docs/gateway.md"
    ))
}
