//! Files as people have them, beside what becomes of them.

use homelab::client::{self, Choice, File, Format, merge};

use crate::offer;

const KEY: &str = "sk-1";

/// A client's file of that format.
pub(crate) fn file(name: &str, format: Format) -> File {
    let offer = offer();
    let choice = Choice::of(&offer, None, None).unwrap();
    let files = client::by_name(name).unwrap().files(&choice, KEY);
    files.into_iter().find(|file| file.format == format).unwrap()
}

#[track_caller]
fn becomes(file: &File, text: &str, wanted: &str) {
    let merged = merge::merge("f", text, file).unwrap();
    assert_eq!(merged, wanted);
    assert_eq!(merge::merge("f", &merged, file).unwrap(), merged, "a second time changes it again");
}

#[track_caller]
fn refused(file: &File, text: &str, why: &str) {
    let said = merge::merge("f", text, file).unwrap_err().to_string();
    assert!(said.contains(why), "{said}");
}

#[test]
fn comments_order_and_other_settings_of_claude_code_stay() {
    let text = r#"{
  // mine
  "permissions": {"allow": ["Bash(ls:*)"]},
  "env": {
    "EDITOR": "vi", // the one
    "ANTHROPIC_MODEL": "claude-opus", /* expensive */
    "ANTHROPIC_BASE_URL": "https://old.example"
  },
  "theme": "dark",
}
"#;
    let wanted = r#"{
  // mine
  "permissions": {"allow": ["Bash(ls:*)"]},
  "env": {
    "EDITOR": "vi", // the one
    "ANTHROPIC_MODEL": "qwen3-30b", /* expensive */
    "ANTHROPIC_BASE_URL": "http://proxy-server:4000",
    "ANTHROPIC_AUTH_TOKEN": "sk-1",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "qwen3-30b",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "qwen3-30b",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "qwen3-30b",
    "CLAUDE_CODE_SUBAGENT_MODEL": "qwen3-30b",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "65536",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "16384"
  },
  "theme": "dark",
}
"#;
    becomes(&file("claude-code", Format::Json), text, wanted);
}

#[test]
fn another_model_of_the_cluster_is_the_users_choice() {
    let settings = file("claude-code", Format::Json);
    let text = merge::merge("f", "", &settings).unwrap();
    let chosen = text.replace("\"ANTHROPIC_MODEL\": \"qwen3-30b\"", "\"ANTHROPIC_MODEL\": \"small\"");
    assert_ne!(text, chosen);
    becomes(&settings, &chosen, &chosen);
    let offer = offer();
    let named = Choice::of(&offer, Some("qwen3-30b"), None).unwrap();
    let named = client::by_name("claude-code").unwrap().files(&named, KEY).remove(0);
    becomes(&named, &chosen, &text);
}

#[test]
fn models_that_left_the_cluster_leave_opencode_and_what_its_owner_added_stays() {
    let settings = file("opencode", Format::Json);
    let own = r#""other": {"models": {"x": {}}}, "homelab": {"models": {"gone": {"name": "gone"}, "qwen3-4b": {"reasoning": true}}}"#;
    let text = merge::merge("f", &format!("{{\"provider\": {{{own}}}}}"), &settings).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(value["provider"]["homelab"]["models"].get("gone").is_none(), "{text}");
    assert_eq!(value["provider"]["homelab"]["models"]["qwen3-4b"]["reasoning"], true);
    assert_eq!(value["provider"]["homelab"]["models"]["qwen3-4b"]["limit"]["context"], 8192);
    assert_eq!(value["provider"]["other"]["models"]["x"], serde_json::json!({}));
    becomes(&settings, &text, &text);
}

#[test]
fn comments_order_and_other_providers_of_codex_stay() {
    let text = "# mine\nmodel = \"gpt\" # expensive\napproval_policy = \"never\"\n\n[model_providers.other]\n\
                name = \"x\"\n\n[tui] # colours\nnotifications = true\n# the end\n";
    let wanted = "# mine\nmodel = \"qwen3-30b\" # expensive\napproval_policy = \"never\"\nmodel_provider = \"homelab\"\n\
                  model_context_window = 65536\n\n[model_providers.other]\nname = \"x\"\n\n[model_providers.homelab]\n\
                  name = \"homelab\"\nbase_url = \"http://proxy-server:4000/v1\"\nenv_key = \"HOMELAB_API_KEY\"\n\
                  wire_api = \"responses\"\n\n[tui] # colours\nnotifications = true\n# the end\n";
    let merged = merge::merge("f", text, &file("codex", Format::Toml)).unwrap();
    let lines = |text: &str| {
        text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(lines(&merged), lines(wanted), "{merged}");
    becomes(&file("codex", Format::Toml), text, &merged);
}

#[test]
fn a_variable_is_replaced_where_it_stands_or_added_at_the_end() {
    let variables = file("codex", Format::Env);
    becomes(&variables, "", "HOMELAB_API_KEY=sk-1\n");
    becomes(&variables, "# c\nA=1", "# c\nA=1\nHOMELAB_API_KEY=sk-1\n");
    becomes(
        &variables,
        "#HOMELAB_API_KEY=no\nexport HOMELAB_API_KEY='old'\r\nB=2\n",
        "#HOMELAB_API_KEY=no\nexport HOMELAB_API_KEY=sk-1\r\nB=2\n",
    );
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_place() {
    let json = file("opencode", Format::Json);
    refused(&json, "{\n  \"a\": 1\n  \"b\": 2\n}", "f:");
    refused(&json, "{\"a\": ", "f:1:");
    refused(&json, "[]", "it is no map");
    refused(&json, "{\"provider\": 3}", "`provider` is no map");
    refused(&json, "{\"provider\": {}, \"provider\": {}}", "`provider` stands there twice");
    refused(&json, "{\"model\": {\"a\": 1}}", "`model` is a map or a list");
    let toml = file("codex", Format::Toml);
    refused(&toml, "a = 1\na = 2\n", "f:2:");
    refused(&toml, "a = \n", "f:1:");
    refused(&toml, "model_providers = 3\n", "`model_providers` is no table");
    refused(&toml, "[model]\na = 1\n", "`model` is a table or an array");
    refused(&toml, "model = {a = 1}\n", "`model` is a table or an array");
    refused(&toml, "model = [1]\n", "`model` is a table or an array");
}

#[test]
fn no_secret_of_a_broken_file_shows() {
    for (name, format, text) in [
        ("opencode", Format::Json, "{\"apiKey\": \"hunter2\" \"b\": 1}"),
        ("codex", Format::Toml, "api_key = \"hunter2\" b\n"),
    ] {
        let said = merge::merge("f", text, &file(name, format)).unwrap_err().to_string();
        assert!(said.contains("***") && !said.contains("hunter2"), "{said}");
    }
}
