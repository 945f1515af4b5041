//! What llama.cpp surely refuses, before anything is stopped for it.
//! It looks into no file and asks no hub.

use serde_json::Value;

use super::super::{Kind, Serve};
use super::{EMBEDDING, RERANK, Source, router, source};

type Wrong = (&'static str, String);

pub(super) fn check(serve: &Serve<'_>) -> Result<(), Wrong> {
    model(serve)?;
    kind(serve)?;
    if serve.member { router::check(serve) } else { Ok(()) }
}

fn model(serve: &Serve<'_>) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(("model", why.to_owned()));
    // Without one it would wait for requests to name one.
    let Some(model) = serve.model else {
        return wrong(
            "llama.cpp needs one: user/repo:quant on Hugging Face, a URL, or a file in its container",
        );
    };
    match source(model) {
        Source::File(path) | Source::Repository(path) if path.starts_with('~') => wrong(
            "a path in the container, where no shell reads `~`: mount it with `volumes` and give the target",
        ),
        Source::Repository(repository) if !is_repository(repository) => wrong(
            "neither a repository, nor a URL, nor a file: user/repo:quant, https://…, or a path that ends in .gguf",
        ),
        _ => Ok(()),
    }
}

/// `user/repo[:quant]`; anything else ends llama-server at once, as it names no file.
fn is_repository(text: &str) -> bool {
    let (repository, quant) = text.split_once(':').unwrap_or((text, "default"));
    let plain = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.contains(['/', ':', ' ']);
    repository.split_once('/').is_some_and(|(user, name)| plain(user) && plain(name)) && plain(quant)
}

/// A server for vectors or scores answers nothing else, and the other way round.
fn kind(serve: &Serve<'_>) -> Result<(), Wrong> {
    let is = |key: &str, value: bool| serve.options.get(key) == Some(&Value::Bool(value));
    for (names, kind) in [(EMBEDDING, Kind::Embedding), (RERANK, Kind::Rerank)] {
        for key in names {
            if is(key, true) && serve.kind != kind {
                return Err((
                    key,
                    format!("such a server answers nothing else: it goes with `kind: {}`", kind.word()),
                ));
            }
            if is(key, false) && serve.kind == kind {
                return Err((key, "the kind of the model needs it: take it away".to_owned()));
            }
        }
    }
    Ok(())
}
