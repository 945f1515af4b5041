//! What llama-server downloads when it starts, downloaded before.
//! It chooses no file of a repository: that the server does itself, or the script by the server's rules.

use serde_json::Value;

use super::super::fetch::{Fetch, is_repository};
use super::super::{Repository, Serve, command_line::carry};
use super::{PORT, Source, source};

/// llama-server has no option that only downloads (0.7.0), and its images no other program that does, so one is
/// started without a GPU and with next to no context, and ended when it is ready. It downloads from the main branch
/// and from nowhere else; what is pinned the script puts into its cache before, where it finds it offline.
const SCRIPT: &str = include_str!("fetch.sh");

/// The names that its draft model's repository goes by.
const DRAFT: [&str; 2] = ["spec_draft_hf", "hf_repo_draft"];

/// Keeps the server off the network: it takes what its cache has of the main branch (llama-server's help).
const OFFLINE: &str = "LLAMA_ARG_OFFLINE";

/// The repositories, as `user/repo[:quant]`: the model's, and that of a draft model. Empty where there is nothing to
/// download from the hub, or where it may not.
fn named<'a>(serve: &Serve<'a>) -> Vec<&'a str> {
    let text = |name: &str| serve.options.get(name).and_then(Value::as_str);
    let model = match serve.model.map(source) {
        Some(Source::Repository(repository)) if !is_offline(serve) => repository,
        // A draft alone is no server that could become ready.
        _ => return vec![],
    };
    let all: Vec<&str> = [model].into_iter().chain(DRAFT.into_iter().find_map(text)).collect();
    if all.iter().all(|name| is_repository(id(name))) { all } else { vec![] }
}

/// Whether it asks for nothing because somebody said so.
fn is_offline(serve: &Serve<'_>) -> bool {
    serve.options.get("offline") == Some(&Value::Bool(true)) || carry(serve.args, &["--offline"])
}

fn id(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// All that it serves: a router several models, any other server itself.
fn models<'s, 'a>(serve: &'s Serve<'a>) -> &'s [Serve<'a>] {
    serve.several.as_ref().map_or(std::slice::from_ref(serve), |several| &several.members)
}

/// Whether it downloads what is not fetched for it: files of URLs, a draft alone, what a kind of drafting takes.
fn needs_more(serve: &Serve<'_>) -> bool {
    let given = |names: &[&str]| names.iter().any(|name| serve.options.contains_key(*name));
    let is_file = matches!(serve.model.map(source), None | Some(Source::File(_)));
    let unfetched = named(serve).is_empty() && (!is_file || given(&DRAFT));
    (unfetched && !is_offline(serve))
        || given(&["mmproj_url", "spec_type"])
        || carry(serve.args, &["--mmproj-url", "-mmu", "--spec-type"])
}

pub(super) fn repositories(serve: &Serve<'_>) -> Vec<Repository> {
    let models = models(serve);
    if models.iter().any(needs_more) {
        return vec![];
    }
    let names = models.iter().flat_map(named);
    let mut all: Vec<Repository> =
        names.filter_map(|name| Repository::open(id(name), None, serve.revisions)).collect();
    all.sort();
    all.dedup();
    // It is offline for all of them or for none.
    if all.iter().any(|repository| repository.commit.is_none()) {
        all.iter_mut().for_each(|repository| repository.commit = None);
    }
    all
}

/// What each of its models needs of the hub; nothing of one that needs nothing, or may not ask.
pub(super) fn fetches(serve: &Serve<'_>) -> Vec<Fetch> {
    let open = repositories(serve);
    let mut all = vec![];
    for fetch in models(serve).iter().filter_map(|model| of_model(model, &open)) {
        if !all.contains(&fetch) {
            all.push(fetch);
        }
    }
    all
}

fn of_model(serve: &Serve<'_>, open: &[Repository]) -> Option<Fetch> {
    let text = |name: &str| serve.options.get(name).and_then(Value::as_str);
    let is = |name: &str, value: bool| serve.options.get(name) == Some(&Value::Bool(value));
    let what = named(serve);
    let model = *what.first()?;
    let mut server = vec!["--hf-repo", model];
    server.extend(text("hf_file").into_iter().flat_map(|file| ["--hf-file", file]));
    server.extend(what.get(1).into_iter().flat_map(|draft| ["--spec-draft-hf", *draft]));
    let own_projector = ["mmproj", "mmproj_url"].into_iter().any(|name| text(name).is_some());
    let no_projector = is("no_mmproj", true) || is("mmproj_auto", false) || own_projector;
    server.extend(no_projector.then_some("--no-mmproj"));
    let port = PORT.to_string();
    server.extend(["--host", "127.0.0.1", "--port", &port]);
    server.extend(["--ctx-size", "512", "--parallel", "1", "--gpu-layers", "0", "--no-warmup"]);
    let commit = |name: &str| open.iter().find(|one| one.id == id(name))?.commit.as_deref();
    let asked = |name: &&str| match commit(name) {
        Some(commit) => format!("{name}@{commit}"),
        None => id(name).to_owned(),
    };
    let asked: Vec<String> = what.iter().map(asked).collect();
    let command = [asked.join(" ")].into_iter().chain(server.into_iter().map(str::to_owned)).collect();
    Some(Fetch {
        entrypoint: ["sh", "-c", SCRIPT, "fetch"].map(str::to_owned).to_vec(),
        runs_server: true,
        command,
        // Without a pin it takes what is in its cache where it cannot reach the hub (common/download.cpp).
        offline: commit(model).map(|_| OFFLINE),
        own_cache: Some("LLAMA_CACHE"),
        directory: None,
        repositories: what.iter().map(|name| id(name).to_owned()).collect(),
        what: what.into_iter().map(str::to_owned).collect(),
    })
}
