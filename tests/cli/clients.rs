//! `homelab clients`: what it prints, and what becomes of files that were there.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use serde_json::Value;

use crate::asked::Terminal;
use crate::program::{Ran, Test};

const KEY: &str = "sk-hunter2";

/// Two models with a context that agents are at ease with, and a key of the user's own.
const INVENTORY: &str = "\
all:
  hosts:
    box:
      ansible_host: 10.0.0.9
      models:
        big: {engine: vllm, model: u/m, port: 8000, gpu: none, max_model_len: 65536, tool_call_parser: hermes, aliases: b}
        tiny: {engine: llama_cpp, model: /models/tiny.gguf, port: 8080, gpu: none}
      gateway: {engine: litellm, master_key: {env: MY_KEY}}
";

fn clients<'a>(args: impl IntoIterator<Item = &'a str>) -> Test {
    with(Test::new(), args)
}

fn with<'a>(test: Test, args: impl IntoIterator<Item = &'a str>) -> Test {
    test.file("inventory.yml", INVENTORY).args(["clients"]).args(args).at_home().env("MY_KEY", KEY)
}

/// The same in the directory of an earlier run.
fn then<'a>(ran: Ran, args: impl IntoIterator<Item = &'a str>) -> Test {
    with(Test::again(ran), args)
}

/// What a run says that wrote files.
fn said(test: &Test, files: &[&str], copied: bool) -> String {
    let dir = test.command().get_current_dir().unwrap().display().to_string();
    let copy = |file| {
        if copied { format!("; what was there is in {dir}/{file}.before-homelab") } else { String::new() }
    };
    files.iter().map(|file| format!("{dir}/{file} is written{}.\n", copy(file))).collect()
}

/// Writes a client's files, which nothing is in the way of.
fn write<'a>(test: Test, files: &[&str], copied: bool, args: impl IntoIterator<Item = &'a str>) -> Ran {
    let test = with(test, args).args(["--write", "--yes"]);
    let said = said(&test, files, copied);
    let ran = test.stderr(&said).run();
    assert!(!ran.stdout.contains(KEY), "{}", ran.stdout);
    ran
}

fn mode(ran: &Ran, path: &str) -> u32 {
    fs::metadata(ran.path(path)).unwrap().permissions().mode() & 0o777
}

fn text(ran: &Ran, path: &str) -> String {
    fs::read_to_string(ran.path(path)).unwrap()
}

const CLAUDE: &str = ".claude/settings.json";

#[test]
fn all_clients_and_models_are_listed() {
    let ran = clients([]).run();
    let wanted = "\
MODEL  ALIAS OF  KIND  CONTEXT  TOOLS
b      big       chat  65536    calls tools
big    -         chat  65536    calls tools
tiny   -         chat  unknown  calls tools

The gateway: http://10.0.0.9:4000/v1 (OpenAI), http://10.0.0.9:4000 (Anthropic); `homelab clients --key` prints its key.
`homelab clients NAME` shows what to set, --write sets it, --check says whether it still fits.
";
    assert!(ran.stdout.ends_with(wanted), "{}", ran.stdout);
    for client in homelab::client::ALL {
        assert!(ran.stdout.lines().any(|line| line.starts_with(client.name())), "{}", client.name());
    }
}

#[test]
fn the_settings_of_every_client_are_printed_and_the_key_only_if_it_is_asked_for() {
    for client in homelab::client::ALL {
        let plain = clients([client.name()]).run();
        let holds_url = plain.stdout.contains("http://10.0.0.9:4000") && plain.stdout.contains("big");
        assert!(holds_url && !plain.stdout.contains(KEY), "{}", plain.stdout);
        let _ = clients([client.name(), "--with-secrets"]).stdout_holds(KEY).run();
    }
    let _ = clients(["--key"]).stdout("sk-hunter2\n").run();
}

#[test]
fn what_is_printed_is_what_is_written() {
    for (client, files) in [
        ("claude-code", vec![CLAUDE]),
        ("opencode", vec![".config/opencode/opencode.json", ".local/share/opencode/auth.json"]),
        ("codex", vec![".codex/config.toml", ".codex/.env"]),
    ] {
        let printed = clients([client, "--with-secrets"]).run().stdout;
        let ran = write(Test::new(), &files, false, [client]);
        for file in files {
            let wanted = format!("\n~/{file}:\n\n{}", text(&ran, file));
            assert!(printed.contains(&wanted), "{printed}{wanted}");
            let secret = text(&ran, file).contains(KEY);
            assert_eq!(mode(&ran, file), if secret { 0o600 } else { 0o644 }, "{file}");
        }
    }
}

