//! Services of the host's own: each is a unit, rendered, and read back as what runs.
//! Pure; the host's service manager is told of it elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::cluster::{Cluster, Host, Unit};
use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::names::{HostName, ServiceName};
use crate::secret::Content;
use crate::service::Service;

use super::render::{RENDERED, kept};
use super::templates::{self, Overrides};
use super::unit;

const TEMPLATE: &str = "systemd.service.tera";

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

/// Where a service's unit lies below the project's directory; what runs is installed from there.
#[must_use]
pub fn unit_file(service: &ServiceName) -> String {
    format!("native/{service}.service")
}

/// A unit as it is installed: with the version of the root key that its keys are derived from, and which keys were
/// replaced since, which is no part of the service.
#[must_use]
pub fn to_install(mut unit: Vec<u8>, root_key: &str, keys: &str) -> Vec<u8> {
    unit.extend(format!("\n[X-Homelab]\nRootKey={root_key}\nKeys={keys}\n").bytes());
    unit
}

/// Reads a unit that was found on a host.
///
/// # Errors
/// What in it homelab does not write.
pub fn installed(text: &str) -> Result<Installed, String> {
    unit::read(text).map_err(|wrong| format!("line {}: {}", wrong.line, wrong.message))
}

#[derive(Serialize)]
struct Context<'a> {
    host: &'a HostName,
    project: String,
    name: &'a ServiceName,
    /// What its service manager calls it.
    instance: String,
    dir: &'a str,
    /// `user` or `system`.
    manager: &'a str,
    command: Vec<&'a String>,
    environment: &'a BTreeMap<String, String>,
    env_files: Vec<String>,
    restart: &'a str,
    /// How often it is started at most.
    tries: Option<u64>,
    /// Whether it comes back with the machine.
    at_boot: bool,
    stop_grace_period: Option<u64>,
    mem_limit: Option<u64>,
    ports: &'a [String],
    labels: &'a BTreeMap<String, String>,
    vars: &'a BTreeMap<String, serde_json::Value>,
}

/// Renders the unit of a service and reads it back.
///
/// # Errors
/// What is wrong with the template or with what it rendered.
pub(super) fn render(
    (cluster, overrides): (&Cluster, &Overrides),
    (host, at): (&HostName, &Host),
    (of, service): (&Unit, &Service),
) -> Result<(Content, Service), Diagnostic> {
    let (restart, tries, at_boot) = unit::restart(service.restart.as_deref());
    let below = |path: &String| path.strip_prefix("./").map(|path| format!("{}/{path}", at.dir));
    let context = Context {
        host,
        project: cluster.project.to_string(),
        name: &of.name,
        instance: format!("{}-{}-1", cluster.project, of.name),
        dir: &at.dir,
        manager: at.manager.word(),
        command: service.entrypoint.iter().chain(&service.command).flatten().collect(),
        environment: &service.environment,
        env_files: service.env_file.iter().filter_map(below).collect(),
        restart,
        tries,
        at_boot,
        stop_grace_period: service.stop_grace_period.map(|period| period.0),
        mem_limit: service.mem_limit.map(|limit| limit.0),
        ports: &service.ports,
        labels: &service.labels,
        vars: &at.vars,
    };
    let text = templates::render_unit(TEMPLATE, overrides, &context)?;
    let rendered = Arc::new(Source { name: format!("{host}: rendered {}", unit_file(&of.name)), text });
    let at_line = |line, message: String| {
        let origin = Origin { source: Arc::clone(&rendered), line, column: 1, length: 1 };
        Diagnostic::error(&origin, message).hint(RENDERED)
    };
    let read = unit::read(&rendered.text).map_err(|wrong| at_line(wrong.line, wrong.message))?;
    let own = (read.project.as_str(), read.name.as_str(), read.dir.as_str());
    if own != (cluster.project.as_str(), of.name.as_str(), at.dir.as_str()) {
        return Err(at_line(1, "the template changes `Project`, `Service` or `Directory`".to_owned()));
    }
    kept(of, &read.service).map_err(|why| at_line(1, why))?;
    Ok((Content::plain(rendered.text.as_bytes()), read.service))
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
