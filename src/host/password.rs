//! Passwords of Ansible Vault, from files and scripts on this machine.
//! It hands them out and keeps none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::home_relative;
use crate::inventory::Bytes;

/// The password in a file, or what it prints if it is a script: as in Ansible, one that may be executed is.
/// A script `NAME-client` is asked for the vault id.
///
/// # Errors
/// Says why there is none, without the file's name.
pub fn read(path: &Path, id: Option<&str>) -> Result<Bytes, String> {
    let path = path.to_str().map_or_else(|| path.to_owned(), home_relative);
    let metadata = std::fs::metadata(&path).map_err(|e| format!("it cannot be read: {e}"))?;
    if metadata.is_dir() {
        return Err("it is a directory".into());
    }
    let password = Zeroizing::new(if metadata.permissions().mode() & 0o111 != 0 {
        let printed = script(&path, id)?;
        // Of a script's output Ansible takes away line breaks only, of a file all blanks around the password.
        let own = |byte: &u8| !b"\r\n".contains(byte);
        let from = printed.iter().position(own).unwrap_or(printed.len());
        let to = printed.iter().rposition(own).map_or(from, |last| last + 1);
        printed[from..to].to_vec()
    } else {
        let bytes = Zeroizing::new(std::fs::read(&path).map_err(|e| format!("it cannot be read: {e}"))?);
        bytes.trim_ascii().to_vec()
    });
    if password.is_empty() {
        return Err("it is empty".into());
    }
    if password.starts_with(b"$ANSIBLE_VAULT") {
        return Err("it is encrypted by Ansible Vault itself".into());
    }
    Ok(password)
}

fn script(path: &Path, id: Option<&str>) -> Result<Bytes, String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut command = Command::new(absolute);
    let is_client = path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client"));
    if let Some(id) = id.filter(|_| is_client) {
        command.args(["--vault-id", id]);
    }
    // It may ask on the terminal.
    let output = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("it may be executed, and that fails: {e}"))?;
    let printed = Zeroizing::new(output.stdout);
    if output.status.success() { Ok(printed) } else { Err(format!("it ended with {}", output.status)) }
}
