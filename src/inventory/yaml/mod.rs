//! YAML text into a tree in which every key and value knows its place.
//! It opens no file, and a hostile text costs it no more than its limits.

mod build;
mod error;
mod scalar;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use saphyr_parser::Parser;

use super::Node;
use crate::diagnostic::{Diagnostic, Origin, Source};

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Reads the one document of a YAML or JSON text. An empty text is a null.
///
/// # Errors
/// Says what is no YAML, or more than is reasonable, and where.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let mut builder = build::Builder::new(source);
    for event in Parser::new_from_str(&source.text) {
        let (event, span) = event.map_err(|e| error::syntax(source, &e))?;
        builder.event(event, span)?;
    }
    Ok(builder.finish())
}

/// The beginning of a file, for what is wrong with all of it.
pub(super) fn start(source: &Arc<Source>) -> Origin {
    Origin { source: Arc::clone(source), line: 1, column: 1, length: 1 }
}
