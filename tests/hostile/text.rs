//! Text that is no text, or that would move a terminal's cursor.

use crate::attack::{Attack, FINE, LIST};

#[test]
fn what_is_not_utf_8_has_its_place() {
    let utf8 = "this is not UTF-8";
    Attack::vars("a byte", b"a: 1\nb: \xff\n").refused("group_vars/all.yml:2:4");
    Attack::vars("nothing but", vec![0xff; 4_000_000]).refused(utf8);
    Attack::vars("at the end", [vec![b'a'; 4_000_000], vec![0xff]].concat()).refused(utf8);
    Attack::vars("after lines", ["a\n".repeat(2_000_000).into_bytes(), vec![0xff]].concat()).refused(utf8);
    let utf16: Vec<u8> = "\u{feff}a: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    Attack::vars("UTF-16", utf16).refused(utf8);
    Attack::new("a lock").file("homelab.lock", b"\xff").refused("homelab.lock:1:1");
    Attack::new("a template")
        .file("templates/compose.yml.tera", b"\xff")
        .refused("templates/compose.yml.tera:1:1");
    Attack::bare("INI")
        .file("hosts", b"[a]\nh\xff\n")
        .refuses(&["-i", "hosts", "inventory", "--list"], "hosts:2:2");
}

#[test]
fn odd_characters_do_no_harm() {
    Attack::vars("a mark of order", "\u{feff}a: 1\n").harmless(LIST);
    Attack::vars("one within", "a: 1\n\u{feff}b: 2\n").refused("byte order mark");
    Attack::vars("a zero", "a: \0\n").refused("unprintable character");
    Attack::vars("lone returns", "a: 1\rb: 2\r").harmless(LIST);
    Attack::vars("other line ends", "a: 1\u{85}b: 2\u{2028}c: 3\n").refused("group_vars/all.yml:1:");
}

#[test]
fn nothing_that_is_said_moves_the_cursor() {
    let evil = "e\u{1b}[31m\u{202e}\u{7}\u{9b}31mx";
    let escaped = "e\\e[31m\\u202E\\a\\x9b31mx";
    for text in [
        format!("all:\n  hosts:\n    \"{escaped}\": {{}}\n"),
        format!("all:\n  hosts:\n    box: {{models: {{\"{escaped}\": {{engine: \"{escaped}\"}}}}}}\n"),
        format!("all:\n  children:\n    \"{escaped}\": []\n"),
        format!("all: {{{evil}: 1, hosts: [\"{escaped}\"]}}\n"),
        FINE.replace("llama_cpp", &format!("\"{escaped}\"")),
        FINE.replace("/models/tiny.gguf", &format!("\"{{{{ '{escaped}' | nothing }}}}\"")),
        FINE.replace("/models/tiny.gguf", &format!("\"{{{{ {escaped} }}}}\"")),
    ] {
        Attack::inventory(&text, &text).refused("");
    }
    Attack::bare("INI")
        .file("hosts", format!("[{evil}]\nh {evil}\n"))
        .refuses(&["-i", "hosts", "inventory", "--list"], "");
    Attack::new("a template").file("templates/compose.yml.tera", format!("{{{{ {evil} }}}}")).refused("");
    Attack::new("a lock")
        .file("homelab.lock", format!("version: 1\nhosts: {{\"{escaped}\": {{}}}}\n"))
        .refused("");
}

#[test]
fn a_name_is_no_path() {
    for name in ["../../etc/passwd", "..", ".", "/etc/passwd", ".hidden", "-oProxyCommand=x"] {
        let text = FINE.replace("box:", &format!("\"{name}\":"));
        Attack::inventory(name, text).refused("inventory.yml:3:5");
    }
    let groups = "all:\n  children:\n    \"../secret\": {hosts: {h: }}\n    \"..\":\n";
    let attack = Attack::inventory("a group", groups).file("secret.yml", "v: taken\n");
    attack.harmless(LIST);
}
