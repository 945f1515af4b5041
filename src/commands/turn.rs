//! Taking turns: the locks on the hosts that a plan changes, so that two deploys never mix.
//! What is planned, and what is done with the locks, is not its business.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use futures_util::future::join_all;

use super::prepare::{Said, Seen};
use crate::claim::Holder;
use crate::exit::Exit;
use crate::host::{Claim, Claimed, Look};
use crate::names::{HostName, ProjectName};
use crate::plan::Plan;
use crate::survey::Failure;
use crate::ui;

/// The locks that were taken.
pub(super) type Locks = BTreeMap<HostName, Claim>;

/// How often to look again because somebody else was at work.
pub(super) const MOST_TRIES: usize = 10;

/// What came of asking for all locks.
pub(super) enum Taken {
    /// All are ours, and nobody had one while or since the hosts were looked at.
    Ours(Locks),
    /// Somebody had one: what was seen there may be no longer so. None is held.
    Changed(HostName, Option<Holder>),
}

/// Who asks for locks, and how patiently.
pub(super) struct Asking<'a> {
    pub(super) project: &'a ProjectName,
    /// The verb, as others are told.
    pub(super) verb: &'a str,
    /// Seconds to wait for each lock.
    pub(super) wait: u32,
}

/// Takes the locks of all hosts that a plan changes.
///
/// # Errors
/// When one is another's, or cannot be taken: that is said, and none is held.
pub(super) async fn take(seen: &Seen, plan: &Plan, asking: &Asking<'_>) -> Result<Taken> {
    let me = Claim::me(asking.verb).map_err(|why| said("this machine", &why))?;
    let mut locks = Locks::new();
    let mut refused = None;
    for (host, answer) in ask_all(seen, plan, asking, &me).await {
        match answer {
            Ok(Claimed::Held(claim)) => {
                locks.insert(host, claim);
            }
            Ok(Claimed::Busy(holder, since)) => {
                refused = Some(said(host.as_str(), &busy(holder.as_ref(), since, asking.verb)));
            }
            Err(why) => refused = Some(said(host.as_str(), &why)),
        }
    }
    if let Some(refused) = refused {
        release(locks).await;
        ui::progress::untouched();
        return Err(refused);
    }
    let new = |(host, claim): (&HostName, &Claim)| {
        let seen = seen.survey.seen(host).map(|seen| seen.holders.as_slice()).unwrap_or_default();
        let last = Holder::last(&claim.before);
        let changed = claim.waited || claim.before != seen || last.is_some_and(|last| last.at_work);
        changed.then(|| (host.clone(), last.cloned()))
    };
    if let Some((host, holder)) = locks.iter().find_map(new) {
        release(locks).await;
        return Ok(Taken::Changed(host, holder));
    }
    Ok(Taken::Ours(locks))
}

/// Asks the hosts for their locks; after a refusal nobody else needs to be asked.
async fn ask_all(
    seen: &Seen,
    plan: &Plan,
    asking: &Asking<'_>,
    me: &Holder,
) -> Vec<(HostName, Result<Claimed, Failure>)> {
    let touched: BTreeSet<&HostName> = plan.tasks().map(|(host, _)| host).collect();
    let mut looks = seen.looks.iter().filter(|(host, _)| touched.contains(host));
    let all_held = |answers: &[(HostName, Result<Claimed, Failure>)]| {
        answers.iter().all(|(_, answer)| matches!(answer, Ok(Claimed::Held(_))))
    };
    let mut answers = Vec::new();
    // The first alone: of two who begin at the same moment one then gets them all. Whoever waits takes
    // them one by one, so that no two wait for each other.
    for (host, look) in looks.by_ref() {
        answers.push(ask((host, look), asking, me).await);
        if asking.wait == 0 || !all_held(&answers) {
            break;
        }
    }
    if all_held(&answers) {
        answers.extend(join_all(looks.map(|one| ask(one, asking, me))).await);
    }
    answers
}

async fn ask(
    (host, look): (&HostName, &Look),
    asking: &Asking<'_>,
    me: &Holder,
) -> (HostName, Result<Claimed, Failure>) {
    let on_busy = |holder: Option<&Holder>| {
        if asking.wait > 0 {
            ui::progress::waits_for(host, holder, asking.wait);
        }
    };
    let answer = Claim::take(look, (asking.project, me), asking.wait, on_busy).await;
    (host.clone(), answer)
}

/// Gives all of them back.
pub(super) async fn release(locks: Locks) {
    join_all(locks.into_values().map(Claim::release)).await;
}

fn said(host: &str, why: &Failure) -> anyhow::Error {
    ui::errors::failure(host, None, why);
    Said(Exit::Failed).into()
}

/// That somebody else is at work, in words.
fn busy(holder: Option<&Holder>, since: Option<u64>, verb: &str) -> Failure {
    let who = holder.map_or_else(|| "another homelab".to_owned(), ToString::to_string);
    let since = since.map(|seconds| format!(", for {}", span(seconds))).unwrap_or_default();
    Failure {
        step: "taking the lock".to_owned(),
        what: format!("{who} changes this host{since}"),
        lines: vec![],
        finding: None,
        hint: Some(format!(
            "homelab {verb} --lock-wait 600 waits for it. A lock goes with its homelab, at the latest after 30 s: \
             none has to be removed"
        )),
    }
}

/// Says that it never ended.
pub(super) fn given_up() -> Exit {
    ui::errors::plain("others deploy all the time", Some("run it again when they are done"));
    Exit::Failed
}

/// A time in the words of people.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_work_is_told_with_the_way_out() {
        let holder = Holder::parse("at-work 1700000000 1f2e deploy 42 anna@laptop");
        let why = busy(holder.as_ref(), Some(75), "deploy");
        assert_eq!(why.what, "anna@laptop (homelab deploy, process 42) changes this host, for 75 s");
        assert_eq!(busy(None, None, "down").what, "another homelab changes this host");
        assert_eq!([span(119), span(120), span(7200)], ["119 s", "2 min", "2 h"]);
    }
}
