//! What a host tells of its own services, put into homelab's words.
//! It only reads text.

use std::collections::BTreeMap;

use crate::desired::{installed, project_of};
use crate::diagnostic::clean;
use crate::host::inspected::Inspected;
use crate::names::ProjectName;
use crate::service::label;
use crate::survey::{Container, Health, Manager, Native, State};

use super::Unit;

/// What the part of the facts about services of the host's own says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::host) struct NativeRead {
    pub(in crate::host) facts: Native,
    /// Units of this project, by the names that containers would have.
    pub(in crate::host) units: BTreeMap<String, Container>,
    /// Units of such names that homelab did not write.
    pub(in crate::host) strangers: Vec<String>,
}

/// A unit's file.
struct File<'a> {
    inode: u64,
    changed: i64,
    path: &'a str,
}

impl<'a> File<'a> {
    /// A line `file INODE MTIME PATH`.
    fn of(line: &'a str) -> Option<Self> {
        let mut parts = line.strip_prefix("file ")?.splitn(3, ' ');
        let (inode, changed) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { inode, changed, path: parts.next()? })
    }

    /// Its name without the ending, and whether it is set aside.
    fn name(&self) -> Option<(&'a str, bool)> {
        let name = self.path.rsplit('/').next()?;
        let (name, aside) = name.strip_suffix(".previous").map_or((name, false), |name| (name, true));
        let name = name.strip_suffix(".service").or_else(|| name.strip_suffix(".plist"))?;
        Some((name, aside))
    }
}

/// What `systemctl show` says of one unit, by property; on a Mac a few properties of `launchctl print`, with its words,
/// `started` as ps has it, and `enabled`.
type Shown<'a> = BTreeMap<&'a str, &'a str>;

/// Blocks of `Key=value`, by the unit's name.
fn shown<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, Shown<'a>> {
    let mut all = BTreeMap::new();
    let mut block = Shown::new();
    for line in lines.chain([""]) {
        if let Some((key, value)) = line.split_once('=') {
            block.insert(key, value);
        } else if let Some(id) = block.get("Id") {
            all.insert(id.strip_suffix(".service").unwrap_or(id), std::mem::take(&mut block));
        }
    }
    all
}

/// Reads what the script of the facts wrote; `programs` are those that were asked for.
pub(in crate::host) fn read(text: &str, project: &ProjectName, programs: &[String]) -> NativeRead {
    let mut read = NativeRead::default();
    let mut found = programs.iter();
    let mut files = Vec::new();
    let mut rest = Vec::new();
    for line in text.lines() {
        if let Some(manager) = line.strip_prefix("manager ") {
            read.facts.manager = Manager::of(manager);
        } else if let Some(user) = line.strip_prefix("user ") {
            read.facts.user = clean(user);
        } else if line == "lingers" {
            read.facts.lingers = true;
        } else if line == "runs" {
            read.facts.runs = true;
        } else if let Some(path) = line.strip_prefix("program ") {
            let path = Some(path.to_owned()).filter(|path| !path.is_empty());
            read.facts.programs.extend(found.next().map(|program| (program.clone(), path)));
        } else if let Some(file) = File::of(line) {
            files.push(file);
        } else {
            rest.push(line);
        }
    }
    let shown = shown(rest.iter().filter(|line| !line.starts_with('|')).copied());
    for file in &files {
        let Some((name, aside)) = file.name() else { continue };
        let mark = format!("|{}|", file.path);
        let text: Vec<&str> = rest.iter().filter_map(|line| line.strip_prefix(&mark)).collect();
        let text = text.join("\n");
        let called = if aside { format!("{name}.previous") } else { name.to_owned() };
        match project_of(&text) {
            Some(owner) if owner == project.as_str() => {
                let told = shown.get(name).filter(|_| !aside);
                read.units.insert(called, container((file, name), &text, told));
            }
            Some(_) => {}
            None => read.strangers.push(called),
        }
    }
    read
}

