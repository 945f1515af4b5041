//! Expressions that count for ever, make gigabytes, or refer to one another without end.

use crate::attack::{Attack, FINE, RESOLVED};

/// A model whose path is this expression, beside these variables.
fn using(expression: &str, vars: &str) -> Attack {
    let name: String = expression.chars().take(60).collect();
    let inventory = FINE.replace("/models/tiny.gguf", "\"{{ evil }}\"");
    Attack::inventory(&name, inventory).file("group_vars/all.yml", format!("evil: \"{expression}\"\n{vars}"))
}

#[test]
fn an_expression_makes_only_so_much() {
    for expression in [
        "{{ range(10**9) }}",
        "{{ range(99999) | join('x') }}",
        "{{ 'a' * 10**9 }}",
        "{{ [1] * 100000000 }}",
        "{{ ((('a' * 1000) * 1000) * 1000) * 1000 }}",
        "{{ 9**9**9**9 }}",
        "{{ 5 // 0 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'a' | indent(1000000000) }}",
        "{{ [1] | batch(1000000000, 0) | list | length }}",
        "{{ [1] | slice(1000000000) | list | length }}",
        "{{ ('a' * 10000) | replace('a', 'b' * 10000) }}",
        "{{ range(10000) | join('b' * 10000) }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
    ] {
        using(expression, "").refused("error: ");
    }
}

#[test]
fn an_expression_nests_only_so_deep() {
    let many =
        |open: &str, n: usize, close: &str| format!("{{{{ {}1{} }}}}", open.repeat(n), close.repeat(n));
    for expression in [
        many("(", 100_000, ")"),
        many("[", 100_000, "]"),
        many("not ", 100_000, ""),
        many("-", 100_000, ""),
        many("1+", 100_000, ""),
        many("1~", 100_000, ""),
        many("1 if 0 else ", 50_000, ""),
        many("", 100_000, "|int"),
        many("x", 100_000, "[0]"),
        "{% if 1 %}".repeat(50_000) + &"{% endif %}".repeat(50_000),
        "{{".repeat(500_000),
        format!("{{{{ {} }}}}", "x".repeat(1_000_000)),
    ] {
        using(&expression, "").refused("error: ");
    }
}

#[test]
fn the_longest_expression_there_may_be_fits_the_stack() {
    for sign in
        ["not ", "-", "1**", "1+", "1~", "1 and ", "x.", "1 in ", "1 is x ", "(", "[", "{1:", "1 if 0 else "]
    {
        using(&format!("{{{{ {}1 }}}}", sign.repeat(8100 / sign.len())), "").survived();
    }
}

#[test]
fn variables_end_somewhere() {
    let chain: String = (0..5000).map(|n| format!("v{n}: \"{{{{ v{} }}}}\"\n", n + 1)).collect();
    using("{{ v0 }}", &chain).refused("more than 30 variables stand for one another");
    using("{{ a }}", "a: \"{{ b }}\"\nb: \"{{ a }}\"\n").refused("refers to itself");
    let text: String =
        (0..25).map(|n| format!("v{n}: \"{}\"\n", format!("{{{{ v{} }}}}", n + 1).repeat(10))).collect();
    using("{{ v0 }}", &(text + "v25: x\n")).refused("too much");
    let list = |n: usize| format!("v{n}: [{}]\n", vec![format!("\"{{{{ v{} }}}}\"", n + 1); 10].join(","));
    let lists: String = (0..25).map(list).collect();
    using("{{ v0 }}", &(lists + "v25: x\n")).refused("too much");
    let each: String = (0..2000).map(|n| format!("w{n}: \"{{{{ 'a' * 100000 }}}}\"\n")).collect();
    using("x", &each).harmless(RESOLVED);
    using("{{ hostvars }}", "").refused("error: ");
}

#[test]
fn work_that_only_time_tells_from_other_work_is_ended() {
    // Lists that hold one list twice, sixty deep: to compare them is to look at 2^60 values.
    let twice = "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}";
    let expression = format!(
        "{{% set ns = namespace(x=[1], y=[1]) %}}{{% for i in range(60) %}}{twice}{{% endfor %}}{{{{ ns.x == ns.y }}}}"
    );
    using(&expression, "").watched().refused("too much time or memory");
}
