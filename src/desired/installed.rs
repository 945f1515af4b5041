//! What was found installed on a host as a service of homelab's, whatever manager it is for.
//! It reads no format.

use crate::service::Service;

/// What a unit says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Installed {
    /// What runs.
    pub service: Service,
    /// Whose it is.
    pub project: String,
    /// The service's name.
    pub name: String,
    /// Where the project's files lie.
    pub dir: String,
    /// The version of the root key that its keys are derived from, once it was installed.
    pub root_key: Option<String>,
    /// What else is said of its keys then.
    pub keys: String,
}

/// A command line as its program and its arguments.
pub(super) fn split(mut words: Vec<String>, service: &mut Service) {
    let arguments = words.split_off(words.len().min(1));
    service.entrypoint = Some(words);
    service.command = Some(arguments).filter(|arguments| !arguments.is_empty());
}

/// Files below the project's directory, as Compose would write them.
pub(super) fn relative(files: &[String], dir: &str) -> Result<Vec<String>, String> {
    let one = |path: &String| {
        let below = path.strip_prefix(dir).filter(|rest| !dir.is_empty() && rest.starts_with('/'));
        let below = below.filter(|rest| !rest.split('/').any(|part| part == ".."));
        below
            .map(|rest| format!(".{rest}"))
            .ok_or_else(|| format!("{path} lies outside the project's directory"))
    };
    files.iter().map(one).collect()
}
