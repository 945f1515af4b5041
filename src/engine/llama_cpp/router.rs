//! llama-server as a router: several models behind one port, each in a process of its own, loaded on demand.
//! It writes the file of models; what is loaded when, the server decides by it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::names::ModelName;

use super::super::command_line::{LeadingDash, arguments};
use super::super::{Load, Serve, Several, Takes};
use super::{PORT, Source, kind, options, source};

/// Where the file of models is mounted.
const FILE: &str = "/etc/homelab/models.ini";

/// What the router calls a model. It reads what follows a colon as a quantisation, and changes its case (seen with
/// 0.7.0).
pub(super) fn upstream(name: &ModelName) -> String {
    name.as_str().replace(':', "-")
}

pub(super) fn command(serve: &Serve<'_>, several: &Several<'_>) -> Vec<String> {
    let (host, port) = serve.listens(PORT);
    let (port, most) = (port.to_string(), several.models_max.to_string());
    let own = ["--models-preset", FILE, "--models-max", &most, "--host", host, "--port", &port];
    own.into_iter().map(str::to_owned).chain(serve.args.iter().cloned()).collect()
}

pub(super) fn files(several: &Several<'_>) -> BTreeMap<String, String> {
    let sections: Vec<String> = several.members.iter().map(section).collect();
    [(FILE.to_owned(), format!("version = 1\n{}", sections.concat()))].into()
}

/// A model's section: its flags without their dashes.
fn section(serve: &Serve<'_>) -> String {
    let mut text = format!("\n[{}]\n", upstream(serve.name));
    let mut put = |key: &str, value: &str| {
        let _ = writeln!(text, "{} = {value}", key.trim_start_matches("--"));
    };
    if let Some(model) = serve.model {
        match source(model) {
            Source::File(path) => put("model", path),
            Source::Url(url) => put("model-url", url),
            Source::Repository(repository) => put("hf-repo", repository),
        }
    }
    if let Some(flag) = kind(serve) {
        put(flag, "true");
    }
    for option in options::OPTIONS {
        let one = serve.options.get(option.name).map(|value| (option.name.to_owned(), value.clone()));
        let words = arguments(options::OPTIONS, &one.into_iter().collect(), LeadingDash::Apart);
        match words.as_slice() {
            [] => {}
            [flag] => put(flag, "true"),
            [flag, value, ..] => put(flag, value),
        }
    }
    if serve.load == Load::Startup {
        put("load-on-startup", "true");
    }
    if let Some(seconds) = serve.ttl {
        put("sleep-idle-seconds", &seconds.to_string());
    }
    text
}

/// The port of the process that wrote a line of a router's log: the router puts it before what the processes of its
/// models say, as in `[44753] 0.00.025.215 I srv …` (seen with 0.7.0).
pub(super) fn port_of(line: &str) -> Option<&str> {
    let (port, _) = line.strip_prefix('[')?.split_once("] ")?;
    port.bytes().all(|b| b.is_ascii_digit()).then_some(port)
}

/// Which model a line of a router's log is about: the one whose process wrote it, or of whose end it tells.
pub(super) fn about<'l>(log: &'l [String], line: &str) -> Option<&'l str> {
    let named = |line: &'l str| line.split_once("instance name=").or_else(|| line.split_once("with name="));
    let name = |line: &'l String| named(line)?.1.split(' ').next();
    match port_of(line) {
        Some(port) => {
            let begins = format!(" on port {port}");
            log.iter().rev().find(|said| said.ends_with(&begins)).and_then(name)
        }
        None => log.iter().rev().find(|said| *said == line).and_then(name),
    }
}

