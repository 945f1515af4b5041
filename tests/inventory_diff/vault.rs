//! What the real `ansible-vault` encrypts, homelab opens: texts of every length around its blocks, odd ones, odd
//! passwords, with and without an id.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use homelab::host::password;
use homelab::inventory::{Given, Keyring, Password, Values, load};
use homelab::secret::SecretRef;

use crate::ansible::venv;

/// A password file, the id, and whether it is a script.
const PASSWORDS: [(&str, &str, &str); 3] = [
    ("plain", "default", "  hunter2 \n"),
    ("prod-client", "prod", "#!/bin/sh\nprintf ' of %s ü\\n' \"$2\"\n"),
    (
        "dev.sh",
        "dev",
        "#!/bin/sh\nprintf '%s' '\u{1f511} long, longer than a block of the hash: \
      0123456789012345678901234567890123456789\n'\n",
    ),
];

fn texts() -> Vec<String> {
    let lengths = [1, 15, 16, 17, 31, 32, 33, 4096]
        .into_iter()
        .map(|length| "0123456789".chars().cycle().take(length).collect());
    let odd = [
        "ü€\u{1f511}",
        "two\nlines",
        "ends in a line break\n",
        " blanks ",
        "{{ not_a_template }}",
        "'\"\\%s$(x)",
    ];
    lengths.chain(odd.map(str::to_owned)).collect()
}

/// A text that a template comes to: what is in a file that is encrypted as a whole may be one.
fn raw(text: &str) -> String {
    if text.contains("{{") { format!("{{% raw %}}{text}{{% endraw %}}") } else { text.to_owned() }
}

fn ansible_vault(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(venv().join("bin/ansible-vault"))
        .args(args)
        .current_dir(dir)
        .env("ANSIBLE_CONFIG", "/nowhere/ansible.cfg")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_ansible_encrypts_is_opened() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("group_vars/all")).unwrap();
    fs::write(path("hosts"), "h\n").unwrap();
    let mut values = String::new();
    let mut passwords = Vec::new();
    for (file, id, text) in PASSWORDS {
        fs::write(path(file), text).unwrap();
        let mode = if text.starts_with("#!") { 0o700 } else { 0o600 };
        fs::set_permissions(path(file), fs::Permissions::from_mode(mode)).unwrap();
        let source = format!("{id}@{file}");
        let mut args: Vec<String> = ["encrypt_string", "--vault-id", &source].map(str::to_owned).into();
        let mut whole = String::new();
        for (index, text) in texts().iter().enumerate() {
            args.extend(["-n".to_owned(), format!("{id}_single_{index}")]);
            writeln!(whole, "{id}_whole_{index}: {}", serde_json::to_string(&raw(text)).unwrap()).unwrap();
        }
        args.extend(texts());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        values += &ansible_vault(dir.path(), &args);
        let name = format!("group_vars/all/{id}.yml");
        fs::write(path(&name), whole).unwrap();
        ansible_vault(dir.path(), &["encrypt", "--vault-id", &source, &name]);
        let read = path(file);
        passwords.push(Password::new(id, file, move || password::read(&read, Some(id))));
    }
    fs::write(path("group_vars/all/values.yml"), values).unwrap();
    let given = Given {
        inventories: vec![path("hosts")],
        extra_vars: vec![],
        cwd: dir.path().into(),
        env: BTreeMap::new(),
        keys: Arc::new(Keyring::new(passwords, Values::Opened)),
    };
    let inventory = load(&given).unwrap_or_else(|problems| panic!("{problems}"));
    let host = inventory.hosts.values().next().unwrap();
    for (_, id, _) in PASSWORDS {
        for (index, text) in texts().iter().enumerate() {
            for name in [format!("{id}_single_{index}"), format!("{id}_whole_{index}")] {
                let node = host.value(&name).unwrap().unwrap();
                match node.as_vaulted().unwrap() {
                    Some(SecretRef::Opened(secret)) => assert_eq!(secret.reveal(), text, "{name}"),
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    }
}
