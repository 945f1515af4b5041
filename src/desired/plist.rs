//! Property lists of launchd's (launchd.plist(5)): what starts a service, and reading them back, strictly, as what runs.
//! A small subset of launchd's keys; every other one is refused, so that what runs is what the file says.

use std::collections::BTreeMap;

use plist::{Dictionary, Value};

use crate::names::{ByteSize, Seconds};

use super::installed::{Installed, relative, split};
use super::unit::Wrong;

/// The key that is ours: launchd passes over those that it does not know.
const OWN: &str = "dev.homelab";

/// What launchd starts: a shell that marks the log with the time, keeps it below a limit, takes the variables of files that
/// only their owner may read, for which launchd has no key, and becomes the program. `$1` is the log; then come the files,
/// `--`, and the program's words. What looks after the log ends with the program.
const RUN: &str = r##"log=$1
shift
mark="#homelab run $(date +%s)"
echo "$mark"
(
  umask 077
  while kill -0 $$ && sleep 60; do
    if [ "$(($(wc -c <"$log")))" -gt 16777216 ]; then cp "$log" "$log.old" && echo "$mark" >"$log"; fi
  done
) </dev/null >/dev/null 2>&1 &
while [ "$1" != -- ]; do
  if [ ! -r "$1" ]; then echo "$1 cannot be read"; exit 1; fi
  while IFS= read -r line || [ -n "$line" ]; do
    case ${line%%=*} in
      '' | *[!A-Za-z0-9_]* | [0-9]* | "$line") ;;
      *) export "$line" ;;
    esac
  done <"$1"
  shift
done
shift
exec "$@"
"##;
/// The words before those of [`RUN`].
const SHELL: [&str; 4] = ["/bin/sh", "-c", RUN, "homelab"];

/// No list of ours has more dictionaries and arrays, one in another; what a reader builds of more may be too deep for it.
const NESTED: usize = 64;

/// All that launchd is to start: `files` hold variables, `program` and its words follow.
pub(super) fn arguments(log: &str, files: &[String], program: Vec<&String>) -> Vec<String> {
    let words = SHELL.into_iter().chain([log]).map(str::to_owned).chain(files.iter().cloned());
    words.chain(["--".to_owned()]).chain(program.into_iter().cloned()).collect()
}

/// A text as XML has it between two tags.
pub(super) fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn parse(list: &str) -> Result<Dictionary, String> {
    if list.matches("<dict").count() + list.matches("<array").count() > NESTED {
        return Err("this is larger than any property list of homelab's".to_owned());
    }
    let read =
        Value::from_reader_xml(list.as_bytes()).map_err(|why| format!("this is no property list: {why}"))?;
    read.into_dictionary().ok_or_else(|| "this is no dictionary".to_owned())
}

/// Whose list that is, whatever else stands in it: its project; none where homelab did not write it.
pub(super) fn project_of(list: &str) -> Option<String> {
    let read = parse(list).ok()?;
    let project = read.get(OWN)?.as_dictionary()?.get("Project")?.as_string()?;
    Some(project.to_owned())
}

/// The same list with what is no part of the service.
///
/// # Errors
/// That it is no list of homelab's.
pub(super) fn to_install(list: &[u8], root_key: &str, keys: &str) -> Result<Vec<u8>, String> {
    let mut read = parse(&String::from_utf8_lossy(list))?;
    let own = read.get_mut(OWN).and_then(Value::as_dictionary_mut);
    let own = own.ok_or_else(|| format!("it has no `{OWN}`"))?;
    own.insert("RootKey".to_owned(), root_key.into());
    own.insert("Keys".to_owned(), keys.into());
    let mut out = Vec::new();
    Value::Dictionary(read).to_writer_xml(&mut out).map_err(|why| why.to_string())?;
    Ok(out)
}

/// Reads a property list.
///
/// # Errors
/// The first key that is outside the subset, with its line.
pub(super) fn read(list: &str) -> Result<Installed, Wrong> {
    let at = |key: &str| {
        let tag = format!("<key>{key}</key>");
        list.lines().position(|line| line.contains(&tag)).map_or(1, |before| before + 1)
    };
    let mut job = Job::default();
    for (key, value) in &parse(list).map_err(|message| Wrong { line: 1, message })? {
        job.take(key, value).map_err(|message| Wrong { line: at(key), message })?;
    }
    job.finish().map_err(|message| Wrong { line: at("ProgramArguments"), message })
}

/// What means something only together with other keys.
#[derive(Default)]
struct Job {
    found: Installed,
    label: String,
    arguments: Vec<String>,
    logs: Vec<String>,
    restart: &'static str,
    /// How often it is started at most, which is not launchd's to count.
    tries: Option<u64>,
    at_boot: bool,
}

