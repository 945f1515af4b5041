//! Repositories of Hugging Face's hub that a server loads from, and which commit of each is meant.
//! It asks no hub.

use std::collections::BTreeMap;

use crate::lock::is_commit;

/// Keeps the hub's libraries off the network (huggingface_hub, constants.py).
pub const HUB_OFFLINE: &str = "HF_HUB_OFFLINE";

/// A repository whose commit is left open by what was typed: a branch or a tag may mean another one tomorrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// As the hub calls it: `Qwen/Qwen3-4B-AWQ`.
    pub id: String,
    /// The branch or tag that was typed; none is the main one.
    pub revision: Option<String>,
    /// The commit that it is pinned to.
    pub commit: Option<String>,
}

impl Repository {
    /// With its pin, if it has one; none where a commit was typed, which needs no pin.
    pub(super) fn open(id: &str, revision: Option<&str>, pins: &BTreeMap<String, String>) -> Option<Self> {
        if revision.is_some_and(is_commit) {
            return None;
        }
        let (id, revision) = (id.to_owned(), revision.map(str::to_owned));
        let open = Self { id, revision, commit: None };
        Some(Self { commit: pins.get(&open.key()).cloned(), ..open })
    }

    /// What `homelab.lock` calls it: `Qwen/Qwen3-4B-AWQ`, `Qwen/Qwen3-4B-AWQ@v1`.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.revision {
            Some(revision) => format!("{}@{revision}", self.id),
            None => self.id.clone(),
        }
    }

    /// The branch or tag.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_was_typed_needs_no_pin_and_a_branch_has_its_own() {
        let (main, v1) = ("0".repeat(40), "1".repeat(40));
        let pins = [("a/b".to_owned(), main.clone()), ("a/b@v1".to_owned(), v1.clone())].into();
        let open = |revision| Repository::open("a/b", revision, &pins);
        assert_eq!(open(None).unwrap().commit, Some(main));
        assert_eq!(
            open(Some("v1")).map(|found| (found.commit.clone(), found.key())),
            Some((Some(v1), "a/b@v1".to_owned()))
        );
        assert_eq!(open(Some("v2")).unwrap().commit, None);
        assert_eq!(open(Some("0123456789012345678901234567890123456789")), None);
    }
}
