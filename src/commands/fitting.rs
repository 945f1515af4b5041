//! Whether what is to be deployed fits, as far as that is known without asking anybody: models of which the lock or
//! Hugging Face's cache of this machine tells, on GPUs that were seen or typed. It stops only what is certain.

use std::collections::BTreeMap;

use anyhow::Result;

use super::hubs::env;
use super::judging::{gpus_of, judged_on};
use super::prepare::Files;
use crate::cluster::{HostSpec, Weighed, disagreement};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::fit::{Outcome, Verdict, gib};
use crate::hub::{self, Known};
use crate::lock::{LOCK_FILE, LockedModel};
use crate::names::HostName;
use crate::survey::Survey;
use crate::ui;

/// Shows a warning for every model that will not serve as it is typed.
///
/// # Errors
/// Every model whose weights alone are more than there is.
pub(super) fn check(files: &Files, survey: &Survey) -> Result<()> {
    let hosts = || files.spec.hosts.iter().filter(|(name, _)| files.within.contains(name));
    let otherwise = hosts().filter_map(|(name, host)| disagreement(name, host, &survey.seen(name)?.facts));
    ui::errors::diagnostics(&Diagnostics(otherwise.collect()));
    let found = Diagnostics(hosts().flat_map(|host| of_host(files, host, survey)).collect());
    if found.has_errors() {
        return Err(found.into());
    }
    ui::errors::diagnostics(&found);
    Ok(())
}

/// What the lock says of a model, or Hugging Face's cache of this machine: at the commit that is pinned, if one is.
pub(super) fn known(files: &Files, model: Weighed<'_>) -> Option<Known> {
    let id = model.model()?;
    let pin = model
        .server
        .engine
        .repositories(&model.server.serve("~"))
        .into_iter()
        .find(|one| one.id == id || id.strip_prefix(&one.id).is_some_and(|rest| rest.starts_with(':')));
    let pin = pin.and_then(|repository| repository.commit);
    let locked = files.models.get(id).filter(|model| pin.as_ref().is_none_or(|pin| *pin == model.commit));
    let locked = locked.cloned().map(|LockedModel { commit, gguf, besides, facts }| Known {
        facts,
        extras: besides,
        gguf,
        from: LOCK_FILE.to_owned(),
        commit: Some(commit),
    });
    locked.or_else(|| hub::cached(id, pin.as_deref(), env))
}

fn of_host(files: &Files, (name, host): (&HostName, &HostSpec), survey: &Survey) -> Vec<Diagnostic> {
    let gpus = gpus_of((name, host), &[], survey);
    let mut models = Weighed::on_gpus(host);
    models.retain(|model| model.server.check_fit && !gpus.is_empty());
    let mut facts = BTreeMap::new();
    for model in &models {
        if let (Some(id), Some(known)) = (model.model(), known(files, *model)) {
            facts.insert(id.to_owned(), Ok(known));
        }
    }
    let judged = judged_on(name, (&models, &host.hf_home), (&facts, &gpus), None);
    let said = models.iter().zip(judged);
    said.filter_map(|(model, judged)| of_model(name, *model, &judged.verdict.ok()?)).collect()
}

/// The verdict at the place where the model is named, if it is a bad one.
fn of_model(host: &HostName, model: Weighed<'_>, verdict: &Verdict) -> Option<Diagnostic> {
    let sums = verdict.lines.iter().filter_map(|line| Some(format!("{} {}", line.what, gib(line.bytes?))));
    let sums: Vec<String> = sums.collect();
    let message = format!("`{}` on {host}: {} ({})", model.name(), verdict.sentence, sums.join(", "));
    let mut hint = verdict.instead.clone();
    let said = match verdict.outcome {
        Outcome::TooLarge => {
            let on = model.member.map(|_| format!(" on server `{}`", model.server.name)).unwrap_or_default();
            hint.push(format!("`check_fit: false`{on} tries it all the same"));
            Diagnostic::error(model.value_place("model"), message)
        }
        Outcome::Short | Outcome::Crowded => Diagnostic::warning(model.value_place("model"), message),
        Outcome::Fits | Outcome::Tight | Outcome::Spills | Outcome::Unknown => return None,
    };
    Some(if hint.is_empty() { said } else { said.hint(hint.join(" ")) })
}
