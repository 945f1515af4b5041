//! `homelab inventory`: hosts, groups and variables as `ansible-inventory` shows them.

use anyhow::Result;

use super::{Exit, guard, prepare};
use crate::cli::{Common, InventoryArgs};
use crate::diagnostic::{Diagnostics, clean};
use crate::inventory::{Form, HostVars, Inventory, Values};
use crate::ui;

pub(super) fn run(common: &Common, args: &InventoryArgs) -> Result<Exit> {
    let inventory = prepare::inventory(common, Values::Sealed)?;
    ui::errors::diagnostics(&Diagnostics(inventory.warnings.clone()));
    let text = guard::within(inventory.hosts.len(), || shown(&inventory, common, args))?;
    // The program is about to end: to give its memory back piece by piece takes as long as to read a file.
    std::mem::forget(inventory);
    match text {
        Ok(text) => {
            ui::out(&text)?;
            ui::out("\n")?;
            Ok(Exit::Done)
        }
        Err(why) => {
            ui::errors::plain(&why, None);
            Ok(Exit::Usage)
        }
    }
}

/// What is asked for, or why it cannot be had.
fn shown(inventory: &Inventory, common: &Common, args: &InventoryArgs) -> Result<Result<String, String>> {
    let form = if args.resolved { Form::Resolved } else { Form::Raw };
    Ok(if let Some(name) = &args.show.host {
        one(inventory, name).map(|host| inventory.host_json(host, form))
    } else if args.show.graph {
        match inventory.graph(&args.group, args.vars.then_some(form)) {
            Some(graph) => graph.map(|text| clean(&text)),
            None => Err(format!("the inventory has no group `{}`", args.group)),
        }
    } else {
        inventory.list(&prepare::within(common, inventory)?, form)
    })
}

/// The one host that a pattern means; `localhost` is there without being named.
fn one<'a>(inventory: &'a Inventory, pattern: &str) -> Result<&'a HostVars, String> {
    if let Some(localhost) = inventory.localhost.as_ref().filter(|host| host.name.as_str() == pattern) {
        return Ok(localhost);
    }
    let meant = inventory.select(pattern)?;
    let mut hosts = meant.iter().filter_map(|name| inventory.hosts.get(name));
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(format!("--host takes one host, and `{pattern}` means {}", meant.len())),
    }
}
