//! How a verb ended, as an exit code.
//! It ends nothing itself.

use std::process::ExitCode;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to do, in sync.
    Done,
    /// Something failed, or is not as it should be.
    Failed,
    /// Changes are pending.
    Pending,
    /// Wrong usage.
    Usage,
    /// The user's files are wrong.
    Files,
    /// Interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Pending => 2,
            Exit::Usage => 64,
            Exit::Files => 65,
            Exit::Interrupted => 130,
        })
    }
}
