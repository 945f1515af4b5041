//! Parses the arguments, runs a verb, chooses the exit code.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use homelab::cli::Cli;
use homelab::exit::Exit;
use homelab::{commands, ui};

/// What the longest expression there may be takes to be read, four times over, whatever the system gives.
const STACK: usize = 32 << 20;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    ui::colors(cli.common.color);
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(runtime.block_on(commands::run(cli)))
    };
    let main = std::thread::Builder::new().stack_size(STACK).spawn(run);
    let ended: io::Result<Exit> = main.and_then(|main| main.join().unwrap_or(Ok(Exit::Failed)));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui::errors::unexpected(&error.into());
            Exit::Failed.into()
        }
    }
}
