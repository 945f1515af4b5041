//! A repository on the hub: which files it has, its config, or the header of a GGUF file.
//! What the hub says is hostile until it was parsed, and bounded before that.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Hub, Known, Unknown, is_repository};
use crate::fit::{self, Extra, Files, Header, MOST_HEADER, Read};
use crate::lock::is_commit;

/// Bytes of a list of files, of a config, of an index: each well above any that was seen.
const MOST_LIST: usize = 16 << 20;
const MOST_CONFIG: usize = 2 << 20;
const MOST_INDEX: usize = 32 << 20;

/// What is asked of a GGUF file at first; most headers with a vocabulary have less than the next step.
const FIRST: usize = 1 << 20;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    safetensors: Option<Counts>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    parameters: BTreeMap<String, u64>,
}

/// What the hub's API says of a repository, of its main branch if no revision is named.
fn about(repository: &str, revision: Option<&str>) -> Result<String, Unknown> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    match revision {
        None | Some("main") => Ok(format!("/api/models/{repository}")),
        Some(name) if !name.is_empty() && name.chars().all(plain) && !name.contains("..") => {
            Ok(format!("/api/models/{repository}/revision/{}", name.replace('/', "%2F")))
        }
        Some(name) => Err(Unknown::new(format!("`{name}` is no branch, tag or commit"))),
    }
}

pub(super) async fn commit(hub: &Hub, id: &str, revision: &str) -> Result<String, Unknown> {
    let list = text(hub, &about(id, Some(revision))?, MOST_LIST, id).await?;
    let list: Result<List, _> = serde_json::from_str(&list);
    let commit = list.ok().map(|list| list.sha).filter(|sha| is_commit(sha));
    commit.ok_or_else(|| Unknown::new(format!("{} names no commit of {id} at {revision}", hub.endpoint)))
}

pub(super) async fn model(hub: &Hub, id: &str, revision: Option<&str>) -> Result<Known, Unknown> {
    let (repository, quant) = id.split_once(':').map_or((id, None), |(id, quant)| (id, Some(quant)));
    if !is_repository(repository) {
        return Err(Unknown::new(format!("`{id}` is no repository, directory or file"))
            .hint("a repository has the form user/name, as in Qwen/Qwen3-4B-AWQ"));
    }
    let list =
        text(hub, &format!("{}?blobs=true", about(repository, revision)?), MOST_LIST, repository).await?;
    let list: List = serde_json::from_str(&list)
        .map_err(|e| Unknown::new(format!("{} sends a list of files that is none: {e}", hub.endpoint)))?;
    let commit = Some(list.sha.clone()).filter(|sha| is_commit(sha));
    let at = format!("/{repository}/resolve/{}", commit.as_deref().or(revision).unwrap_or("main"));
    let sizes = list.siblings.iter().map(|file| (file.rfilename.clone(), file.size.unwrap_or(0)));
    let sizes: BTreeMap<String, u64> = sizes.filter(|(name, _)| is_file(name)).collect();
    let from = format!("{repository} on {}", hub.endpoint);
    let plain = !fit::that_load(&sizes, None).is_empty() && sizes.contains_key("config.json");
    if quant.is_some() || !plain {
        let known = gguf(hub, (&at, quant), &sizes, from).await?;
        return Ok(Known { commit, ..known });
    }
    let config = text(hub, &format!("{at}/config.json"), MOST_CONFIG, repository).await?;
    let numbers = list.safetensors.map(|counts| counts.parameters).unwrap_or_default();
    let index = match sizes.contains_key(INDEX) && numbers.is_empty() {
        true => Some(text(hub, &format!("{at}/{INDEX}"), MOST_INDEX, repository).await?),
        false => None,
    };
    let facts = of_config(&config, &sizes, index.as_deref(), numbers)
        .map_err(|why| Unknown::new(format!("config.json of {repository}: {why}")))?;
    Ok(Known { facts, extras: vec![], gguf: false, from, commit })
}

pub(super) const INDEX: &str = "model.safetensors.index.json";

/// Facts from a config and what is known of the files beside it.
pub(super) fn of_config(
    config: &str,
    sizes: &BTreeMap<String, u64>,
    index: Option<&str>,
    numbers: BTreeMap<String, u64>,
) -> Result<fit::ModelFacts, String> {
    let loads = fit::that_load(sizes, index);
    let bytes = loads.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
    // A file whose size nobody tells makes the sum worthless.
    let told = !loads.is_empty() && loads.iter().all(|(_, bytes)| *bytes > 0);
    fit::from_config(config, &Files { bytes: told.then_some(bytes), numbers })
}

