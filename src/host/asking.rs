//! What to ask a model so that it shows it answers, and whether an answer is one.
//! Pure: the asking itself is done by [`super::wait`].

use serde_json::{Value, json};

use super::http::Reply;
use crate::diagnostic::clean;
use crate::engine::Kind;

/// The path and body that ask for the least a model of that kind can give.
pub(super) fn question(model: &str, kind: Kind) -> (&'static str, Value) {
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

/// The same for a gateway: what stands in for the model may cost money, and would hide that it does not answer.
pub(super) fn question_of_gateway(model: &str, kind: Kind) -> (&'static str, Value) {
    let (path, mut json) = question(model, kind);
    json["disable_fallbacks"] = true.into();
    (path, json)
}

/// Why something is not an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may be one if asked again.
    Yet(String),
    /// The server understood and said no.
    Ever(String),
}

impl Refusal {
    /// A refusal with that HTTP status.
    fn with(status: u16, why: String) -> Self {
        match status {
            // Too early, too much at once: said by servers that are coming up.
            408 | 425 | 429 => Self::Yet(why),
            200 | 400..500 => Self::Ever(why),
            _ => Self::Yet(why),
        }
    }

    /// The same about something that was asked.
    pub(super) fn of(self, what: &str) -> Self {
        match self {
            Self::Yet(why) => Self::Yet(format!("{what}: {why}")),
            Self::Ever(why) => Self::Ever(format!("{what}: {why}")),
        }
    }
}

/// Whether a reply is an answer of that kind.
///
/// # Errors
/// What it is instead.
pub(super) fn is_answer(kind: Kind, reply: &Reply) -> Result<(), Refusal> {
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
        (200, _) => {
            let why = format!("it answered, but without `{list}[0].{item}`: {}", shortened(&reply.body));
            Err(Refusal::Ever(why))
        }
        (status, _) => {
            Err(Refusal::with(status, format!("it answered {status}: {}", shortened(&reply.body))))
        }
    }
}

/// Whether an OpenAI model list has all `names`.
///
/// # Errors
/// What is missing, or what it is instead.
pub(super) fn lists(names: &[String], reply: &Reply) -> Result<(), Refusal> {
    if reply.status != 200 {
        let why = format!("/v1/models answers {}: {}", reply.status, shortened(&reply.body));
        return Err(Refusal::with(reply.status, why));
    }
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let Some(data) = body.as_ref().and_then(|b| b.get("data")?.as_array()) else {
        return Err(Refusal::Ever("/v1/models has no `data`".to_owned()));
    };
    let there: Vec<String> = data.iter().filter_map(|m| m.get("id")?.as_str()).map(clean).collect();
    match names.iter().find(|name| !there.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Refusal::Ever(format!("it does not list {name}, only {}", there.join(", ")))),
    }
}

/// Whether a model list of a server of several says that one of them is loaded. Where it tells nothing, it is.
///
/// # Errors
/// What it says instead.
pub(super) fn is_loaded(name: &str, reply: &Reply) -> Result<(), Refusal> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let all = body["data"].as_array().into_iter().flatten();
    let status =
        all.filter(|model| model["id"] == name).map(|model| &model["status"]).next().unwrap_or(&Value::Null);
    let value = status["value"].as_str().map(clean);
    match value.as_deref() {
        _ if status["failed"] == true => {
            let code = status["exit_code"]
                .as_i64()
                .map(|code| format!(", with exit code {code}"))
                .unwrap_or_default();
            Err(Refusal::Ever(format!("{name} could not be loaded{code}")))
        }
        None | Some("loaded" | "sleeping") => Ok(()),
        Some(other) => Err(Refusal::Yet(format!("{name} is {other}"))),
    }
}

/// The models that such a list says are loaded; none where it tells nothing of that.
pub(super) fn loaded(reply: &Reply) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let all = body["data"].as_array()?.iter().filter(|model| model["status"]["value"] == "loaded");
    Some(all.filter_map(|model| model["id"].as_str()).map(clean).collect())
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
        Reply { status, headers: hyper::HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn an_answer_is_judged_by_its_kind() {
        let chat = r#"{"choices":[{"message":{"content":""}}]}"#;
        assert_eq!(is_answer(Kind::Chat, &reply(200, chat)), Ok(()));
        let other = is_answer(Kind::Embedding, &reply(200, chat)).unwrap_err();
        assert!(matches!(other, Refusal::Ever(why) if why.contains("data[0].embedding")));
        let no = Refusal::Ever("it answered 401: nokey".into());
        assert_eq!(is_answer(Kind::Chat, &reply(401, "no\u{1b}[2Jkey")), Err(no));
        assert!(matches!(is_answer(Kind::Chat, &reply(500, "")), Err(Refusal::Yet(_))));
    }

    #[test]
    fn a_list_of_several_models_says_which_are_loaded() {
        let list = reply(
            200,
            r#"{"data":[{"id":"a","status":{"value":"loaded"}},{"id":"b","status":{"value":"loading"}},
                {"id":"c","status":{"value":"unloaded","failed":true,"exit_code":1}},{"id":"d"}]}"#,
        );
        assert_eq!((is_loaded("a", &list), is_loaded("d", &list)), (Ok(()), Ok(())));
        assert_eq!(is_loaded("b", &list), Err(Refusal::Yet("b is loading".into())));
        let failed = Refusal::Ever("c could not be loaded, with exit code 1".into());
        assert_eq!(is_loaded("c", &list), Err(failed));
        assert_eq!(loaded(&list), Some(vec!["a".to_owned()]));
    }

    #[test]
    fn a_model_list_must_have_every_name() {
        let list = reply(200, r#"{"data":[{"id":"a"},{"id":"b"}]}"#);
        assert_eq!(lists(&["a".into(), "b".into()], &list), Ok(()));
        let missing = Refusal::Ever("it does not list c, only a, b".into());
        assert_eq!(lists(&["c".into()], &list), Err(missing));
        assert!(lists(&[], &reply(200, "[]")).is_err());
    }
}
