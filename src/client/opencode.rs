//! opencode (<https://opencode.ai/docs/providers>; keys of models: anomalyco/opencode,
//! packages/opencode/src/config/provider.ts). Its keys lie apart from its settings, so those of a project hold none.

use super::{Change, Choice, Client, File, Format, Model, Place, at};

pub(super) struct Opencode;

/// What the gateway is called among its providers.
const PROVIDER: &str = "homelab";

const SETTINGS: Place = Place::Home {
    variable: "XDG_CONFIG_HOME",
    below: "opencode/opencode.json",
    otherwise: ".config/opencode/opencode.json",
};

const KEYS: Place = Place::Home {
    variable: "XDG_DATA_HOME",
    below: "opencode/auth.json",
    otherwise: ".local/share/opencode/auth.json",
};

impl Client for Opencode {
    fn name(&self) -> &'static str {
        "opencode"
    }

    fn title(&self) -> &'static str {
        "opencode"
    }

    fn needs(&self) -> &'static str {
        "npm install -g opencode-ai"
    }

    fn settings(&self) -> &'static str {
        "~/.config/opencode/opencode.json"
    }

    fn keeps_key(&self) -> &'static str {
        "~/.local/share/opencode/auth.json"
    }

    fn first_request(&self) -> Option<u64> {
        Some(7_500)
    }

    fn files(&self, choice: &Choice<'_>, key: &str) -> Vec<File> {
        vec![settings(SETTINGS, choice), keys(key)]
    }

    fn project_files(&self, choice: &Choice<'_>, key: &str) -> Option<Vec<File>> {
        Some(vec![settings(Place::Project("opencode.json"), choice), keys(key)])
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        Some("opencode run 'Say hello.'".to_owned())
    }
}

fn settings(place: Place, choice: &Choice<'_>) -> File {
    let set = |path: &[&str], value: serde_json::Value| Change::Set(at(path), value);
    let full = |names: Vec<String>| names.into_iter().map(|name| format!("{PROVIDER}/{name}")).collect();
    let mut changes = vec![
        // It would write this line itself.
        set(&["$schema"], "https://opencode.ai/config.json".into()),
        Change::OneOf(at(&["model"]), full(choice.main_names())),
        Change::OneOf(at(&["small_model"]), full(choice.small_names())),
        set(&["provider", PROVIDER, "npm"], "@ai-sdk/openai-compatible".into()),
        set(&["provider", PROVIDER, "name"], PROVIDER.into()),
        set(&["provider", PROVIDER, "options", "baseURL"], format!("{}/v1", choice.offer.url).into()),
    ];
    changes.extend(choice.chat().flat_map(model));
    let names = choice.chat().map(|model| model.name.to_string()).collect();
    changes.push(Change::Only(at(&["provider", PROVIDER, "models"]), names));
    File { place, may_be_jsonc: true, format: Format::Json, holds_key: false, changes }
}

fn model(model: &Model) -> Vec<Change> {
    let set = |path: &[&str], value: serde_json::Value| {
        let own = at(&["provider", PROVIDER, "models", model.name.as_str()]);
        Change::Set([own, at(path)].concat(), value)
    };
    let shown = match &model.alias_of {
        Some(other) => format!("{} ({other})", model.name),
        None => model.name.to_string(),
    };
    let mut changes = vec![set(&["name"], shown.into())];
    changes.extend(model.tools.map(|tools| set(&["tool_call"], tools.into())));
    // It takes both limits or none.
    if let (Some(context), Some(answer)) = (model.context, model.answer()) {
        changes.push(set(&["limit", "context"], context.into()));
        changes.push(set(&["limit", "output"], answer.into()));
    }
    changes
}

/// The file in which `opencode auth login` keeps keys, by provider.
fn keys(key: &str) -> File {
    let set = |name: &str, value: &str| Change::Set(at(&[PROVIDER, name]), value.into());
    let changes = vec![set("type", "api"), set("key", key)];
    File { place: KEYS, may_be_jsonc: false, format: Format::Json, holds_key: true, changes }
}
