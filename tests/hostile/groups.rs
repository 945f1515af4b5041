//! Very many hosts and groups, and patterns that take long to match.

use crate::attack::{Attack, FINE, LIST, RESOLVED};

const GRAPH: &[&str] = &["inventory", "--graph", "--vars"];

#[test]
fn ranges_are_bounded() {
    let hosts = |text: &str| format!("all:\n  hosts:\n{text}");
    for (name, text, words) in [
        ("one", "    host[0:999999999]:\n".into(), "10000 hosts an inventory may have"),
        ("a product", "    h[0:999][0:999][0:999]:\n".into(), "10000 hosts an inventory may have"),
        ("letters", "    h[a:Z][a:Z][a:Z][a:Z][a:Z]:\n".into(), "10000 hosts an inventory may have"),
        ("beyond numbers", "    h[0:99999999999999999999999]:\n".into(), "must be of numbers"),
        ("many of one", format!("    ? h{}\n", "[0:0]".repeat(100_000)), "too long for the name of a host"),
        ("long names", format!("    {}[0:9999]{}:\n", "h".repeat(200), "h".repeat(200)), "253 characters"),
        (
            "over one another",
            (0..900).map(|n| format!("    h[0:{}]:\n", 9000 + n)).collect(),
            "more than 200000 hosts are named",
        ),
    ] {
        let text: String = text;
        Attack::inventory(name, hosts(&text)).refused(words);
    }
    let ini: String = (0..5000).map(|n| format!("h[0:{}] a=1\n", 5000 + n)).collect();
    let ini = format!("[a]\n{ini}");
    Attack::bare("INI")
        .file("hosts", ini)
        .refuses(&["-i", "hosts", "inventory", "--list"], "more than 200000 hosts are named");
    Attack::inventory(
        "groups with all hosts",
        (0..1900).map(|n| format!("g{n}: {{hosts: {{\"h[0:9999]\": }}}}\n")).collect::<String>(),
    )
    .refused("more than 200000 hosts are named");
    Attack::bare("a list").ends(&["-i", &"h1,".repeat(20_000), "inventory", "--list"], 0, "").harmless(&[
        "-i",
        "h,",
        "inventory",
        "--list",
    ]);
}

#[test]
fn what_every_host_has_is_bounded() {
    let all = |vars: &str| format!("all:\n  hosts: {{\"h[0:9999]\": }}\n  vars: {{{vars}}}\n");
    let many: String = (0..10_000).map(|n| format!("v{n}: 1, ")).collect();
    Attack::inventory("variables", all(&many)).refused("all hosts together have more than 1000000 variables");
    let long = all(&format!("v: {}", "x".repeat(1_000_000)));
    let much = "this comes to more than 60 MiB";
    Attack::inventory("text", &long)
        .ends(LIST, 64, much)
        .ends(GRAPH, 64, much)
        .refused("no host has a `gateway`");
    let made = all("v: \"{{ 'a' * 50000 }}\"").replace("9999", "1999");
    let _ = Attack::inventory("made", made).ends(RESOLVED, 64, much);
}

#[test]
fn groups_are_bounded() {
    let groups =
        |range: std::ops::Range<usize>, body: &dyn Fn(usize) -> String| range.map(body).collect::<String>();
    Attack::inventory("many", groups(0..10_000, &|n| format!("g{n}:\n"))).refused("more than 2000 groups");
    let chain = groups(0..1200, &|n| format!("g{n}:\n  children: {{g{}: }}\n", n + 1));
    Attack::inventory("a chain", chain).harmless(LIST);
    let dense = groups(0..400, &|n| {
        format!(
            "g{n}:\n  children: {{{}}}\n",
            (n + 1..400).map(|m| format!("g{m}: ")).collect::<Vec<_>>().join(", ")
        )
    });
    Attack::inventory("every one in every other", dense).refused("more than 5000 children of groups");
    let diamonds = groups(0..300, &|n| {
        format!(
            "a{n}:\n  children: {{b{n}: , c{n}: }}\nb{n}:\n  children: {{a{}: }}\nc{n}:\n  children: {{a{}: }}\n",
            n + 1,
            n + 1
        )
    });
    Attack::inventory("diamonds", diamonds + "a300:\n  hosts: {h: }\n")
        .ends(LIST, 0, "")
        .ends(GRAPH, 64, "this comes to more than 60 MiB")
        .harmless(LIST);
    Attack::inventory("a circle", "a:\n  children: {b: }\nb:\n  children: {a: }\n")
        .refused("contains itself");
}

