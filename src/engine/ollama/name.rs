//! Names of models as Ollama reads them, and the names under which its server has homelab's.
//! Their characters go into paths, commands and JSON, so nothing else than plain ones passes.

use crate::names::ModelName;

/// Where the manifest of a model lies below `manifests/`: `[HOST/][NAMESPACE/]MODEL[:TAG]` with what Ollama fills in
/// (types/model/name.go). None if it is no such name.
pub(super) fn manifest(model: &str) -> Option<String> {
    let last = model.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match model[last..].split_once(':') {
        Some((_, tag)) => (&model[..model.len() - tag.len() - 1], tag),
        None => (model, "latest"),
    };
    let parts: Vec<&str> = path.split('/').collect();
    let (host, namespace, model) = match *parts.as_slice() {
        [model] => ("registry.ollama.ai", "library", model),
        [namespace, model] => ("registry.ollama.ai", namespace, model),
        [host, namespace, model] => (host, namespace, model),
        _ => return None,
    };
    let is_host = host.split(':').count() <= 2 && host.split(':').all(is_plain);
    let whole = is_host && [namespace, model, tag].into_iter().all(is_plain);
    whole.then(|| format!("{host}/{namespace}/{model}/{tag}"))
}

fn is_plain(part: &str) -> bool {
    part.len() <= 80
        && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// What the server calls a model of homelab's: a name of its own beside the library's, which stays what was pulled. With
/// its tag, as its lists show it.
pub(super) fn upstream(name: &ModelName) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    // It tells no upper case from lower case.
    let model: String = name.as_str().chars().map(plain).take(80).collect();
    format!("homelab/{}:latest", model.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_its_manifest_lies_and_nothing_else_passes() {
        for (name, path) in [
            ("qwen3", "registry.ollama.ai/library/qwen3/latest"),
            ("qwen3:14b", "registry.ollama.ai/library/qwen3/14b"),
            ("me/mine:q8_0", "registry.ollama.ai/me/mine/q8_0"),
            ("hf.co/user/repo.GGUF:Q4_K_M", "hf.co/user/repo.GGUF/Q4_K_M"),
            ("nas:5000/lib/a:1", "nas:5000/lib/a/1"),
        ] {
            assert_eq!(manifest(name).as_deref(), Some(path), "{name}");
        }
        for bad in [
            "",
            "a:",
            ":b",
            "a b",
            "a/b/c/d",
            "../x",
            "a/../b",
            "https://ollama.com/library/qwen3",
            "/models/a.gguf",
            "a\"b",
            "$(id)",
            "-a",
            "a:b:c",
        ] {
            assert_eq!(manifest(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_server_has_a_plain_name_for_every_public_one() {
        let name = |text: &str| upstream(&ModelName::new(text).unwrap());
        assert_eq!(name("qwen3-14b"), "homelab/qwen3-14b:latest");
        assert_eq!(name("Org/Qwen3:14B@x"), "homelab/org-qwen3-14b-x:latest");
    }
}
