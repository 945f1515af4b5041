//! How a host is reached: plain data, and the ssh options an inventory may carry.
//! It opens nothing, resolves no name and reads no file.

use std::path::PathBuf;

use crate::names::{HostName, Port};

/// Where Docker listens unless somebody moved it.
pub const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// How one host is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The host as the inventory calls it.
    pub name: HostName,
    /// What ssh is given to connect to: `ansible_host`, else the name.
    pub address: String,
    /// `ansible_port`; absent leaves it to ssh.
    pub port: Option<Port>,
    /// `ansible_user`; absent leaves it to ssh.
    pub user: Option<String>,
    /// `ansible_ssh_private_key_file`, an absolute path on this machine.
    pub identity: Option<PathBuf>,
    /// `ssh_config` keywords with their values, the first of a kind wins.
    pub ssh_options: Vec<(String, String)>,
    /// Whether the key of a host that was never seen is taken and kept.
    pub accept_new: bool,
    /// `ansible_connection: local`: this machine, without ssh.
    pub local: bool,
    /// Whether it is often off: then nobody waits for it long, and that it does not answer is no failure.
    pub optional: bool,
    /// Docker's socket on the host.
    pub docker_socket: String,
}

impl Connection {
    /// A host with nothing said about it but its name.
    #[must_use]
    pub fn new(name: HostName) -> Self {
        Self {
            address: name.as_str().to_owned(),
            name,
            port: None,
            user: None,
            identity: None,
            ssh_options: Vec::new(),
            accept_new: false,
            local: false,
            optional: false,
            docker_socket: DOCKER_SOCKET.to_owned(),
        }
    }
}

/// What `ansible_ssh_common_args` and its like say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshArgs {
    /// `ssh_config` keywords with their values, in the order they were given.
    pub options: Vec<(String, String)>,
    /// Whether something that would switch host key checking off was left out: homelab's own
    /// setting always wins, and the user should be told.
    pub host_key_checking_dropped: bool,
}

/// Reads the arguments an inventory hands to ssh (`-o ProxyJump=bastion -p 2222`) as
/// `ssh_config` keywords, so that they can stand in a configuration file.
///
/// # Errors
/// Names the option that is not known, or says what is wrong with the quoting.
pub fn parse_ssh_args(text: &str) -> Result<SshArgs, String> {
    let mut args = SshArgs::default();
    let mut words = split_words(text)?.into_iter();
    while let Some(word) = words.next() {
        let unknown = |what: &str| {
            format!(
                "`{what}` is not an option of ssh that homelab knows: write it as `-o Keyword=value`, or into ~/.ssh/config"
            )
        };
        let Some(flags) = word.strip_prefix('-').filter(|f| !f.is_empty() && !f.starts_with('-')) else {
            return Err(unknown(&word));
        };
        for (at, flag) in flags.char_indices() {
            if let Some(option) = plain_flag(flag) {
                args.options.extend(option.map(|(k, v)| (k.to_owned(), v.to_owned())));
                continue;
            }
            let keyword = valued_flag(flag).ok_or_else(|| unknown(&format!("-{flag}")))?;
            let rest = &flags[at + flag.len_utf8()..];
            let value = match rest {
                "" => words.next().ok_or_else(|| format!("`-{flag}` needs a value: `-{flag} VALUE`"))?,
                rest => rest.to_owned(),
            };
            args.add(option(keyword, &value)?);
            break;
        }
    }
    Ok(args)
}

impl SshArgs {
    fn add(&mut self, (keyword, value): (String, String)) {
        // `/dev/null` for a list of known hosts is the other half of the same switch: with
        // strict checking it would make every host unknown.
        let dropped = keyword.eq_ignore_ascii_case("StrictHostKeyChecking")
            || ((keyword.eq_ignore_ascii_case("UserKnownHostsFile")
                || keyword.eq_ignore_ascii_case("GlobalKnownHostsFile"))
                && value.trim_matches('"') == "/dev/null");
        if dropped {
            self.host_key_checking_dropped = true;
        } else {
            self.options.push((keyword, value));
        }
    }
}

/// Flags without a value; the inner `None` marks those that mean nothing to a connection
/// that no person looks at.
fn plain_flag(flag: char) -> Option<Option<(&'static str, &'static str)>> {
    Some(match flag {
        'A' => Some(("ForwardAgent", "yes")),
        'a' => Some(("ForwardAgent", "no")),
        'C' => Some(("Compression", "yes")),
        'X' => Some(("ForwardX11", "yes")),
        'x' => Some(("ForwardX11", "no")),
        'K' => Some(("GSSAPIAuthentication", "yes")),
        'k' => Some(("GSSAPIDelegateCredentials", "no")),
        '4' => Some(("AddressFamily", "inet")),
        '6' => Some(("AddressFamily", "inet6")),
        'q' | 'v' | 'T' | 'n' => None,
        _ => return None,
    })
}

