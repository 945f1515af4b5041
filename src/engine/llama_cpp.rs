//! llama.cpp.

use super::{Draft, Engine, Gpus, Opt, Phase, Serve};

/// llama.cpp in Docker.
pub(super) struct LlamaCpp;

impl Engine for LlamaCpp {
    fn name(&self) -> &'static str {
        "llama_cpp"
    }
    fn image_variable(&self) -> &'static str {
        "llama_cpp_image"
    }
    fn default_image(&self, _gpus: &Gpus) -> &'static str {
        "ghcr.io/ggml-org/llama.cpp:server-b11669"
    }
    fn container_port(&self) -> u16 {
        8080
    }
    fn options(&self) -> &'static [Opt] {
        &[]
    }
    fn reserved(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
    fn check(&self, _serve: &Serve<'_>) -> Result<(), (&'static str, String)> {
        Ok(())
    }
    fn draft(&self, serve: &Serve<'_>) -> Draft {
        Draft {
            command: super::command_line::arguments(
                self.options(),
                serve.options,
                super::command_line::LeadingDash::Apart,
            ),
            ..Draft::default()
        }
    }
    fn phase(&self, _line: &str) -> Option<Phase> {
        None
    }
}
