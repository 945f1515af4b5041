//! `homelab completions SHELL`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Exit;
use crate::cli::Cli;
use crate::ui;

pub(super) fn run(shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "homelab", &mut script);
    ui::out(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
