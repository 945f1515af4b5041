//! Parses the arguments, runs a verb, chooses the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use homelab::cli::Cli;
use homelab::exit::Exit;
use homelab::{commands, ui};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    ui::colors(cli.common.color);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)).into(),
        Err(error) => {
            ui::errors::unexpected(&error.into());
            Exit::Failed.into()
        }
    }
}
