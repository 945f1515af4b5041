//! OpenAI's SDKs (<https://github.com/openai/openai-python>, `_client.py`), and whatever reads their variables.
//! They have no file.

use super::{Choice, Client, Key, shell_word, string};

pub(super) struct OpenAi;

impl Client for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn title(&self) -> &'static str {
        "OpenAI SDKs"
    }

    fn needs(&self) -> &'static str {
        "pip install openai, or npm install openai"
    }

    fn settings(&self) -> &'static str {
        "the environment"
    }

    fn keeps_key(&self) -> &'static str {
        "OPENAI_API_KEY"
    }

    fn steps(&self, choice: &Choice<'_>, key: Key<'_>) -> Option<String> {
        let model = string(choice.main.name.as_str());
        Some(format!(
            concat!(
                "In the shell (~/.profile keeps it):\n",
                "\n",
                "export OPENAI_BASE_URL={}\n",
                "export OPENAI_API_KEY={}\n",
                "\n",
                "Python:\n",
                "\n",
                "from openai import OpenAI\n",
                "\n",
                "answer = OpenAI().chat.completions.create(\n",
                "    model={model},\n",
                "    messages=[{{\"role\": \"user\", \"content\": \"Say hello.\"}}],\n",
                ")\n",
                "print(answer.choices[0].message.content)\n",
                "\n",
                "JavaScript:\n",
                "\n",
                "import OpenAI from \"openai\";\n",
                "\n",
                "const answer = await new OpenAI().chat.completions.create({{\n",
                "  model: {model},\n",
                "  messages: [{{ role: \"user\", content: \"Say hello.\" }}],\n",
                "}});\n",
                "console.log(answer.choices[0].message.content);\n",
            ),
            shell_word(&format!("{}/v1", choice.offer.url)),
            key.shell(),
            model = model,
        ))
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        None
    }
}
