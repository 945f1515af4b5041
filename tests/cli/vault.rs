//! Ansible Vault, with files that the real `ansible-vault` made (tests/data/vault): what is in them is used and never
//! shown, and what is wrong with them or their passwords is told.

use std::fs;
use std::path::Path;

use crate::asked::Terminal;
use crate::program::Test;

const WHOLE: &str = include_str!("../data/vault/whole.yml");
const LABELLED: &str = include_str!("../data/vault/labelled.yml");
const VALUES: &str = include_str!("../data/vault/values.yml");
const BROKEN: &str = include_str!("../data/vault/broken.yml");
const PASSWORD: &str = include_str!("../data/vault/default.password");
const DEV: &str = include_str!("../data/vault/dev.password");

/// An inventory that uses secrets wherever one may stand.
const USED: &str = "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      hf_token: \"{{ inline_key }}\"
      models:
        tiny:
          engine: llama_cpp
          model: /models/tiny.gguf
          port: 8080
          gpu: none
          environment:
            BARE: \"{{ inline_key }}\"
            JOINED: \"Bearer {{ inline_dev }} of {{ inventory_hostname }}\"
            WHOLE: \"{{ vault_key | upper }}\"
            NUMBER: \"{{ vault_number }}\"
            PLAIN: \"{{ inventory_hostname }}\"
      gateway: {engine: litellm, master_key: \"{{ vault_url }}\", environment: \"{{ vault_map }}\"}
";

fn used() -> Test {
    let test = Test::new().file("inventory.yml", USED).file("pw", PASSWORD).file("dev", DEV);
    test.file("group_vars/all/whole.yml", WHOLE).file("group_vars/all/values.yml", VALUES)
}

fn keys() -> [&'static str; 4] {
    ["--vault-password-file", "pw", "--vault-id", "dev@dev"]
}

/// What must not be seen, in whatever case or form it may come.
fn shows_nothing(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for secret in ["hunter2", "4242424242", "correct horse", "battery staple", "68756e74657232", "ahvudgvymi"]
    {
        assert!(!lower.contains(secret), "{what} shows {secret}:\n{text}");
    }
}

fn files(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn a_secret_shows_in_nothing_that_is_printed_or_written() {
    for args in [
        "plan --offline",
        "plan --offline --diff",
        "plan --offline --diff --json",
        "plan --offline --diff --format markdown",
        "plan --offline --against base --diff",
        "plan --offline --against base --json",
        "inventory --list",
        "inventory --list --resolved",
        "inventory --host box",
        "inventory --host box --resolved",
        "inventory --graph --vars",
        "inventory --graph --vars --resolved",
        "render",
    ] {
        let base = USED.replace("vault_key | upper", "vault_key | lower").replace("8080", "8081");
        let test = used().file("base/inventory.yml", &base);
        let test =
            test.file("base/group_vars/all/whole.yml", WHOLE).file("base/group_vars/all/values.yml", VALUES);
        let ran = test.args(args.split(' ')).args(keys()).run();
        shows_nothing(args, &ran.stdout);
        assert!(ran.stdout.len() > 60, "{args} says nothing: {}", ran.stdout);
        if args == "render" {
            let mut all = vec![];
            files(&ran.path("rendered"), &mut all);
            all.iter().for_each(|(path, text)| shows_nothing(path, text));
            let env: String =
                all.iter().filter(|(path, _)| path.contains("/env/")).map(|(_, t)| &**t).collect();
            for name in ["BARE", "JOINED", "WHOLE", "NUMBER", "HF_TOKEN", "LITELLM_MASTER_KEY", "A", "B"] {
                assert!(env.contains(&format!("{name}=<vault>\n")), "{name}: {env}");
            }
            assert!(all.iter().any(|(_, text)| text.contains("\"PLAIN\":\"box\"")), "{all:?}");
        }
    }
}

#[test]
fn single_values_need_no_password_offline() {
    let inventory = USED.replace("vault_key", "inline_key").replace("{{ vault_number }}", "n");
    let inventory = inventory
        .replace("{{ vault_url }}", "{{ inline_dev }}")
        .replace(", environment: \"{{ vault_map }}\"", "");
    for args in ["plan --offline", "inventory --list --resolved", "inventory --graph --vars", "render"] {
        let test = Test::new().file("inventory.yml", &inventory).file("group_vars/all.yml", VALUES);
        // Nobody is asked, either.
        let ran = test.args(args.split(' ')).args(["--ask-vault-pass"]).run();
        assert!(!args.contains("plan") || ran.stdout.contains("values of secrets"), "{}", ran.stdout);
    }
    // Where the values count, all of them are missed at once, before any host is asked.
    let test =
        Test::new().file("inventory.yml", &inventory).file("group_vars/all.yml", VALUES).args(["plan"]);
    let hint = "--vault-password-file FILE or ANSIBLE_VAULT_PASSWORD_FILE names the file with it, --ask-vault-pass asks for it";
    test.wrong(&format!(
        "error: this is encrypted by Ansible Vault, and no password is given
 --> group_vars/all.yml:1:13
  |
1 | inline_key: !vault |
  |             ^^^^^^^^
  hint: {hint}

error: this is encrypted by Ansible Vault, and no password is given
 --> group_vars/all.yml:8:13
  |
8 | inline_dev: !vault |
  |             ^^^^^^^^
  hint: --vault-id dev@FILE, {hint}

2 errors"
    ));
}

#[test]
fn a_whole_file_needs_its_password_offline_too() {
    let plan = || Test::plan(USED).file("group_vars/all.yml", LABELLED).file("pw", PASSWORD);
    let frame = " --> group_vars/all.yml:1:1\n  |\n1 | $ANSIBLE_VAULT;1.2;AES256;dev\n  | ^\n";
    plan().wrong(&format!(
        "error: this is encrypted by Ansible Vault, and no password is given\n{frame}  hint: --vault-id dev@FILE, \
         --vault-password-file FILE or ANSIBLE_VAULT_PASSWORD_FILE names the file with it, --ask-vault-pass asks for it"
    ));
    plan().args(["--vault-id", "dev@pw"]).wrong(&format!(
        "error: wrong password: this vault of the id `dev` is not opened by dev from pw\n{frame}  hint: if the password \
         is right, the text was changed after it was encrypted: the two look the same"
    ));
    plan().args(["--vault-password-file", "missing", "-J"]).wrong(&format!(
        "error: there is no password to open this vault of the id `dev` with; not to be had: default from missing (it \
         cannot be read: No such file or directory (os error 2)), default from the terminal (there is no terminal to \
         ask on)\n{frame}  hint: give the password of that id: --vault-id dev@FILE"
    ));
}

#[test]
fn a_secret_where_it_would_show_is_an_error() {
    let with = |line: &str| USED.replace("port: 8080", line);
    for (inventory, what, place) in [
        (with("port: \"{{ vault_number }}\""), "a whole number", "inventory.yml:10:17"),
        (with("port: 8080\n          args: [\"--key={{ inline_key }}\"]"), "a string", "inventory.yml:11:18"),
        (with("port: 8080\n          mem_limit: \"{{ inline_key }}\""), "a value", "inventory.yml:11:22"),
        (
            with("port: 8080\n          chat_template: \"{{ inline_key }}\""),
            "a string",
            "inventory.yml:11:26",
        ),
        (with("port: 8080\n          labels: {a: \"{{ inline_key }}\"}"), "a string", "inventory.yml:11:23"),
        (USED.replace("10.0.0.9", "\"{{ inline_key }}\""), "a string", "inventory.yml:4:21"),
    ] {
        let test = used().file("inventory.yml", &inventory).args(["plan", "--offline"]).args(keys());
        let output = test.command().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{stderr}");
        shows_nothing(place, &stderr);
        assert!(stderr.contains(&format!("expected {what}, found a value of Ansible Vault\n")), "{stderr}");
        assert!(stderr.contains(place), "{place}: {stderr}");
        assert!(stderr.contains("hint: what comes out of a vault is secret"), "{stderr}");
    }
}

#[test]
fn what_is_broken_in_a_vault_is_told_without_showing_it() {
    Test::plan(USED)
        .file("group_vars/all/b.yml", BROKEN)
        .file("pw", PASSWORD)
        .args(["--vault-password-file", "pw"])
        .wrong(
            "error: this place in the vault is not YAML
 --> group_vars/all/b.yml:1:13
  hint: `ansible-vault edit group_vars/all/b.yml` shows it",
        );
}

#[test]
fn passwords_come_from_files_scripts_and_the_environment() {
    let asked = || {
        let test =
            Test::new().file("inventory.yml", "web: {hosts: {h: }}\n").file("group_vars/web.yml", LABELLED);
        test.file("pw", DEV).args(["inventory", "--list"]).stdout_holds("\"dev_key\": \"<vault>\"")
    };
    let _ = asked().args(["--vault-id", "pw"]).run();
    let _ = asked().args(["--vault-id", "pw", "--vault-password-file", "missing"]).run();
    let _ = asked().env("ANSIBLE_VAULT_PASSWORD_FILE", "pw").run();
    let _ = asked().env("ANSIBLE_VAULT_IDENTITY_LIST", "a@missing, dev@pw").run();
    let script = "#!/bin/sh\n[ $# = 0 ] && echo battery staple\n";
    let _ = asked().script("pw.sh", script).args(["--vault-id", "dev@pw.sh"]).run();
    let client = "#!/bin/sh\n[ \"$*\" = \"--vault-id dev\" ] && printf 'battery staple\\r\\n'\n";
    let _ = asked().script("pw-client.sh", client).args(["--vault-id", "dev@pw-client.sh"]).run();
    let test =
        asked().script("no.sh", "#!/bin/sh\nexit 3\n").file("empty", "\n").args(["--vault-id", "dev@no.sh"]);
    let output = test.args(["--vault-password-file", "empty"]).command().output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let told =
        "not to be had: dev from no.sh (it ended with exit status: 3), default from empty (it is empty)\n";
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_password_is_asked_for_once_and_not_echoed() {
    for (args, question) in [("-J", "Vault password"), ("--vault-id dev@prompt", "Vault password (dev)")] {
        let test = Test::new().file("inventory.yml", "web: {hosts: {h: , i: }}\n");
        let test = test.file("host_vars/h.yml", LABELLED).file("host_vars/i.yml", LABELLED);
        let mut terminal = Terminal::start(&test, &format!("inventory --list {args}"));
        terminal.answer_hidden(question, "battery staple\r");
        let (shown, code) = terminal.end();
        assert_eq!((shown.matches("[hidden]").count(), code), (1, Some(0)), "{shown}");
        assert!(shown.contains("\"dev_key\": \"<vault>\""), "{shown}");
        shows_nothing("the terminal", &shown);
    }
}

#[test]
fn a_change_of_a_secret_is_seen_without_opening_it() {
    let inventory = |key: &str| {
        USED.replace("{{ vault_key | upper }}", key)
            .replace("{{ vault_number }}", "n")
            .replace("{{ vault_url }}", key)
            .replace(", environment: \"{{ vault_map }}\"", "")
    };
    let run = |base: &str, head: &str| {
        let test =
            Test::new().file("base/inventory.yml", &inventory(base)).file("inventory.yml", &inventory(head));
        let test = test.file("base/group_vars/all.yml", VALUES).file("group_vars/all.yml", VALUES);
        test.args(["plan", "--offline", "--against", "base"]).run().stdout
    };
    assert!(run("{{ inline_key }}", "{{ inline_key }}").starts_with("Nothing changes on 1 host.\n"));
    let changed = run("{{ inline_key }}", "{{ inline_dev }}");
    assert!(changed.contains("~ replace tiny: secrets  "), "{changed}");
}
