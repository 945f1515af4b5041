//! What to ask a model so that it shows it answers, and whether an answer is one.
//! Pure: the asking itself is done by [`super::wait`].

use serde_json::{Value, json};

use super::http::Reply;
use crate::diagnostic::clean;
use crate::engine::Kind;
use crate::names::ModelName;

/// The path and body that ask for the least a model of that kind can give.
pub(super) fn question(model: &ModelName, kind: Kind) -> (&'static str, Value) {
    let model = model.as_str();
    match kind {
        Kind::Chat => (
            "/v1/chat/completions",
            json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}),
        ),
        Kind::Completion => ("/v1/completions", json!({"model": model, "prompt": "Hi", "max_tokens": 1})),
        Kind::Embedding => ("/v1/embeddings", json!({"model": model, "input": "Hi"})),
        Kind::Rerank => {
            ("/v1/rerank", json!({"model": model, "query": "Hi", "documents": ["Hello"], "top_n": 1}))
        }
    }
}

/// Whether a reply is an answer of that kind.
///
/// # Errors
/// What it is instead.
pub(super) fn is_answer(kind: Kind, reply: &Reply) -> Result<(), String> {
    let (list, item) = match kind {
        Kind::Chat => ("choices", "message"),
        Kind::Completion => ("choices", "text"),
        Kind::Embedding => ("data", "embedding"),
        Kind::Rerank => ("results", "index"),
    };
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let first = body.as_ref().and_then(|b| b.get(list)?.get(0)?.get(item));
    match (reply.status, first) {
        (200, Some(value)) if !value.is_null() => Ok(()),
        (200, _) => Err(format!("it answered, but without `{list}[0].{item}`: {}", shortened(&reply.body))),
        (status, _) => Err(format!("it answered {status}: {}", shortened(&reply.body))),
    }
}

/// The names in an OpenAI model list.
///
/// # Errors
/// What it is instead.
pub(super) fn listed(reply: &Reply) -> Result<Vec<String>, String> {
    if reply.status != 200 {
        return Err(format!("/v1/models answers {}: {}", reply.status, shortened(&reply.body)));
    }
    let body: Value =
        serde_json::from_slice(&reply.body).map_err(|e| format!("/v1/models is not JSON: {e}"))?;
    let data = body.get("data").and_then(Value::as_array).ok_or("/v1/models has no `data`")?;
    Ok(data.iter().filter_map(|m| m.get("id")?.as_str()).map(clean).collect())
}

/// The first words of a body, fit to be shown.
pub(super) fn shortened(body: &[u8]) -> String {
    let text = clean(&String::from_utf8_lossy(body)).replace('\n', " ");
    let short: String = text.trim().chars().take(300).collect();
    if short.is_empty() { "(nothing)".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, body: body.into() }
    }

    #[test]
    fn an_answer_is_judged_by_its_kind() {
        let chat = r#"{"choices":[{"message":{"content":""}}]}"#;
        assert_eq!(is_answer(Kind::Chat, &reply(200, chat)), Ok(()));
        assert!(is_answer(Kind::Embedding, &reply(200, chat)).unwrap_err().contains("data[0].embedding"));
        assert_eq!(
            is_answer(Kind::Chat, &reply(401, "no\u{1b}[2Jkey")),
            Err("it answered 401: nokey".into())
        );
    }

    #[test]
    fn a_model_list_gives_its_names() {
        assert_eq!(
            listed(&reply(200, r#"{"data":[{"id":"a"},{"id":"b"}]}"#)),
            Ok(vec!["a".into(), "b".into()])
        );
        assert!(listed(&reply(200, "[]")).is_err());
    }
}
