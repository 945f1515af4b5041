//! Anthropic's SDKs (<https://github.com/anthropics/anthropic-sdk-python>, `_client.py`).
//! They have no file.

use super::{Choice, Client, Key, shell_word, string};

pub(super) struct Anthropic;

/// They do not send a request without a limit.
const TOKENS: u64 = 1024;

impl Client for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn title(&self) -> &'static str {
        "Anthropic SDKs"
    }

    fn needs(&self) -> &'static str {
        "pip install anthropic, or npm install @anthropic-ai/sdk"
    }

    fn settings(&self) -> &'static str {
        "the environment"
    }

    fn keeps_key(&self) -> &'static str {
        "ANTHROPIC_AUTH_TOKEN"
    }

    fn steps(&self, choice: &Choice<'_>, key: Key<'_>) -> Option<String> {
        let model = string(choice.main.name.as_str());
        let tokens = choice.main.answer().map_or(TOKENS, |most| most.min(TOKENS));
        Some(format!(
            concat!(
                "In the shell (~/.profile keeps it). The URL has no /v1: the SDKs add it.\n",
                "\n",
                "export ANTHROPIC_BASE_URL={}\n",
                "export ANTHROPIC_AUTH_TOKEN={}\n",
                "unset ANTHROPIC_API_KEY\n",
                "\n",
                "Python:\n",
                "\n",
                "from anthropic import Anthropic\n",
                "\n",
                "answer = Anthropic().messages.create(\n",
                "    model={model},\n",
                "    max_tokens={tokens},\n",
                "    messages=[{{\"role\": \"user\", \"content\": \"Say hello.\"}}],\n",
                ")\n",
                "print(\"\".join(part.text for part in answer.content if part.type == \"text\"))\n",
                "\n",
                "JavaScript:\n",
                "\n",
                "import Anthropic from \"@anthropic-ai/sdk\";\n",
                "\n",
                "const answer = await new Anthropic().messages.create({{\n",
                "  model: {model},\n",
                "  max_tokens: {tokens},\n",
                "  messages: [{{ role: \"user\", content: \"Say hello.\" }}],\n",
                "}});\n",
                "console.log(answer.content.map((part) => (part.type === \"text\" ? part.text : \"\")).join(\"\"));\n",
            ),
            shell_word(&choice.offer.url),
            key.shell(),
            model = model,
            tokens = tokens,
        ))
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        None
    }
}
