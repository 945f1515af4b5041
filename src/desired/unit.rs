//! Units of systemd: how words are written in them, and reading them back, strictly, as a [`Service`].
//! A small subset of systemd's keys; every other one is refused, so that what runs is what the file says.

use std::fmt::Write as _;

use crate::names::{ByteSize, Seconds};
use crate::service::Service;

use super::installed::{self, Installed};

/// The section that systemd leaves alone: it ignores those whose names begin so (systemd.unit(5)).
const OWN: &str = "X-Homelab";

/// A word as systemd reads it (systemd.syntax(7), "Quoting"): bare where nothing in it means anything, else in double
/// quotes with C's escapes. A `%` begins a specifier unless it is doubled (systemd.unit(5)).
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,+=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Words of a command line, where `$` begins a variable unless it is doubled (systemd.service(5), "Command lines").
pub(super) fn command_line<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.map(|text| word(text).replace('$', "$$")).collect();
    quoted.join(" ")
}

/// A path where systemd unquotes nothing.
pub(super) fn path(text: &str) -> String {
    text.replace('%', "%%")
}

/// A line `Key=value`, and where it stands.
struct Line<'a> {
    number: usize,
    section: &'a str,
    key: &'a str,
    value: &'a str,
}

/// What is wrong with a unit, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Whose unit that is, whatever else stands in it: its project; none where homelab did not write it.
pub(super) fn project_of(text: &str) -> Option<String> {
    lines(text).ok()?.into_iter().find(|l| l.section == OWN && l.key == "Project").map(|l| l.value.to_owned())
}

fn lines(text: &str) -> Result<Vec<Line<'_>>, Wrong> {
    let mut section = "";
    let mut all = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let (number, line) = (i + 1, line.trim());
        let wrong = |message: &str| Err(Wrong { line: number, message: message.to_owned() });
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        if line.ends_with('\\') {
            return wrong("homelab reads no line that goes on in the next one");
        }
        let Some((key, value)) = line.split_once('=') else { return wrong("this is no `Key=value`") };
        all.push(Line { number, section, key: key.trim_end(), value: value.trim_start() });
    }
    Ok(all)
}

/// Reads a unit.
///
/// # Errors
/// The first line that is outside the subset, or asks systemd to put something in.
pub(super) fn read(text: &str) -> Result<Installed, Wrong> {
    let mut found = Installed::default();
    let mut unit = Unit::default();
    for line in lines(text)? {
        unit.take(&line, &mut found).map_err(|message| Wrong { line: line.number, message })?;
    }
    unit.finish(&mut found).map_err(|message| Wrong { line: 1, message })?;
    Ok(found)
}

/// What means something only together with other lines.
#[derive(Default)]
struct Unit {
    restart: String,
    /// How often it is started at most.
    tries: Option<u64>,
    at_boot: bool,
    files: Vec<String>,
}

impl Unit {
    fn take(&mut self, line: &Line<'_>, found: &mut Installed) -> Result<(), String> {
        let service = &mut found.service;
        let pair = |value: &str| {
            let text = one(value)?;
            let (name, value) = text.split_once('=').ok_or("this is no `name=value`")?;
            Ok::<_, String>((name.to_owned(), value.to_owned()))
        };
        match (line.section, line.key) {
            ("Unit", "Description" | "Wants" | "After" | "StartLimitIntervalSec")
            | ("Service", "RestartSec") => {}
            (OWN, "RootKey") => found.root_key = Some(line.value.to_owned()),
            (OWN, "Keys") => line.value.clone_into(&mut found.keys),
            ("Unit", "StartLimitBurst") => self.tries = Some(number(line.value)?),
            ("Service", "Type") if line.value == "exec" => {}
            ("Service", "ExecStart") => exec(line.value, service)?,
            ("Service", "Environment") => service.environment.extend([pair(line.value)?]),
            ("Service", "EnvironmentFile") => self.files.push(unpath(line.value)?),
            ("Service", "Restart") => line.value.clone_into(&mut self.restart),
            ("Service", "TimeoutStopSec") => {
                service.stop_grace_period = Some(Seconds(number(line.value)?));
            }
            ("Service", "MemoryMax") => service.mem_limit = Some(ByteSize(number(line.value)?)),
            ("Install", "WantedBy") => self.at_boot = true,
            (OWN, "Project") => line.value.clone_into(&mut found.project),
            (OWN, "Service") => line.value.clone_into(&mut found.name),
            (OWN, "Directory") => found.dir = unpath(line.value)?,
            (OWN, "Publish") => service.ports.push(one(line.value)?),
            (OWN, "Label") => service.labels.extend([pair(line.value)?]),
            (section, key) => return Err(format!("homelab writes no `{key}={}` in [{section}]", line.value)),
        }
        Ok(())
    }

    fn finish(self, found: &mut Installed) -> Result<(), String> {
        if found.service.entrypoint.is_none() {
            return Err("the unit has no `ExecStart`".to_owned());
        }
        found.service.env_file = installed::relative(&self.files, &found.dir)?;
        found.service.restart = Some(match (self.restart.as_str(), self.tries, self.at_boot) {
            ("always", None, true) => "always".to_owned(),
            ("on-failure", None, false) => "on-failure".to_owned(),
            ("on-failure", Some(tries), false) => format!("on-failure:{}", tries.saturating_sub(1)),
            ("no", None, false) => "no".to_owned(),
            _ => return Err("`Restart`, `StartLimitBurst` and [Install] do not go together".to_owned()),
        });
        Ok(())
    }
}