#[test]
fn what_was_there_stays_and_is_kept_beside_it() {
    let own = "{\n  // mine\n  \"env\": {\"MY_TOKEN\": \"hunter3\"},\n  \"theme\": \"dark\"\n}\n";
    let ran = write(Test::new().file(CLAUDE, own), &[CLAUDE], true, ["claude-code"]);
    assert!(!ran.stdout.contains("hunter3") && ran.stdout.contains("+++ "), "{}", ran.stdout);
    let now = text(&ran, CLAUDE);
    assert!(
        now.contains("// mine") && now.contains("hunter3") && now.contains("\"theme\": \"dark\""),
        "{now}"
    );
    let copy = format!("{CLAUDE}.before-homelab");
    assert_eq!((text(&ran, &copy).as_str(), mode(&ran, &copy), mode(&ran, CLAUDE)), (own, 0o600, 0o600));
    // Nothing more is to be done, and nothing is.
    let nothing = "Nothing to do: the files are as they should be.\n";
    let ran = then(ran, ["claude-code", "--write"]).stdout(nothing).run();
    let ran = then(ran, ["claude-code", "--check"]).stdout(nothing).run();
    assert_eq!(text(&ran, CLAUDE), now);
    assert_eq!(fs::read_dir(ran.path(".claude")).unwrap().count(), 2);
    // A second copy does not take the place of the first.
    fs::write(ran.path(CLAUDE), "{}").unwrap();
    let ran = then(ran, ["claude-code", "--write", "--yes"]);
    let said = said(&ran, &[CLAUDE], true).replace("before-homelab", "before-homelab.2");
    let ran = ran.stderr(&said).run();
    assert_eq!((text(&ran, &copy).as_str(), text(&ran, &format!("{copy}.2")).as_str()), (own, "{}"));
}

#[test]
fn a_check_shows_what_would_change_and_changes_nothing() {
    let ran = clients(["codex", "--check"]).code(2).run();
    assert!(ran.stdout.contains("+model = \"big\"\n") && !ran.stdout.contains(KEY), "{}", ran.stdout);
    assert!(!ran.path(".codex").exists());
    let files = [".codex/config.toml", ".codex/.env"];
    let ran = write(Test::again(ran), &files, false, ["codex"]);
    // Another key is told without either.
    let env = text(&ran, ".codex/.env").replace(KEY, "sk-hunter1");
    fs::write(ran.path(".codex/.env"), env).unwrap();
    let ran = then(ran, ["codex", "--check"]).code(2).run();
    let lines: Vec<&str> = ran.stdout.lines().skip(3).collect();
    assert_eq!(lines, ["-HOMELAB_API_KEY=***", "+HOMELAB_API_KEY=*** (another value)"]);
}

