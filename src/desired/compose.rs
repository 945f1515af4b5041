//! Reads a rendered Compose file back, strictly: a small typed subset, every other key refused.
//! What runs is made from this alone, so that the file on the host cannot say something else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml::Value;

use crate::names::{ProjectName, ServiceName};
use crate::service::Service;

/// A Compose file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposeFile {
    /// The project.
    pub name: ProjectName,
    /// The services.
    pub services: BTreeMap<ServiceName, Service>,
    /// Networks besides the project's own.
    #[serde(default)]
    pub networks: BTreeMap<String, Network>,
    /// Volumes of the project's own.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
}

/// A volume that Docker makes and that outlives what uses it; nothing more can be said of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {}

/// A network that exists already.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Always true: homelab makes no network but the project's own.
    pub external: bool,
}

/// What is wrong with a rendered file, and on which line if that is known.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadBackError {
    /// What.
    pub message: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
}

/// Reads a rendered Compose file.
///
/// # Errors
/// When it is not YAML, has a key outside the subset, or asks Compose to interpolate.
pub fn read_back(text: &str) -> Result<ComposeFile, ReadBackError> {
    let wrong = |e: serde_yaml::Error| ReadBackError {
        place: e.location().map(|l| (l.line(), l.column())),
        message: e.to_string(),
    };
    let mut value: Value = serde_yaml::from_str(text).map_err(wrong)?;
    let undoubled = undouble(&mut value).map_err(|message| ReadBackError { message, place: None });
    let read = undoubled.and_then(|()| serde_yaml::from_value::<ComposeFile>(value).map_err(wrong));
    // Only what is read from the text knows the line that is wrong.
    let file = read.map_err(|e| serde_yaml::from_str::<ComposeFile>(text).err().map_or(e, wrong))?;
    if let Some((name, _)) = file.networks.iter().find(|(_, network)| !network.external) {
        let message =
            format!("network `{name}` must be `external: true`; the project's own is made by itself");
        return Err(ReadBackError { message, place: None });
    }
    Ok(file)
}

/// `$$` is how Compose writes a dollar; a single one would be a variable of the host's shell.
fn undouble(value: &mut Value) -> Result<(), String> {
    match value {
        Value::String(text) => {
            let plain = text.replace("$$", "\u{0}");
            if plain.contains('$') {
                return Err(format!(
                    "`{text}`: homelab does not interpolate `$`; a literal one is written `$$`"
                ));
            }
            *text = plain.replace('\u{0}', "$");
            Ok(())
        }
        Value::Sequence(items) => items.iter_mut().try_for_each(undouble),
        Value::Mapping(map) => map.iter_mut().try_for_each(|(_, item)| undouble(item)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_as_what_was_meant() {
        let text = "name: home\nservices:\n  a:\n    image: \"x:1\"\n    command: [\"--p\", \"a$$b\"]\n    mem_limit: 1g\n    ulimits: {memlock: -1, nofile: {soft: 1, hard: 2}}\n";
        let service = read_back(text).unwrap().services.into_values().next().unwrap();
        assert_eq!(service.command, Some(vec!["--p".to_owned(), "a$b".to_owned()]));
        assert_eq!(service.mem_limit.map(|m| m.0), Some(1 << 30));
        assert_eq!(service.ulimits["nofile"].hard, 2);
    }

    #[test]
    fn keys_outside_the_subset_are_refused_with_their_line() {
        let error = read_back("name: home\nservices:\n  a:\n    image: x\n    build: .\n").unwrap_err();
        assert!(error.message.contains("unknown field `build`"), "{error:?}");
        assert_eq!(error.place.map(|p| p.0), Some(5));
    }

    #[test]
    fn interpolation_is_refused() {
        let error = read_back("name: home\nservices:\n  a:\n    image: \"${IMAGE}\"\n").unwrap_err();
        assert!(error.message.contains("does not interpolate"), "{error:?}");
    }
}
