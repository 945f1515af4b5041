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

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Usage => 64,
            Self::Files => 65,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
