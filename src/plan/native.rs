//! Whether a host can run a service by itself: a service manager, somebody's right to its services, the program.
//! It looks at what was seen; it installs nothing.

use crate::cluster::Role;
use crate::desired::DesiredService;
use crate::engine;
use crate::survey::{Manager, Native};

/// Why a service cannot be one of the host's own, and what to do.
pub(super) fn may_run(service: &DesiredService, host: &Native) -> Result<(), (String, String)> {
    let Some(manager) = host.manager else {
        let what =
            "the host has no service manager that homelab knows: neither systemd nor launchd runs there";
        return Err((what.to_owned(), "`runtime: docker` runs it in a container".to_owned()));
    };
    // A script of homelab's may come before it, but no option does.
    let words = service.service.entrypoint.iter().chain(&service.service.command).flatten();
    let mut started = words.take_while(|word| !word.starts_with('-'));
    if let Some(program) = started.find(|word| host.programs.get(*word) == Some(&None)) {
        let engine = match &service.role {
            Role::Model(served) => engine::by_name(served.engine),
            Role::Gateway { .. } | Role::Companion | Role::Edge(_) => None,
        };
        let hint = engine.map_or("install it there", |engine| engine.install());
        return Err((format!("there is no program {program} on the host"), hint.to_owned()));
    }
    if manager.is_launchd() {
        return may_run_on_a_mac(service, manager, host);
    }
    if manager == Manager::User && !host.lingers {
        let what = format!(
            "services of {} end with their last login and do not come back with the machine: they do not linger",
            host.user
        );
        let hint = format!("homelab bootstrap, or on the host: sudo loginctl enable-linger {}", host.user);
        return Err((what, hint));
    }
    if manager == Manager::User && !host.runs {
        let what = format!("the service manager of {} does not run", host.user);
        let hint = "homelab bootstrap, or on the host: systemctl status user@$(id -u) says why; a minimal Debian lacks libpam-systemd";
        return Err((what, hint.to_owned()));
    }
    Ok(())
}

/// How somebody takes away a unit that is not homelab's.
pub(super) fn removal(host: &Native) -> &'static str {
    match host.is_mac() {
        true => "launchctl bootout, and remove its plist",
        false => "systemctl disable --now, and remove its file",
    }
}

/// The same of what launchd cannot do, and of an agent, which needs somebody at the screen.
fn may_run_on_a_mac(
    service: &DesiredService,
    manager: Manager,
    host: &Native,
) -> Result<(), (String, String)> {
    if let Some(policy) =
        service.service.restart.as_deref().filter(|policy| policy.starts_with("on-failure:"))
    {
        let what = format!("launchd does not count tries, so there is no `restart: {policy}`");
        return Err((what, "say `restart: on-failure`, which tries for ever".to_owned()));
    }
    if manager == Manager::Agent && !host.runs {
        let what = format!(
            "{} is not logged in at the screen of this Mac, and launchd runs their services only then",
            host.user
        );
        let hint = format!(
            "log in there, and have it happen by itself when the Mac starts (System Settings, Users & Groups, Automatically log \
             in as {}); or log in as root (ansible_user: root), whose services need nobody",
            host.user
        );
        return Err((what, hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cluster::{Model, Served};
    use crate::engine::{Gpus, Kind, Load};
    use crate::names::{ModelName, Port};
    use crate::service::Service;

    fn service(program: &str) -> DesiredService {
        let name = ModelName::new("a").unwrap();
        let model = Model {
            name: name.clone(),
            aliases: vec![],
            upstream: "a".to_owned(),
            kind: Kind::Chat,
            load: Load::Startup,
            loading: None,
        };
        let served = Served { name, models: vec![model], engine: "llama_cpp", api_key: None, address: None };
        DesiredService {
            service: Service { entrypoint: Some(vec![program.to_owned()]), ..Service::default() },
            digest: None,
            role: Role::Model(served),
            gpus: Gpus::None,
            port: Some(Port::new(8080).unwrap()),
            ready_timeout: 60,
            weights: vec![],
            repositories: vec![],
        }
    }

    #[test]
    fn what_a_host_lacks_is_said_with_the_way_to_it() {
        let found: BTreeMap<_, _> = [
            ("llama-server".to_owned(), None),
            ("/opt/llama-server".to_owned(), Some("/opt/llama-server".to_owned())),
        ]
        .into();
        let host = |manager, lingers| Native {
            manager,
            user: "anna".to_owned(),
            lingers,
            runs: lingers,
            programs: found.clone(),
        };
        let there = service("/opt/llama-server");
        assert_eq!(may_run(&there, &host(Some(Manager::User), true)), Ok(()));
        assert_eq!(may_run(&there, &host(Some(Manager::System), false)), Ok(()));
        let (what, _) = may_run(&there, &host(None, true)).unwrap_err();
        assert!(what.contains("neither systemd nor launchd runs there"), "{what}");
        let (_, hint) = may_run(&there, &host(Some(Manager::User), false)).unwrap_err();
        assert_eq!(hint, "homelab bootstrap, or on the host: sudo loginctl enable-linger anna");
        let stopped = Native { runs: false, ..host(Some(Manager::User), true) };
        assert_eq!(may_run(&there, &stopped).unwrap_err().0, "the service manager of anna does not run");
        assert_eq!(may_run(&there, &host(Some(Manager::Agent), true)), Ok(()));
        assert_eq!(may_run(&there, &host(Some(Manager::Daemon), false)), Ok(()));
        let (what, hint) = may_run(&there, &host(Some(Manager::Agent), false)).unwrap_err();
        assert!(what.starts_with("anna is not logged in at the screen of this Mac"), "{what}");
        assert!(hint.contains("Automatically log in as anna"), "{hint}");
        let mut counted = service("/opt/llama-server");
        counted.service.restart = Some("on-failure:3".to_owned());
        assert_eq!(may_run(&counted, &host(Some(Manager::User), true)), Ok(()));
        let (what, _) = may_run(&counted, &host(Some(Manager::Agent), true)).unwrap_err();
        assert_eq!(what, "launchd does not count tries, so there is no `restart: on-failure:3`");
        let (what, hint) = may_run(&service("llama-server"), &host(Some(Manager::User), true)).unwrap_err();
        assert_eq!(what, "there is no program llama-server on the host");
        assert!(hint.contains("brew install llama.cpp"), "{hint}");
    }
}
