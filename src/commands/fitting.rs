//! Whether what is to be deployed fits, as far as that is known without asking anybody: models that lie in Hugging Face's
//! cache of this machine, on GPUs that were seen. It stops only what is certain.

use std::collections::BTreeMap;

use anyhow::Result;

use super::fit::{env, gpus_of, judged_on, on_gpus};
use super::prepare::Files;
use crate::cluster::{HostSpec, ModelSpec};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::fit::{Outcome, Verdict, gib};
use crate::hub;
use crate::names::HostName;
use crate::survey::Survey;
use crate::ui;

/// Shows a warning for every model that will not serve as it is typed.
///
/// # Errors
/// Every model whose weights alone are more than there is.
pub(super) fn check(files: &Files, survey: &Survey) -> Result<()> {
    let hosts = files.spec.hosts.iter().filter(|(name, _)| files.within.contains(name));
    let found = Diagnostics(hosts.flat_map(|(name, host)| of_host(name, host, survey)).collect());
    if found.has_errors() {
        return Err(found.into());
    }
    ui::errors::diagnostics(&found);
    Ok(())
}

fn of_host(name: &HostName, host: &HostSpec, survey: &Survey) -> Vec<Diagnostic> {
    let gpus = gpus_of(name, &[], survey);
    let wanted = |model: &&ModelSpec| model.check_fit && !gpus.is_empty();
    let models: Vec<&ModelSpec> = on_gpus(host).filter(wanted).collect();
    let mut facts = BTreeMap::new();
    for id in models.iter().filter_map(|model| model.model.as_deref()) {
        if let Some(known) = hub::cached(id, env) {
            facts.insert(id.to_owned(), Ok(known));
        }
    }
    let judged = judged_on(name, (&models, &host.hf_home), (&facts, &gpus), None);
    let said = models.iter().zip(judged);
    said.filter_map(|(model, judged)| of_model(name, model, &judged.verdict.ok()?)).collect()
}

/// The verdict at the place where the model is named, if it is a bad one.
fn of_model(host: &HostName, model: &ModelSpec, verdict: &Verdict) -> Option<Diagnostic> {
    let sums = verdict.lines.iter().filter_map(|line| Some(format!("{} {}", line.what, gib(line.bytes?))));
    let sums: Vec<String> = sums.collect();
    let message = format!("`{}` on {host}: {} ({})", model.name, verdict.sentence, sums.join(", "));
    let mut hint = verdict.instead.clone();
    let said = match verdict.outcome {
        Outcome::TooLarge => {
            hint.push("`check_fit: false` tries it all the same".to_owned());
            Diagnostic::error(model.value_place("model"), message)
        }
        Outcome::Short | Outcome::Crowded => Diagnostic::warning(model.value_place("model"), message),
        Outcome::Fits | Outcome::Tight | Outcome::Spills | Outcome::Unknown => return None,
    };
    Some(if hint.is_empty() { said } else { said.hint(hint.join(" ")) })
}