fn container((file, name): (&File<'_>, &str), text: &str, told: Option<&Shown<'_>>) -> Container {
    let read = installed(text);
    let at_boot = read.as_ref().is_ok_and(|read| read.service.restart.as_deref() == Some("always"));
    let mut labels = BTreeMap::new();
    if let Ok(read) = &read {
        labels.clone_from(&read.service.labels);
        let own = [
            (label::PROJECT, Some(&read.project)),
            (label::COMPOSE_SERVICE, Some(&read.name)),
            (label::WORKING_DIR, Some(&read.dir)),
            (label::ROOT_KEY, read.root_key.as_ref()),
            (label::KEYS, Some(&read.keys).filter(|keys| !keys.is_empty())),
        ];
        labels.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone()))));
    }
    // Even of one that cannot be read its name tells whose it is, and that it is ours.
    let service = name.strip_suffix("-1").and_then(|name| name.split_once('-')).map(|(_, service)| service);
    labels.entry(label::COMPOSE_SERVICE.to_owned()).or_insert_with(|| service.unwrap_or(name).to_owned());
    labels.entry(label::SERVICE.to_owned()).or_default();
    let Inspected { id, state, restarts, started_at, .. } = inspected(file, name, told);
    Container {
        id,
        image: String::new(),
        service: read.map(|read| read.service),
        labels,
        state,
        restarts,
        started_at,
        health: Health::NotAsked,
        lost_gpu: false,
        drift: told.map(|told| drift(told, at_boot)).unwrap_or_default(),
    }
}

/// How systemd's account of a unit differs from its file.
fn drift(told: &Shown<'_>, at_boot: bool) -> Vec<String> {
    let mut all = Vec::new();
    let enabled = told.get("UnitFileState").copied().unwrap_or_default();
    if at_boot && ["disabled", "masked"].contains(&enabled) {
        all.push(format!("at boot: its unit says enabled, systemd says {enabled}"));
    }
    if at_boot && told.get("enabled") == Some(&"no") {
        all.push("at boot: its plist says so, launchd has it disabled".to_owned());
    }
    if told.get("NeedDaemonReload") == Some(&"yes") {
        all.push("unit: its file changed since systemd read it".to_owned());
    }
    all
}

/// Reads what the script that asks for one unit wrote.
pub(super) fn one(text: &str) -> Option<Inspected> {
    let file = text.lines().find_map(File::of)?;
    let (name, _) = file.name()?;
    let shown = shown(text.lines());
    Some(inspected(&file, name, shown.values().next()))
}

fn inspected(file: &File<'_>, name: &str, told: Option<&Shown<'_>>) -> Inspected {
    match told.filter(|told| told.contains_key("state")) {
        Some(told) => by_launchd(file, name, told),
        None => by_systemd(file, name, told),
    }
}

fn by_launchd(file: &File<'_>, name: &str, told: &Shown<'_>) -> Inspected {
    let property = |key: &str| told.get(key).copied().unwrap_or_default();
    let number = |text: &str| text.split(':').next().and_then(|text| text.trim().parse::<i64>().ok());
    // Whatever a signal ended has no code, and the words of the signal before its number.
    let signal = property("last terminating signal").rsplit(':').next().and_then(number).map(|n| 128 + n);
    let code = signal.or_else(|| number(property("last exit code")));
    let runs: u32 = property("runs").parse().unwrap_or(0);
    let ended = State::Exited { code: code.unwrap_or(0), oom: false };
    let state = match property("state") {
        // Between two runs, or before the first one.
        "spawn scheduled" if code.is_some() => State::Restarting,
        "running" | "xpcproxy" | "spawning" | "spawn scheduled" => State::Running,
        _ => ended.clone(),
    };
    Inspected {
        id: Unit { name: name.to_owned(), inode: file.inode }.id(),
        name: name.to_owned(),
        last: (state == State::Restarting).then_some(ended),
        // The run that is to come counts, too.
        restarts: if state == State::Restarting { runs } else { runs.saturating_sub(1) },
        state,
        started_at: told.get("started").and_then(|text| by_ps(text)),
        made_at: Some(file.changed),
        oom: false,
        detached: false,
        chosen_port: None,
    }
}

/// `Sat Nov 28 18:33:41 2026`, as ps writes a time in UTC, in the way of RFC 3339.
fn by_ps(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, time, year] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Some(format!("{year}-{month:02}-{day:0>2}T{time}Z"))
}