#[test]
fn ini_lines_and_literals_take_no_longer_than_they_are_long() {
    let asked = &["-i", "hosts", "inventory", "--list"];
    let hosts = |text: String| {
        Attack::bare(&text.chars().take(20).collect::<String>())
            .file("hosts", format!("[all:vars]\n{text}\n[a]\nh\n"))
    };
    for text in [
        format!("a={}", "[".repeat(1_000_000)),
        format!("a={{{}}}", (0..40_000).map(|n| format!("{n},")).collect::<String>()),
        format!("a={}", "9".repeat(250_000)),
        format!("a={}", "b".repeat(250_000)),
        format!("a={}", "\"\"b".repeat(60_000)),
        format!("a={}1{}", "(".repeat(89), ")".repeat(89)),
        format!("a=[{}]", "1,".repeat(1_500_000)),
    ] {
        hosts(text).harmless(asked);
    }
    Attack::bare("errors")
        .file("hosts", format!("[a]\n{}", "h x\n".repeat(300_000)))
        .refuses(asked, "; 100 of them are shown");
    Attack::bare("words").file("hosts", format!("[a]\nh {}", "a=1 ".repeat(300_000))).harmless(asked);
    Attack::bare("a quote")
        .file("hosts", format!("[a]\nh a=\"{}", "x".repeat(3_000_000)))
        .refuses(asked, "never closed");
    Attack::bare("children")
        .file(
            "hosts",
            format!("[a:children]\n{}", (0..50_000).map(|n| format!("g{n}\n")).collect::<String>()),
        )
        .refuses(asked, "is declared nowhere");
}

#[test]
fn a_pattern_matches_without_going_back_for_ever() {
    let hosts = format!("all:\n  hosts: {{\"{}[0:299]\": }}\n", "a".repeat(200));
    let attack = |pattern: &str, code| {
        let attack = Attack::inventory(&pattern.chars().take(30).collect::<String>(), &hosts);
        let _ = attack.ends(&["inventory", "--list", "--limit", pattern], code, "");
    };
    attack(&("*a".repeat(30) + "b"), 64);
    attack(&("?*".repeat(50) + "b"), 64);
    attack(&("[a-z]*".repeat(40) + "x"), 64);
    attack("~(a+)+b", 64);
    attack("~(a|a)*b", 64);
    attack("~((((a*)*)*)*)*b", 64);
    attack("~a{1000}{1000}{1000}", 64);
    attack(&format!("~{}a{}", "(".repeat(5000), ")".repeat(5000)), 64);
    attack("all[999999999999999999999]", 64);
    attack("all[-9999999999999999999]", 64);
    attack(&"x".repeat(100_000), 64);
    attack(&vec!["a*"; 100].join(":"), 0);
}

#[test]
fn names_that_are_almost_others_are_not_all_compared() {
    let groups: String = (0..1900).map(|n| format!("grp{n:04}:\n")).collect();
    let files = (0..2000).fold(Attack::inventory("files", FINE.to_owned() + &groups), |a, n| {
        a.file(&format!("group_vars/grq{n:04}.yml"), "a: 1\n")
    });
    files.says(LIST, "did you mean");
    let long = "x".repeat(2_000_000);
    Attack::inventory(
        "a long key",
        FINE.replace("engine: llama_cpp", &format!("engine: llama_cpp, ? {long} : 1")),
    )
    .refused("");
}
