//! `homelab render`: every file that deploy would push, in a directory per host.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Exit;
use super::prepare::{self, Seen};
use crate::cli::{Common, RenderArgs};
use crate::desired::Desired;
use crate::inventory::Values;
use crate::secret::Content;
use crate::survey::RootKey;
use crate::ui;

pub(super) async fn run(common: &Common, args: &RenderArgs) -> Result<Exit> {
    let files = prepare::files(common, if args.with_secrets { Values::Opened } else { Values::Sealed })?;
    let mut seen =
        if args.with_secrets { ui::progress::looking(files.look()).await } else { files.offline() };
    if args.with_secrets
        && seen.survey.root_key == RootKey::Absent
        && let Err(why) = seen.vault.make_root()
    {
        ui::errors::failure("this machine", None, &why);
        return Ok(Exit::Failed);
    }
    let planned = files.plan(&seen);
    let written = planned.and_then(|(desired, _)| write_all(&desired, &seen, args));
    seen.close().await;
    written
}

fn write_all(desired: &Desired, seen: &Seen, args: &RenderArgs) -> Result<Exit> {
    for (host, files) in &desired.hosts {
        for (path, content) in &files.files {
            let bytes = if args.with_secrets {
                match content.fill(|secret| seen.vault.value(secret)) {
                    Ok(bytes) => bytes,
                    Err(why) => {
                        ui::errors::failure(host.as_str(), None, &why);
                        return Ok(Exit::Failed);
                    }
                }
            } else {
                content.redacted()
            };
            let path = args.out.join(host.as_str()).join(path);
            write(&path, &bytes, content).with_context(|| format!("writing {}", path.display()))?;
            ui::out(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// Writes a file with its mode from the start.
fn write(path: &Path, bytes: &[u8], content: &Content) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(content.mode()).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(content.mode()))?;
    file.write_all(bytes)?;
    Ok(())
}
