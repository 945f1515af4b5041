//! YAML 1.1 as Ansible types it, and its limits.

use super::*;
use crate::inventory::Value;

fn source(text: &str) -> Arc<Source> {
    Arc::new(Source { name: "t.yml".into(), text: text.into() })
}

fn read(text: &str) -> Node {
    parse(&source(text)).unwrap()
}

fn json(text: &str) -> String {
    read(text).to_json().unwrap().to_string()
}

fn error(text: &str) -> String {
    parse(&source(text)).unwrap_err().to_string()
}

/// The mark of the value under this path of keys, cut out of the text.
fn marked<'a>(text: &'a str, path: &[&str]) -> (usize, &'a str) {
    let mut node = read(text);
    for key in path {
        node = node.as_map().unwrap().get(key).unwrap().node.clone();
    }
    let line = text.lines().nth(node.origin.line - 1).unwrap();
    let from = line.char_indices().nth(node.origin.column - 1).unwrap().0;
    let to = line[from..].char_indices().nth(node.origin.length).map_or(line.len(), |(i, _)| from + i);
    (node.origin.line, &line[from..to])
}

#[test]
fn every_value_knows_its_place() {
    let text = "a: 12\nb:\n  c: \"quo ted\"   # why\n  d: [1, 2]\nü: 'naïve'\ne:\nf: |\n  long\n  text\ng: {h: 1}\ni: &x {j: 2}\nk: *x\nl: plain over\n  two lines\n";
    assert_eq!(marked(text, &["a"]), (1, "12"));
    assert_eq!(marked(text, &["b"]), (3, "c"));
    assert_eq!(marked(text, &["b", "c"]), (3, "\"quo ted\""));
    assert_eq!(marked(text, &["b", "d"]), (4, "[1, 2]"));
    assert_eq!(marked(text, &["ü"]), (5, "'naïve'"));
    assert_eq!(marked(text, &["e"]), (6, "e"));
    assert_eq!(marked(text, &["f"]), (8, "long"));
    assert_eq!(marked(text, &["g", "h"]), (10, "1"));
    assert_eq!(marked(text, &["k", "j"]), (11, "2"));
    assert_eq!(marked(text, &["l"]), (13, "plain over"));
    let key = &read(text).as_map().unwrap().0[1].origin.clone();
    assert_eq!((key.line, key.column, key.length), (2, 1, 1));
}

#[test]
fn tags_and_quotes_decide_over_the_look() {
    assert_eq!(
        json("a: \"yes\"\nb: !!str 12\nc: !!int \"12\"\nd: ! 5\ne: yes\nf: !!float 1\ng: 'null'"),
        r#"{"a":"yes","b":"12","c":12,"d":5,"e":true,"f":1.0,"g":"null"}"#
    );
    let unsafe_list = read("a: !unsafe ['{{ b }}', 1]");
    let list = unsafe_list.as_map().unwrap().get("a").unwrap().node.as_seq().unwrap().to_vec();
    assert_eq!(list[0].value, Value::Unsafe("{{ b }}".into()));
    assert_eq!(list[1].value, Value::Int(1));
    let sealed = read("!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n");
    assert_eq!(sealed.value, Value::Vault(Vaulted::Sealed("$ANSIBLE_VAULT;1.1;AES256\n61\n".into())));
    assert_eq!(
        error("a: !reference [b]"),
        "error: the tag `!reference` is not known here\n --> t.yml:1:4\n  |\n1 | a: !reference [b]\n  |    ^^^^^^^^^^^^\n  hint: known are !!str, !!int, !!float, !!bool, !!null, !!seq, !!map, !unsafe and !vault"
    );
}

