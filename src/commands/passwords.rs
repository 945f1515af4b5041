//! The passwords of Ansible Vault that the command line and the environment name, in Ansible's order.
//! None is read or asked for here; each is when something needs it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::VaultArgs;
use crate::host;
use crate::inventory::{DEFAULT_ID, Password};
use crate::ui;

/// All of them: by ids of the environment, by ids, from files, from the environment's file, and asked for.
pub(super) fn all(args: &VaultArgs, env: &BTreeMap<String, String>) -> Vec<Password> {
    let env = |name: &str| env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let list = env("ANSIBLE_VAULT_IDENTITY_LIST").unwrap_or_default().split(',').map(str::trim);
    let ids = list.filter(|id| !id.is_empty()).chain(args.ids.iter().map(String::as_str)).map(named);
    let last = env("ANSIBLE_VAULT_PASSWORD_FILE").map(PathBuf::from);
    let files = args.password_files.iter().cloned().chain(last).map(|path| from_file(None, path));
    let asked = args.ask.then(|| asked_for(DEFAULT_ID, "Vault password".to_owned()));
    ids.chain(files).chain(asked).collect()
}

/// `--vault-id [ID@]SOURCE`, cut at the first `@`.
fn named(text: &str) -> Password {
    let (id, source) = match text.split_once('@') {
        Some((id, source)) => (Some(id), source),
        None => (None, text),
    };
    match source {
        "prompt" | "prompt_ask_vault_pass" => {
            let id = id.unwrap_or(DEFAULT_ID);
            asked_for(id, format!("Vault password ({id})"))
        }
        path => from_file(id.map(str::to_owned), PathBuf::from(path)),
    }
}

fn from_file(id: Option<String>, path: PathBuf) -> Password {
    let from = path.display().to_string();
    let name = id.clone().unwrap_or_else(|| DEFAULT_ID.to_owned());
    Password::new(name, from, move || host::password::read(&path, id.as_deref()))
}

fn asked_for(id: &str, prompt: String) -> Password {
    Password::new(id, "the terminal", move || {
        let typed = ui::ask::hidden(&prompt)?;
        match typed.trim() {
            "" => Err("nothing was typed".to_owned()),
            password => Ok(Zeroizing::new(password.as_bytes().to_vec())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stand_in_ansibles_order() {
        let env = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let args = VaultArgs {
            password_files: vec!["p1".into(), "p2".into()],
            ids: vec!["dev@d@1".into(), "f".into(), "prod@prompt".into()],
            ask: true,
        };
        let env = env(&[
            ("ANSIBLE_VAULT_IDENTITY_LIST", "x@y, z"),
            ("ANSIBLE_VAULT_PASSWORD_FILE", "~/pw"),
            ("OTHER", "o"),
        ]);
        let shown: Vec<String> = all(&args, &env).iter().map(|p| format!("{p:?}")).collect();
        assert_eq!(
            shown,
            [
                "x from y",
                "default from z",
                "dev from d@1",
                "default from f",
                "prod from the terminal",
                "default from p1",
                "default from p2",
                "default from ~/pw",
                "default from the terminal"
            ]
        );
        assert!(
            all(&VaultArgs { password_files: vec![], ids: vec![], ask: false }, &BTreeMap::new()).is_empty()
        );
    }
}
