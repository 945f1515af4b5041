//! `homelab schema`: what an inventory may say, for editors.

use anyhow::Result;

use super::Exit;
use crate::cli::SchemaOf;
use crate::cluster::schema;
use crate::ui;

pub(super) fn run(of: SchemaOf) -> Result<Exit> {
    ui::plan::json_out(&match of {
        SchemaOf::Inventory => schema::inventory(),
        SchemaOf::Vars => schema::vars(),
    })?;
    Ok(Exit::Done)
}
