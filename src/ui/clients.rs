//! Clients on stdout: the list, the settings of one, what would change in its files.
//! The texts come from elsewhere, without secrets unless they were asked for.

use anyhow::Result;
use comfy_table::Table;

use super::{ask, errors, note, out, plan, yes};
use crate::client::{Client, Offer, text};
use crate::diagnostic::clean;

/// Lists clients and models.
///
/// # Errors
/// When stdout cannot be written.
pub fn list(all: &[&dyn Client], offer: &Offer, key: &str) -> Result<()> {
    let clients = table(&text::clients(all));
    let models = table(&text::models(offer));
    let gateway =
        format!("The gateway: {0}/v1 (OpenAI), {0} (Anthropic); `{key}` prints its key.\n", offer.url);
    let next =
        "`homelab clients NAME` shows what to set, --write sets it, --check says whether it still fits.\n";
    out(&clean(&format!("{clients}\n{models}\n{gateway}{next}")))
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end().trim_start_matches(' '))).collect()
}

/// Prints a text as it is to be used, cleaned of what a terminal would obey.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(text: &str) -> Result<()> {
    out(&clean(text))
}

/// Shows what changes in a file.
///
/// # Errors
/// When stdout cannot be written.
pub fn diff(unified: &str) -> Result<()> {
    plan::diff(unified)
}

/// Asks whether files may be written; without a terminal the answer is no, with the way out.
///
/// # Errors
/// When the terminal cannot be read.
pub fn confirm() -> Result<bool> {
    if !ask::somebody() {
        let hint = "nobody is there to ask; say --yes if that is fine. Nothing was changed";
        errors::plain("this changes a client's files", Some(hint));
        return Ok(false);
    }
    yes("Write this? [y/N] ")
}

/// Says what became of a file.
pub fn written(path: &str, copy: Option<&str>) {
    let copy = copy.map(|copy| format!("; what was there is in {copy}")).unwrap_or_default();
    note(&clean(&format!("{path} is written{copy}.\n")));
}
