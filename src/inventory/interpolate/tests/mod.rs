//! Expressions as Ansible evaluates them, and what is wrong with them.

mod vaulted;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::diagnostic::Diagnostics;
use crate::inventory::{HostVars, Value, parse};
use crate::names::HostName;

/// The host `gpu-1` with these variables in its group, beside a host `gpu-2`.
fn host(vars: &str) -> HostVars {
    let indented: String = vars.lines().map(|l| format!("    {l}\n")).collect();
    let text = format!(
        "inference:\n  hosts:\n    gpu-1.lan:\n    gpu-2.lan: {{special: \"{{{{ port + 1 }}}}\"}}\n  vars:\n    port: 8000\n{indented}"
    );
    let env = BTreeMap::from([("HF_HOME".to_owned(), "/cache {{ port }}".to_owned())]);
    let inventory = parse("inventory.yml", &text, env).unwrap();
    inventory.hosts[&HostName::new("gpu-1.lan").unwrap()].clone()
}

/// What the expression `x` comes to, as JSON.
fn value(vars: &str) -> String {
    host(vars).value("x").unwrap().unwrap().to_json().unwrap().to_string()
}

fn error(vars: &str) -> String {
    host(vars).value("x").unwrap_err().to_string()
}

#[test]
fn a_sole_expression_keeps_its_type_and_everything_else_is_text() {
    for (x, result) in [
        (r#"x: "{{ port }}""#, "8000"),
        (r#"x: "{{ port }} ""#, "\"8000 \""),
        (r#"x: "{{ 5 }}{{ 6 }}""#, "\"56\""),
        (r#"x: "{% if port %}{{ port }}{% endif %}""#, "8000"),
        (r#"x: "{{ port }}\n""#, "8000"),
        (r#"x: "{{ 'a' }}\n""#, r#""a\n""#),
        (r#"x: "{{ [1, 'a', true, none] }}""#, r#"[1,"a",true,null]"#),
        (r#"x: "is {{ true }} {{ none }} {{ [1, 'a'] }}""#, r#""is True  [1, 'a']""#),
        (r#"x: "{{ '5' }}""#, "\"5\""),
        (r#"x: "{{ 7 / 2 }}""#, "3.5"),
        (r#"x: "{# why #}y""#, "\"y\""),
        (r#"x: "{{ '{{' }} port }}""#, "\"{{ port }}\""),
    ] {
        assert_eq!(value(x), result, "{x}");
    }
}

/// Every result here was compared with ansible-core 2.19 (`ansible -m debug`).
#[test]
fn expressions_mean_what_ansible_takes_them_for() {
    let vars = "ports: {a: 1, 8000: x, n: {deep: \"{{ port }}\"}}\nnames: [b, a, \"{{ inventory_hostname }}\"]\nno: 'no'\nnope: \"{{ missing }}\"\n";
    for (expression, result) in [
        ("ports.n.deep + 1", "8001"),
        ("ports['n']['deep']", "8000"),
        ("ports.get('zz', 5)", "5"),
        ("ports['8000']", "\"x\""),
        ("names | sort | join(',')", "\"a,b,gpu-1.lan\""),
        ("names[-1]", "\"gpu-1.lan\""),
        ("inventory_hostname_short", "\"gpu-1\""),
        ("group_names", r#"["inference"]"#),
        ("groups['inference']", r#"["gpu-1.lan","gpu-2.lan"]"#),
        ("groups.all | length", "2"),
        ("hostvars['gpu-2.lan'].special", "8001"),
        ("hostvars[inventory_hostname].port", "8000"),
        ("hostvars['gpu-2.lan'].nothing | default('d')", "\"d\""),
        ("nope | default('d')", "\"d\""),
        ("nope is defined", "false"),
        ("a.b.c | default('d')", "\"d\""),
        ("ansible_default_ipv4.address | default(omitted | default('x'))", "\"x\""),
        ("lookup('env', 'HF_HOME')", "\"/cache {{ port }}\""),
        ("lookup('env', 'UNSET')", "\"\""),
        ("lookup('env', 'UNSET', default='d')", "\"d\""),
        ("vars['no'] | bool", "false"),
        ("(port > 5) | ternary('y', 'n')", "\"y\""),
        ("{'a': 1} | combine({'b': 2}, {'a': 3})", r#"{"a":3,"b":2}"#),
        ("ports | dict2items | map(attribute='key') | list", r#"["a","8000","n"]"#),
        ("'a,b'.split(',')", r#"["a","b"]"#),
        ("'a' ~ 1 ~ true", "\"a1True\""),
        ("'/a/b' | dirname ~ ('/a/c' | basename)", "\"/ac\""),
        ("vars.names | mandatory | first", "\"b\""),
    ] {
        assert_eq!(value(&format!("{vars}x: \"{{{{ {expression} }}}}\"")), result, "{expression}");
    }
}

#[test]
fn evaluated_values_keep_the_places_of_what_was_typed() {
    let host = host("base: {a: 1, b: \"{{ port }}\"}\nx:\n  copy: \"{{ base }}\"\n  list: [\"{{ port }}\"]");
    let x = host.value("x").unwrap().unwrap();
    let copy = &x.as_map().unwrap().get("copy").unwrap().node;
    assert_eq!((copy.origin.line, copy.origin.column), (9, 13));
    let b = &copy.as_map().unwrap().get("b").unwrap().node;
    assert_eq!((b.origin.line, b.origin.column, &b.value), (7, 21, &Value::Int(8000)));
    let list = &x.as_map().unwrap().get("list").unwrap().node.as_seq().unwrap()[0];
    assert_eq!((list.origin.line, list.value.clone()), (10, Value::Int(8000)));
}

#[test]
fn what_is_unsafe_or_comes_from_outside_is_never_a_template() {
    assert_eq!(value("u: !unsafe '{{ port }}'\nx: \"{{ u }}!\""), "\"{{ port }}!\"");
    assert_eq!(value("x: !unsafe '{{ port }}'"), "\"{{ port }}\"");
    assert_eq!(value("u: !unsafe {k: ['{{ port }}']}\nx: \"{{ u.k }}\""), r#"["{{ port }}"]"#);
}

#[test]
fn what_is_undefined_is_named_at_its_place() {
    assert_eq!(
        error("small_model_port: 1\nx: \"http://h:{{ smal_model_port }}/\""),
        "error: `smal_model_port` is not defined for gpu-1.lan\n --> inventory.yml:8:21\n  |\n8 |     x: \"http://h:{{ smal_model_port }}/\"\n  |                     ^^^^^^^^^^^^^^^\n  hint: did you mean `small_model_port`?"
    );
    assert!(
        error("p: {chat: 1}\nx: \"{{ p.cht }}\"")
            .ends_with("8 |     x: \"{{ p.cht }}\"\n  |            ^^^^^\n  hint: did you mean `chat`?")
    );
    // The cause, not the variable that only refers to it.
    assert!(
        error("a: \"{{ b }}\"\nb: \"{{ gone }}\"\nx: [1, \"{{ a }}\"]")
            .starts_with("error: `gone` is not defined for gpu-1.lan\n --> inventory.yml:8:12\n")
    );
    assert!(error("x: \"{{ ansible_hostname }}\"").contains("homelab gathers no facts"));
    assert!(error("x: \"{{ nothing }}\"").ends_with("hint: set it, or write {{ nothing | default(…) }}"));
    assert!(error("x: |\n  a\n  b {{ gone }}").contains("inventory.yml:9:12\n"));
    assert!(error("x: \"{{ 'a' if gone else (b.c | default(1)) }}\"").contains("`gone` is not defined"));
}

#[test]
fn a_circle_is_shown() {
    assert_eq!(
        error("x: \"{{ a }}\"\na: \"{{ b.c }}\"\nb: {c: \"{{ x }}\"}"),
        "error: `x` refers to itself: x → a → b.c → x\n --> inventory.yml:7:8\n  |\n7 |     x: \"{{ a }}\"\n  |        ^^^^^^^^^\n  hint: give one of them a value of its own"
    );
    assert!(
        error("x: \"{{ hostvars['gpu-2.lan'].special2 }}\"\nspecial2: \"{{ hostvars['gpu-1.lan'].x }}\"")
            .starts_with("error: `x` refers to itself: x → hostvars['gpu-2.lan'].special2 → x\n")
    );
    assert!(error("x: {y: \"{{ x }}\"}").starts_with("error: `x` refers to itself: x → x\n"));
    assert!(error("x: {y: \"{{ x | to_json }}\"}").contains("refers to itself"));
    // A field that refers to another field of its own map is no circle.
    assert_eq!(value("x: {a: 1, b: \"{{ x.a }}\"}"), r#"{"a":1,"b":1}"#);
}

#[test]
fn what_is_not_supported_is_said_with_what_is() {
    for (x, message, hint) in [
        (
            "port | regex_replace('a', 'b')",
            "homelab has no filter `regex_replace`",
            "there are abs, attr, basename",
        ),
        ("port | defualt(1)", "homelab has no filter `defualt`", "did you mean `default`?"),
        ("lookup('file', '/etc/passwd')", "homelab has no lookup('file')", "there is lookup('env', 'NAME')"),
        ("query('env', 'A')", "homelab has no function `query`", "there are lookup('env', 'NAME')"),
        ("port is match('a')", "homelab has no test `match`", "there are Jinja's own tests"),
        ("port +", "this expression cannot be read: ", "every `{{`, quote and bracket"),
        ("'a' + 1", "this expression fails: ", ""),
        ("'a'.rjust(5)", "this expression fails: string has no method `rjust` here", ""),
        ("'maybe' | bool", "this expression fails: `maybe` is neither true nor false", ""),
    ] {
        let shown = error(&format!("x: \"{{{{ {x} }}}}\""));
        assert!(shown.starts_with(&format!("error: {message}")), "{shown}");
        assert!(shown.contains(&format!("hint: {hint}")) || hint.is_empty(), "{shown}");
        assert!(shown.contains("--> inventory.yml:7:"), "{shown}");
    }
    assert!(error("v: !vault 'a'\nx: \"{{ v }}\"").starts_with(
        "error: this is not what ansible-vault writes: it does not begin with a line such as \
         `$ANSIBLE_VAULT;1.1;AES256`\n --> inventory.yml:7:8\n"
    ));
}

#[test]
fn every_problem_is_noted_and_the_rest_is_evaluated() {
    let host = host("x: {a: \"{{ gone }}\", b: \"{{ port }}\", c: \"{{ also_gone }}\"}");
    let mut problems = Diagnostics::default();
    let x = host.value_noting("x", &mut problems).unwrap();
    assert_eq!(problems.0.len(), 2);
    assert_eq!(x.to_json().unwrap().to_string(), r#"{"a":"{{ gone }}","b":8000,"c":"{{ also_gone }}"}"#);
    assert!(host.evaluated()["x"].same(&x));
    assert_eq!(host.value("absent"), Ok(None));
}

#[test]
fn hostile_expressions_end_quickly_with_a_word() {
    let began = Instant::now();
    let chain: String = (1..1000).map(|n| format!("c{n}: \"{{{{ c{} }}}}\"\n", n - 1)).collect();
    assert!(error(&format!("c0: 1\n{chain}x: \"{{{{ c999 }}}}\"")).contains("stand for one another here"));

    let text: String = (1..40).map(|n| format!("t{n}: \"{{{{ t{0} }}}}{{{{ t{0} }}}}\"\n", n - 1)).collect();
    assert!(error(&format!("t0: aaaaaaaa\n{text}x: \"{{{{ t25 }}}}\"")).contains("too"));

    let (open, close) = ("[".repeat(90), "]".repeat(90));
    let nested: String = (1..29)
        .map(|n| format!("n{n}: {open}\"{{{{ s{} }}}}\"{close}\ns{n}: \"a{{{{ n{n} }}}}\"\n", n - 1))
        .collect();
    assert!(error(&format!("s0: 1\n{nested}x: \"{{{{ s14 }}}}\"")).contains("come to too much"));

    let item = |n| format!("\"{{{{ l{n} }}}}\"");
    let lists: String = (1..40).map(|n| format!("l{n}: [{}]\n", vec![item(n - 1); 10].join(", "))).collect();
    let lists = format!("l0: [1, 2, 3]\n{lists}");
    assert!(error(&format!("{lists}x: \"{{{{ l20 }}}}\"")).contains("come to too much"));
    assert!(error(&format!("{lists}x: \"a{{{{ l20 }}}}\"")).contains("come to too much"));

    for x in [
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 100000000 }}",
        "{{ ('a' * 100000) | replace('a', 'a' * 100000) }}",
        "{{ ('a' * 100000).replace('a', 'a' * 100000) }}",
        "{{ range(100000) | list | length }}",
        "{% set x = 'aaaaaaaa' %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{% set x = x ~ x ~ x ~ x ~ x ~ x ~ x ~ x %}{{ x }}",
    ] {
        let shown = error(&format!("x: \"{x}\""));
        assert!(shown.contains("takes too long") || shown.contains("fails"), "{x}: {shown}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(3000), ")".repeat(3000));
    assert!(error(&format!("x: \"{deep}\"")).contains("cannot be read"));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn the_environment_does_not_show_in_debug_output() {
    assert!(!format!("{:?}", host("x: 1")).contains("cache"));
}
