//! vLLM.

use super::{Draft, Engine, Gpus, Opt, Phase, Serve};

/// vLLM in Docker: `vllm/vllm-openai` and `nvcr.io/nvidia/vllm` alike.
pub(super) struct Vllm;

impl Engine for Vllm {
    fn name(&self) -> &'static str {
        "vllm"
    }
    fn image_variable(&self) -> &'static str {
        "vllm_image"
    }
    fn default_image(&self, _gpus: &Gpus) -> &'static str {
        "vllm/vllm-openai:v0.33.0"
    }
    fn container_port(&self) -> u16 {
        8000
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
                super::command_line::LeadingDash::Joined,
            ),
            ..Draft::default()
        }
    }
    fn phase(&self, _line: &str) -> Option<Phase> {
        None
    }
}
