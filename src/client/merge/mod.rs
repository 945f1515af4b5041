//! Merging settings into a text that its owner wrote: what is not ours stays, with comments and order.
//! What cannot be understood as a whole is refused, never overwritten.

mod env;
mod json;
mod toml;

use std::sync::Arc;

use super::settings::{Change, File, Format};
use crate::diagnostic::{Diagnostic, Origin, Source};

/// Why a text cannot be merged into: a sentence fragment, and where in bytes, if it is at one place.
struct Wrong(String, Option<usize>);

/// The text with everything in it that belongs there; the same text if nothing is missing.
///
/// # Errors
/// What is wrong with the file, of which `name` is the path that its owner knows.
pub fn merge(name: &str, text: &str, file: &File) -> Result<String, Diagnostic> {
    let merged = match file.format {
        Format::Json => json::merge(text, &file.changes),
        Format::Toml => toml::merge(text, &file.changes),
        Format::Env => env::merge(text, &file.changes),
    };
    merged.map_err(|Wrong(why, at)| {
        let hint = "mend it by hand, then again; nothing was written";
        match at {
            Some(at) => Diagnostic::error(&origin(name, text, at), why).hint(hint),
            None => Diagnostic::everywhere(format!("{name}: {why}")).hint(hint),
        }
    })
}

/// The place of a byte.
fn origin(name: &str, text: &str, at: usize) -> Origin {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    Origin { source, line, column, length: 1 }
}

/// A path as an error names it.
fn named(path: &[String]) -> String {
    format!("`{}`", path.join("."))
}