fn exec(value: &str, service: &mut Service) -> Result<(), String> {
    if service.entrypoint.is_some() {
        return Err("a unit of homelab's has one `ExecStart`".to_owned());
    }
    let words = words(value)?.into_iter().map(|word| single(&word, '$')).collect::<Result<Vec<_>, _>>()?;
    installed::split(words, service);
    Ok(())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number"))
}

/// The one word of a value.
fn one(value: &str) -> Result<String, String> {
    match <[String; 1]>::try_from(words(value)?) {
        Ok([word]) => Ok(word),
        Err(_) => Err("this is not one word: quote it".to_owned()),
    }
}

fn unpath(value: &str) -> Result<String, String> {
    single(value, '%')
}

/// Text in which a character stands for itself only when it is doubled.
fn single(text: &str, mark: char) -> Result<String, String> {
    let twice = format!("{mark}{mark}");
    let plain = text.replace(&twice, "\u{0}");
    if plain.contains(mark) {
        return Err(format!(
            "`{text}`: homelab lets systemd put nothing in; a literal `{mark}` is written `{twice}`"
        ));
    }
    Ok(plain.replace('\u{0}', &mark.to_string()))
}

/// The words of a value, unquoted.
fn words(value: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut chars = value.chars();
    let mut word: Option<String> = None;
    let mut quote = None;
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().push(escape(&mut chars)?),
            c if c.is_whitespace() && quote.is_none() => all.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    all.extend(word);
    all.iter().map(|word| single(word, '%')).collect()
}

fn escape(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    match chars.next() {
        Some(c @ ('"' | '\\' | '\'')) => Ok(c),
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('x') => {
            let digits: String = chars.by_ref().take(2).collect();
            let code = u8::from_str_radix(&digits, 16).ok().filter(|code| code.is_ascii() && *code != 0);
            code.map(char::from).ok_or_else(|| format!("`\\x{digits}` is no character"))
        }
        other => Err(format!("`\\{}` is no escape that homelab writes", other.unwrap_or(' '))),
    }
}

/// What a template is given of a service's restart policy: systemd's word, how often it is started at most, and
/// whether it comes back with the machine: Docker brings back neither `no` nor `on-failure`.
pub(super) fn restart(policy: Option<&str>) -> (&'static str, Option<u64>, bool) {
    match policy {
        None | Some("no") => ("no", None, false),
        Some("on-failure") => ("on-failure", None, false),
        Some(other) => match other.strip_prefix("on-failure:").and_then(|tries| tries.parse::<u64>().ok()) {
            Some(tries) => ("on-failure", Some(tries.saturating_add(1)), false),
            None => ("always", None, true),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 16] = [
        "",
        "a b",
        "it's",
        "say \"hi\"",
        "back\\slash",
        "100%",
        "%h",
        "$HOME",
        "${X}",
        "a\nExecStart=/bin/x",
        "\t",
        "\u{1}",
        ";",
        "#x",
        "ü€",
        "-flag=%%$$",
    ];

    #[test]
    fn whatever_a_word_holds_it_is_read_back_as_that_word() {
        for text in HOSTILE {
            let written = word(text);
            assert!(!written.contains('\n'), "{written}");
            assert_eq!(one(&written).unwrap(), text, "{written}");
        }
        let line = command_line(HOSTILE.into_iter());
        let mut service = Service::default();
        exec(&format!("/bin/x {line}"), &mut service).unwrap();
        assert_eq!(service.entrypoint.unwrap(), ["/bin/x"]);
        assert_eq!(service.command.unwrap(), HOSTILE);
    }

    #[test]
    fn what_systemd_would_put_in_is_refused() {
        for (value, why) in [
            ("/bin/x $HOME", "a literal `$` is written `$$`"),
            ("/bin/x %h", "a literal `%` is written `%%`"),
            ("/bin/x \"a", "a quote is not closed"),
            ("/bin/x \\u1234", "is no escape that homelab writes"),
        ] {
            let error = exec(value, &mut Service::default()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_outside_the_subset_is_refused_with_its_line() {
        let unit = |line: &str| format!("[Service]\nExecStart=/bin/x\nRestart=no\n{line}\n");
        assert_eq!(read(&unit("")).unwrap().service.restart.as_deref(), Some("no"));
        for (line, why) in [
            ("Nice=5", "homelab writes no `Nice=5` in [Service]"),
            ("ExecStart=/bin/y", "a unit of homelab's has one `ExecStart`"),
            ("Type=oneshot", "homelab writes no `Type=oneshot` in [Service]"),
            ("nothing", "this is no `Key=value`"),
            ("Environment=\\", "homelab reads no line that goes on in the next one"),
            ("EnvironmentFile=/etc/passwd", "lies outside the project's directory"),
        ] {
            let error = read(&unit(line)).unwrap_err();
            assert!(error.message.contains(why), "{error:?}");
        }
        assert_eq!(read(&unit("Nice=5")).unwrap_err().line, 4);
        assert_eq!(project_of(&unit("[X-Homelab]\nProject=home")), Some("home".to_owned()));
        assert_eq!(project_of("[Service]\nExecStart=/bin/x"), None);
    }

    #[test]
    fn a_restart_policy_is_docker_s_in_systemd_s_words() {
        assert_eq!(restart(Some("unless-stopped")), ("always", None, true));
        assert_eq!(restart(Some("on-failure:3")), ("on-failure", Some(4), false));
        assert_eq!(restart(Some("no")), ("no", None, false));
    }
}
