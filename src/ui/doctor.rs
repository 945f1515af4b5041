//! What `homelab doctor` found: a short list per host, and the same as JSON.
//! Findings come as data; what is wrong was decided there.

use anyhow::Result;
use serde_json::{Value, json};

use super::{DIM, GREEN, RED, YELLOW, out, paint};
use crate::diagnostic::clean;
use crate::doctor::{Checked, Examined, Verdict};
use crate::plan::JSON_VERSION;

/// Shows what was found about every host.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(all: &[Examined], as_json: bool) -> Result<()> {
    if as_json {
        return super::plan::json_out(&json(all));
    }
    let hosts: Vec<String> = all.iter().map(host).collect();
    out(&format!("{}\n{}", hosts.join("\n"), count(all)))
}

fn host(examined: &Examined) -> String {
    let checks: String = examined.checks.iter().map(checked).collect();
    format!("{}\n{checks}", examined.host)
}

fn checked(checked: &Checked) -> String {
    let (style, mark) = match checked.is {
        Verdict::Ok => (GREEN, "✓"),
        Verdict::Unknown => (DIM, "? unknown:"),
        Verdict::Warning => (YELLOW, "! warning:"),
        Verdict::Wrong => (RED, "✗ wrong:"),
    };
    let one_line = |text: &str| clean(text).replace('\n', " ");
    let mut text = format!("  {} {}: {}\n", paint(style, mark), checked.check, one_line(&checked.seen));
    for line in &checked.lines {
        text += &format!("      | {}\n", one_line(line));
    }
    if let Some(fix) = &checked.fix {
        text += &format!("    fix: {}\n", one_line(fix));
    }
    text
}

fn count(all: &[Examined]) -> String {
    let many = |is| all.iter().flat_map(|host| &host.checks).filter(|checked| checked.is == is).count();
    let hosts = if all.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", all.len()) };
    match (many(Verdict::Wrong), many(Verdict::Warning)) {
        (0, 0) => format!("Nothing is wrong with {hosts}.\n"),
        (wrong, warnings) => format!("{hosts}: {wrong} wrong, {warnings} to be watched.\n"),
    }
}

fn json(all: &[Examined]) -> Value {
    json!({"version": JSON_VERSION, "ok": all.iter().all(Examined::is_fine), "hosts": all})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::HostName;
    use crate::ui::schema;

    fn one(is: Verdict, fix: Option<&str>) -> Checked {
        let (seen, fix) = ("as\u{1b}[2J seen\nx".to_owned(), fix.map(str::to_owned));
        Checked { check: "gpu", is, seen, lines: vec!["it \u{1b}[31msaid".to_owned()], fix }
    }

    #[test]
    fn what_is_wrong_stands_in_words_with_its_fix_and_nothing_moves_the_cursor() {
        let checks =
            vec![one(Verdict::Ok, None), one(Verdict::Warning, Some("do\nthis")), one(Verdict::Wrong, None)];
        let all = [Examined { host: HostName::new("box").unwrap(), checks }];
        let text = anstream::adapter::strip_str(&(host(&all[0]) + &count(&all))).to_string();
        let expected = "box\n  ✓ gpu: as seen x\n      | it said\n  ! warning: gpu: as seen x\n      | it said\n    \
                        fix: do this\n  ✗ wrong: gpu: as seen x\n      | it said\n1 host: 1 wrong, 1 to be watched.\n";
        assert_eq!(text, expected);
        assert_eq!(schema::problems("doctor_output", &json(&all)), [""; 0]);
        assert_eq!(json(&all)["ok"], false);
        assert_eq!(json(&all[..0])["ok"], true);
        assert_eq!(count(&[]), "Nothing is wrong with 0 hosts.\n");
    }
}
