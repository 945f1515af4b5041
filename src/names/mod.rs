//! Names and quantities of the domain: parsed once, valid from then on.
//! Nothing here reads a file, a clock or the environment.

mod amount;

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use amount::{ByteSize, Seconds};

/// Why a text is not the name or quantity it should be; a sentence fragment without a place. Behind a first `: ` stands
/// what it should be.
pub type Reason = String;

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is a valid name.
            ///
            /// # Errors
            /// Says what a valid name looks like.
            pub fn new(text: impl Into<String>) -> Result<Self, Reason> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Reason;
            fn try_from(text: String) -> Result<Self, Reason> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = Reason;
            fn from_str(text: &str) -> Result<Self, Reason> {
                Self::new(text)
            }
        }
    };
}

text_name!(
    /// A host as the inventory calls it.
    HostName,
    check_host
);
text_name!(
    /// A public name of a model: what clients put into `"model"`. May hold `/` and `:`.
    ModelName,
    check_model
);
text_name!(
    /// A Compose service: lower case letters, digits, `-`, `_` and `.`.
    ServiceName,
    check_service
);
text_name!(
    /// A Compose project: lower case letters, digits, `-` and `_`, a letter or digit first
    /// (Compose's own rule, <https://docs.docker.com/compose/how-tos/project-name/>).
    ProjectName,
    check_project
);

fn check_host(text: &str) -> Result<(), Reason> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/\\\"'`$;&|<>(){}[]*?!#,".contains(c);
    match text {
        "" => Err("a host name must not be empty: give it one".into()),
        _ if text.starts_with('-') => Err(format!(
            "`{text}` starts with `-`, which ssh would take for an option: call the host something else"
        )),
        // Its files lie in a directory of its name.
        _ if text.starts_with('.') => {
            Err(format!("`{text}` starts with `.`, which no host name does: call the host something else"))
        }
        _ if text.len() > 253 => Err("a host name has 253 characters at most: shorten it".into()),
        _ if text.contains(bad) => Err(format!(
            "`{}` has a character no host name has: letters, digits, `-`, `_` and `.`",
            text.escape_debug()
        )),
        _ => Ok(()),
    }
}

fn check_model(text: &str) -> Result<(), Reason> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.chars().all(good) && text.len() <= 128 {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a model name: letters, digits and `-_./:@+`, a letter or digit first, 128 characters at most",
        text.escape_debug()
    ))
}

fn check_service(text: &str) -> Result<(), Reason> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a Compose service name: lower case letters, digits, `-`, `_` and `.`",
        text.escape_debug()
    ))
}

fn check_project(text: &str) -> Result<(), Reason> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let first = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if first && text.chars().all(good) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not a project name: lower case letters, digits, `-` and `_`, a letter or digit first",
        text.escape_debug()
    ))
}

impl ProjectName {
    /// The project of an inventory that names none.
    #[must_use]
    pub fn homelab() -> Self {
        Self("homelab".to_owned())
    }
}

impl ServiceName {
    /// The gateway's service.
    #[must_use]
    pub fn gateway() -> Self {
        Self("litellm".to_owned())
    }

    /// What stands before the gateway.
    #[must_use]
    pub fn edge() -> Self {
        Self("caddy".to_owned())
    }

    /// The service that runs the model of this public name: what Compose does not allow in a
    /// service name becomes `-`.
    #[must_use]
    pub fn of_model(model: &ModelName) -> Self {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) { c.to_ascii_lowercase() } else { '-' }
        };
        Self(model.as_str().chars().map(plain).collect())
    }
}

/// A TCP port, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// LiteLLM's own default.
    pub const LITELLM: Self = Self(NonZeroU16::MIN.saturating_add(3999));
    /// Plain HTTP's, where ACME authorities ask.
    pub const HTTP: Self = Self(NonZeroU16::MIN.saturating_add(79));

    /// Takes `number` if it is a TCP port.
    ///
    /// # Errors
    /// Says which numbers are ports.
    pub fn new(number: i64) -> Result<Self, Reason> {
        u16::try_from(number)
            .ok()
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or_else(|| format!("{number} is not a port: 1 to 65535"))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A secret value. It cannot be printed: no `Display`, and `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not show.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one place that hands it to a host.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_gives_a_service_name() {
        let model = ModelName::new("zai-org/GLM-5.3:Q4").unwrap();
        assert_eq!(ServiceName::of_model(&model).as_str(), "zai-org-glm-5.3-q4");
    }

    #[test]
    fn names_that_would_mislead_a_shell_or_ssh_are_refused() {
        for bad in ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a\u{1b}[31m"] {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
        assert!(HostName::new("gpu-server.lan").is_ok());
        assert!(ModelName::new("{{ x }}").is_err());
        assert!(ProjectName::new("Home").is_err());
    }

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(…)");
    }
}
