//! Codex (<https://developers.openai.com/codex/config-reference>; tried with 0.169).
//! It takes a provider's key from a variable, and variables from a file beside its settings.

use super::{Change, Choice, Client, File, Format, Place, at};

pub(super) struct Codex;

/// What the gateway is called among its providers.
const PROVIDER: &str = "homelab";
/// The variable with the key. Names that begin with `CODEX_` are not taken from the file.
const VARIABLE: &str = "HOMELAB_API_KEY";

const SETTINGS: Place =
    Place::Home { variable: "CODEX_HOME", below: "config.toml", otherwise: ".codex/config.toml" };
const VARIABLES: Place = Place::Home { variable: "CODEX_HOME", below: ".env", otherwise: ".codex/.env" };

impl Client for Codex {
    fn name(&self) -> &'static str {
        "codex"
    }

    fn title(&self) -> &'static str {
        "Codex"
    }

    fn needs(&self) -> &'static str {
        "npm install -g @openai/codex"
    }

    fn settings(&self) -> &'static str {
        "~/.codex/config.toml"
    }

    fn keeps_key(&self) -> &'static str {
        "~/.codex/.env"
    }

    fn first_request(&self) -> Option<u64> {
        Some(6_500)
    }

    fn files(&self, choice: &Choice<'_>, key: &str) -> Vec<File> {
        let set = |path: &[&str], value: serde_json::Value| Change::Set(at(path), value);
        let own = |name: &str, value: &str| set(&["model_providers", PROVIDER, name], value.into());
        let mut changes = vec![
            Change::OneOf(at(&["model"]), choice.main_names()),
            set(&["model_provider"], PROVIDER.into()),
        ];
        // Of a model that it does not know it takes 272,000 tokens for granted.
        changes.extend(choice.main.context.map(|context| set(&["model_context_window"], context.into())));
        changes.extend([
            own("name", PROVIDER),
            own("base_url", &format!("{}/v1", choice.offer.url)),
            own("env_key", VARIABLE),
            // The only way left: it asks `/v1/responses`.
            own("wire_api", "responses"),
        ]);
        let key = vec![Change::Set(at(&[VARIABLE]), key.into())];
        vec![
            File { place: SETTINGS, may_be_jsonc: false, format: Format::Toml, holds_key: false, changes },
            File {
                place: VARIABLES,
                may_be_jsonc: false,
                format: Format::Env,
                holds_key: true,
                changes: key,
            },
        ]
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        Some("codex exec 'Say hello.'".to_owned())
    }
}
