//! `homelab init`: a first inventory, from questions or options. It looks at hosts and changes none.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Exit;
use super::prepare::Said;
use crate::cli::InitArgs;
use crate::connection::Connection;
use crate::host::{self, Ask, Look};
use crate::names::{HostName, ProjectName};
use crate::starter::{self, Answers, Host, INVENTORY_FILE, Model};
use crate::survey::Survey;
use crate::ui;

pub(super) async fn run(args: &InitArgs) -> Result<Exit> {
    let path = args.dir.join(INVENTORY_FILE);
    let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
    let taken = || {
        ui::errors::plain(
            &format!("{shown} is there already"),
            Some("homelab init never changes one; edit it"),
        );
        Exit::Failed
    };
    if path.symlink_metadata().is_ok() {
        return Ok(taken());
    }
    let answers = answers(args).await?;
    let text = match starter::inventory(&answers) {
        Ok(text) => text,
        Err(problems) => {
            ui::errors::diagnostics(&problems);
            return Ok(Exit::Usage);
        }
    };
    match write(&path, &text) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(taken()),
        written => written.with_context(|| format!("writing {shown}"))?,
    }
    ui::ask::written(&shown);
    Ok(Exit::Done)
}

async fn answers(args: &InitArgs) -> Result<Answers> {
    let ask = !args.yes && ui::ask::somebody();
    let hosts = match (args.hosts.is_empty(), ask) {
        (false, _) => args.hosts.clone(),
        (true, true) => ui::ask::hosts()?,
        (true, false) => {
            let hint = "say --host NAME=ADDRESS, and --model NAME=HOST:ENGINE:MODEL for what it is to serve";
            ui::errors::plain("nobody is there to ask, and no host is given", Some(hint));
            return Err(Said(Exit::Usage).into());
        }
    };
    let survey = if args.offline { Survey::default() } else { ui::progress::looking(look(&hosts)).await };
    ui::ask::found(&survey);
    let models = match (args.models.is_empty(), ask) {
        (true, true) => ui::ask::models(&hosts, &survey)?,
        _ => args.models.clone(),
    };
    let gateway = match (&args.gateway, usual_gateway(&hosts, &models)) {
        (Some(gateway), _) => gateway.clone(),
        (None, usual) if ask && hosts.len() > 1 => ui::ask::gateway(&hosts, usual)?,
        (None, usual) => usual.clone(),
    };
    let gpus =
        survey.hosts.keys().filter_map(|h| Some((h.clone(), survey.seen(h)?.facts.gpus.len()))).collect();
    let is_mac = |host: &&HostName| survey.seen(host).is_some_and(|seen| seen.facts.native.is_mac());
    let macs = survey.hosts.keys().filter(is_mac).cloned().collect();
    Ok(Answers { hosts, gateway, models, gpus, macs })
}

/// The first host that serves nothing, else the first.
fn usual_gateway<'a>(hosts: &'a [Host], models: &[Model]) -> &'a HostName {
    let free = hosts.iter().find(|host| models.iter().all(|model| model.host != host.name));
    &free.unwrap_or(&hosts[0]).name
}

/// What the hosts have, as far as they can be reached.
async fn look(hosts: &[Host]) -> Survey {
    let ask = |host: &Host| Ask {
        connection: Connection {
            address: host.address.clone().unwrap_or_else(|| host.name.to_string()),
            user: host.user.clone(),
            local: host.local,
            ..Connection::new(host.name.clone())
        },
        project: ProjectName::homelab(),
        dir: "~/homelab/homelab".to_owned(),
        gpus: true,
        root_key: false,
        // A Mac has none; elsewhere a deploy says how it gets there.
        docker: host::Need::IfInstalled,
        programs: Some(vec![]),
        endpoints: vec![],
    };
    let asks: Vec<Ask> = hosts.iter().map(ask).collect();
    let (survey, looks) = host::survey(&asks).await;
    futures_util::future::join_all(looks.values().map(Look::close)).await;
    survey
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
