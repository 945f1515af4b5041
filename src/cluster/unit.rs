//! What services of all kinds share on their way from what the user said: paths, files, labels, Compose's keys.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::engine::Gpus;
use crate::secret::Content;
use crate::service::{Runtime, Service, label};

use super::Config;
use super::overlay::Overlay;

/// What files of the user's hold, by their path in the inventory; or why one cannot be read.
pub type LocalFiles = BTreeMap<String, Result<Vec<u8>, String>>;

/// The SSH user's home directory, or `~` where it is not known.
#[derive(Clone, Copy)]
pub(super) struct Home<'a>(pub(super) &'a str);

impl Home<'_> {
    pub(super) fn expand(self, path: &str) -> String {
        expanded(path, self.0)
    }
}

/// A path on a host with `~` as its home directory.
#[must_use]
pub fn expanded(path: &str, home: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    }
}

pub(super) fn labels(role: &str, engine: &str, health: &str, gpus: &Gpus) -> BTreeMap<String, String> {
    let gpus = gpus.to_string();
    let pairs = [(label::ROLE, role), (label::ENGINE, engine), (label::HEALTH, health), (label::GPUS, &gpus)];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The user's Compose keys over ours, and `~` made absolute.
pub(super) fn finish(base: Service, overlay: &Overlay, home: Home<'_>) -> Service {
    let mut base = base;
    // As Compose merges them: of two mounts at one place in the container the user's is meant.
    let target = |volume: &String| volume.split(':').nth(1).map(|path| path.trim_end_matches('/').to_owned());
    base.volumes.retain(|ours| overlay.service.volumes.iter().all(|theirs| target(theirs) != target(ours)));
    let mut service = overlay.service.clone().laid_over(base);
    if overlay.service.shm_size.is_some() && overlay.service.ipc.is_none() {
        // A size for /dev/shm means nothing in the host's own.
        service.ipc = None;
    }
    for variable in overlay.secrets.keys() {
        service.environment.remove(variable);
    }
    service.networks.dedup();
    for volume in &mut service.volumes {
        *volume = home.expand(volume);
    }
    if service.runtime() == Runtime::Native {
        let words = service.entrypoint.iter_mut().chain(&mut service.command).flatten();
        words.chain(service.environment.values_mut()).for_each(|text| {
            if text.starts_with("~/") {
                *text = home.expand(text);
            }
        });
    }
    service
}

pub(super) fn configs(overlay: &Overlay, files: &LocalFiles) -> Result<BTreeMap<String, Config>, Diagnostic> {
    let one = |(target, file): (&String, &super::LocalFile)| {
        let content = match files.get(&file.path) {
            Some(Ok(bytes)) => Content::plain(bytes.clone()),
            Some(Err(why)) => {
                let unread =
                    Diagnostic::error(&file.origin, format!("`{}` cannot be read: {why}", file.path));
                return Err(unread.hint("its path is taken from the inventory's directory"));
            }
            None => return Err(Diagnostic::error(&file.origin, format!("`{}` was not read", file.path))),
        };
        let name = file.path.rsplit('/').next().unwrap_or("file").to_owned();
        Ok((target.clone(), Config { name, content }))
    };
    overlay.configs.iter().map(one).collect()
}
