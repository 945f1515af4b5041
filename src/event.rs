//! What happened while a plan was carried out: to which host, service and step.
//! The work sends events; only `ui` shows them.

use crate::names::{HostName, ServiceName};
use crate::survey::Failure;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The host.
    pub host: HostName,
    /// The service, if it is about one.
    pub service: Option<ServiceName>,
    /// The step in words: `pulling IMAGE`, `waiting until it answers`.
    pub step: String,
    /// What happened to it.
    pub happened: Happened,
}

/// What happened to a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// It began.
    Began,
    /// It goes on: how far, where that is known.
    Goes {
        /// In a few words.
        what: String,
        /// Done and total, in bytes or percent.
        of: Option<(u64, u64)>,
    },
    /// It goes on although something is not as it should be.
    Warned(String),
    /// It is done.
    Done,
    /// It failed.
    Failed(Failure),
    /// It was not begun, because something it depends on failed.
    Skipped,
}

/// Where events go.
pub type Sender = tokio::sync::mpsc::UnboundedSender<Event>;
