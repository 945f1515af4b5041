//! Open WebUI: a chat in the browser, as a client of the gateway.

use crate::secret::SecretRef;
use crate::service::Service;

use super::{Draft, WEBUI, pairs};

/// Wired with the gateway at `base_url` and the key it asks for. It keeps accounts and conversations in its data; the
/// admin is whoever signs up first (<https://docs.openwebui.com/getting-started/env-configuration>).
#[must_use]
pub fn webui(base_url: &str, key: &SecretRef) -> Draft {
    Draft {
        name: WEBUI.name,
        service: Service {
            image: "ghcr.io/open-webui/open-webui:v0.12.4".to_owned(),
            environment: pairs(&[
                ("OPENAI_API_BASE_URL", base_url),
                ("ENABLE_OPENAI_API", "True"),
                // Else it looks for an Ollama on its host.
                ("ENABLE_OLLAMA_API", "False"),
                ("ANONYMIZED_TELEMETRY", "False"),
                ("DO_NOT_TRACK", "True"),
                ("SCARF_NO_ANALYTICS", "True"),
            ]),
            ..Service::default()
        },
        container_port: 8080,
        health: "/health",
        data: Some("/app/backend/data"),
        secrets: [
            ("OPENAI_API_KEY".to_owned(), key.clone()),
            // Signs its sessions; without one it makes another at every start, which logs everybody out.
            ("WEBUI_SECRET_KEY".to_owned(), SecretRef::Derived("open-webui".to_owned())),
        ]
        .into(),
        ..Draft::default()
    }
}
