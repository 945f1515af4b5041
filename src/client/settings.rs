//! What belongs into a client's file, as data: where the file is, and what must be true of it.
//! It merges nothing.

use serde_json::Value;

/// A file of a client's and what belongs into it.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Where it is.
    pub place: Place,
    /// Whether it may be called `.jsonc` instead, which counts where it is there.
    pub may_be_jsonc: bool,
    /// How it is written.
    pub format: Format,
    /// Whether the gateway's key is in it, so that only its owner may read it.
    pub holds_key: bool,
    /// What must be true of it, in order.
    pub changes: Vec<Change>,
}

/// Where a client looks for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the directory that a variable names, else below the home directory.
    Home {
        /// The variable that may name a directory.
        variable: &'static str,
        /// The file below that directory.
        below: &'static str,
        /// The file below the home directory where the variable is not set.
        otherwise: &'static str,
    },
    /// Below the project's directory.
    Project(&'static str),
}

impl Place {
    /// As a user writes it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Home { otherwise, .. } => format!("~/{otherwise}"),
            Self::Project(path) => (*path).to_owned(),
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, in which comments and commas at the end stay.
    Json,
    /// TOML.
    Toml,
    /// Lines of `NAME=VALUE`.
    Env,
}

/// What must be true of a file. A path leads through maps, and what is on its way is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// There is this text, number or boolean.
    Set(Vec<String>, Value),
    /// There is one of these texts, else the first of them is put there: the user may have chosen another one.
    OneOf(Vec<String>, Vec<String>),
    /// In the map there, if it is there, are no other keys than these.
    Only(Vec<String>, Vec<String>),
}

/// A path from its parts.
#[must_use]
pub fn at(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}
