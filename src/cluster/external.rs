//! Endpoints that somebody else runs: read, never made, only routed to.
//! It looks at no other model and at no host.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Origin};
use crate::engine::Kind;
use crate::gateway::{self, Variants, Words};
use crate::inventory::{Entry, Fields, Map, Node, Value, parsed};
use crate::names::ModelName;
use crate::secret::SecretRef;
use crate::survey::Endpoint;

use super::keys::{aliases, kind};
use super::overlay::secret;

/// Its word where other models name an engine.
pub(super) const NAME: &str = "external";

/// LiteLLM's provider for whatever speaks OpenAI's protocol. `openai` would turn /v1/messages into /v1/responses,
/// which most servers lack.
pub(super) const OPENAI_LIKE: &str = "hosted_vllm";

/// An endpoint as the user describes it.
#[derive(Clone, Debug)]
pub struct External {
    /// Where it is named.
    pub origin: Origin,
    /// What it is called in the inventory.
    pub name: ModelName,
    /// Public names, where each stands, and what the endpoint calls the model.
    pub models: Vec<(ModelName, Origin, String)>,
    /// What its models are for.
    pub kind: Kind,
    /// LiteLLM's word for how it is spoken to.
    pub provider: String,
    /// Its base URL; none where the provider has one of its own.
    pub api_base: Option<String>,
    /// The key it asks for.
    pub api_key: Option<SecretRef>,
    /// What is said of it to LiteLLM.
    pub words: Words,
    /// The same of those of its public names that have parameters of their own.
    pub variants: BTreeMap<ModelName, Words>,
}

impl External {
    /// Where it may be asked: an own endpoint by plain HTTP. A provider's is not: its requests may cost money.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        let (host, port, path) = plain(self.api_base.as_deref()?)?;
        let path = match self.provider.as_str() {
            provider if provider.starts_with("ollama") => format!("{path}/api/version"),
            _ => format!("{path}/models"),
        };
        Some(Endpoint { host, port, path })
    }
}

/// Two that stand in different places may mean the same: what stands for all hosts is read for each of them.
impl PartialEq for External {
    fn eq(&self, other: &Self) -> bool {
        let names =
            |all: &Self| -> Vec<_> { all.models.iter().map(|(n, _, up)| (n.clone(), up.clone())).collect() };
        let rest = |all: &Self| (all.name.clone(), all.kind, all.provider.clone(), all.api_base.clone());
        let said = |all: &Self| (all.words.clone(), all.variants.clone(), all.api_key.clone());
        names(self) == names(other) && rest(self) == rest(other) && said(self) == said(other)
    }
}

/// Whether a model's entry is such an endpoint.
pub(super) fn is(entry: &Entry) -> bool {
    let Value::Map(map) = &entry.node.value else { return false };
    map.get("engine").and_then(|engine| engine.node.as_text().ok()).is_some_and(|engine| engine == NAME)
}

/// Reads an endpoint; none where it is switched off or a key of it is wrong.
pub(super) fn read(entry: &Entry, problems: &mut Diagnostics) -> Option<External> {
    let name = ModelName::new(entry.key.as_str()).map_err(|why| Diagnostic::because(&entry.origin, &why));
    let name = problems.take(name)?;
    let map = problems.take(entry.node.as_map())?;
    let mut fields = Fields::new(map, format!("endpoint `{name}`"));
    let enabled = fields.parse("enabled", Node::as_bool) != Some(false);
    fields.node("engine");
    let words = gateway::words(&mut fields);
    let variants = gateway::variants(&mut fields, &words);
    let external = External {
        origin: entry.origin.clone(),
        models: models(&mut fields, (entry, &name), &variants),
        words,
        variants: variants.into_iter().map(|(name, _, words)| (name, words)).collect(),
        kind: fields.parse("kind", |node| parsed(node, kind)).unwrap_or(Kind::Chat),
        provider: fields.parse("litellm_provider", |node| parsed(node, provider)).unwrap_or_default(),
        api_base: fields.parse("api_base", |node| parsed(node, url)),
        api_key: fields.parse("api_key", api_key).flatten(),
        name,
    };
    let external = completed(external, &mut fields);
    let found = fields.finish(&[]);
    let sound = !found.has_errors();
    problems.0.extend(found.0);
    external.filter(|_| enabled && sound)
}

