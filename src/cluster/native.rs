//! Models that a host runs by itself, without Docker: what may be said of them.
//! It decides nothing about engines, which only learn where they listen and what starts them.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::engine::Engine;
use crate::inventory::{Fields, Node, Value, texts};
use crate::service::{KEYS, Runtime, Who};

use super::keys::Places;

/// Compose's keys that mean the same without a container.
const SHARED: [&str; 5] = ["environment", "labels", "mem_limit", "restart", "stop_grace_period"];

/// Reads what runs a model.
pub(super) fn runtime(node: &Node) -> Result<Runtime, Diagnostic> {
    let text = node.as_text()?;
    let words = || Runtime::ALL.map(Runtime::word);
    Runtime::ALL.into_iter().find(|runtime| runtime.word() == text).ok_or_else(|| {
        let what = format!("`runtime` is {}, not `{}`", words().join(" or "), text.escape_debug());
        let wrong = Diagnostic::error(&node.origin, what);
        let hint = "native runs it as a service of its host, without Docker; how a container gets at GPUs is `gpu_access`";
        wrong.meant(did_you_mean(&text, words()), hint)
    })
}

/// The program of a model that its host runs by itself: what the user types, else the engine's own.
pub(super) fn command(
    fields: &mut Fields<'_>,
    engine: &dyn Engine,
    options: &BTreeMap<String, serde_json::Value>,
    runtime: Runtime,
) -> Vec<String> {
    if engine.options().iter().any(|option| option.name == "command") {
        // The engine's own word for the same: in a container these are arguments.
        let words = options
            .get("command")
            .and_then(serde_json::Value::as_array)
            .filter(|_| runtime == Runtime::Native);
        let word =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return words.into_iter().flatten().map(word).collect();
    }
    let typed = fields.parse("command", |node| {
        let words = match node.value {
            Value::Str(_) | Value::Seq(_) => texts(node)?,
            _ => return Err(node.expected("`command` to be a string or a list")),
        };
        if !words.first().is_some_and(|first| is_program(first)) {
            let wrong = Diagnostic::error(&node.origin, "`command` names no program of the host's");
            return Err(wrong.hint(
                "a name, as in vllm, or a path that starts with / or ~/, as in /opt/vllm/venv/bin/vllm",
            ));
        }
        Ok(words)
    });
    match (typed, runtime) {
        (Some(_), Runtime::Docker) => {
            if let Some(origin) = fields.origin("command") {
                let nothing = Diagnostic::warning(origin, "`command` says nothing without `runtime: native`");
                let hint = "what a container runs is `entrypoint`; further arguments are `args`";
                fields.problems.push(nothing.hint(hint));
            }
            vec![]
        }
        (Some(words), Runtime::Native) => words,
        (None, Runtime::Native) => engine.program().map(str::to_owned).into_iter().collect(),
        (None, Runtime::Docker) => vec![],
    }
}

/// A name, or a path that says where it begins.
fn is_program(text: &str) -> bool {
    let plain = !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control);
    plain && (!text.contains('/') || text.starts_with('/') || text.starts_with("~/"))
}

/// Says which of the typed keys mean nothing without a container.
pub(super) fn refused(fields: &mut Fields<'_>, places: &Places, runtime: Runtime) {
    if runtime == Runtime::Docker {
        return;
    }
    let compose = KEYS.iter().filter(|(_, who)| *who == Who::User).map(|(key, _)| *key);
    let refused =
        compose.filter(|key| !SHARED.contains(key)).chain(["configs", "container_port", "prefetch"]);
    for key in refused {
        let Some((origin, _)) = places.get(key).filter(|_| fields.node(key).is_some()) else { continue };
        let wrong = Diagnostic::error(origin, format!("`{key}` means nothing with `runtime: native`"));
        let hint = match key {
            "image" => "there is no container: what runs is the program that `command` names",
            "entrypoint" => "there is no container: `command` names the program",
            "prefetch" => "the server downloads its model itself when it starts",
            "container_port" => "there is no container: the server listens on `port` itself",
            _ => "there is no container: take it away, or set it to null where it comes from defaults",
        };
        fields.problems.push(wrong.hint(hint));
    }
}
