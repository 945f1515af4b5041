//! What an Ollama service needs of libraries, pulled before it starts.
//! It pulls nothing: a server of the same image does, and a script tells how far it is.

use super::super::{Fetch, Serve};
use super::name;

const SCRIPT: &str = concat!(include_str!("http.sh"), include_str!("fetch.sh"));

/// Where the server keeps models.
pub(super) const DIRECTORY: &str = "/root/.ollama/models";

/// Every model of the service, each once.
pub(super) fn fetch(serve: &Serve<'_>) -> Option<Fetch> {
    let members = &serve.several.as_ref()?.members;
    let mut what: Vec<String> = members.iter().filter_map(|member| member.model.map(str::to_owned)).collect();
    what.sort();
    what.dedup();
    let pairs = what.iter().map(|model| Some([model.clone(), name::manifest(model)?]));
    let command = pairs.collect::<Option<Vec<_>>>()?.concat();
    Some(Fetch {
        entrypoint: ["bash", "-c", SCRIPT, "fetch"].map(str::to_owned).to_vec(),
        runs_server: false,
        command,
        offline: None,
        own_cache: Some("OLLAMA_MODELS"),
        directory: Some(DIRECTORY),
        what,
        repositories: vec![],
    })
}
