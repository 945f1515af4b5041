//! Templates of the user's that never end, or make what no Compose file is.

use crate::attack::Attack;

fn template(text: &str) -> Attack {
    Attack::new(&text.chars().take(60).collect::<String>()).file("templates/compose.yml.tera", text)
}

#[test]
fn a_template_that_refers_to_itself_or_nests_ends() {
    for text in [
        "{% include \"compose.yml.tera\" %}".to_owned(),
        "{% for a in range(end=1000000000) %}{% endfor %}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{{{{ {}{} }}}}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{{{{ {}true }}}}", "not ".repeat(100_000)),
        "{% if true %}".repeat(50_000) + &"{% endif %}".repeat(50_000),
    ] {
        template(&text).refused("error: ");
    }
}

#[test]
fn what_it_renders_is_bounded() {
    let loops =
        "{% for a in range(end=10000) %}{% for b in range(end=1000) %}xxxxxxxxxx{% endfor %}{% endfor %}";
    template(loops).refused("this template renders more than 4 MiB");
}

#[test]
fn what_it_renders_is_read_within_limits() {
    let laughs: String =
        (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","))).collect();
    template(&format!("a0: &a0 [x]\n{laughs}")).refused("error: ");
    template(&"[".repeat(1_000_000)).refused("error: ");
}

#[test]
fn one_that_loops_for_ever_is_ended() {
    let loops = "{% for a in range(end=10000) %}{% for b in range(end=10000) %}{% for c in range(end=10000) %}{% endfor %}{% endfor %}{% endfor %}";
    template(loops).watched().refused("too much time or memory");
}
