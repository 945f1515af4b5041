//! The only place that prints: what was asked for goes to stdout, everything else to stderr.
//! Whatever comes from users, hosts and models is cleaned of terminal escapes before it is shown.

pub mod ask;
pub mod bootstrap;
pub mod clients;
pub mod doctor;
pub mod errors;
pub mod fit;
pub mod plan;
pub mod progress;
#[cfg(test)]
#[path = "../../tests/common/schema.rs"]
mod schema;
pub mod status;
pub mod verbose;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::process::ExitCode;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use anyhow::Result;

use crate::cli::Color;
use crate::desired::Desired;
use crate::exit::Exit;
use crate::host::Outcome;
use crate::names::ServiceName;
use crate::plan::{Action, Plan, Row, text};

/// Chooses whether anything is coloured. `auto` honours `NO_COLOR` and whether a terminal looks on.
pub fn colors(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
}

/// Shows what is wrong with the arguments, or the help that was asked for.
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nowhere is left to say that printing failed.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

/// Prints to stdout. A reader who went away (`| head`) is no failure.
///
/// # Errors
/// When stdout cannot be written.
pub fn out(text: &str) -> Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Secrets by variable and source, with who uses them.
///
/// # Errors
/// When stdout cannot be written.
pub fn secrets(rows: &BTreeMap<(String, String), BTreeSet<String>>) -> Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["SECRET", "FROM", "USED BY"]);
    for ((name, from), users) in rows {
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        table.add_row([name, from, &users.join(", ")]);
    }
    let line = |line: String| format!("{}\n", line.trim_end().trim_start_matches(' '));
    out(&crate::diagnostic::clean(&table.lines().map(line).collect::<String>()))
}

/// Prints to stderr.
fn note(text: &str) {
    // When stderr is gone there is nobody to tell.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// A style around a text.
fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Asks whether what serves may be stopped; without a terminal the answer is no, with the way out.
///
/// # Errors
/// When the terminal cannot be read.
pub fn confirm(plan: &Plan) -> Result<bool> {
    let stops: Vec<String> = plan
        .interruptions()
        .filter_map(|(host, step)| Some(format!("{} on {host}", step.action.service()?)))
        .collect();
    if stops.is_empty() {
        return Ok(true);
    }
    let list = stops.join(", ");
    if !ask::somebody() {
        errors::plain(
            &format!("this stops what serves now: {list}"),
            Some("nobody is there to ask; say --yes if that is fine. Nothing was changed"),
        );
        return Ok(false);
    }
    yes(&format!("This stops what serves now: {list}.\nGo on? [y/N] "))
}

/// Whether somebody on the terminal says yes.
fn yes(question: &str) -> Result<bool> {
    note(question);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let yes = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
    if !yes {
        note("Nothing was changed.\n");
    }
    Ok(yes)
}

/// What came of a deploy, in words.
///
/// # Errors
/// When stdout cannot be written.
pub fn outcome(plan: &Plan, outcome: &Outcome, after: &Plan, desired: &Desired) -> Result<()> {
    errors::failures(outcome, "deploy");
    if !after.is_empty() {
        let text = text(after, desired.hosts.len());
        errors::plain(&format!("the cluster does not settle; this is still to do:\n{text}"), None);
        return Ok(());
    }
    if !outcome.failures.is_empty() || outcome.stopped || !plan.blocked.is_empty() {
        return Ok(());
    }
    let asked: usize = plan
        .steps()
        .filter_map(|(_, step)| match &step.action {
            Action::AwaitGateway { names, .. } => Some(names.len()),
            _ => None,
        })
        .sum();
    note(&paint(GREEN, "Done."));
    let all = if plan.away.is_empty() { "Everything" } else { "Everything else" };
    note(&match asked {
        0 => format!(" {all} is as the inventory says.\n"),
        1 => format!(" {all} is as the inventory says, and the model answers through the gateway.\n"),
        n => format!(" {all} is as the inventory says, and {n} names answer through the gateway.\n"),
    });
    for away in &plan.away {
        note(&format!("{} is away: the next homelab deploy that finds it picks it up.\n", away.host));
    }
    Ok(())
}

/// Where clients reach the gateway, and where its key is to be found.
pub fn gateway(desired: &Desired, rows: &[Row]) {
    let service = ServiceName::gateway();
    let row = rows.iter().find(|row| row.service.as_ref() == Some(&service));
    let Some((row, url)) = row.and_then(|row| Some((row, row.endpoint.as_ref()?))) else { return };
    let site = desired.hosts.get(&row.host);
    let key = site.and_then(|site| Some((site, site.services.get(&service)?.service.env_file.first()?)));
    note(&format!("The gateway: {url}/v1 (OpenAI), {url} (Anthropic)"));
    note(&match key {
        Some((site, file)) => {
            let file = file.trim_start_matches("./");
            format!("; its key is LITELLM_MASTER_KEY in {}/{file} on {}.\n", site.dir, row.host)
        }
        None => ".\n".to_owned(),
    });
}
