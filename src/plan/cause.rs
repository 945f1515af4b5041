//! Why a step is taken, with the change in it.
//! It compares and words; it decides nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::service::{Service, label};

/// Why a step is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", content = "detail", rename_all = "snake_case")]
pub enum Cause {
    /// It is not there.
    Missing,
    /// It is not what the inventory says.
    Changed(Vec<Change>),
    /// Docker's account of it differs from what homelab made.
    Drift(Vec<String>),
    /// `docker compose` made it, not homelab.
    MadeByCompose,
    /// The inventory does not name it.
    NotInInventory,
    /// It is there, but does not run.
    NotRunning(String),
    /// It runs, but does not answer yet.
    NotReady(String),
    /// It took a request and said nothing.
    Hung(String),
    /// These of its models are gone from it.
    Lacks(Vec<String>),
    /// Its container can no longer open the GPUs it was given.
    LostGpu,
    /// An earlier deploy was cut off.
    CutOff,
    /// The edge leads to another container, or to none.
    LedElsewhere,
    /// Something it depends on is replaced or made.
    Follows(String),
    /// The way back after a failure.
    WayBack,
    /// Nothing needs it any more.
    NotNeeded,
    /// The user asked for everything to be removed.
    Down,
}

/// One difference between what runs and what should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What differs: a Compose key, or an option on the command line.
    pub what: String,
    /// What it is; nothing if it is not set.
    pub from: Option<String>,
    /// What it should be; nothing if it should not be set.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {} → {}", self.what, short(from), short(to)),
            (None, Some(to)) if to.is_empty() => write!(f, "{} is new", self.what),
            (Some(from), None) if from.is_empty() => write!(f, "{} is gone", self.what),
            (None, Some(to)) => write!(f, "{} {} is new", self.what, short(to)),
            (Some(from), None) => write!(f, "{} {} is gone", self.what, short(from)),
            (None, None) => write!(f, "{}", self.what),
        }
    }
}

/// How much of a value a line has room for; `--diff` shows the rest.
const LONGEST: usize = 100;

/// A value in a line: its beginning, and quotes where there is nothing to see.
fn short(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None if value.is_empty() => "\"\"".to_owned(),
        None => value.to_owned(),
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::Changed(changes) => {
                let all: Vec<String> = changes.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(", "))
            }
            Self::Drift(fields) => write!(f, "it was changed behind homelab's back: {}", fields.join(", ")),
            Self::MadeByCompose => f.write_str("docker compose made it, not homelab"),
            Self::NotInInventory => f.write_str("the inventory does not name it"),
            Self::NotRunning(state) => write!(f, "it {state}"),
            Self::NotReady(said) => write!(f, "it does not answer yet: {said}"),
            Self::Hung(said) => write!(f, "it hangs: {said}"),
            Self::Lacks(models) => write!(f, "it no longer has {}", models.join(", ")),
            Self::LostGpu => f.write_str("its container has lost the GPU"),
            Self::CutOff => f.write_str("an earlier deploy was cut off"),
            Self::LedElsewhere => f.write_str("the edge does not lead to it"),
            Self::Follows(what) => write!(f, "{what}"),
            Self::WayBack => f.write_str("the way back"),
            Self::NotNeeded => f.write_str("nothing needs it any more"),
            Self::Down => f.write_str("everything is to be removed"),
        }
    }
}

/// What differs between two services, in the order of Compose's keys.
pub(super) fn changes(from: &Service, to: &Service) -> Vec<Change> {
    if from.runtime() != to.runtime() {
        // Hardly a key is the same on both sides.
        let word = |service: &Service| Some(service.runtime().word().to_owned());
        return vec![Change { what: "runtime".into(), from: word(from), to: word(to) }];
    }
    let (from_keys, to_keys) = (keys(from), keys(to));
    let mut all = Vec::new();
    for (key, _) in crate::service::KEYS {
        let (old, new) = (from_keys.get(*key), to_keys.get(*key));
        if old == new {
            continue;
        }
        match *key {
            "command" => all.extend(command(from, to)),
            "environment" | "labels" => all.extend(by_name(key, old, new)),
            "volumes" => all.extend(volumes(from, to)),
            // Its name carries a hash, which means nothing to a reader.
            "env_file" => all.push(Change { what: "secrets".into(), from: None, to: None }),
            _ => all.push(Change { what: (*key).to_owned(), from: old.map(show), to: new.map(show) }),
        }
    }
    let told = all.iter().any(|change| change.what == "--revision");
    let revisions = format!("labels.{}", label::REVISIONS);
    // An option may say the same.
    all.retain(|change| !told || change.what != revisions);
    for change in all.iter_mut().filter(|change| change.what == revisions) {
        "revision".clone_into(&mut change.what);
    }
    all
}

