//! Secrets by reference: where a value comes from. Only what stands in the inventory itself, in an Ansible
//! Vault, is here as a value.
//! Texts that need secrets carry the references; `host::vault` alone fills them in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::names::{ModelName, Secret};

/// What a value out of an Ansible Vault is called where it must not show.
pub const VAULT: &str = "vault";

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// An environment variable of the machine homelab runs on.
    Env(String),
    /// A file of that machine, without its last line break.
    File {
        /// Its path as it was typed: names of files on hosts are made from that, so it must not depend on where
        /// homelab runs.
        path: String,
        /// The directory a relative path begins in: that of the file it is typed in.
        from: PathBuf,
    },
    /// What a command on that machine prints, without its last line break. Never a shell.
    Command(Vec<String>),
    /// Derived from the root key for this purpose: `gateway`, `model/NAME`.
    Derived(String),
    /// What came out of an Ansible Vault.
    Opened(Secret),
    /// What an Ansible Vault holds, not opened: its text, or what was made of it without opening it. There is
    /// no value to have, but two that differ here may differ.
    Sealed(Secret),
}

impl SecretRef {
    /// The key of a model's server, derived from the root key.
    #[must_use]
    pub fn model(name: &ModelName) -> Self {
        Self::Derived(format!("model/{name}"))
    }

    /// The gateway's master key when nobody gives one.
    #[must_use]
    pub fn gateway() -> Self {
        Self::Derived("gateway".to_owned())
    }

    /// What to call it where its value must not show.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Env(name) => format!("env {name}"),
            Self::File { path, .. } => format!("file {path}"),
            Self::Command(argv) => format!("command {}", argv.first().map_or("", String::as_str)),
            Self::Derived(purpose) => format!("key {purpose}"),
            Self::Opened(_) | Self::Sealed(_) => VAULT.to_owned(),
        }
    }
}

/// How to log in to a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who logs in.
    pub username: String,
    /// With which password or token.
    pub password: SecretRef,
}

/// What tells two values of a secret apart without showing either.
/// A secret that is not listed has no value yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(pub BTreeMap<SecretRef, String>);

impl Versions {
    /// The version of that secret; `new` for one that has no value yet.
    #[must_use]
    pub fn of(&self, secret: &SecretRef) -> &str {
        self.0.get(secret).map_or("new", String::as_str)
    }
}

/// The content of a file that may hold secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content(pub Vec<Part>);

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that may be shown.
    Plain(Vec<u8>),
    /// `NAME='value'` in the syntax of Compose's env files, with the value of a secret.
    Env {
        /// The variable.
        name: String,
        /// Its value.
        secret: SecretRef,
    },
    /// A secret as it is, and nothing else of the file.
    Secret(SecretRef),
}

impl Content {
    /// Content without secrets.
    #[must_use]
    pub fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        Self(vec![Part::Plain(bytes.into())])
    }

    /// An env file: one line per variable.
    #[must_use]
    pub fn env_file(variables: &BTreeMap<String, SecretRef>) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, secret)| Part::Env { name: name.clone(), secret: secret.clone() })
                .collect(),
        )
    }

    /// A file that is one secret, such as a private key.
    #[must_use]
    pub fn secret(secret: SecretRef) -> Self {
        Self(vec![Part::Secret(secret)])
    }

    /// The secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.0.iter().filter_map(|part| match part {
            Part::Env { secret, .. } | Part::Secret(secret) => Some(secret),
            Part::Plain(_) => None,
        })
    }

    /// The variables of an env file.
    pub fn variables(&self) -> impl Iterator<Item = (String, SecretRef)> {
        self.0.iter().filter_map(|part| match part {
            Part::Env { name, secret } => Some((name.clone(), secret.clone())),
            Part::Plain(_) | Part::Secret(_) => None,
        })
    }

    /// Whether it holds a secret, so that only its owner may read it.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// The permission bits of its file: containers that run as nobody read plain ones too.
    #[must_use]
    pub fn mode(&self) -> u32 {
        if self.is_secret() { 0o600 } else { 0o644 }
    }

    /// The bytes, if nothing in them is secret.
    #[must_use]
    pub fn as_plain(&self) -> Option<Vec<u8>> {
        let plain = |part: &Part| match part {
            Part::Plain(bytes) => Some(bytes.clone()),
            Part::Env { .. } | Part::Secret(_) => None,
        };
        self.0.iter().map(plain).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
    }

    /// The bytes with `fill` standing in for each secret's value.
    ///
    /// # Errors
    /// The first that `fill` gives.
    pub fn fill<E>(&self, fill: impl Fn(&SecretRef) -> Result<Secret, E>) -> Result<Vec<u8>, E> {
        let mut out = Vec::new();
        for part in &self.0 {
            match part {
                Part::Plain(bytes) => out.extend_from_slice(bytes),
                Part::Env { name, secret } => {
                    out.extend_from_slice(
                        format!("{name}={}\n", env_quoted(fill(secret)?.reveal())).as_bytes(),
                    );
                }
                Part::Secret(secret) => {
                    out.extend_from_slice(format!("{}\n", fill(secret)?.reveal()).as_bytes())
                }
            }
        }
        Ok(out)
    }

    /// The same as text for people: each secret as `<env NAME>`.
    #[must_use]
    pub fn redacted(&self) -> Vec<u8> {
        let part = |part: &Part| match part {
            Part::Plain(bytes) => bytes.clone(),
            Part::Env { name, secret } => format!("{name}=<{}>\n", secret.label()).into_bytes(),
            Part::Secret(secret) => format!("<{}>\n", secret.label()).into_bytes(),
        };
        self.0.iter().flat_map(part).collect()
    }
}

/// A value as Compose's env-file syntax takes it literally: single quotes keep everything but a
/// single quote; double quotes take escapes (<https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax>).
fn env_quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r', '\\']) {
        return format!("'{value}'");
    }
    let mut out = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' | '$' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content::env_file(&BTreeMap::from([("HF_TOKEN".to_owned(), SecretRef::Env("TOKEN".into()))]))
    }

    #[test]
    fn a_secret_shows_only_where_it_is_filled_in() {
        assert_eq!(content().redacted(), b"HF_TOKEN=<env TOKEN>\n");
        assert_eq!(content().as_plain(), None);
        assert!(!format!("{:?}", content()).contains("hunter2"));
        assert_eq!(
            content().fill::<()>(|_| Ok(Secret::new("hunter2".into()))),
            Ok(b"HF_TOKEN=hunter2\n".to_vec())
        );
    }

    #[test]
    fn odd_values_are_quoted_as_compose_reads_them() {
        for (value, quoted) in
            [("a$b c", "'a$b c'"), ("it's $5", "\"it's \\$5\""), ("a\nb", "\"a\\nb\""), ("", "''")]
        {
            assert_eq!(env_quoted(value), quoted);
        }
    }
}
