//! `homelab clients`: what people's programs must be told, and their own files, if asked to write those.

use anyhow::Result;

use super::Exit;
use super::client_files::{self, Target};
use super::prepare::{self, Files, Said};
use crate::cli::{ClientsArgs, Common};
use crate::client::{self, Choice, Client, File, Offer, text};
use crate::cluster;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::host;
use crate::inventory::Values;
use crate::names::Secret;
use crate::secret::SecretRef;
use crate::ui;

pub(super) async fn run(common: &Common, args: &ClientsArgs) -> Result<Exit> {
    let wants_key = args.key || args.with_secrets || args.write || args.check;
    let files = prepare::files(common, if wants_key { Values::Opened } else { Values::Sealed })?;
    let (offer, secret) = offer(&files).await?;
    let command = key_command(common);
    let Some(client) = args.name.as_deref().and_then(client::by_name) else {
        return if args.key { print_key(&files, &secret).await } else { list(&offer, &command) };
    };
    let choice = chosen(&offer, args)?;
    if (args.write || args.check) && client.files(&choice, "").is_empty() {
        let hint = format!("homelab clients {} says what to do by hand", client.name());
        ui::errors::plain(&format!("{} has no file that may be written", client.title()), Some(&hint));
        return Ok(Exit::Usage);
    }
    let key = if wants_key { Some(key(&files, &secret).await?) } else { None };
    let shown = key.as_ref().map_or(text::PLACEHOLDER, Secret::reveal);
    let theirs = theirs(client, &choice, shown, args)?;
    ui::errors::diagnostics(&Diagnostics(client::warnings(client, &choice)));
    match key {
        Some(key) if !args.with_secrets => put(&theirs, &key, args),
        key => {
            let key = key.as_ref().map(Secret::reveal);
            let all = text::client(client, &choice, &theirs, (key, &command)).map_err(Diagnostics::from)?;
            ui::clients::show(&all)?;
            Ok(Exit::Done)
        }
    }
}

/// What the gateway offers. Only ssh on this machine is asked, for the address of the gateway's host.
async fn offer(files: &Files) -> Result<(Offer, SecretRef)> {
    let host = files.gateway().and_then(|name| files.spec.hosts.get(name));
    let asked = match host {
        Some(host) => host::address(&host.connection).await,
        None => None,
    };
    cluster::offer(&files.spec, asked.as_ref()).ok_or_else(|| {
        let none = Diagnostic::everywhere("the inventory has no gateway, which clients would use");
        Diagnostics::from(none.hint("give one host, or a group with one host, gateway: {engine: litellm}"))
            .into()
    })
}

fn list(offer: &Offer, command: &str) -> Result<Exit> {
    ui::clients::list(client::ALL, offer, command)?;
    Ok(Exit::Done)
}

fn chosen<'a>(offer: &'a Offer, args: &ClientsArgs) -> Result<Choice<'a>> {
    Choice::of(offer, args.model.as_deref(), args.small_model.as_deref()).map_err(|why| {
        let named = args.model.is_some() || args.small_model.is_some();
        ui::errors::plain(&why, None);
        Said(if named { Exit::Usage } else { Exit::Failed }).into()
    })
}

/// The client's files, those of a project if one is named.
fn theirs(client: &dyn Client, choice: &Choice<'_>, key: &str, args: &ClientsArgs) -> Result<Vec<File>> {
    if args.project.is_none() {
        return Ok(client.files(choice, key));
    }
    client.project_files(choice, key).ok_or_else(|| {
        ui::errors::plain(
            &format!("{} has no settings of a project that name a gateway", client.title()),
            None,
        );
        Said(Exit::Usage).into()
    })
}

async fn key(files: &Files, secret: &SecretRef) -> Result<Secret> {
    ui::progress::looking(files.client_key(secret)).await
}

async fn print_key(files: &Files, secret: &SecretRef) -> Result<Exit> {
    ui::out(&format!("{}\n", key(files, secret).await?.reveal()))?;
    Ok(Exit::Done)
}

/// The command that prints the key of this inventory.
fn key_command(common: &Common) -> String {
    let usual = common.inventory.iter().all(|path| path.as_os_str() == "inventory.yml");
    let words = common.inventory.iter().filter(|_| !usual);
    let options: String =
        words.map(|path| format!(" -i {}", client::shell_word(&path.to_string_lossy()))).collect();
    format!("homelab{options} clients --key")
}

/// Compares the client's files with what belongs into them, and writes that if it is asked for.
fn put(files: &[File], key: &Secret, args: &ClientsArgs) -> Result<Exit> {
    let targets = client_files::read(files, args.project.as_deref()).map_err(Diagnostics::from)?;
    let changed: Vec<&Target> = targets.iter().filter(|target| target.changes()).collect();
    if changed.is_empty() {
        ui::clients::show("Nothing to do: the files are as they should be.\n")?;
        return Ok(Exit::Done);
    }
    for target in &changed {
        ui::clients::diff(&target.diff(key))?;
    }
    if args.check {
        return Ok(Exit::Pending);
    }
    if !args.yes && !ui::clients::confirm()? {
        return Ok(Exit::Failed);
    }
    for target in changed {
        let copy = target.write()?;
        ui::clients::written(&target.shown(), copy.as_deref());
    }
    Ok(Exit::Done)
}
