//! What a host has for services of its own, outside Docker.
//! Plain data; what fills it is `host::native`.

use std::collections::BTreeMap;

/// What a host has for services of its own, outside Docker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// What would run them; none where there is neither systemd nor launchd.
    pub manager: Option<Manager>,
    /// Who asked, by the host's account.
    pub user: String,
    /// Whether the user's services run while nobody is logged in, and come back with the machine; of a Mac, whether it logs
    /// that user in when it starts.
    pub lingers: bool,
    /// Whether the user's manager runs now; of a Mac, whether that user is logged in at its screen.
    pub runs: bool,
    /// The programs that were looked for, as they are typed, and the absolute path of each that is there.
    pub programs: BTreeMap<String, Option<String>>,
}

impl Native {
    /// Whether the host is a Mac.
    #[must_use]
    pub fn is_mac(&self) -> bool {
        self.manager.is_some_and(Manager::is_launchd)
    }
}

/// What runs services of a host's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// systemd's manager of the SSH user's own services.
    #[default]
    User,
    /// systemd itself: the SSH user is root.
    System,
    /// launchd, for the SSH user's session at the screen of a Mac: services are LaunchAgents.
    Agent,
    /// launchd itself: the SSH user is root, and services are LaunchDaemons.
    Daemon,
}

impl Manager {
    /// Its word in templates.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::Agent => "agent",
            Self::Daemon => "daemon",
        }
    }

    /// Whose manager a word of a host's means; none for any other word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::User, Self::System, Self::Agent, Self::Daemon].into_iter().find(|one| one.word() == word)
    }

    /// Whether it is that of macOS.
    #[must_use]
    pub fn is_launchd(self) -> bool {
        matches!(self, Self::Agent | Self::Daemon)
    }

    /// Whether it is the machine's own, and not that of one user.
    #[must_use]
    pub fn is_system(self) -> bool {
        matches!(self, Self::System | Self::Daemon)
    }
}