/// The same with the provider that goes without saying.
fn completed(external: External, fields: &mut Fields<'_>) -> Option<External> {
    let origin = fields.origin("api_base").unwrap_or(&external.origin).clone();
    match (external.provider.as_str(), &external.api_base) {
        // What was typed is wrong, and was said to be.
        (_, None) if fields.origin("api_base").is_some() => None,
        ("", None) => {
            let none = Diagnostic::error(&origin, format!("endpoint `{}` has no `api_base`", external.name));
            fields.problems.push(none.hint(
                "the URL of the endpoint, as in http://nas.lan:8080/v1; or the `litellm_provider` whose own it is, as in anthropic",
            ));
            None
        }
        ("", Some(_)) => Some(External { provider: OPENAI_LIKE.to_owned(), ..external }),
        (provider, Some(base)) if provider.starts_with("ollama") && base.ends_with("/v1") => {
            let wrong = Diagnostic::error(
                &origin,
                format!("`{provider}` asks Ollama's own API, which is not below /v1"),
            );
            fields.problems.push(wrong.hint("leave out `/v1`, or leave out `litellm_provider`"));
            None
        }
        _ => Some(external),
    }
}

/// One model by its own name, or several by `models: {PUBLIC: WHAT THE ENDPOINT CALLS IT}`.
fn models(
    fields: &mut Fields<'_>,
    (entry, name): (&Entry, &ModelName),
    variants: &Variants,
) -> Vec<(ModelName, Origin, String)> {
    let one = fields.parse("model", Node::as_text);
    let mut aliases = fields.parse("aliases", aliases).unwrap_or_default();
    aliases.extend(variants.iter().map(|(name, origin, _)| (name.clone(), origin.clone())));
    let Some(node) = fields.node("models") else {
        let upstream = one.unwrap_or_else(|| name.to_string());
        let own = [(name.clone(), entry.origin.clone())];
        return own
            .into_iter()
            .chain(aliases)
            .map(|(name, origin)| (name, origin, upstream.clone()))
            .collect();
    };
    for key in ["model", "aliases", "variants"] {
        if let Some(origin) = fields.origin(key) {
            let both = Diagnostic::error(origin, format!("`{key}` says nothing beside `models`"));
            fields.problems.push(both.hint("`models` has every public name of the endpoint: name it there"));
        }
    }
    let read = |map: &Map| {
        let one = |entry: &Entry| {
            let name =
                ModelName::new(entry.key.as_str()).map_err(|why| Diagnostic::because(&entry.origin, &why))?;
            Ok((name, entry.origin.clone(), entry.node.as_text()?))
        };
        map.0.iter().map(one).collect::<Result<Vec<_>, Diagnostic>>()
    };
    fields.problems.take(node.as_map().and_then(read)).unwrap_or_default()
}

/// LiteLLM's list of providers changes with every release: only what cannot be one is refused.
fn provider(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{}` is no provider of LiteLLM's: as in openai, ollama_chat, anthropic",
            text.escape_debug()
        )),
    }
}

fn url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let graphic = text.bytes().all(|b| b.is_ascii_graphic());
    match rest {
        // A name and a password before the host would show in every plan and config.
        Some(rest)
            if graphic
                && !rest.split('/').next().unwrap_or_default().contains('@')
                && authority(rest).is_some() =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{}` is no base URL: as in http://nas.lan:8080/v1", text.escape_debug())),
    }
}

/// A key by reference; `none` where there is none.
fn api_key(node: &Node) -> Result<Option<SecretRef>, Diagnostic> {
    match node.as_text() {
        Ok(text) if text == "none" => Ok(None),
        _ => secret(node).map(Some),
    }
}

/// Host, port and path of a URL without TLS.
fn plain(url: &str) -> Option<(String, u16, String)> {
    let rest = url.strip_prefix("http://")?;
    let (host, port) = authority(rest)?;
    let path = rest.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default();
    Some((host, port.unwrap_or(80), path))
}

/// The host and port before a URL's path; an IPv6 address stands in brackets.
fn authority(rest: &str) -> Option<(String, Option<u16>)> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_where_it_may_be_asked() {
        let cases = [
            ("http://nas.lan:11434", Some(("nas.lan", 11434, ""))),
            ("http://nas/v1", Some(("nas", 80, "/v1"))),
            ("http://[::1]:8080/a/v1", Some(("::1", 8080, "/a/v1"))),
            ("https://api.example.com/v1", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(host, port, path)| (host.to_owned(), port, path.to_owned()));
            assert_eq!(plain(&url(text).unwrap()), expected, "{text}");
        }
        for wrong in
            ["nas:8080", "http://", "http://u:p@nas/v1", "http://nas:x/v1", "http://nas /v1", "ftp://nas"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(url("http://nas/v1/").unwrap(), "http://nas/v1");
    }
}
