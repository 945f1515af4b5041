//! The verbs, one short file each: the pipeline spelled out.
//! Decisions are made in the pure part, effects in `host`, words in `ui`.

mod completions;
mod deploy;
mod down;
mod plan;
mod prepare;
mod render;
mod status;

use std::process::ExitCode;

use crate::cli::{Cli, Verb};
use crate::diagnostic::Diagnostics;
use crate::ui;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to do, in sync.
    Done,
    /// Something failed, or is not as it should be.
    Failed,
    /// Changes are pending.
    Pending,
    /// Wrong usage.
    Usage,
    /// The user's files are wrong.
    Files,
    /// Interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Pending => 2,
            Exit::Usage => 64,
            Exit::Files => 65,
            Exit::Interrupted => 130,
        })
    }
}

/// Runs a verb and says what went wrong, if something did.
pub async fn run(cli: Cli) -> Exit {
    let common = cli.common;
    let ended = match cli.verb {
        Verb::Plan(args) => plan::run(&common, &args).await,
        Verb::Deploy(args) => deploy::run(&common, &args).await,
        Verb::Status(args) => status::run(&common, &args).await,
        Verb::Render(args) => render::run(&common, &args).await,
        Verb::Down(args) => down::run(&common, &args).await,
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
