//! What servers measured of their memory when they started, read from the beginnings of their logs.
//! It asks only about containers that run.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::fitting;
use super::judging::{Facts, gpus_of, judged_on};
use super::prepare::{Files, Seen};
use crate::cluster::{ModelSpec, Weighed};
use crate::fit::Measured;
use crate::names::{HostName, ServiceName};
use crate::survey::State;
use crate::ui::fit::Judged;

/// A start says all of it in its first lines, as many as its weights have parts and its graphs have sizes.
const HEAD: usize = 1000;

/// What the server of a model says, if it runs and its engine tells.
async fn measured(files: &Files, seen: &Seen, host: &HostName, model: &ModelSpec) -> Option<Measured> {
    let name = format!("{}-{}-1", files.spec.project, ServiceName::of_model(&model.name));
    let container = seen.survey.seen(host)?.containers.get(&name)?;
    if container.state != State::Running || !model.engine.measures() {
        return None;
    }
    let log = seen.looks.get(host)?.first_logs(&container.id, HEAD).await.ok()?;
    Some(model.engine.measured(&log)).filter(|measured| !measured.is_empty())
}

/// Adds what was measured to verdicts on models of the inventory.
pub(super) async fn add(files: &Files, seen: &Seen, all: &mut [Judged]) {
    let found = join_all(all.iter().map(|judged| async {
        let host = judged.host.as_ref()?;
        let models = &files.spec.hosts.get(host)?.models;
        let model = models.iter().find(|model| model.name.as_str() == judged.model)?;
        measured(files, seen, host, model).await
    }));
    for (measured, judged) in found.await.into_iter().zip(all) {
        judged.measured = measured;
    }
}

/// The models among these services that a deploy has started, each with what was predicted and what it measured.
pub(super) async fn of_started(
    files: &Files,
    seen: &Seen,
    started: &BTreeSet<(HostName, ServiceName)>,
) -> Vec<Judged> {
    let mut all = Vec::new();
    for (name, host) in &files.spec.hosts {
        let is_started =
            |model: &ModelSpec| started.contains(&(name.clone(), ServiceName::of_model(&model.name)));
        if !host.models.iter().any(|model| model.engine.measures() && is_started(model)) {
            continue;
        }
        let models = Weighed::on_gpus(host);
        let known = models
            .iter()
            .filter_map(|model| Some((model.model()?.to_owned(), Ok(fitting::known(files, *model)?))));
        let facts: Facts = known.collect();
        let gpus = gpus_of((name, host), &[], &seen.survey);
        let judged = judged_on(name, (&models, &host.hf_home), (&facts, &gpus), None);
        all.extend(
            models.iter().zip(judged).filter(|(model, _)| is_started(model.server)).map(|(_, judged)| judged),
        );
    }
    add(files, seen, &mut all).await;
    all
}
