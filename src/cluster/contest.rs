//! Models that get lost because one variable replaces another whole, as it does in Ansible.
//! It looks at what the groups of a host wanted; it changes nothing.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::{Contest, HostVars, Node, Value, Why};

/// How many names a hint shows.
const SHOWN: usize = 6;

/// Groups of a host, none within another, that set `name`, which is `models` or `serve`: one of them wins and
/// the rest would be dropped without a word.
pub(super) fn between_groups(vars: &HostVars, name: &str, problems: &mut Diagnostics) {
    let rival = |c: &&Contest| c.name == name && c.why != Why::Within && !c.loser.1.value.is_falsy();
    let Some(first) = vars.contests.iter().find(rival) else { return };
    let (Some(wins), winner) = &first.winner else { return };
    // Files that stand beside the inventory and in the working directory come up twice.
    let losers = without_repetition(vars.contests.iter().filter(rival).map(|c| &c.loser));
    let groups: Vec<String> = losers.iter().map(|(group, _)| format!("`{group}`")).collect();
    let places: Vec<String> =
        losers.iter().map(|(group, node)| format!("`{group}` does at {}", node.origin)).collect();
    let all = without_repetition(losers.iter().map(|(_, node)| node).chain([winner]).flat_map(|n| names(n)));
    let message = format!(
        "{}: the groups {} and `{wins}` each set `{name}`, and only one of them would count",
        vars.name,
        groups.join(", ")
    );
    let once =
        if name.ends_with("models") { "define all models once, in group_vars/all.yml, and " } else { "" };
    let hint = format!(
        "{}; {once}let the host pick, in host_vars/{}.yml: serve: [{}]",
        places.join(", "),
        vars.name,
        few(all.iter().map(String::as_str))
    );
    problems.push(Diagnostic::error(&winner.origin, message).hint(hint));
}

fn without_repetition<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

/// The names in `models` or `serve`, as they were typed.
fn names(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Map(map) => map.0.iter().map(|entry| entry.key.clone()).collect(),
        Value::Seq(items) => items.iter().flat_map(names).collect(),
        _ if node.is_plain() => node.as_text().into_iter().collect(),
        _ => vec!["…".to_owned()],
    }
}

/// Models of a group that are dropped because the host, or a group within that one, defines others.
pub(super) fn lost_models(vars: &HostVars, name: &str, problems: &mut Diagnostics) {
    for contest in vars.contests.iter().filter(|c| c.name == name && c.why == Why::Within) {
        let ((_, winner), (group, loser)) = (&contest.winner, &contest.loser);
        let (Value::Map(kept), Value::Map(dropped)) = (&winner.value, &loser.value) else { continue };
        let lost = dropped.0.iter().map(|entry| entry.key.as_str()).filter(|key| kept.get(key).is_none());
        let lost = few(lost);
        if lost.is_empty() {
            continue;
        }
        let message = format!("this replaces the `{name}` of the group `{group}` whole, without {lost}");
        let hint = format!(
            "those stand at {}; to keep them, define all models once, in group_vars/all.yml, and pick them with \
             serve: [NAME, …]",
            loser.origin
        );
        problems.push(Diagnostic::warning(&winner.origin, message).hint(hint));
    }
}

/// Names for a message, not too many of them.
pub(super) fn few<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    if names.len() > SHOWN {
        names.truncate(SHOWN - 1);
        names.push("…");
    }
    names.join(", ")
}
