//! The user's own templates: what they get wrong, and where.

use crate::program::{FINE, Test};

const HEAD: &str = "name: {{ project }}\nservices:\n";
const EACH: &str =
    "{%- for service in services %}\n  {{ service.name }}: {{ service.keys | yaml }}\n{%- endfor %}\n";

fn template(text: &str) -> Test {
    Test::plan(FINE).file("templates/compose.yml.tera", text)
}

#[test]
fn a_template_that_says_what_homelabs_does_changes_nothing() {
    let ours = Test::plan(FINE).run().stdout;
    let theirs = template(&format!("{HEAD}{EACH}")).run().stdout;
    assert_eq!(ours, theirs);
}

#[test]
fn a_mistake_in_a_template_has_its_line_there() {
    template("name: {{ project }}\nservices: {{ servces }}\n").wrong(
        "error: the template does not render: Variable `servces` is not defined. Available variables: host, networks, project, services, vars
 --> templates/compose.yml.tera:2:14
  |
2 | services: {{ servces }}
  |              ^^^^^^^",
    );
    template("name: {{ project }\n").wrong(
        "error: the template does not render: Found `}` but expected }}.
 --> templates/compose.yml.tera:1:18
  |
1 | name: {{ project }
  |                  ^",
    );
}

#[test]
fn a_template_adds_no_service_and_leaves_none_out() {
    template(&format!("{HEAD}{EACH}  redis: {{image: redis}}\n")).wrong(
        "error: the template adds a service `redis`
 --> box: rendered compose.yml:1:1
  |
1 | name: homelab
  | ^
  hint: homelab runs models and the gateway; other services belong in a Compose project of their own",
    );
    template("name: {{ project }}\nservices: {}\n").wrong(
        "error: the template leaves out the service `litellm`
 --> box: rendered compose.yml:1:1
  |
1 | name: homelab
  | ^",
    );
}

#[test]
fn a_template_keeps_what_homelab_finds_a_service_by() {
    let without = |key: &str| {
        format!(
            "{HEAD}{{%- for service in services %}}\n  {{{{ service.name }}}}:\n\
             {{%- for key, value in service.keys %}}\n{{%- if key != \"{key}\" %}}\n    \
             {{{{ key }}}}: {{{{ value | yaml }}}}\n{{%- endif %}}\n{{%- endfor %}}\n{{%- endfor %}}\n"
        )
    };
    for (key, what) in [
        ("labels", "give `litellm` its label `dev.homelab.engine: litellm`"),
        ("ports", "publish port 4000 of `litellm`"),
    ] {
        template(&without(key)).wrong(&format!(
            "error: the template does not {what}\n --> box: rendered compose.yml:1:1\n  |\n1 | name: homelab\n  | ^"
        ));
    }
}

#[test]
fn a_template_keeps_the_projects_name() {
    template(&format!("name: mine\nservices:\n{EACH}")).wrong(
        "error: the template names the project `mine`, not `homelab`
 --> box: rendered compose.yml:1:1
  |
1 | name: mine
  | ^",
    );
}

#[test]
fn compose_is_asked_to_interpolate_nothing() {
    let each =
        "{%- for service in services %}\n  {{ service.name }}: {image: \"app:${TAG}\"}\n{%- endfor %}\n";
    template(&format!("{HEAD}{each}")).wrong(
        "error: `app:${TAG}`: homelab does not interpolate `$`; a literal one is written `$$`
 --> box: rendered compose.yml:1:1
  |
1 | name: homelab
  | ^
  hint: this is what the template rendered, not the template itself",
    );
}

#[test]
fn a_key_that_homelab_would_not_carry_out_is_refused() {
    let each = "{%- for service in services %}\n  {{ service.name }}:\n    privileged: true\n{%- endfor %}\n";
    let output = template(&format!("{HEAD}{each}")).command().output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("error: services.litellm: unknown field `privileged`, expected one of `image`"),
        "{text}"
    );
    assert!(text.contains(" --> box: rendered compose.yml:4:5\n"), "{text}");
}

#[test]
fn a_gateways_config_that_is_not_yaml_is_refused() {
    Test::plan(FINE).file("templates/litellm.yml.tera", "model_list: [\n").wrong(
        "error: this is not YAML: while parsing a node, did not find expected node content
 --> rendered litellm.yml:1:13
  |
1 | model_list: [
  |             ^
  hint: this is what the template rendered, not the template itself",
    );
}