impl Job {
    fn take(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let service = &mut self.found.service;
        match key {
            "ThrottleInterval" | "ProcessType" => {}
            "RunAtLoad" if value.as_boolean() == Some(true) => {}
            "Label" => self.label = string(value)?,
            "ProgramArguments" => self.arguments = strings(value)?,
            "EnvironmentVariables" => service.environment = pairs(value)?,
            "KeepAlive" => self.restart = restart(value)?,
            "ExitTimeOut" => service.stop_grace_period = Some(Seconds(number(value)?)),
            "SoftResourceLimits" => {
                for (limit, value) in dictionary(value)? {
                    match limit.as_str() {
                        "NumberOfFiles" => {}
                        "ResidentSetSize" => service.mem_limit = Some(ByteSize(number(value)?)),
                        other => return Err(unknown(other)),
                    }
                }
            }
            "StandardOutPath" | "StandardErrorPath" => self.logs.push(string(value)?),
            OWN => {
                for (key, value) in dictionary(value)? {
                    self.take_own(key, value)?;
                }
            }
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn take_own(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let found = &mut self.found;
        match key {
            "Project" => found.project = string(value)?,
            "Service" => found.name = string(value)?,
            "Directory" => found.dir = string(value)?,
            "RootKey" => found.root_key = Some(string(value)?),
            "Keys" => found.keys = string(value)?,
            "AtBoot" if value.as_boolean() == Some(true) => self.at_boot = true,
            "Tries" => self.tries = Some(number(value)?),
            "Publish" => found.service.ports = strings(value)?,
            "Labels" => found.service.labels = pairs(value)?,
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Installed, String> {
        let found = &mut self.found;
        let label = format!("{}-{}-1", found.project, found.name);
        if self.label != label {
            return Err(format!("`Label` is `{}`, not `{label}`", self.label));
        }
        let shell = "`ProgramArguments` are not homelab's shell, the log, files, `--` and a program";
        let words = self.arguments.strip_prefix(SHELL.map(str::to_owned).as_slice()).ok_or(shell)?;
        let (log, words) = words.split_first().ok_or(shell)?;
        if self.logs != [log.clone(), log.clone()] {
            return Err(format!("`StandardOutPath` and `StandardErrorPath` are both {log}"));
        }
        let end = words.iter().position(|word| word == "--").ok_or(shell)?;
        let program = words[end + 1..].to_vec();
        if program.is_empty() {
            return Err(shell.to_owned());
        }
        found.service.env_file = relative(&words[..end], &found.dir)?;
        split(program, &mut found.service);
        found.service.restart = Some(match (self.restart, self.tries, self.at_boot) {
            ("always", None, true) => "always".to_owned(),
            ("on-failure", None, false) => "on-failure".to_owned(),
            ("on-failure", Some(tries), false) => format!("on-failure:{}", tries.saturating_sub(1)),
            ("", None, false) => "no".to_owned(),
            _ => return Err("`KeepAlive`, `AtBoot` and `Tries` do not go together".to_owned()),
        });
        Ok(self.found)
    }
}

fn unknown(key: &str) -> String {
    format!("homelab writes no such `{key}`")
}

/// Whether it is started again whenever it ends, or when it failed.
fn restart(value: &Value) -> Result<&'static str, String> {
    if let Some(always) = value.as_boolean() {
        return Ok(if always { "always" } else { "" });
    }
    let conditions = dictionary(value)?;
    match conditions.get("SuccessfulExit").and_then(Value::as_boolean) {
        Some(false) if conditions.len() == 1 => Ok("on-failure"),
        _ => Err("`KeepAlive` is true, false or `SuccessfulExit` false".to_owned()),
    }
}

fn dictionary(value: &Value) -> Result<&Dictionary, String> {
    value.as_dictionary().ok_or_else(|| "this is no dictionary".to_owned())
}

fn number(value: &Value) -> Result<u64, String> {
    value.as_unsigned_integer().ok_or_else(|| "this is no whole number".to_owned())
}

/// Readers of XML disagree on other control characters than these two.
fn string(value: &Value) -> Result<String, String> {
    let text = value.as_string().ok_or("this is no string")?;
    match text.chars().find(|c| c.is_control() && !['\n', '\t'].contains(c)) {
        None => Ok(text.to_owned()),
        Some(c) => Err(format!("a property list cannot hold the character U+{:04X}", u32::from(c))),
    }
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    value.as_array().ok_or("this is no array")?.iter().map(string).collect()
}

fn pairs(value: &Value) -> Result<BTreeMap<String, String>, String> {
    dictionary(value)?.iter().map(|(key, value)| Ok((key.clone(), string(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [&str; 12] = [
        "",
        " a  b ",
        "it's",
        "say \"hi\"",
        "back\\slash",
        "a\n</string><key>UserName</key>\n\tb",
        "$HOME `x` $(y)",
        "&amp; &#65; <![CDATA[x]]>",
        "<!-- x -->",
        "--",
        "ü€",
        "%h",
    ];

    /// A list with these words of a program, and what else `change` puts in.
    fn list(words: &[&str], change: impl FnOnce(String) -> String) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let files = ["/home/me/homelab/home/env/a.env".to_owned()];
        let all = arguments("/l/a.log", &files, words.iter().collect());
        let all: String = all.iter().map(|word| format!("<string>{}</string>\n", text(word))).collect();
        change(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\n<key>Label</key><string>home-a-1</string>\n\
             <key>ProgramArguments</key><array>\n{all}</array>\n<key>RunAtLoad</key><true/>\n<key>KeepAlive</key><true/>\n\
             <key>StandardOutPath</key><string>/l/a.log</string>\n<key>StandardErrorPath</key><string>/l/a.log</string>\n\
             <key>dev.homelab</key><dict>\n<key>Project</key><string>home</string>\n<key>Service</key><string>a</string>\n\
             <key>Directory</key><string>/home/me/homelab/home</string>\n<key>AtBoot</key><true/>\n\
             <key>Publish</key><array><string>0.0.0.0:8080:8080</string></array></dict></dict></plist>"
        ))
    }

    #[test]
    fn whatever_a_word_holds_it_is_read_back_as_that_word() {
        let words: Vec<&str> = ["/bin/x"].into_iter().chain(HOSTILE).collect();
        let plain = list(&words, |text| text);
        let installed =
            String::from_utf8(to_install(plain.as_bytes(), "5f3a", "model/a=2").unwrap()).unwrap();
        for text in [plain, installed.clone()] {
            let found = read(&text).unwrap();
            assert_eq!(found.service.entrypoint.unwrap(), ["/bin/x"]);
            assert_eq!(found.service.command.unwrap(), HOSTILE);
            assert_eq!(found.service.env_file, ["./env/a.env"]);
            assert_eq!(found.service.restart.as_deref(), Some("always"));
            assert_eq!(project_of(&text).as_deref(), Some("home"));
        }
        let found = read(&installed).unwrap();
        assert_eq!((found.root_key.as_deref(), found.keys.as_str()), (Some("5f3a"), "model/a=2"));
        // The script that starts it looks for this line.
        assert!(installed.contains("<key>AtBoot</key>\n"), "{installed}");
    }

    #[test]
    fn what_is_outside_the_subset_is_refused_with_its_line() {
        let wrong = |from: &str, to: &str| {
            let text = list(&["/bin/x"], |text| {
                assert!(text.contains(from), "{from}");
                text.replacen(from, to, 1)
            });
            read(&text).unwrap_err()
        };
        let run = "<key>RunAtLoad</key><true/>";
        let nice = wrong(run, "<key>RunAtLoad</key><true/>\n<key>Nice</key><integer>5</integer>");
        assert_eq!(nice.message, "homelab writes no such `Nice`");
        assert!(nice.line > 10, "{nice:?}");
        for (from, to, why) in [
            (run, "<key>RunAtLoad</key><false/>", "homelab writes no such `RunAtLoad`"),
            (">-c<", ">-ec<", "are not homelab's shell"),
            ("sleep 60", "sleep 61", "are not homelab's shell"),
            (">/bin/x<", ">\u{1}<", "cannot hold the character U+0001"),
            (">home-a-1<", ">home-b-1<", "`Label` is `home-b-1`, not `home-a-1`"),
            (">/l/a.log<", ">/l/b.log<", "`StandardOutPath` and `StandardErrorPath` are both /l/b.log"),
            ("/homelab/home/env/a.env", "/other/a.env", "lies outside the project's directory"),
            ("<key>AtBoot</key><true/>", "", "do not go together"),
            (
                "<key>KeepAlive</key><true/>",
                "<key>KeepAlive</key><dict><key>Crashed</key><true/></dict>",
                "`KeepAlive` is true",
            ),
            ("</dict></plist>", "", "this is no property list"),
        ] {
            let error = wrong(from, to);
            assert!(error.message.contains(why), "{to}: {error:?}");
        }
        assert_eq!(project_of("<plist version=\"1.0\"><dict/></plist>"), None);
    }

    #[test]
    fn a_list_that_is_deeper_than_ours_is_not_read() {
        let deep = format!("<plist version=\"1.0\">{}", "<array>".repeat(200_000));
        assert_eq!(read(&deep).unwrap_err().message, "this is larger than any property list of homelab's");
    }

    #[test]
    fn a_restart_policy_is_docker_s_in_launchd_s_words() {
        let failing = "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>";
        let policy = |keep: &str, own: &str| {
            let text = list(&["/bin/x"], |text| {
                let text = text.replacen("<key>KeepAlive</key><true/>", keep, 1);
                text.replacen("<key>AtBoot</key><true/>", own, 1)
            });
            read(&text).unwrap().service.restart.unwrap()
        };
        assert_eq!(policy("", ""), "no");
        assert_eq!(policy(failing, ""), "on-failure");
        assert_eq!(policy(failing, "<key>Tries</key><integer>4</integer>"), "on-failure:3");
    }
}