#[test]
fn a_key_that_others_may_read_is_closed() {
    let ran = write(Test::new(), &[CLAUDE], false, ["claude-code"]);
    fs::set_permissions(ran.path(CLAUDE), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = then(ran, ["claude-code", "--check"])
        .stdout_holds("~ mode 644 → 600: the key is in it\n")
        .code(2)
        .run();
    let ran = write(Test::again(ran), &[CLAUDE], true, ["claude-code"]);
    assert_eq!(mode(&ran, CLAUDE), 0o600);
}

#[test]
fn without_somebody_to_ask_nothing_is_written() {
    let refused = "error: this changes a client's files\n  hint: nobody is there to ask; say --yes if that is fine. Nothing was changed\n";
    let ran = clients(["claude-code", "--write"]).stderr(refused).code(1).run();
    assert!(!ran.path(".claude").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn somebody_who_is_there_is_asked() {
    for (answer, code, written) in [("n\r", Some(1), false), ("y\r", Some(0), true)] {
        let test = clients([]);
        let settings = test.command().get_current_dir().unwrap().join(CLAUDE);
        let mut terminal = Terminal::start(&test, "clients claude-code --write");
        terminal.answer("Write this? [y/N] ", answer);
        let (said, ended) = terminal.end();
        assert_eq!((ended, settings.exists()), (code, written), "{said}");
        assert!(!said.contains(KEY), "{said}");
    }
}

#[test]
fn a_broken_file_is_left_alone_and_so_are_all_of_that_client() {
    let broken = "{\"homelab\": {\"key\": \"hunter3\" \"type\": 1}}";
    let path = ".local/share/opencode/auth.json";
    let test = clients(["opencode", "--write", "--yes"]).file(path, broken);
    let output = test.command().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{stderr}");
    assert!(stderr.contains("auth.json:1:") && !stderr.contains("hunter3"), "{stderr}");
    let dir = test.command().get_current_dir().unwrap().to_owned();
    assert_eq!(fs::read_to_string(dir.join(path)).unwrap(), broken);
    assert!(!dir.join(".config").exists());
}

#[test]
fn a_link_stays_a_link() {
    let test = Test::new().file("dotfiles/claude.json", "{}").file(".claude/x", "");
    let dir = test.command().get_current_dir().unwrap().to_owned();
    symlink("../dotfiles/claude.json", dir.join(CLAUDE)).unwrap();
    let ran = write(test, &["dotfiles/claude.json"], true, ["claude-code"]);
    assert!(fs::symlink_metadata(ran.path(CLAUDE)).unwrap().is_symlink());
    assert!(text(&ran, CLAUDE).contains(KEY));
}

#[test]
fn a_project_gets_settings_without_the_key() {
    let files = ["shop/opencode.json", ".local/share/opencode/auth.json"];
    let test = with(Test::new().file("shop/x", ""), ["opencode", "--project", "shop", "--write", "--yes"]);
    let said = said(&test, &files, false);
    // A path that is given is shown as it is.
    let dir = test.command().get_current_dir().unwrap().display().to_string();
    let ran = test.stderr(&said.replace(&format!("{dir}/shop"), "shop")).run();
    assert!(text(&ran, files[0]).contains("\"baseURL\"") && !text(&ran, files[0]).contains(KEY));
    assert!(text(&ran, files[1]).contains(KEY) && !ran.path(".config").exists());
    let none = "error: Codex has no settings of a project that name a gateway\n";
    let _ = clients(["codex", "--project", "shop"]).stderr(none).stdout("").code(64).run();
}

#[test]
fn settings_with_comments_are_found_under_their_other_name() {
    let files = [".config/opencode/opencode.jsonc"];
    let test = Test::new().file(files[0], "{ /* mine */ }\n");
    let test = with(test, ["opencode", "--write", "--yes"]);
    let both = said(&test, &files, true) + &said(&test, &[".local/share/opencode/auth.json"], false);
    let ran = test.stderr(&both).run();
    assert!(text(&ran, files[0]).contains("/* mine */") && text(&ran, files[0]).contains("homelab/big"));
    assert!(!ran.path(".config/opencode/opencode.json").exists());
}

#[test]
fn what_cannot_be_done_is_wrong_usage() {
    let by_hand = "error: JetBrains AI Assistant has no file that may be written\n  hint: homelab clients jetbrains says what to do by hand\n";
    let _ = clients(["jetbrains", "--write"]).stderr(by_hand).stdout("").code(64).run();
    let unknown = "error: no chat model is called `bug`; did you mean `big`?\n";
    let _ = clients(["codex", "--model", "bug"]).stderr(unknown).stdout("").code(64).run();
    let test = clients(["--key"]);
    let output = test.command().env_remove("MY_KEY").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("MY_KEY is not set") && output.status.code() == Some(1), "{stderr}");
}

#[test]
fn what_a_model_cannot_do_for_an_agent_is_warned_of() {
    let small = INVENTORY
        .replace("65536", "8192")
        .replace(", tool_call_parser: hermes", "")
        .replace("        tiny: {engine: llama_cpp, model: /models/tiny.gguf, port: 8080, gpu: none}\n", "");
    let warnings = "\
warning: `b` has 8192 tokens of context, and Claude Code fills about 12000 before it has read a line: it cannot work with it
  hint: serve it with more, 65536 if that fits, or take another one by --model; chat and completion need less

warning: `b` calls no tools as it is served, and Claude Code can only talk then
  hint: set tool_call_parser (vLLM), or leave jinja on (llama.cpp)

2 warnings
";
    let test =
        Test::new().file("inventory.yml", &small).args(["clients", "claude-code", "--model", "b"]).at_home();
    let _ = test.stderr(warnings).run();
}

/// An address that means harm in a shell, in JSON and in TOML.
const HOSTILE: &str = "x'\"; touch pwned; $(touch pwned) `touch pwned` \\ {model} {} ";

#[test]
fn an_address_is_text_wherever_it_goes() {
    let inventory =
        INVENTORY.replace("ansible_host: 10.0.0.9", &format!("homelab_address: {}", Value::from(HOSTILE)));
    let url = format!("http://{HOSTILE}:4000");
    let hostile = |args: &[&str]| {
        let test = Test::new()
            .args(["clients"])
            .args(args.iter().copied())
            .at_home()
            .env("MY_KEY", "it's \"$(touch pwned)\\");
        test.file("inventory.yml", &inventory)
    };
    let json = hostile(&["claude-code", "--write", "--yes"]);
    let output = json.command().output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains("AUTH_TOKEN\": *** (another value),\n"), "{shown}");
    let dir = json.command().get_current_dir().unwrap().to_owned();
    let settings: Value = serde_json::from_str(&fs::read_to_string(dir.join(CLAUDE)).unwrap()).unwrap();
    assert_eq!(settings["env"]["ANTHROPIC_BASE_URL"], url);
    assert_eq!(settings["env"]["ANTHROPIC_AUTH_TOKEN"], "it's \"$(touch pwned)\\");
    let toml = hostile(&["codex"]).run().stdout;
    let toml = toml.split(":\n\n").nth(1).unwrap().split("\n~/.codex/.env").next().unwrap();
    let toml: toml_edit::DocumentMut = toml.parse().unwrap();
    assert_eq!(toml["model_providers"]["homelab"]["base_url"].as_str(), Some(format!("{url}/v1").as_str()));
    let shell = hostile(&["openai", "--with-secrets"]).run();
    let exports: String = shell
        .stdout
        .lines()
        .filter(|line| line.starts_with("export "))
        .map(|line| format!("{line}\n"))
        .collect();
    let script = format!("{exports}printf '%s\\n%s\\n' \"$OPENAI_BASE_URL\" \"$OPENAI_API_KEY\"");
    let output = Command::new("sh").args(["-c", &script]).current_dir(shell.path("")).output().unwrap();
    let wanted = format!("{url}/v1\nit's \"$(touch pwned)\\\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted);
    assert!(!shell.path("pwned").exists());
}
