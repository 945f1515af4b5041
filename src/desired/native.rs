//! Services of the host's own: each is a unit of systemd's or a property list of launchd's, rendered, and read back as what runs.
//! Pure; the host's service manager is told of it elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::cluster::{Cluster, Host, Unit};
use crate::diagnostic::{Diagnostic, Origin, Source};
use crate::names::{HostName, ServiceName};
use crate::secret::Content;
use crate::service::Service;
use crate::survey::Manager;

use super::installed::Installed;
use super::kept::{RENDERED, kept};
use super::templates::{self, Overrides};
use super::{DesiredHost, plist, unit};

/// Where a service's unit lies below the project's directory; what runs is installed from there.
fn unit_file(service: &ServiceName, manager: Manager) -> String {
    format!("native/{service}.{}", if manager.is_launchd() { "plist" } else { "service" })
}

impl DesiredHost {
    /// The unit of a service of the host's own.
    #[must_use]
    pub fn unit(&self, service: &ServiceName) -> Option<&Content> {
        let of = |manager| self.files.get(&unit_file(service, manager));
        of(Manager::User).or_else(|| of(Manager::Agent))
    }
}

/// Whether a unit is a property list.
fn is_list(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// A unit as it is installed: with the version of the root key that its keys are derived from, and which keys were
/// replaced since, which is no part of the service.
///
/// # Errors
/// That it is no unit of homelab's.
pub fn to_install(mut unit: Vec<u8>, root_key: &str, keys: &str) -> Result<Vec<u8>, String> {
    if is_list(&String::from_utf8_lossy(&unit)) {
        return plist::to_install(&unit, root_key, keys);
    }
    unit.extend(format!("\n[X-Homelab]\nRootKey={root_key}\nKeys={keys}\n").bytes());
    Ok(unit)
}

fn read(text: &str) -> Result<Installed, unit::Wrong> {
    if is_list(text) { plist::read(text) } else { unit::read(text) }
}

/// Reads a unit that was found on a host.
///
/// # Errors
/// What in it homelab does not write.
pub fn installed(text: &str) -> Result<Installed, String> {
    read(text).map_err(|wrong| format!("line {}: {}", wrong.line, wrong.message))
}

/// Whose unit that is, whatever else stands in it: its project; none where homelab did not write it.
#[must_use]
pub fn project_of(text: &str) -> Option<String> {
    if is_list(text) { plist::project_of(text) } else { unit::project_of(text) }
}

/// Where launchd puts what a service says.
fn log(host: &Host, instance: &str) -> String {
    let home = if host.manager.is_system() { "" } else { host.home.as_str() };
    format!("{home}/Library/Logs/homelab/{instance}.log")
}

#[derive(Serialize)]
struct Context<'a> {
    host: &'a HostName,
    project: String,
    name: &'a ServiceName,
    /// What its service manager calls it.
    instance: String,
    dir: &'a str,
    /// `user` or `system`; of a Mac `agent` or `daemon`.
    manager: &'a str,
    command: Vec<&'a String>,
    /// The same as launchd is to start it.
    arguments: Vec<String>,
    /// Where launchd puts what it says.
    log: &'a str,
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

/// Renders the unit of a service and reads it back: its file below the project's directory, its content, what runs.
///
/// # Errors
/// What is wrong with the template or with what it rendered.
pub(super) fn render(
    (cluster, overrides): (&Cluster, &Overrides),
    (host, at): (&HostName, &Host),
    (of, service): (&Unit, &Service),
) -> Result<(String, Content, Service), Diagnostic> {
    let (restart, tries, at_boot) = unit::restart(service.restart.as_deref());
    let below = |path: &String| path.strip_prefix("./").map(|path| format!("{}/{path}", at.dir));
    let env_files: Vec<String> = service.env_file.iter().filter_map(below).collect();
    let instance = format!("{}-{}-1", cluster.project, of.name);
    let log = log(at, &instance);
    let command = || service.entrypoint.iter().chain(&service.command).flatten().collect();
    let context = Context {
        host,
        project: cluster.project.to_string(),
        name: &of.name,
        instance,
        dir: &at.dir,
        manager: at.manager.word(),
        command: command(),
        arguments: plist::arguments(&log, &env_files, command()),
        log: &log,
        environment: &service.environment,
        env_files,
        restart,
        tries,
        at_boot,
        stop_grace_period: service.stop_grace_period.map(|period| period.0),
        mem_limit: service.mem_limit.map(|limit| limit.0),
        ports: &service.ports,
        labels: &service.labels,
        vars: &at.vars,
    };
    let text = match at.manager.is_launchd() {
        true => templates::render_list("launchd.plist.tera", overrides, &context)?,
        false => templates::render_unit("systemd.service.tera", overrides, &context)?,
    };
    let file = unit_file(&of.name, at.manager);
    let rendered = Arc::new(Source { name: format!("{host}: rendered {file}"), text });
    let at_line = |line, message: String| {
        let origin = Origin { source: Arc::clone(&rendered), line, column: 1, length: 1 };
        Diagnostic::error(&origin, message).hint(RENDERED)
    };
    let read = read(&rendered.text).map_err(|wrong| at_line(wrong.line, wrong.message))?;
    let own = (read.project.as_str(), read.name.as_str(), read.dir.as_str());
    if own != (cluster.project.as_str(), of.name.as_str(), at.dir.as_str()) {
        return Err(at_line(1, "the template changes `Project`, `Service` or `Directory`".to_owned()));
    }
    kept(of, &read.service).map_err(|why| at_line(1, why))?;
    Ok((file, Content::plain(rendered.text.as_bytes()), read.service))
}
