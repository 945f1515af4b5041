//! What llama-server downloads when it starts, downloaded before.
//! It chooses no file of a repository: that the server does itself.

use serde_json::Value;

use super::super::fetch::{Fetch, is_repository};
use super::super::{Serve, command_line::carry};
use super::{PORT, Source, source};

/// llama-server has no option that only downloads (0.7.0), and its images no other program that does, so one is
/// started without a GPU and with next to no context, and ended when it is ready.
const SCRIPT: &str = include_str!("fetch.sh");

/// The names that its draft model's repository goes by.
const DRAFT: [&str; 2] = ["spec_draft_hf", "hf_repo_draft"];

/// None where there is nothing to download from the hub, or where it may not.
pub(super) fn fetch(serve: &Serve<'_>) -> Option<Fetch> {
    let text = |name: &str| serve.options.get(name).and_then(Value::as_str);
    let is = |name: &str, value: bool| serve.options.get(name) == Some(&Value::Bool(value));
    if is("offline", true) || carry(serve.args, &["--offline"]) {
        return None;
    }
    let model = match source(serve.model?) {
        Source::Repository(repository) => Some(repository),
        Source::File(_) | Source::Url(_) => None,
    };
    let draft = DRAFT.into_iter().find_map(text);
    // A draft alone is no server that could become ready.
    let what: Vec<String> = [Some(model?), draft].into_iter().flatten().map(str::to_owned).collect();
    let repositories: Vec<&str> = what.iter().map(|name| name.split(':').next().unwrap_or(name)).collect();
    if !repositories.iter().all(|name| is_repository(name)) {
        return None;
    }
    let mut server = vec!["--hf-repo", what.first()?];
    server.extend(text("hf_file").into_iter().flat_map(|file| ["--hf-file", file]));
    server.extend(draft.into_iter().flat_map(|draft| ["--spec-draft-hf", draft]));
    let own_projector = ["mmproj", "mmproj_url"].into_iter().any(|name| text(name).is_some());
    let no_projector = is("no_mmproj", true) || is("mmproj_auto", false) || own_projector;
    server.extend(no_projector.then_some("--no-mmproj"));
    let port = PORT.to_string();
    server.extend(["--host", "127.0.0.1", "--port", &port]);
    server.extend(["--ctx-size", "512", "--parallel", "1", "--gpu-layers", "0", "--no-warmup"]);
    let command = [repositories.join(" ")].into_iter().chain(server.into_iter().map(str::to_owned)).collect();
    Some(Fetch {
        entrypoint: ["sh", "-c", SCRIPT, "fetch"].map(str::to_owned).to_vec(),
        runs_server: true,
        command,
        // It takes what is in its cache where it cannot reach the hub (common/download.cpp).
        offline: false,
        own_cache: Some("LLAMA_CACHE"),
        what,
    })
}
