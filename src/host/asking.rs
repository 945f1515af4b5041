//! What to ask a model so that it shows it answers, and whether an answer is one.
//! Pure: the asking itself is done by [`super::wait`].

use serde_json::{Value, json};

use super::http::Reply;
use crate::diagnostic::clean;
use crate::engine::Kind;
use crate::names::ByteSize;
use crate::plan::{Known, Loaded, Probe};

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
    match (value.as_deref(), failed(status)) {
        (_, Some(how)) => Err(Refusal::Ever(format!("{name} {how}"))),
        (None | Some("loaded" | "sleeping"), None) => Ok(()),
        (Some(other), None) => Err(Refusal::Yet(format!("{name} is {other}"))),
    }
}

/// How the last try to load a model ended, if it failed.
fn failed(status: &Value) -> Option<String> {
    let code =
        status["exit_code"].as_i64().map(|code| format!(", with exit code {code}")).unwrap_or_default();
    (status["failed"] == true).then(|| format!("could not be loaded{code}"))
}

/// The models that such a list says are loaded or could not be; none where it tells nothing of that.
pub(super) fn loaded(reply: &Reply) -> Option<Vec<Loaded>> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let one = |model: &Value| {
        let (is_loaded, amiss) = (model["status"]["value"] == "loaded", failed(&model["status"]));
        let name = model["id"].as_str().map(clean).filter(|_| is_loaded || amiss.is_some())?;
        Some(Loaded { name, is_loaded, amiss })
    };
    Some(body["data"].as_array()?.iter().filter_map(one).collect())
}

/// Which of these models, with commas between them, a model list does not have.
pub(super) fn gone(models: &str, reply: &Reply) -> Vec<String> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    // With no model at all Ollama says null.
    let there: Vec<&str> =
        body["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
    models.split(',').filter(|name| !there.contains(name)).map(clean).collect()
}

/// The models that Ollama's `/api/ps` says are in memory, and in which way they are not there as they should be; none
/// if that is no such answer.
pub(super) fn in_memory(probe: &Probe, reply: &Reply) -> Option<Vec<Loaded>> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let one = |seen: &Value| {
        let name = clean(seen["name"].as_str()?);
        let known = probe.models.iter().find(|known| known.name == name);
        let amiss = known.and_then(|known| amiss(known, probe.gpus, seen));
        Some(Loaded { name, is_loaded: true, amiss })
    };
    Some(body["models"].as_array()?.iter().filter_map(one).collect())
}

fn amiss(known: &Known, gpus: bool, seen: &Value) -> Option<String> {
    let number = |key: &str| seen[key].as_u64();
    let spilled = number("size").zip(number("size_vram")).filter(|(size, there)| gpus && there < size);
    let spilled = spilled
        .map(|(size, there)| format!("only {} of its {} are on the GPU", ByteSize(there), ByteSize(size)));
    let asked = known.loading.as_ref().and_then(|loading| loading.context);
    let shorter = asked.zip(number("context_length")).filter(|(asked, there)| asked != there);
    let shorter = shorter.map(|(asked, there)| format!("its context is {there} tokens instead of {asked}"));
    let both: Vec<String> = spilled.into_iter().chain(shorter).collect();
    (!both.is_empty()).then(|| both.join(", and "))
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
        let told: Vec<_> =
            loaded(&list).unwrap().into_iter().map(|one| (one.name, one.is_loaded, one.amiss)).collect();
        let why = Some("could not be loaded, with exit code 1".to_owned());
        assert_eq!(told, [("a".to_owned(), true, None), ("c".to_owned(), false, why)]);
    }

    #[test]
    fn what_ollama_has_in_memory_is_judged_by_what_was_asked() {
        let loading =
            |context| Some(crate::engine::Loading { path: "/api/generate", json: Value::Null, context });
        let known = |name: &str, context| Known {
            name: name.to_owned(),
            kind: Kind::Chat,
            load: crate::engine::Load::Startup,
            loading: loading(context),
        };
        let mut probe = Probe {
            models: vec![known("h/a:latest", Some(32768)), known("h/b:latest", None)],
            health: "/v1/models".into(),
            address: "127.0.0.1".into(),
            port: 1,
            key: None,
            engine: "ollama".into(),
            timeout: 1,
            gpus: true,
        };
        let ps = reply(
            200,
            r#"{"models":[{"name":"h/a:latest","size":9663676416,"size_vram":4294967296,"context_length":4096},
                {"name":"h/b:latest","size":1024,"size_vram":1024,"context_length":4096},{"name":"other:1b","size":2}]}"#,
        );
        let told = |probe: &Probe| -> Vec<(String, Option<String>)> {
            in_memory(probe, &ps).unwrap().into_iter().map(|one| (one.name, one.amiss)).collect()
        };
        let spilled =
            "only 4.0 GiB of its 9.0 GiB are on the GPU, and its context is 4096 tokens instead of 32768";
        assert_eq!(
            told(&probe),
            [
                ("h/a:latest".to_owned(), Some(spilled.to_owned())),
                ("h/b:latest".to_owned(), None),
                ("other:1b".to_owned(), None)
            ]
        );
        // On a CPU nothing can spill.
        probe.gpus = false;
        let shorter = "its context is 4096 tokens instead of 32768".to_owned();
        assert_eq!(told(&probe)[0].1, Some(shorter));
        assert_eq!(in_memory(&probe, &reply(200, "[]")), None);
    }

    #[test]
    fn a_model_that_is_gone_is_named() {
        let list = reply(200, r#"{"data":[{"id":"h/a:latest"}]}"#);
        assert_eq!(gone("h/a:latest", &list), [""; 0]);
        assert_eq!(gone("h/a:latest,h/b:latest", &list), ["h/b:latest"]);
        // A library with nothing in it.
        assert_eq!(gone("h/a:latest", &reply(200, r#"{"data":null}"#)), ["h/a:latest"]);
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
