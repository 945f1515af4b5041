//! How what a server downloads gets onto its host before that server starts.
//! It says what a container has to run; it runs nothing.

use std::collections::BTreeMap;

/// What a server downloads when it starts, and what downloads the same before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What it downloads, as people call it: `Qwen/Qwen3-4B`, `user/repo:Q8_0`.
    pub what: Vec<String>,
    /// The hub's repositories that this is of, by their ids.
    pub repositories: Vec<String>,
    /// The entrypoint of a container of the model's own image that downloads it and ends.
    pub entrypoint: Vec<String>,
    /// Whether the server's own entrypoint comes after that and the directory, to be run from there.
    pub runs_server: bool,
    /// The arguments: they decide what is downloaded, nothing else does.
    pub command: Vec<String>,
    /// The variable that tells the server to stay offline, where it then needs the hub for nothing else.
    pub offline: Option<&'static str>,
    /// The variable that this engine alone takes for its cache, if it has one.
    pub own_cache: Option<&'static str>,
    /// Where its files lie unless that variable says so; none where that is the hub's cache.
    pub directory: Option<&'static str>,
}

impl Fetch {
    /// Where its files lie in a container with these variables. Those of the hub: both engines' images run as
    /// root (huggingface_hub, constants.py; llama.cpp, common/hf-cache.cpp).
    #[must_use]
    pub fn cache(&self, environment: &BTreeMap<String, String>) -> String {
        let shared = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"];
        let value = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        if let Some(directory) = self.directory {
            return self.own_cache.and_then(value).map_or(directory, String::as_str).to_owned();
        }
        let whole = self.own_cache.into_iter().chain(shared).find_map(value).cloned();
        let home = value("HF_HOME").map_or("/root/.cache/huggingface", String::as_str);
        whole.unwrap_or_else(|| format!("{}/hub", home.trim_end_matches('/')))
    }
}

/// Whether that is a repository's id at the hub: its characters go into commands and paths
/// (huggingface_hub, utils/_validators.py).
pub(super) fn is_repository(text: &str) -> bool {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.contains("..")
    };
    let mut parts = text.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => plain(name),
        (Some(user), Some(name), None) => plain(user) && plain(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_variables_say() {
        let fetch = Fetch {
            what: vec![],
            repositories: vec![],
            entrypoint: vec![],
            runs_server: true,
            command: vec![],
            offline: None,
            own_cache: Some("LLAMA_CACHE"),
            directory: None,
        };
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "/root/.cache/huggingface/hub"),
            (&[("HF_HOME", "/hf/")], "/hf/hub"),
            (&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/cache")], "/cache"),
            (&[("HF_HUB_CACHE", "/cache"), ("LLAMA_CACHE", "/llama")], "/llama"),
        ];
        for (variables, expected) in cases {
            let variables =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(fetch.cache(&variables), expected);
        }
    }

    #[test]
    fn a_repository_is_told_from_paths_and_from_what_a_shell_would_read() {
        for good in ["gpt2", "Qwen/Qwen3-4B-AWQ", "a_b/c.d-e"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in
            ["", "/models/qwen", "./qwen", "a/b/c", "a/$(id)", "a/b c", "s3://a/b", "-a/b", "a/..", "a//b"]
        {
            assert!(!is_repository(bad), "{bad}");
        }
    }
}
