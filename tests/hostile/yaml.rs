//! YAML that grows, nests, or makes a parser look at everything again and again.

use crate::attack::{Attack, LIST, PLAN, RESOLVED};

/// `name0` is what is given, every further one ten of the one before.
fn laughs(first: &str, open: char, item: impl Fn(usize, usize) -> String, close: char) -> String {
    let mut text = format!("a0: &a0 {first}\n");
    for level in 1..12 {
        let items: Vec<String> = (0..10).map(|i| item(level - 1, i)).collect();
        text += &format!("a{level}: &a{level} {open}{}{close}\n", items.join(","));
    }
    text
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let much = "this file holds too much";
    let lists = laughs("[x]", '[', |level, _| format!("*a{level}"), ']');
    let maps = laughs("{x: 1}", '{', |level, i| format!("k{i}: *a{level}"), '}');
    Attack::vars("lists", &lists).ends(LIST, 65, much).refused(much);
    Attack::vars("maps", maps).refused(much);
    Attack::inventory("an inventory", &lists).refused(much);
    Attack::new("-e").file("x.yml", &lists).refuses(&["-e", "@x.yml", "plan", "--offline"], much);
    let text = format!("a: &a \"{}\"\nl: [{}]\n", "x".repeat(1 << 20), "*a,".repeat(2000));
    Attack::vars("one long text", text).refused(much);
}

#[test]
fn merge_keys_do_not_multiply() {
    let much = "this file holds too much";
    let keys: Vec<String> = (0..5000).map(|i| format!("k{i}: 1")).collect();
    let first = format!("m0: &m0 {{{}}}\n", keys.join(","));
    let rest: String = (1..400).map(|i| format!("m{i}: &m{i} {{<<: *m{}, z{i}: 1}}\n", i - 1)).collect();
    Attack::vars("a chain", first.clone() + &rest).refused(much);
    Attack::vars("a list", first + "n: {<<: [" + &"*m0,".repeat(10_000) + "]}\n").refused(much);
}

#[test]
fn what_nests_deep_is_refused_where_it_begins_to() {
    let deep = "stand more than 100 deep in one another here";
    for (name, text, words) in [
        ("[", "[".repeat(4_000_000), deep),
        ("{", "{".repeat(4_000_000), deep),
        ("-", "- ".repeat(2_000_000), deep),
        ("{a:", "{a: ".repeat(1_000_000), deep),
        ("?", "? ".repeat(2_000_000), "a key must be a single value"),
        ("key:", "key: ".repeat(800_000), "a `:` where none can stand"),
    ] {
        Attack::vars(name, text).refused(words);
    }
    let json = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    Attack::new("JSON").file("group_vars/all.json", json).refused(deep);
}

#[test]
fn a_file_that_is_too_large_is_not_read_to_its_end() {
    Attack::bare("sparse, a terabyte").sparse("inventory.yml", 1 << 40).refused("it is larger than 4 MiB");
    Attack::vars("100 MB", "x".repeat(100_000_000))
        .refused("group_vars/all.yml cannot be read: it is larger than 4 MiB");
    Attack::new("a lock")
        .sparse("homelab.lock", 100 << 20)
        .refused("homelab.lock cannot be read: it is larger");
    Attack::new("a template")
        .sparse("templates/compose.yml.tera", 100 << 20)
        .refused("it is larger than 4 MiB");
}

#[test]
fn four_mebibytes_of_anything_are_read_or_refused() {
    let size = (4 << 20) - 50;
    let whole = |unit: &str| unit.repeat(size / unit.len());
    for (name, text, words) in [
        ("a line", whole("x"), "expected a map of variables"),
        ("lines", whole("x: y\n"), "this file holds too much"),
        ("a list", whole("- a\n"), "this file holds too much"),
        ("commas", format!("a: [{}]", whole(",")), "this file holds too much"),
        ("JSON", format!("[{}1]", whole("1,")), "this file holds too much"),
        ("anchors", whole("&a "), "this is not YAML"),
        ("tags", whole("!a "), "the tag `!a` is not known here"),
        ("a tag", format!("a: !{} y", whole("x")), "is not known here"),
        ("a key", format!("{}: 1", whole("x")), "a `:` where none can stand"),
        ("an open quote", format!("a: \"{}", whole("x\n")), "never closed"),
        ("zeros", whole("\0"), "unprintable character"),
        ("words", whole("a\n"), "expected a map of variables"),
        ("binary", format!("a: !!binary {}", whole("QUJD")), "this cannot be read as `!!binary`"),
    ] {
        Attack::vars(name, text).refused(words);
    }
    for (name, text) in [
        ("empty lines", whole("\n")),
        ("carriage returns", whole("\r")),
        ("a comment", format!("#{}", whole("x"))),
        ("documents that end", whole("...\n")),
        ("a quoted text", format!("a: \"{}\"", whole("x"))),
        ("escapes", format!("a: \"{}\"", whole("\\n"))),
        ("a block", format!("a: |\n{}", whole("  x\n"))),
        ("digits", format!("a: {}", whole("9"))),
        ("a fraction", format!("a: {}.5e+99999999999", whole("9"))),
        ("base 60", format!("a: 1{}", whole(":59"))),
        ("a time", format!("a: 9999-99-99T99:99:99.{}", whole("9"))),
    ] {
        Attack::vars(name, text).harmless(PLAN);
    }
}

#[test]
fn a_million_of_small_things_are_no_more_than_their_number() {
    let many = |unit: fn(usize) -> String, n: usize| (0..n).map(unit).collect::<String>();
    Attack::vars("anchors", many(|i| format!("- &a{i} x\n"), 200_000)).refused("expected a map of variables");
    Attack::vars("one key", "a: 1\n".repeat(50_000)).says(LIST, "49999 warnings; 100 of them are shown");
    Attack::vars("twins", many(|i| format!("k{i}: 1\n"), 20_000).repeat(2))
        .says(LIST, "20000 warnings; 100 of them are shown");
    Attack::vars("twins by alias", format!("m: &m {{a: 1, a: 2}}\nl: [{}]\n", "*m, ".repeat(50_000)))
        .harmless(LIST);
    Attack::vars("quoted in one line", format!("a: [{}]\n", "\"x\", ".repeat(190_000))).harmless(RESOLVED);
    Attack::vars("maps", format!("l:\n{}", "- {a: b}\n".repeat(120_000))).harmless(RESOLVED);
}