fn by_systemd(file: &File<'_>, name: &str, told: Option<&Shown<'_>>) -> Inspected {
    let unit = Unit { name: name.to_owned(), inode: file.inode };
    let property = |key: &str| told.and_then(|told| told.get(key)).copied().unwrap_or_default();
    let ended = State::Exited {
        code: property("ExecMainStatus").parse().unwrap_or(0),
        oom: property("Result") == "oom-kill",
    };
    let state = match (property("ActiveState"), property("SubState")) {
        ("active" | "reloading" | "deactivating", _) => State::Running,
        ("activating", "auto-restart" | "auto-restart-queued") => State::Restarting,
        ("activating", _) => State::Running,
        // systemd gave up, or the file lies beside its units.
        _ => ended.clone(),
    };
    Inspected {
        id: unit.id(),
        name: if told.is_some() { name.to_owned() } else { format!("{name}.previous") },
        last: (state == State::Restarting).then_some(ended),
        // It counts what has begun.
        restarts: property("NRestarts").parse().unwrap_or(0) + u32::from(state == State::Restarting),
        state,
        started_at: rfc3339(property("ExecMainStartTimestamp")),
        made_at: Some(file.changed),
        oom: property("Result") == "oom-kill",
        detached: false,
        chosen_port: None,
    }
}

