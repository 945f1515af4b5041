//! Plans on stdout: for people, for scripts, for pull requests.
//! What is said was decided before; colours are all that is added here.

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::{BOLD, GREEN, RED, YELLOW, out, paint};
use crate::cli::Format;
use crate::host::Outcome;
use crate::names::{HostName, ServiceName};
use crate::plan::{JSON_VERSION, Plan, Report, markdown};

const CYAN: Style = AnsiColor::Cyan.on_default();

/// Prints a plan.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(report: &Report, format: Format) -> Result<()> {
    match format {
        Format::Text => out(&report.text().lines().map(|line| colored(line) + "\n").collect::<String>()),
        Format::Json => json_out(report),
        Format::Markdown => out(&markdown(report)),
    }
}

fn colored(line: &str) -> String {
    let at_margin = !line.starts_with(' ');
    let style = match line.trim_start().chars().next() {
        // Lines of a diff; those of a plan are indented.
        Some('-') if line.starts_with("--- ") => BOLD,
        Some('+') if line.starts_with("+++ ") => BOLD,
        Some('@') if at_margin => CYAN,
        Some('+') => GREEN,
        Some('~') => YELLOW,
        Some('-' | '!') => RED,
        _ if at_margin => BOLD,
        _ => return line.to_owned(),
    };
    paint(style, line)
}

/// What came of a deploy, as JSON.
///
/// # Errors
/// When stdout cannot be written.
pub fn deployed(plan: &Plan, outcome: &Outcome, after: &Plan) -> Result<()> {
    json_out(&deployed_json(plan, outcome, after))
}

fn deployed_json(plan: &Plan, outcome: &Outcome, after: &Plan) -> Value {
    let failures: Vec<_> = outcome
        .failures
        .iter()
        .map(|f| json!({"host": f.host, "service": f.service, "why": f.why}))
        .collect();
    let pairs = |list: &mut dyn Iterator<Item = &(HostName, ServiceName)>| -> Vec<_> {
        list.map(|(host, service)| json!({"host": host, "service": service})).collect()
    };
    json!({
        "version": JSON_VERSION,
        "plan": plan,
        "failures": failures,
        "back": pairs(&mut outcome.back.iter()),
        "skipped": pairs(&mut outcome.skipped.iter()),
        "done": pairs(&mut outcome.done.iter()),
        "left": after,
    })
}

/// JSON with an end of line.
///
/// # Errors
/// When stdout cannot be written.
pub fn json_out(value: &impl Serialize) -> Result<()> {
    out(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{self, Evidence, Place};
    use crate::host::Failed;
    use crate::survey::Failure;
    use crate::ui::schema;

    #[test]
    fn what_came_of_a_deploy_is_what_the_schema_says() {
        let (host, service) = (HostName::new("box").unwrap(), ServiceName::gateway());
        let said = vec![
            "max seq len (9), (2 GiB KV cache is needed, which is larger than the available KV cache \
             memory (1 GiB). the estimated maximum model length is 7"
                .to_owned(),
        ];
        let causes = crate::engine::by_name("vllm").unwrap().causes();
        let found = diagnosis::find([causes], &Evidence { lines: &said, ..Evidence::default() }).unwrap();
        let place = Place { at: "hosts.yml:1:2".into(), add_to: None };
        let finding = found.placed(|key| (key == "max_model_len").then(|| place.clone()));
        let why = Failure {
            step: "a".into(),
            what: "b".into(),
            lines: vec!["c".into()],
            hint: None,
            finding: Some(Box::new(finding)),
        };
        let outcome = Outcome {
            failures: vec![Failed { host: host.clone(), service: Some(service.clone()), why }],
            back: vec![(host.clone(), service.clone())],
            skipped: [(host, service)].into(),
            ..Outcome::default()
        };
        let json = deployed_json(&Plan::default(), &outcome, &Plan::default());
        assert_eq!(schema::problems("deploy_output", &json), [""; 0]);
        assert_eq!(json["failures"][0]["why"]["lines"][0], "c");
        let finding = json!({"id": "vllm-context-beyond-memory", "keys": [
            {"key": "max_model_len", "value": "7", "at": "hosts.yml:1:2", "add_to": null},
            {"key": "gpu_memory_utilization", "value": null},
        ]});
        assert_eq!(json["failures"][0]["why"]["finding"], finding);
    }
}
