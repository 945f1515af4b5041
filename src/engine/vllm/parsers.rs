//! Which parsers fit which family of models, as far as vLLM's documentation says it (docs/features/tool_calling.md).
//! It only suggests: the list grows with every release of vLLM, and a name it does not know may be right.

use super::super::Serve;

/// A family by a part of its repositories' names, the more specific first, and the parsers that fit it.
struct Family {
    part: &'static str,
    tools: &'static [&'static str],
    reasoning: &'static [&'static str],
}

const fn family(
    part: &'static str,
    tools: &'static [&'static str],
    reasoning: &'static [&'static str],
) -> Family {
    Family { part, tools, reasoning }
}

const FAMILIES: &[Family] = &[
    family("qwen3-coder", &["qwen3_xml", "qwen3_coder"], &[]),
    family("qwen3.", &["qwen3_xml", "qwen3_coder"], &["qwen3"]),
    family("qwen3", &["hermes", "qwen3_json"], &["qwen3"]),
    family("qwen2.5", &["hermes", "qwen3_json"], &[]),
    family("qwq", &["hermes", "qwen3_json"], &[]),
    family("gpt-oss", &["openai"], &["openai_gptoss"]),
    family("llama-3", &["llama3_json"], &[]),
    family("devstral", &["mistral"], &[]),
    family("mistral", &["mistral"], &[]),
    family("glm-4.7", &["glm47"], &["glm47"]),
    family("glm-4.5", &["glm45"], &["glm45"]),
    family("glm-4.6", &["glm45"], &["glm45"]),
    family("gemma-4", &["gemma4"], &["gemma4"]),
];

fn of(serve: &Serve<'_>) -> Option<&'static Family> {
    let model = serve.model?.to_ascii_lowercase();
    let name = model.trim_end_matches('/').rsplit('/').next()?;
    FAMILIES.iter().find(|family| name.contains(family.part))
}

/// The tool parser that fits the model, where its family is known.
pub(super) fn tools(serve: &Serve<'_>) -> Option<&'static str> {
    of(serve)?.tools.first().copied()
}

/// Parsers that were chosen and that do not fit the model's family.
pub(super) fn advice(serve: &Serve<'_>) -> Vec<(&'static str, String)> {
    let Some(family) = of(serve) else { return vec![] };
    let one = |key: &'static str, fit: &'static [&'static str]| {
        let chosen = serve.options.get(key)?.as_str()?;
        let first = fit.first().filter(|_| !fit.contains(&chosen) && chosen != "none")?;
        Some((
            key,
            format!(
                "models of the family {} mostly need `{first}`, not `{chosen}`",
                family.part.trim_end_matches('.')
            ),
        ))
    };
    [one("tool_call_parser", family.tools), one("reasoning_parser", family.reasoning)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::testing::World;
    use super::*;

    #[test]
    fn a_parser_of_another_family_is_told_of_and_what_nobody_knows_is_not() {
        let told = |model: &'static str, key: &str, parser: &str| {
            let options = [(key.to_owned(), json!(parser))].into();
            let world = World { model: Some(model), options, ..World::new("m") };
            world.with(|serve| advice(serve).into_iter().map(|(_, why)| why).collect::<String>())
        };
        assert_eq!(told("Qwen/Qwen3-30B-A3B-GPTQ-Int4", "tool_call_parser", "hermes"), "");
        assert_eq!(
            told("Qwen/Qwen3-Coder-30B", "tool_call_parser", "hermes"),
            "models of the family qwen3-coder mostly need `qwen3_xml`, not `hermes`"
        );
        assert_eq!(told("Qwen/Qwen3-Coder-30B", "tool_call_parser", "qwen3_coder"), "");
        assert!(told("openai/gpt-oss-20b", "reasoning_parser", "qwen3").contains("`openai_gptoss`"));
        for unknown in ["me/my-model", "/models/mine", "Qwen/other"] {
            assert_eq!(told(unknown, "tool_call_parser", "anything"), "", "{unknown}");
        }
        assert_eq!(told("openai/gpt-oss-20b", "reasoning_parser", "none"), "");
    }
}
