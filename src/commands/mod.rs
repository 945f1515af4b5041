//! The verbs, one short file each: the pipeline spelled out.
//! Decisions are made in the pure part, effects in `host`, words in `ui`.

mod bootstrap;
mod client_files;
mod clients;
mod completions;
mod deploy;
mod doctor;
mod down;
mod fit;
mod fitting;
mod guard;
mod hubs;
mod init;
mod inventory;
mod judging;
mod lock;
mod locked;
mod measuring;
mod passwords;
mod plan;
mod prepare;
mod render;
mod rotate;
mod schema;
mod secrets;
mod status;
mod turn;
mod update;
mod wake;
mod whole;

use crate::cli::{Cli, Verb};
use crate::diagnostic::Diagnostics;
use crate::exit::Exit;
use crate::ui;

/// Runs a verb and says what went wrong, if something did.
pub async fn run(cli: Cli) -> Exit {
    let common = cli.common;
    let ended = match cli.verb {
        Verb::Plan(args) => plan::run(&common, &args).await,
        Verb::Deploy(args) => deploy::run(&common, &args).await,
        Verb::Status(args) => status::run(&common, &args).await,
        Verb::Doctor(args) => doctor::run(&common, &args).await,
        Verb::Bootstrap(args) => bootstrap::run(&common, &args).await,
        Verb::Fit(args) => fit::run(&common, &args).await,
        Verb::Render(args) => render::run(&common, &args).await,
        Verb::Update(args) => update::run(&common, &args).await,
        Verb::Secrets(args) => secrets::run(&common, &args).await,
        Verb::Down(args) => down::run(&common, &args).await,
        Verb::Clients(args) => clients::run(&common, &args).await,
        Verb::Inventory(args) => inventory::run(&common, &args),
        Verb::Init(args) => init::run(&args).await,
        Verb::Schema { of } => schema::run(of),
        Verb::Completions { shell } => completions::run(shell),
    };
    match ended {
        Ok(exit) => exit,
        Err(error) => explain(&error),
    }
}

/// Says what ended a verb, if it has not been said.
fn explain(error: &anyhow::Error) -> Exit {
    if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
        ui::errors::diagnostics(diagnostics);
        return Exit::Files;
    }
    match error.downcast_ref::<prepare::Said>() {
        Some(said) => said.0,
        None => {
            ui::errors::unexpected(error);
            Exit::Failed
        }
    }
}
