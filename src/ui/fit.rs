//! Verdicts of `homelab fit`: a sentence and its arithmetic for each, and the same as JSON.
//! What fits was decided elsewhere.

use anyhow::Result;
use serde_json::{Value, json};

use super::{BOLD, GREEN, RED, YELLOW, out, paint};
use crate::diagnostic::clean;
use crate::fit::{Measured, Outcome, Verdict, gib};
use crate::hub::Unknown;
use crate::names::HostName;
use crate::plan::JSON_VERSION;

/// A model on a GPU, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// As it was named.
    pub model: String,
    /// Where the inventory has it.
    pub host: Option<HostName>,
    /// Bytes of the GPU.
    pub gpu: Option<u64>,
    /// Where the facts come from.
    pub from: Option<String>,
    /// The verdict, or why there is none.
    pub verdict: Result<Verdict, Unknown>,
    /// What its server measured, if it runs and was asked.
    pub measured: Option<Measured>,
}

/// Shows verdicts. Many GPUs for one model get a line each, with the arithmetic of none.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(all: &[Judged], as_json: bool) -> Result<()> {
    if as_json {
        return super::plan::json_out(
            &json!({"version": JSON_VERSION, "models": all.iter().map(json).collect::<Vec<_>>()}),
        );
    }
    let brief = all.len() > 1 && all.iter().all(|judged| judged.host.is_none());
    let texts: Vec<String> = all.iter().map(|judged| text(judged, brief)).collect();
    out(&texts.join(if brief { "" } else { "\n" }))
}

/// What servers measured when they started, beside what was predicted of them.
pub fn measured(all: &[Judged]) {
    for judged in all {
        let Some(measured) = &judged.measured else { continue };
        let host = judged.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let said = measured.beside(judged.verdict.as_ref().ok());
        super::note(&format!("{}{host} measured: {said}.\n", one_line(&judged.model)));
    }
}

fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

fn text(judged: &Judged, brief: bool) -> String {
    let host = judged.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
    let gpu = judged.gpu.map(|bytes| format!(", GPU of {}", gib(bytes))).unwrap_or_default();
    let head = format!("{}{host}{gpu}", one_line(&judged.model));
    let verdict = match &judged.verdict {
        Err(why) => {
            let hint =
                why.hint.as_ref().map(|hint| format!("  hint: {}\n", one_line(hint))).unwrap_or_default();
            return format!(
                "{} {}: {}\n{hint}",
                paint(RED, "✗ error:"),
                paint(BOLD, &head),
                one_line(&why.what)
            );
        }
        Ok(verdict) => verdict,
    };
    let (style, mark) = match verdict.outcome {
        Outcome::Fits => (GREEN, "✓ fits:"),
        Outcome::Tight => (YELLOW, "! tight:"),
        Outcome::Spills => (YELLOW, "! spills:"),
        Outcome::Unknown => (YELLOW, "? unknown:"),
        Outcome::Short => (RED, "✗ short:"),
        Outcome::Crowded => (RED, "✗ crowded:"),
        Outcome::TooLarge => (RED, "✗ too large:"),
    };
    let mut text =
        format!("{} {}: {}\n", paint(style, mark), paint(BOLD, &head), one_line(&verdict.sentence));
    if brief {
        return text;
    }
    for line in &verdict.lines {
        let bytes = line.bytes.map_or_else(|| "?".to_owned(), gib);
        let how = one_line(&line.how);
        text +=
            &format!("    {:<19} {bytes:>12}{}{how}\n", line.what, if how.is_empty() { "" } else { "  " });
    }
    for instead in &verdict.instead {
        text += &format!("  instead: {}\n", one_line(instead));
    }
    for note in &verdict.notes {
        text += &format!("  note: {}\n", one_line(note));
    }
    if let Some(measured) = &judged.measured {
        text += &format!("  measured: {}\n", measured.beside(Some(verdict)));
    }
    let from = judged.from.as_ref().map(|from| format!("  from: {}\n", one_line(from)));
    text + &from.unwrap_or_default()
}

fn json(judged: &Judged) -> Value {
    let (verdict, error) = match &judged.verdict {
        Ok(verdict) => (json!(verdict), Value::Null),
        Err(why) => (Value::Null, json!({"what": why.what, "hint": why.hint})),
    };
    json!({
        "model": judged.model, "host": judged.host, "gpu": judged.gpu, "from": judged.from, "verdict": verdict, "error": error,
        "measured": judged.measured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Line;
    use crate::ui::schema;

    #[test]
    fn a_verdict_shows_its_arithmetic_and_nothing_moves_the_cursor() {
        let verdict = Verdict {
            outcome: Outcome::Short,
            sentence: "it \u{1b}[2Jdoes not".to_owned(),
            lines: vec![Line { what: "weights", bytes: Some(3 << 30), how: "BF16\nx".to_owned() }],
            instead: vec!["less".to_owned()],
            notes: vec!["so".to_owned()],
            longest: Some(16),
            tokens: None,
            takes: 1,
        };
        let judged = Judged {
            model: "a/b".to_owned(),
            host: None,
            gpu: Some(1 << 30),
            from: Some("here".to_owned()),
            verdict: Ok(verdict),
            measured: Some(Measured { weights: Some(3 << 29), tokens: Some(1234), ..Measured::default() }),
        };
        let shown = anstream::adapter::strip_str(&text(&judged, false)).to_string();
        let expected = "✗ short: a/b, GPU of 1.00 GiB: it does not\n    weights                 3.00 GiB  BF16 x\n  instead: less\n  note: so\n  measured: 1.50 GiB of weights (3.00 GiB predicted), 1,234 tokens in it\n  from: here\n";
        assert_eq!(shown, expected);
        let unknown = Unknown { what: "gone".to_owned(), hint: None };
        let error = Judged { verdict: Err(unknown), ..judged.clone() };
        let all = json!({"version": JSON_VERSION, "models": [json(&judged), json(&error)]});
        assert_eq!(schema::problems("fit_output", &all), [""; 0]);
    }
}
