//! JetBrains AI Assistant (<https://www.jetbrains.com/help/ai-assistant/use-custom-models.html>).
//! It keeps the key in the IDE's password store and names no file for the rest, so there are pages to go through.

use super::{Choice, Client, Key, Model};
use crate::engine::Kind;

pub(super) struct JetBrains;

impl Client for JetBrains {
    fn name(&self) -> &'static str {
        "jetbrains"
    }

    fn title(&self) -> &'static str {
        "JetBrains AI Assistant"
    }

    fn needs(&self) -> &'static str {
        "the plugin, in the IDE's Settings | Plugins"
    }

    fn settings(&self) -> &'static str {
        "the IDE's pages, by hand"
    }

    fn keeps_key(&self) -> &'static str {
        "the IDE's password store"
    }

    fn steps(&self, choice: &Choice<'_>, key: Key<'_>) -> Option<String> {
        let (main, small) = (choice.main, choice.small);
        let completion = choice.offer.models.iter().find(|model| model.kind == Kind::Completion);
        let tools = match main.tools {
            Some(true) => "on",
            Some(false) => "off: the model calls none as it is served",
            None => "on, if the model calls tools",
        };
        let completes = completion
            .map_or("leave it as it is: no model is of kind completion", |model| model.name.as_str());
        Some(format!(
            concat!(
                "1. Settings | Plugins: JetBrains AI Assistant is installed and enabled.\n",
                "2. Settings | Tools | AI Assistant | Providers & API keys, there Third-party AI providers:\n",
                "     Provider       OpenAI-compatible (OpenAI alone has no URL)\n",
                "     URL            {}/v1\n",
                "     API Key        {}\n",
                "     Tool calling   {tools}\n",
                "   Test Connection must succeed; then Apply.\n",
                "3. Further down, Models Assignment (a page of its own in some versions):\n",
                "     Core features      {}\n",
                "     Instant helpers    {}\n",
                "     Completion model   {completes}\n",
                "     Context window     {}\n",
                "4. In the AI Chat, choose {} in the list of models.\n",
            ),
            choice.offer.url,
            key.words(),
            main.name,
            small.name,
            window(main, small),
            main.name,
            tools = tools,
            completes = completes,
        ))
    }

    fn trial(&self, _choice: &Choice<'_>) -> Option<String> {
        None
    }
}

/// There is one number for all: that of the smaller one.
fn window(main: &Model, small: &Model) -> String {
    match (main.context, small.context) {
        (Some(main), Some(small)) => main.min(small).to_string(),
        _ => "what the model has: the inventory does not say it".to_owned(),
    }
}