/// A path that may stand in an address as it is.
fn is_file(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_./+=@".contains(c);
    !name.is_empty() && name.chars().all(good) && !name.split('/').any(|part| part == ".." || part.is_empty())
}

async fn text(hub: &Hub, path: &str, most: usize, repository: &str) -> Result<String, Unknown> {
    let answer = hub.get(path, None, most).await?;
    refused(answer.status, hub, repository)?;
    String::from_utf8(answer.body)
        .map_err(|_| Unknown::new(format!("{} sends no text for {path}", hub.endpoint)))
}

fn refused(status: u16, hub: &Hub, repository: &str) -> Result<(), Unknown> {
    let token = match hub.token {
        Some(_) => {
            "the token of HF_TOKEN may not read it: accept the model's terms on its page, or use another token"
        }
        None => "if it is private or gated, set HF_TOKEN; else check the name, letter by letter",
    };
    match status {
        200..=299 => Ok(()),
        401 | 403 => Err(Unknown::new(format!(
            "{} shows {repository} to nobody without the right to see it, or has none of that name",
            hub.endpoint
        ))
        .hint(token)),
        404 => Err(Unknown::new(format!("{} has no {repository}", hub.endpoint))
            .hint("check the name, letter by letter")),
        other => Err(Unknown::new(format!("{} answers {other} when asked for {repository}", hub.endpoint))),
    }
}

async fn gguf(
    hub: &Hub,
    (at, quant): (&str, Option<&str>),
    sizes: &BTreeMap<String, u64>,
    from: String,
) -> Result<Known, Unknown> {
    let Some((file, bytes)) = chosen(sizes, quant) else {
        let all: Vec<&str> =
            sizes.keys().filter(|name| name.ends_with(".gguf")).map(String::as_str).take(12).collect();
        let what = match (quant, all.is_empty()) {
            (_, true) => "has neither safetensors with a config.json nor GGUF files".to_owned(),
            (Some(quant), false) => {
                format!("has no GGUF file of the quantisation {quant}: {}", all.join(", "))
            }
            (None, false) => format!("has several GGUF files: {}", all.join(", ")),
        };
        return Err(Unknown::new(format!("{from} {what}"))
            .hint("user/repo:quant chooses one, as in user/repo:Q4_K_M"));
    };
    let mut many = FIRST;
    let header = loop {
        let answer = hub.get(&format!("{at}/{file}"), Some(many), MOST_HEADER).await?;
        refused(answer.status, hub, file)?;
        match Header::read(&answer.body).map_err(|why| Unknown::new(format!("{file}: {why}")))? {
            Read::Whole(header) => break header,
            Read::More if answer.body.len() < many => {
                return Err(Unknown::new(format!("{file} ends within its header")));
            }
            Read::More => many = (many * 8).min(MOST_HEADER),
        }
    };
    let projector = sizes.iter().filter(|(name, _)| name.contains("mmproj") && name.ends_with(".gguf"));
    let projector = projector
        .max_by_key(|(_, bytes)| **bytes)
        .map(|(name, bytes)| Extra { what: format!("the projector {name}"), bytes: Some(*bytes) });
    let facts = fit::from_gguf(&header, (bytes > 0).then_some(bytes));
    Ok(Known {
        facts,
        extras: projector.into_iter().collect(),
        gguf: true,
        from: format!("{file} of {from}"),
        commit: None,
    })
}

/// The file of a quantisation, the first of its parts, and the bytes of all of them: `Q4_K_M` where none is typed, else
/// the only one there is (llama.cpp, common/download.cpp).
fn chosen<'a>(sizes: &'a BTreeMap<String, u64>, quant: Option<&str>) -> Option<(&'a str, u64)> {
    let weights =
        |name: &str| name.ends_with(".gguf") && !name.contains("mmproj") && !name.contains("imatrix");
    let wanted = quant.unwrap_or("Q4_K_M").to_ascii_lowercase();
    let of = |name: &str| name.to_ascii_lowercase().split(['-', '.', '/']).any(|part| part == wanted);
    let all: Vec<&str> = sizes.keys().map(String::as_str).filter(|name| weights(name)).collect();
    let found = all.iter().copied().find(|name| of(name));
    let first = found.or_else(|| (quant.is_none() && all.len() == 1).then(|| all[0]))?;
    let Some((stem, _)) = first.split_once("-00001-of-") else { return Some((first, *sizes.get(first)?)) };
    let parts = sizes.iter().filter(|(name, _)| name.starts_with(stem) && weights(name));
    Some((first, parts.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)))
}
