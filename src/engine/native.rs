//! How an engine is started where no container runs it.
//! It says where and with what; that it is started is a service manager's business.

use super::Serve;

/// A program of the host's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Native<'a> {
    /// What is started: the program, and perhaps words that come before all others.
    pub program: &'a [String],
    /// The address it listens on.
    pub host: &'a str,
    /// The port it listens on.
    pub port: u16,
}

impl Serve<'_> {
    /// Where its server listens: in its container that is for the engine to say.
    pub(super) fn listens(&self, port: u16) -> (&str, u16) {
        self.native.map_or(("0.0.0.0", port), |native| (native.host, native.port))
    }

    /// How its server is started, if that is not as in a container.
    pub(super) fn program(&self) -> Option<Vec<String>> {
        self.native.map(|native| native.program.to_vec())
    }
}