/// `Sat 2026-11-28 18:33:41 UTC`, as systemctl writes it there, in the way of RFC 3339.
fn rfc3339(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        [_, date, time, "UTC"] => Some(format!("{date}T{time}Z")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "[Service]\nExecStart=/usr/bin/llama-server --port 8080\nRestart=always\n[Install]\nWantedBy=default.target\n\
        [X-Homelab]\nProject=home\nService=alpha\nDirectory=/home/lab/homelab/home\nPublish=0.0.0.0:8080:8080\n\
        Label=dev.homelab.role=model\nRootKey=5f3a";
    const SHOWN: &str = "Id=home-alpha-1.service\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\n\
        NRestarts=2\nExecMainStatus=0\nExecMainStartTimestamp=Sat 2026-11-28 18:33:41 UTC\nUnitFileState=enabled\n\
        NeedDaemonReload=no\n";

    fn told(shown: &str) -> NativeRead {
        let path = "/home/lab/.config/systemd/user/home-alpha-1.service";
        let lines: String = UNIT.lines().map(|line| format!("|{path}|{line}\n")).collect();
        let text = format!(
            "manager user\nuser lab\nlingers\nruns\nprogram /usr/bin/llama-server\nprogram \nfile 7 1700000000 {path}\n\
             file 8 1700000000 {path}.previous\n{lines}|{path}.previous|[X-Homelab]\n|{path}.previous|Project=other\n{shown}"
        );
        read(&text, &ProjectName::new("home").unwrap(), &["llama-server".to_owned(), "vllm".to_owned()])
    }

    #[test]
    fn a_unit_is_read_as_a_container_would_be() {
        let read = told(SHOWN);
        assert_eq!((read.facts.manager, read.facts.lingers), (Some(Manager::User), true));
        assert!(read.facts.runs);
        assert_eq!(read.facts.programs["llama-server"].as_deref(), Some("/usr/bin/llama-server"));
        assert_eq!(read.facts.programs["vllm"], None);
        // What was set aside is another project's, as its file says.
        assert_eq!(read.units.keys().collect::<Vec<_>>(), ["home-alpha-1"]);
        let unit = &read.units["home-alpha-1"];
        let service = unit.service.as_ref().unwrap();
        assert_eq!(service.entrypoint.as_ref().unwrap(), &["/usr/bin/llama-server"]);
        assert_eq!(service.published().next().map(|port| port.host), Some(8080));
        assert_eq!((unit.state.clone(), unit.restarts), (State::Running, 2));
        assert_eq!(unit.started_at.as_deref(), Some("2026-11-28T18:33:41Z"));
        assert_eq!((unit.id.as_str(), unit.drift.len()), ("unit:7:home-alpha-1", 0));
        for (key, value) in [
            (label::ROLE, "model"),
            (label::ROOT_KEY, "5f3a"),
            (label::COMPOSE_SERVICE, "alpha"),
            (label::WORKING_DIR, "/home/lab/homelab/home"),
        ] {
            assert_eq!(unit.labels[key], value);
        }
    }

    #[test]
    fn systemd_s_states_are_docker_s() {
        let cases = [
            (SHOWN.replace("running", "auto-restart").replace("=active", "=activating"), State::Restarting),
            (
                SHOWN
                    .replace("=active", "=failed")
                    .replace("Status=0", "Status=9")
                    .replace("success", "oom-kill"),
                State::Exited { code: 9, oom: true },
            ),
            (SHOWN.replace("=active", "=inactive"), State::Exited { code: 0, oom: false }),
            (String::new(), State::Exited { code: 0, oom: false }),
        ];
        for (shown, state) in cases {
            assert_eq!(told(&shown).units["home-alpha-1"].state, state, "{shown}");
        }
    }

    /// What the script tells of a service of launchd's.
    fn by_launchctl(shown: &str) -> Container {
        let path = "/Users/me/Library/LaunchAgents/home-large-1.plist";
        let list = include_str!("../../../tests/golden/mac/expected/studio/native/large.plist");
        let list = list
            .replace("homelab-large-1", "home-large-1")
            .replace("<string>homelab</string>", "<string>home</string>");
        let list = list.replacen("<string>home</string>", "<string>homelab</string>", 1);
        let lines: String = list.lines().map(|line| format!("|{path}|{line}\n")).collect();
        let text = format!("manager agent\nuser me\nruns\nfile 7 1700000000 {path}\n{lines}{shown}");
        let mut read = read(&text, &ProjectName::new("home").unwrap(), &[]);
        assert_eq!(
            (read.facts.manager, read.facts.runs, read.facts.lingers),
            (Some(Manager::Agent), true, false)
        );
        read.units.remove("home-large-1").unwrap()
    }

    #[test]
    fn launchd_s_states_are_docker_s() {
        let ended = |code| State::Exited { code, oom: false };
        for (shown, state, restarts) in [
            ("state=running\nruns=1\nlast exit code=(never exited)\n", State::Running, 0),
            ("state=running\nruns=3\nlast exit code=1\n", State::Running, 2),
            ("state=xpcproxy\nruns=1\n", State::Running, 0),
            ("state=spawn scheduled\nruns=0\nlast exit code=(never exited)\n", State::Running, 0),
            ("state=spawn scheduled\nruns=2\nlast exit code=78: EX_CONFIG\n", State::Restarting, 2),
            ("state=not running\nruns=1\nlast exit code=7\n", ended(7), 0),
            ("state=not running\nruns=1\nlast terminating signal=Killed: 9\n", ended(137), 0),
            ("state=waiting\nruns=1\nlast exit code=0\n", ended(0), 0),
        ] {
            let unit = by_launchctl(&format!("Id=home-large-1\n{shown}\n"));
            assert_eq!((unit.state, unit.restarts), (state, restarts), "{shown}");
            assert_eq!(unit.drift, [""; 0]);
        }
        // Stopped, it is not known to launchd.
        assert_eq!(by_launchctl("").state, ended(0));
        let started = "Id=home-large-1\nstate=running\nstarted=Sun Nov  1 08:03:41 2026\nenabled=no\n\n";
        let unit = by_launchctl(started);
        assert_eq!(unit.started_at.as_deref(), Some("2026-11-01T08:03:41Z"));
        assert_eq!(unit.drift, ["at boot: its plist says so, launchd has it disabled"]);
        assert_eq!(unit.service.unwrap().published().next().map(|port| port.host), Some(8080));
    }

    #[test]
    fn what_somebody_did_to_a_unit_is_drift() {
        let read = told(&SHOWN.replace("enabled", "disabled").replace("Reload=no", "Reload=yes"));
        assert_eq!(
            read.units["home-alpha-1"].drift,
            [
                "at boot: its unit says enabled, systemd says disabled",
                "unit: its file changed since systemd read it"
            ]
        );
    }

    #[test]
    fn a_unit_of_a_name_of_ours_that_nobody_of_homelab_wrote_is_a_stranger_s() {
        let path = "/etc/systemd/system/home-x-1.service";
        let text = format!("file 1 1 {path}\n|{path}|[Service]\n|{path}|ExecStart=/bin/x\n");
        let read = read(&text, &ProjectName::new("home").unwrap(), &[]);
        assert_eq!((read.units.len(), read.strangers), (0, vec!["home-x-1".to_owned()]));
    }
}