/// Flags with a value, and the keyword for it; `-o` brings its own.
fn valued_flag(flag: char) -> Option<&'static str> {
    Some(match flag {
        'o' => "",
        'i' => "IdentityFile",
        'p' => "Port",
        'J' => "ProxyJump",
        'l' => "User",
        'F' => "Include",
        'b' => "BindAddress",
        'B' => "BindInterface",
        'c' => "Ciphers",
        'm' => "MACs",
        'I' => "PKCS11Provider",
        _ => return None,
    })
}

fn option(keyword: &str, value: &str) -> Result<(String, String), String> {
    if keyword.is_empty() {
        return keyword_and_value(value);
    }
    let spaced = value.contains(char::is_whitespace);
    Ok((keyword.to_owned(), if spaced { format!("\"{value}\"") } else { value.to_owned() }))
}

/// `Key=value`, `Key value` or `Key = value`, as `ssh -o` takes it.
fn keyword_and_value(text: &str) -> Result<(String, String), String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim();
    if keyword.is_empty() || value.is_empty() {
        return Err(format!("`-o {text}` is not `-o Keyword=value`: write it like that"));
    }
    Ok((keyword.to_owned(), value.to_owned()))
}

/// Splits as a shell would: blanks separate, quotes and backslashes keep together.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    // A control character could end the line of the configuration file and begin another.
    if let Some(bad) = text.chars().find(|c| c.is_control() && !c.is_whitespace()) {
        return Err(format!("there is a control character, {}, in it: type it anew", bad.escape_debug()));
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => quoted(&mut chars, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut chars, '"', word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("it ends in a backslash: take it away".into()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match words.iter().any(|w| w.contains(['\n', '\r'])) {
        true => Err("there is a line break inside quotes: write it in one line".into()),
        false => Ok(words),
    }
}

fn quoted(chars: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match chars.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err(format!("a {quote} is never closed: close it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Vec<(String, String)> {
        parse_ssh_args(text).unwrap().options
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn the_usual_spellings_become_keywords() {
        for text in [
            "-o ProxyJump=me@bastion -p 2222 -A",
            "-oProxyJump=me@bastion -p2222 -A",
            "-o 'ProxyJump me@bastion' -o \"Port = 2222\" -qA",
            "-J me@bastion -o Port=2222 -vvv -o ForwardAgent\\ yes",
        ] {
            let expected =
                [pair("ProxyJump", "me@bastion"), pair("Port", "2222"), pair("ForwardAgent", "yes")];
            assert_eq!(options(text), expected, "{text}");
        }
    }

    #[test]
    fn a_command_keeps_its_blanks() {
        assert_eq!(
            options("-o ProxyCommand=\"ssh -W %h:%p -q jump\" -i '/home/me/my key' -F ./ssh_config"),
            [
                pair("ProxyCommand", "ssh -W %h:%p -q jump"),
                pair("IdentityFile", "\"/home/me/my key\""),
                pair("Include", "./ssh_config")
            ]
        );
        assert_eq!(options("  "), []);
        assert_eq!(
            options("-4C6"),
            [pair("AddressFamily", "inet"), pair("Compression", "yes"), pair("AddressFamily", "inet6")]
        );
    }

    #[test]
    fn host_key_checking_cannot_be_switched_off_here() {
        let args =
            parse_ssh_args("-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5");
        assert_eq!(
            args.unwrap(),
            SshArgs { options: vec![pair("ConnectTimeout", "5")], host_key_checking_dropped: true }
        );
        let args = parse_ssh_args("-o UserKnownHostsFile=~/.ssh/lab").unwrap();
        assert!(!args.host_key_checking_dropped);
        assert_eq!(args.options, [pair("UserKnownHostsFile", "~/.ssh/lab")]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, error) in [
            (
                "-Z",
                "`-Z` is not an option of ssh that homelab knows: write it as `-o Keyword=value`, or into ~/.ssh/config",
            ),
            (
                "--help",
                "`--help` is not an option of ssh that homelab knows: write it as `-o Keyword=value`, or into ~/.ssh/config",
            ),
            (
                "host",
                "`host` is not an option of ssh that homelab knows: write it as `-o Keyword=value`, or into ~/.ssh/config",
            ),
            ("-A -p", "`-p` needs a value: `-p VALUE`"),
            ("-o", "`-o` needs a value: `-o VALUE`"),
            ("-o Compression", "`-o Compression` is not `-o Keyword=value`: write it like that"),
            ("-o 'User=x", "a ' is never closed: close it"),
            ("-o \"User=x", "a \" is never closed: close it"),
            ("-o User=x\\", "it ends in a backslash: take it away"),
            ("-o 'User=x\nProxyCommand=y'", "there is a line break inside quotes: write it in one line"),
            ("-o User=\u{7}", "there is a control character, \\u{7}, in it: type it anew"),
        ] {
            assert_eq!(parse_ssh_args(text), Err(error.to_owned()), "{text}");
        }
    }
}
