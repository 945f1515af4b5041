//! Any other server that speaks OpenAI's protocol: the user names its image, its command and its port.
//! It knows no program behind it, and therefore no option, no phase of its start and no failure of its own.

use serde_json::Value;

use super::command_line::word;
use super::option::{Opt, int, many, text};
use super::{Chip, Draft, Engine, Fetch, Phase, Serve};
use crate::diagnosis::Row;

/// A container that answers `/v1/models` and the endpoint of what its model is for.
pub(super) struct OpenAi;

/// What most servers have, and what homelab's own engines do.
const HEALTH: &str = "/health";

const OPTIONS: &[Opt] = &[text("api_key_variable"), many("command"), int("container_port"), text("health")];

impl Engine for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn image_variable(&self) -> &'static str {
        "openai_image"
    }

    fn default_image(&self, _chip: Chip) -> Option<&'static str> {
        None
    }

    fn options(&self) -> &'static [Opt] {
        OPTIONS
    }

    fn check(&self, serve: &Serve<'_>) -> Result<(), (&'static str, String)> {
        if serve.native.is_some_and(|native| native.program.is_empty()) {
            let why = "the program that serves it, with its arguments: nobody else knows it";
            return Err(("command", why.to_owned()));
        }
        if port(serve).is_none() {
            let why = "the port that the server listens on in its container, from 1 to 65535";
            return Err(("container_port", why.to_owned()));
        }
        if let Some(path) = text_of(serve, "health").filter(|path| !is_path(path)) {
            return Err(("health", format!("`{path}` is no path: as in /health or /v1/models")));
        }
        match text_of(serve, "api_key_variable") {
            None if serve.api_key => Err((
                "api_key_variable",
                "the environment variable in which the server takes a key; `api_key: none` if it takes none"
                    .to_owned(),
            )),
            Some(name) if !is_variable(name) => {
                Err(("api_key_variable", format!("`{name}` cannot name an environment variable")))
            }
            _ => Ok(()),
        }
    }

    fn context(&self, _serve: &Serve<'_>) -> Option<u64> {
        None
    }

    fn longest_answer(&self, _serve: &Serve<'_>) -> Option<u64> {
        None
    }

    fn calls_tools(&self, _serve: &Serve<'_>) -> Option<bool> {
        None
    }

    /// Such a server has a name of its own for its model, which `model` says.
    fn upstream(&self, serve: &Serve<'_>) -> String {
        serve.model.map_or_else(|| serve.name.to_string(), str::to_owned)
    }

    fn draft(&self, serve: &Serve<'_>) -> Draft {
        // Where the host itself runs it, `command` is the program.
        let typed = serve.options.get("command").and_then(Value::as_array);
        let command = typed.filter(|_| serve.native.is_none()).into_iter().flatten().map(word);
        Draft {
            entrypoint: serve.program().unwrap_or_default(),
            command: command.chain(serve.args.iter().cloned()).collect(),
            port: port(serve).unwrap_or_default(),
            health: text_of(serve, "health").unwrap_or(HEALTH).to_owned(),
            api_key_variable: text_of(serve, "api_key_variable").map(str::to_owned),
            volumes: match serve.native {
                Some(_) => vec![],
                None => vec![format!("{}:/root/.cache/huggingface", serve.hf_home)],
            },
            ..Draft::default()
        }
    }

    fn fetches(&self, _serve: &Serve<'_>) -> Vec<Fetch> {
        vec![]
    }

    fn phase(&self, _line: &str) -> Option<Phase> {
        None
    }

    fn causes(&self) -> &'static [Row] {
        &[]
    }

    fn gives_up(&self) -> &'static [&'static str] {
        &[]
    }
}

fn text_of<'a>(serve: &Serve<'a>, option: &str) -> Option<&'a str> {
    serve.options.get(option).and_then(Value::as_str)
}

/// The port that its server listens on: in a container only the user knows which.
fn port(serve: &Serve<'_>) -> Option<u16> {
    if let Some(native) = serve.native {
        return Some(native.port);
    }
    let port = serve.options.get("container_port").and_then(Value::as_u64)?;
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// What may stand in a request's first line.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::testing::{World, sorted_and_plain};
    use super::*;

    fn world(options: Value) -> World {
        let options: BTreeMap<String, Value> = serde_json::from_value(options).unwrap();
        World { options, ..World::new("any") }
    }

    #[test]
    fn the_table_is_sorted_and_plain() {
        sorted_and_plain(&OpenAi);
    }

    #[test]
    fn a_server_is_what_the_user_says_it_is() {
        let options = json!({"command": ["--ctx", 512], "container_port": 8080, "health": "/v1/health",
            "api_key_variable": "SERVER_KEY"});
        let world = World { args: vec!["-v".to_owned()], model: Some("theirs:4b"), ..world(options) };
        world.with(|serve| {
            assert_eq!(OpenAi.check(serve), Ok(()));
            assert_eq!(OpenAi.upstream(serve), "theirs:4b");
            let draft = OpenAi.draft(serve);
            assert!(draft.entrypoint.is_empty());
            assert_eq!(draft.command, ["--ctx", "512", "-v"]);
            assert_eq!((draft.port, draft.health.as_str()), (8080, "/v1/health"));
            assert_eq!(draft.api_key_variable.as_deref(), Some("SERVER_KEY"));
        });
    }

    #[test]
    fn what_it_cannot_know_must_be_said() {
        let cases = [
            (json!({}), "container_port"),
            (json!({"container_port": 0}), "container_port"),
            (json!({"container_port": 70_000}), "container_port"),
            (json!({"container_port": 80}), "api_key_variable"),
            (json!({"container_port": 80, "api_key_variable": "A B"}), "api_key_variable"),
            (json!({"container_port": 80, "health": "/a b"}), "health"),
            (json!({"container_port": 80, "health": "health"}), "health"),
        ];
        for (options, key) in cases {
            let found = world(options.clone()).with(|serve| OpenAi.check(serve)).unwrap_err();
            assert_eq!(found.0, key, "{options}");
        }
        world(json!({"container_port": 80, "api_key_variable": "KEY"})).with(|serve| {
            assert_eq!(OpenAi.check(serve), Ok(()));
            assert_eq!(OpenAi.upstream(serve), "any");
            assert_eq!(OpenAi.draft(serve).health, "/health");
        });
    }
}