/// What cannot stand in the file of models: it has one value per key, and reads what follows `;` or `#` as a comment
/// (seen with 0.7.0). A line break would begin another model.
pub(super) fn check(serve: &Serve<'_>) -> Result<(), (&'static str, String)> {
    let fits = |value: &str| {
        !value.contains([';', '#']) && !value.contains(char::is_control) && value.trim() == value
    };
    let why = "behind a server of several it stands in a file, where `;` and `#` begin a comment";
    if serve.model.is_some_and(|model| !fits(model)) {
        return Err(("model", why.to_owned()));
    }
    for option in options::OPTIONS {
        let Some(value) = serve.options.get(option.name) else { continue };
        if option.takes == Takes::Each && value.as_array().is_some_and(|values| values.len() > 1) {
            return Err((option.name, "behind a server of several it takes one value".to_owned()));
        }
        let one = [(option.name.to_owned(), value.clone())].into();
        if !arguments(options::OPTIONS, &one, LeadingDash::Apart).iter().all(|word| fits(word)) {
            return Err((option.name, why.to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::Engine as _;
    use super::super::super::testing::World;
    use super::super::LlamaCpp;
    use super::*;

    #[test]
    fn a_server_of_several_gets_a_file_with_a_section_for_each() {
        let options = serde_json::from_value(json!({"ctx_size": 512, "warmup": false})).unwrap();
        let first = World { model: Some("/m/a.gguf"), options, ..World::new("org/a:4b") };
        let second =
            World { model: Some("user/b:Q8_0"), kind: crate::engine::Kind::Embedding, ..World::new("b") };
        first.with(|a| {
            second.with(|b| {
                let a = Serve { member: true, load: Load::Startup, ..a.clone() };
                let b = Serve { member: true, load: Load::OnDemand, ttl: Some(900), ..b.clone() };
                assert_eq!((LlamaCpp.check(&a), LlamaCpp.upstream(&a)), (Ok(()), "org/a-4b".to_owned()));
                let several = Some(Several { models_max: 2, members: vec![a.clone(), b] });
                let draft = LlamaCpp.draft(&Serve { member: false, several, ..a });
                assert_eq!(
                    draft.command.join(" "),
                    "--models-preset /etc/homelab/models.ini --models-max 2 --host 0.0.0.0 --port 8080"
                );
                assert_eq!(
                    draft.files[FILE],
                    "version = 1\n\n[org/a-4b]\nmodel = /m/a.gguf\nctx-size = 512\nno-warmup = true\n\
                     load-on-startup = true\n\n[b]\nhf-repo = user/b:Q8_0\nembeddings = true\nsleep-idle-seconds = 900\n"
                );
            });
        });
    }

    #[test]
    fn a_line_of_a_routers_log_is_about_the_model_whose_process_said_it() {
        let log = include_str!("../../../tests/data/engine/llama.cpp-0.7.0-router-missing-file.log");
        let log: Vec<String> = log.lines().map(str::to_owned).collect();
        let line = |words: &str| log.iter().rfind(|line| line.contains(words)).unwrap();
        assert_eq!(about(&log, line("failed to open GGUF file")), Some("a"));
        assert_eq!(about(&log, line("exited with status 1")), Some("a"));
        assert_eq!(about(&log, line("listening on http")), None);
        assert_eq!(about(&log[log.len() - 1..], "[1] said before"), None);
        // A model that gives up does not end its server.
        let gave_up = line("exiting due to model loading error");
        assert!(!LlamaCpp.gave_up(gave_up) && LlamaCpp.gave_up(gave_up.split_once(' ').unwrap().1));
    }

    #[test]
    fn what_the_file_would_read_as_something_else_is_refused() {
        for (options, key) in [
            (json!({"chat_template": "a\n[b]"}), "chat_template"),
            (json!({"chat_template": "a # b"}), "chat_template"),
            (json!({"tags": "a;b"}), "tags"),
            (json!({"reverse_prompt": ["a", "b"]}), "reverse_prompt"),
        ] {
            let world = World {
                model: Some("/m.gguf"),
                options: serde_json::from_value(options).unwrap(),
                ..World::new("a")
            };
            world.with(|serve| {
                assert_eq!(LlamaCpp.check(serve), Ok(()));
                let member = Serve { member: true, ..serve.clone() };
                assert_eq!(LlamaCpp.check(&member).unwrap_err().0, key);
            });
        }
    }
}
