//! What the tests of all engines share.
//! It is no part of the program.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Engine, Gpus, Kind, Serve};
use crate::names::ModelName;
use crate::service::Who;

/// A model with all that it borrows.
pub(super) struct World {
    pub(super) name: &'static str,
    pub(super) model: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) options: BTreeMap<String, Value>,
    pub(super) args: Vec<String>,
    pub(super) gpus: Gpus,
    pub(super) image: &'static str,
    pub(super) revisions: BTreeMap<String, String>,
}

impl World {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            model: None,
            kind: Kind::Chat,
            options: BTreeMap::new(),
            args: vec![],
            gpus: Gpus::All,
            image: "",
            revisions: BTreeMap::new(),
        }
    }

    pub(super) fn with<T>(&self, what: impl FnOnce(&Serve<'_>) -> T) -> T {
        what(&Serve {
            name: &ModelName::new(self.name).unwrap(),
            model: self.model,
            kind: self.kind,
            options: &self.options,
            args: &self.args,
            gpus: &self.gpus,
            image: self.image,
            api_key: true,
            member: false,
            load: super::Load::Startup,
            ttl: None,
            several: None,
            hf_home: "~/.cache/huggingface",
            revisions: &self.revisions,
            native: None,
        })
    }
}

/// Names in order and only once, none with `-`, none that homelab reads itself, none both free
/// and reserved.
pub(super) fn sorted_and_plain(engine: &dyn Engine) {
    let free: Vec<&str> = engine.options().iter().map(|o| o.name).collect();
    let reserved: Vec<&str> = engine.reserved().iter().map(|(key, _)| *key).collect();
    for names in [&free, &reserved] {
        assert!(names.is_sorted_by(|a, b| a < b), "{}", engine.name());
        for name in names {
            assert!(!name.contains('-'), "{name}");
            let ours = [
                "engine",
                "kind",
                "model",
                "port",
                "gpu",
                "api_key",
                "args",
                "aliases",
                "enabled",
                "prefetch",
                "check_fit",
                "public",
            ];
            let compose =
                crate::service::KEYS.iter().filter(|(_, who)| *who == Who::User).map(|(key, _)| *key);
            assert!(!ours.into_iter().chain(compose).any(|key| key == *name), "{name} is homelab's own key");
        }
    }
    assert!(!free.iter().any(|name| reserved.contains(name)), "{}", engine.name());
}