#[test]
fn keys_that_are_not_text_are_written_as_yaml_writes_them() {
    assert_eq!(json("yes: 1\n8000: 2\n~: 3\n1.0: 4"), r#"{"1.0":4,"8000":2,"null":3,"true":1}"#);
}

#[test]
fn merge_keys_merge_as_in_pyyaml() {
    let anchors = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n";
    let merged = |body: &str| {
        let node = read(&format!("{anchors}z:\n{body}"));
        node.as_map().unwrap().get("z").unwrap().node.to_json().unwrap().to_string()
    };
    assert_eq!(merged("  <<: *x\n  a: 9"), r#"{"a":9,"b":1}"#);
    assert_eq!(merged("  a: 9\n  <<: *x"), r#"{"a":9,"b":1}"#);
    assert_eq!(merged("  <<: [*x, *y]"), r#"{"a":1,"b":1,"c":2}"#);
    assert_eq!(merged("  <<: *x\n  <<: *y"), r#"{"a":1,"b":2,"c":2}"#);
    assert_eq!(merged("  '<<': 1"), r#"{"<<":1}"#);
    assert!(
        error("a:\n  <<: 1").contains("expected a map, or a list of maps, after `<<`, found a whole number")
    );
    assert!(read("x: &x {a: 1}\ny: {<<: *x, a: 2}").duplicates().is_empty());
}

#[test]
fn duplicates_are_kept_and_listed_and_the_later_one_wins() {
    let node = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
    assert_eq!(node.as_map().unwrap().get("a").unwrap().node.value, Value::Int(3));
    let found: Vec<_> =
        node.duplicates().iter().map(|(first, again)| (first.origin.line, again.origin.line)).collect();
    assert_eq!(found, [(1, 3), (2, 2)]);
}

#[test]
fn an_empty_text_is_nothing_and_json_is_yaml() {
    for text in ["", "# only a comment\n", "---\n", "---\n...\n"] {
        assert_eq!(read(text).value, Value::Null, "{text:?}");
    }
    assert_eq!(json("{\n\t\"a\": [1, \"x\", null]\n}"), r#"{"a":[1,"x",null]}"#);
}

#[test]
fn syntax_errors_say_what_to_do() {
    let cases = [
        (
            "a:\n\tb: 1\n",
            "error: a tab in the indentation\n --> t.yml:2:1\n  |\n2 |     b: 1\n  | ^^^^\n  hint: indent with spaces; YAML takes no tabs there",
        ),
        (
            "a:\n  b: 1\n\tc: 2\n",
            "error: a tab in the indentation\n --> t.yml:3:1\n  |\n3 |     c: 2\n  | ^^^^\n  hint: indent with spaces; YAML takes no tabs there",
        ),
        (
            "a: b: c\n",
            "error: a `:` where none can stand\n --> t.yml:1:5\n  |\n1 | a: b: c\n  |     ^\n  hint: put the value in quotes if the `:` belongs to it; close the `[` or `{` above if one is open",
        ),
        (
            "a:\n  b: 1\n c: 2\n",
            "error: this line fits into no map or list above it\n --> t.yml:3:2\n  |\n3 |  c: 2\n  |  ^\n  hint: indent it as far as the keys it belongs to",
        ),
        (
            "a: \"open\nb: 1\n",
            "error: the quote that is opened here is never closed\n --> t.yml:1:4\n  |\n1 | a: \"open\n  |    ^\n  hint: close it with the same kind of quote",
        ),
        (
            "a: [1, 2\nb: 1\n",
            "error: a `:` where none can stand\n --> t.yml:2:2\n  |\n2 | b: 1\n  |  ^\n  hint: put the value in quotes if the `:` belongs to it; close the `[` or `{` above if one is open",
        ),
        (
            "a: *nope\n",
            "error: no anchor of this name stands above\n --> t.yml:1:4\n  |\n1 | a: *nope\n  |    ^\n  hint: define it first, with `&name`",
        ),
        (
            "port: {{ port }}\n",
            "error: a value that begins with `{{` must stand in quotes\n --> t.yml:1:7\n  |\n1 | port: {{ port }}\n  |       ^^\n  hint: write \"{{ … }}\"",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "error: a second document in one file\n --> t.yml:2:1\n  |\n2 | ---\n  | ^^^\n  hint: keep one document per file: remove what follows this `---`",
        ),
    ];
    for (text, shown) in cases {
        assert_eq!(error(text), shown, "for {text:?}");
    }
}

#[test]
fn values_that_need_quotes_say_so() {
    let cases = [
        (
            "a: 1\nb\n",
            "error: a `:` is missing after this key\n --> t.yml:2:1\n  |\n2 | b\n  | ^\n  hint: write `key: value`, or `- value` in a list",
        ),
        (
            "a: @x\n",
            "error: a value cannot begin with this character\n --> t.yml:1:4\n  |\n1 | a: @x\n  |    ^\n  hint: put the value in quotes",
        ),
        (
            "a: \"x\" y\n",
            "error: text after the closing quote\n --> t.yml:1:8\n  |\n1 | a: \"x\" y\n  |        ^\n  hint: put the whole value into one pair of quotes",
        ),
        (
            "a: \"C:\\models\"\n",
            "error: `\\` begins no known escape here\n --> t.yml:1:4\n  |\n1 | a: \"C:\\models\"\n  |    ^\n  hint: write `\\\\`, or use single quotes, where `\\` means itself",
        ),
        (
            "? [a]\n: 1\n",
            "error: a key must be a single value, not a list or a map\n --> t.yml:1:3\n  |\n1 | ? [a]\n  |   ^\n  hint: write `key: value`; a text that begins with a bracket goes into quotes",
        ),
        (
            "a: &a [*a]\n",
            "error: this alias stands inside what it refers to\n --> t.yml:1:8\n  |\n1 | a: &a [*a]\n  |        ^^\n  hint: take it out, or write its value",
        ),
    ];
    for (text, shown) in cases {
        assert_eq!(error(text), shown, "for {text:?}");
    }
}

/// That it is soon is held by tests/hostile.
#[test]
fn hostile_texts_end_with_a_word() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..40 {
        bomb += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "));
    }
    assert!(error(&bomb).starts_with("error: this file holds too much\n --> t.yml:"), "{}", error(&bomb));

    let big = format!("a: &a \"{}\"\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 1000].join(", "));
    assert!(error(&big).contains("holds too much"));

    let merges: String =
        (1..40).map(|n| format!("m{n}: &m{n} {{<<: [*m{0}, *m{0}], k{n}: 1}}\n", n - 1)).collect();
    assert!(parse(&source(&format!("m0: &m0 {{a: 1}}\n{merges}"))).is_ok());

    for deep in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
        assert!(error(&deep).contains("more than 100 deep"), "{}", &error(&deep)[..200]);
    }
    let chain: String = (1..200).map(|n| format!("c{n}: &c{n} [*c{}]\n", n - 1)).collect();
    assert!(error(&format!("c0: &c0 [x]\n{chain}")).contains("more than 100 deep"));
}
