//! Claude Code (<https://code.claude.com/docs/en/llm-gateway>; variables seen in 2.1.332).
//! It keeps its settings and the key in one file.

use super::{Change, Choice, Client, File, Format, Place, at};

pub(super) struct ClaudeCode;

const SETTINGS: Place =
    Place::Home { variable: "CLAUDE_CONFIG_DIR", below: "settings.json", otherwise: ".claude/settings.json" };

impl Client for ClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn title(&self) -> &'static str {
        "Claude Code"
    }

    fn needs(&self) -> &'static str {
        "npm install -g @anthropic-ai/claude-code"
    }

    fn settings(&self) -> &'static str {
        "~/.claude/settings.json"
    }

    fn keeps_key(&self) -> &'static str {
        "the same file"
    }

    fn first_request(&self) -> Option<u64> {
        Some(12_000)
    }

    fn files(&self, choice: &Choice<'_>, key: &str) -> Vec<File> {
        let set = |name: &str, value: &str| Change::Set(at(&["env", name]), value.into());
        let one_of = |name: &str, names: Vec<String>| Change::OneOf(at(&["env", name]), names);
        let mut changes = vec![
            // Without `/v1`: it adds `/v1/messages` itself.
            set("ANTHROPIC_BASE_URL", &choice.offer.url),
            set("ANTHROPIC_AUTH_TOKEN", key),
            one_of("ANTHROPIC_MODEL", choice.main_names()),
            // It asks for models by these names, too, and the gateway has none of them.
            one_of("ANTHROPIC_DEFAULT_OPUS_MODEL", choice.main_names()),
            one_of("ANTHROPIC_DEFAULT_SONNET_MODEL", choice.main_names()),
            one_of("ANTHROPIC_DEFAULT_HAIKU_MODEL", choice.small_names()),
            one_of("CLAUDE_CODE_SUBAGENT_MODEL", choice.main_names()),
            // A line that changes with every request at the top of the prompt would spoil the servers' prefix caches.
            set("CLAUDE_CODE_ATTRIBUTION_HEADER", "0"),
            // What is asked at home stays there.
            set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ];
        // Of a model that it does not know it takes 200,000 tokens for granted.
        changes.extend(choice.main.context.map(|n| set("CLAUDE_CODE_MAX_CONTEXT_TOKENS", &n.to_string())));
        changes.extend(choice.main.answer().map(|n| set("CLAUDE_CODE_MAX_OUTPUT_TOKENS", &n.to_string())));
        vec![File { place: SETTINGS, may_be_jsonc: false, format: Format::Json, holds_key: true, changes }]
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        Some("claude -p 'Say hello.'".to_owned())
    }
}
