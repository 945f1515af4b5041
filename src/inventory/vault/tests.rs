//! Vaults that the real `ansible-vault` made (tests/data/vault), and what is none.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::diagnostic::Source;

const WHOLE: &str = include_str!("../../../tests/data/vault/whole.yml");
const LABELLED: &str = include_str!("../../../tests/data/vault/labelled.yml");

fn password(id: &str, text: &'static str) -> Password {
    Password::new(id, "a test", move || Ok(Zeroizing::new(text.into())))
}

fn right() -> Password {
    password("default", "correct horse")
}

fn dev() -> Password {
    password("dev", "battery staple")
}

fn open(passwords: Vec<Password>, text: &str) -> Result<Arc<str>, String> {
    let source = Arc::new(Source { name: "v.yml".into(), text: text.into() });
    let origin = Origin { source, line: 1, column: 1, length: 1 };
    Keyring::new(passwords, Values::Opened).open(text, &origin).map_err(|d| {
        let (what, hint) = (d.message, d.hint.unwrap_or_default());
        format!("{what} / {hint}")
    })
}

#[test]
fn both_formats_are_opened() {
    assert!(open(vec![right()], WHOLE).unwrap().starts_with("vault_key: hunter2-whole\n"));
    assert_eq!(&*open(vec![dev()], LABELLED).unwrap(), "dev_key: hunter2-dev\n");
    assert_eq!(&*open(vec![dev()], &LABELLED.replace('\n', "\r\n")).unwrap(), "dev_key: hunter2-dev\n");
}

#[test]
fn the_id_is_a_hint_and_every_password_is_tried() {
    for id in ["prod", "default"] {
        let passwords = vec![right(), password(id, "battery staple")];
        assert_eq!(&*open(passwords, LABELLED).unwrap(), "dev_key: hunter2-dev\n", "{id}");
    }
}

#[test]
fn the_password_of_that_id_is_tried_first_and_the_others_are_not_asked_for() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let ask = |id, text: &'static str| {
        Password::new(id, "a test", move || {
            ASKED.fetch_add(1, Ordering::SeqCst);
            Ok(Zeroizing::new(text.into()))
        })
    };
    let keys = Keyring::new(vec![ask("prod", "x"), ask("dev", "battery staple")], Values::Opened);
    let source = Arc::new(Source { name: "v.yml".into(), text: String::new() });
    let origin = Origin { source, line: 1, column: 1, length: 1 };
    for _ in 0..2 {
        assert!(keys.open(LABELLED, &origin).is_ok());
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    assert!(keys.open(WHOLE, &origin).is_err());
    assert_eq!(ASKED.load(Ordering::SeqCst), 2);
}

#[test]
fn a_wrong_password_says_so_and_a_changed_text_looks_the_same() {
    let wrong = "wrong password: this vault of the id `default` is not opened by default from a test / \
                 if the password is right, the text was changed after it was encrypted: the two look the same";
    assert_eq!(open(vec![password("default", "wrong")], WHOLE).unwrap_err(), wrong);
    // The last byte of the text, the hexadecimal form of a hexadecimal digit.
    let last = WHOLE.trim_end().chars().last().unwrap();
    let changed =
        format!("{}{}\n", WHOLE.trim_end().strip_suffix(last).unwrap(), if last == '1' { '2' } else { '1' });
    assert_eq!(open(vec![right()], &changed).unwrap_err(), wrong);
    let missing = Password::new("dev", "pw", || Err("it cannot be read".into()));
    assert_eq!(
        open(vec![missing, right()], LABELLED).unwrap_err(),
        "wrong password: this vault of the id `dev` is not opened by default from a test; not to be had: dev from \
         pw (it cannot be read) / if the password is right, the text was changed after it was encrypted: the two \
         look the same"
    );
    assert_eq!(
        open(vec![right()], LABELLED).unwrap_err(),
        "wrong password: this vault of the id `dev` is not opened by default from a test / give the password of \
         that id: --vault-id dev@FILE"
    );
}

#[test]
fn without_a_password_it_says_how_to_give_one() {
    let common = "--vault-password-file FILE or ANSIBLE_VAULT_PASSWORD_FILE names the file with it, \
                  --ask-vault-pass asks for it";
    let what = "this is encrypted by Ansible Vault, and no password is given / ";
    assert_eq!(open(vec![], WHOLE).unwrap_err(), format!("{what}{common}"));
    assert_eq!(open(vec![], LABELLED).unwrap_err(), format!("{what}--vault-id dev@FILE, {common}"));
}

#[test]
fn what_ansible_vault_does_not_write_is_told() {
    let hex = |text: &str| hex::encode(text);
    let body = |parts: &[&str]| hex(&parts.iter().map(|part| hex(part)).collect::<Vec<_>>().join("\n"));
    for (text, why) in [
        ("secret".to_owned(), "it does not begin with a line such as `$ANSIBLE_VAULT;1.1;AES256`"),
        ("$ANSIBLE_VAULT".to_owned(), "it does not begin with a line such as `$ANSIBLE_VAULT;1.1;AES256`"),
        ("$ANSIBLE_VAULT;1.0;AES\n61\n".to_owned(), "it is of format `1.0`, and there are 1.1 and 1.2"),
        ("$ANSIBLE_VAULT;1.1;AES\n61\n".to_owned(), "its cipher is `AES`, and there is AES256"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6\n".to_owned(), "what follows its first line is not hexadecimal"),
        ("$ANSIBLE_VAULT;1.1;AES256\nzz\n".to_owned(), "what follows its first line is not hexadecimal"),
        (
            "$ANSIBLE_VAULT;1.1;AES256\n".to_owned(),
            "it does not hold a salt, a checksum and a text: is it cut off?",
        ),
        (
            format!("$ANSIBLE_VAULT;1.1;AES256\n{}\n", body(&["salt", "checksum"])),
            "it does not hold a salt, a checksum and a text: is it cut off?",
        ),
    ] {
        let shown = open(vec![right()], &text).unwrap_err();
        assert!(shown.starts_with(&format!("this is not what ansible-vault writes: {why} / ")), "{shown}");
    }
    let empty = format!("$ANSIBLE_VAULT;1.1;AES256\n{}\n", body(&["", "", ""]));
    assert!(open(vec![right()], &empty).unwrap_err().starts_with("wrong password"));
}

#[test]
fn nothing_of_a_keyring_shows() {
    let keys = Keyring::new(vec![right()], Values::Opened);
    assert_eq!(format!("{keys:?}"), "[default from a test]");
}