fn keys(service: &Service) -> serde_json::Map<String, Value> {
    match serde_json::to_value(service) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Options on a command line: `--flag value …` by flag, what stands before them as `model`.
fn options(service: &Service) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut flag = "model".to_owned();
    let mut values: Vec<&str> = Vec::new();
    for word in service.command.iter().flatten() {
        if word.starts_with("--") {
            if flag != "model" || !values.is_empty() {
                all.insert(flag, values.join(" "));
            }
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(n, v)| (n, Some(v)));
            flag = name.to_owned();
            values = value.into_iter().collect();
        } else {
            values.push(word);
        }
    }
    if flag != "model" || !values.is_empty() {
        all.insert(flag, values.join(" "));
    }
    all
}

fn command(from: &Service, to: &Service) -> Vec<Change> {
    let (old, new) = (options(from), options(to));
    let found = pairs(&old, &new, |flag| flag.to_owned());
    if found.is_empty() {
        // The same options in another order.
        return vec![Change { what: "command".into(), from: None, to: None }];
    }
    found
}

fn by_name(key: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let map = |value: Option<&Value>| -> BTreeMap<String, String> {
        let object = value.and_then(Value::as_object);
        object.into_iter().flatten().map(|(name, value)| (name.clone(), show(value))).collect()
    };
    pairs(&map(old), &map(new), |name| format!("{key}.{name}"))
}

fn pairs(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    what: impl Fn(&str) -> String,
) -> Vec<Change> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let differs = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    differs.map(|n| Change { what: what(n), from: old.get(n).cloned(), to: new.get(n).cloned() }).collect()
}

/// Mounts by their target; a file of ours changes its name with its content.
fn volumes(from: &Service, to: &Service) -> Vec<Change> {
    let by_target = |service: &Service| -> BTreeMap<String, String> {
        let target = |v: &String| v.split(':').nth(1).unwrap_or(v).to_owned();
        service.volumes.iter().map(|v| (target(v), v.clone())).collect()
    };
    let (old, new) = (by_target(from), by_target(to));
    let ours = |v: &Option<String>| v.as_ref().is_some_and(|v| v.starts_with("./"));
    let one = |change: Change| match (ours(&change.from), ours(&change.to)) {
        (true, true) => Change { what: format!("the content of {}", change.what), from: None, to: None },
        _ => Change { what: "volumes".into(), from: change.from, to: change.to },
    };
    pairs(&old, &new, ToOwned::to_owned).into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(command: &[&str], image: &str) -> Service {
        let command = Some(command.iter().map(|w| (*w).to_owned()).collect());
        Service { image: image.into(), command, ..Service::default() }
    }

    #[test]
    fn a_change_names_the_option_and_both_values() {
        let from = service(&["m", "--max-model-len", "8192", "--port", "80", "--old"], "a:1");
        let to = service(&["m", "--max-model-len", "16384", "--port", "80", "--new", "x"], "a:2");
        assert_eq!(
            Cause::Changed(changes(&from, &to)).to_string(),
            "image a:1 → a:2, --max-model-len 8192 → 16384, --new x is new, --old is gone"
        );
    }

    #[test]
    fn a_changed_file_is_named_by_its_place_in_the_container() {
        let mount = |hash| Service {
            volumes: vec![format!("./litellm/config-{hash}.yml:/c.yml:ro")],
            ..Service::default()
        };
        assert_eq!(changes(&mount("1"), &mount("2"))[0].to_string(), "the content of /c.yml");
    }
}
