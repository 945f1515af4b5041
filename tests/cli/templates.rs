//! The user's own templates. What they get wrong is in tests/diagnostics.

use crate::program::{FINE, Test};

#[test]
fn a_template_that_says_what_homelabs_does_changes_nothing() {
    let text = "name: {{ project }}\nservices:\n\
        {%- for service in services %}\n  {{ service.name }}: {{ service.keys | yaml }}\n{%- endfor %}\n";
    let ours = Test::plan(FINE).run().stdout;
    let theirs = Test::plan(FINE).file("templates/compose.yml.tera", text).run().stdout;
    assert_eq!(ours, theirs);
}
