//! What files that a plan replaces or removes hold now, read for a diff.
//! Values of secrets are compared here and go no further: what comes back has names only.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::link::Link;
use super::{Look, Vault, files};
use crate::desired::{Desired, KEYS};
use crate::gateway;
use crate::names::HostName;
use crate::plan::FileChange;
use crate::secret::{Content, Part};
use crate::survey::{Before, Old};

/// Reads every file that is there, from all hosts at the same time.
pub async fn before(
    looks: &BTreeMap<HostName, Look>,
    desired: &Desired,
    changes: &[FileChange],
    vault: &Vault,
) -> Before {
    let reading = changes.iter().filter_map(|change| {
        let (look, path) = (looks.get(&change.host)?, change.old.as_ref()?);
        let host = desired.hosts.get(&change.host)?;
        let new = change.new.as_ref().and_then(|path| host.files.get(path));
        Some(async move {
            let old = old(look.link(), (&host.dir, path), new, vault).await;
            (change.host.clone(), path.clone(), old)
        })
    });
    let mut all = Before::new();
    for (host, path, old) in join_all(reading).await {
        all.entry(host).or_default().insert(path, old);
    }
    all
}

/// What one file holds. Whatever lies in `env/` counts as secret, whoever wrote it.
async fn old(link: &Link, (dir, path): (&str, &str), new: Option<&Content>, vault: &Vault) -> Old {
    let secret = path.starts_with("env/") || new.is_some_and(Content::is_secret);
    let of_edge = path.starts_with(gateway::EDGE_DIRECTORY) && path != gateway::CADDYFILE;
    if of_edge || path.starts_with(KEYS) {
        // A key has no part that may be shown.
        return Old::Variables(BTreeMap::new());
    }
    match files::read(link, &format!("{dir}/{path}")).await {
        Err(why) => Old::Unread(why.what),
        Ok(None) => Old::Plain(vec![]),
        Ok(Some(bytes)) if secret => Old::Variables(variables(&bytes, new, vault)),
        Ok(Some(bytes)) => Old::Plain(bytes),
    }
}

/// The variables of an env file as homelab writes it, a line each, and whether `new` has the same
/// line for each.
fn variables(bytes: &[u8], new: Option<&Content>, vault: &Vault) -> BTreeMap<String, Option<bool>> {
    let lines = |bytes: &[u8]| -> BTreeMap<String, String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.lines().filter_map(pair).collect()
    };
    let line = |part: &Part| match part {
        Part::Env { name, .. } => {
            let one = Content(vec![part.clone()]).fill(|secret| vault.value(secret)).ok();
            Some((name.clone(), one.and_then(|bytes| lines(&bytes).into_values().next())))
        }
        Part::Plain(_) | Part::Secret(_) => None,
    };
    let coming: BTreeMap<String, Option<String>> =
        new.map(|content| content.0.iter().filter_map(line).collect()).unwrap_or_default();
    let same = |(name, value): (String, String)| {
        let same = coming.get(&name).and_then(Option::as_ref).map(|coming| *coming == value);
        (name, same)
    };
    lines(bytes).into_iter().map(same).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::names::Secret;
    use crate::secret::SecretRef;

    fn env(pairs: &[(&str, SecretRef)]) -> Content {
        Content::env_file(&pairs.iter().map(|(name, from)| ((*name).to_owned(), from.clone())).collect())
    }

    #[tokio::test]
    async fn a_secret_is_compared_and_does_not_come_back() {
        let name = HostName::new("here").unwrap();
        let link = Link::open(&Connection { local: true, ..Connection::new(name) }).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (place, file) = (dir.path().to_str().unwrap(), "env/a-00000000.env");
        let mut vault = Vault::default();
        vault.set_root(&Secret::new("root".into()));
        let (kept, changed) = (SecretRef::gateway(), SecretRef::Derived("model/a".into()));
        let old_file = env(&[("KEPT", kept.clone()), ("CHANGED", kept.clone()), ("GONE", kept.clone())]);
        let bytes = old_file.fill(|secret| vault.value(secret)).unwrap();
        files::write(&link, &format!("{place}/{file}"), &bytes, 0o600).await.unwrap();
        let new = env(&[("KEPT", kept), ("CHANGED", changed), ("NEW", SecretRef::Env("X".into()))]);
        let found = old(&link, (place, file), Some(&new), &vault).await;
        let all = [("CHANGED", Some(false)), ("GONE", None), ("KEPT", Some(true))];
        assert_eq!(found, Old::Variables(all.map(|(name, same)| (name.to_owned(), same)).into()));
        // The gateway's host is down: nobody knows the key that is to come.
        let found = old(&link, (place, file), Some(&new), &Vault::default()).await;
        let all = ["CHANGED", "GONE", "KEPT"].map(|name| (name.to_owned(), None));
        assert_eq!(found, Old::Variables(all.into()));
        assert_eq!(old(&link, (place, "none"), None, &vault).await, Old::Plain(vec![]));
        // Nothing of a file that is nothing but a key is taken for a name.
        let file = "keys/prometheus/litellm-00000000.key";
        files::write(&link, &format!("{place}/{file}"), b"sk=1", 0o600).await.unwrap();
        assert_eq!(old(&link, (place, file), None, &vault).await, Old::Variables(BTreeMap::new()));
    }
}
