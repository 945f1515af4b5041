//! The templates, ours and the user's, with every value encoded for YAML by the engine itself,
//! so that no template can forget it. It renders text; it reads and writes no file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use tera::{Context, ErrorKind, Filter, Kwargs, State, Tera, Value};

use super::{plist, unit};
use crate::diagnostic::{Diagnostic, Origin, Source};

/// The templates a user may override, and what homelab has instead.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("compose.yml.tera", include_str!("../../templates/compose.yml.tera")),
    ("litellm.yml.tera", include_str!("../../templates/litellm.yml.tera")),
    ("systemd.service.tera", include_str!("../../templates/systemd.service.tera")),
    ("launchd.plist.tera", include_str!("../../templates/launchd.plist.tera")),
];

/// How much a template may render, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// The user's own templates, by name, with the paths they were read from.
pub type Overrides = BTreeMap<String, Arc<Source>>;

/// How `$` is written in what a template renders.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dollar {
    /// Doubled, for Compose.
    Doubled,
    /// As it is.
    Plain,
}

/// Renders a template.
pub(super) fn render(
    name: &str,
    overrides: &Overrides,
    dollar: Dollar,
    context: &impl Serialize,
) -> Result<String, Diagnostic> {
    let escape = if dollar == Dollar::Doubled { escape_doubled } else { escape_plain };
    rendered(name, overrides, context, |tera| {
        tera.set_escape_fn(escape);
        tera.register_filter("yaml", Yaml(dollar));
    })
}

/// Renders a template of a unit of systemd's.
pub(super) fn render_unit(
    name: &str,
    overrides: &Overrides,
    context: &impl Serialize,
) -> Result<String, Diagnostic> {
    rendered(name, overrides, context, |tera| {
        tera.set_escape_fn(|text, out| out.write_all(unit::word(text).as_bytes()));
        tera.register_filter("exec", Exec);
        tera.register_filter("path", Path);
    })
}

/// Renders a template of a property list of launchd's.
pub(super) fn render_list(
    name: &str,
    overrides: &Overrides,
    context: &impl Serialize,
) -> Result<String, Diagnostic> {
    let escape = |text: &str, out: &mut dyn Write| out.write_all(plist::text(text).as_bytes());
    rendered(name, overrides, context, |tera| tera.set_escape_fn(escape))
}

fn rendered(
    name: &str,
    overrides: &Overrides,
    context: &impl Serialize,
    prepare: impl FnOnce(&mut Tera),
) -> Result<String, Diagnostic> {
    let embedded = || {
        let text = TEMPLATES.iter().find(|(n, _)| *n == name).map_or("", |(_, text)| text);
        Arc::new(Source { name: format!("(homelab's own) {name}"), text: text.to_owned() })
    };
    let source = overrides.get(name).cloned().unwrap_or_else(embedded);
    let mut tera = Tera::new();
    tera.autoescape_on([".tera"]);
    prepare(&mut tera);
    tera.add_raw_template(name, &source.text).map_err(|e| diagnostic(&e, &source))?;
    let context = Context::from_serialize(context).map_err(|e| diagnostic(&e, &source))?;
    let mut out = Limited { bytes: Vec::new(), full: false };
    let rendered = tera.render_to(name, &context, &mut out);
    if out.full {
        let limit = MAX_BYTES >> 20;
        return Err(whole(&source, format!("this template renders more than {limit} MiB"))
            .hint("no file of homelab's is that large: look at its loops, or make several clusters of one"));
    }
    rendered.map_err(|e| diagnostic(&e, &source))?;
    String::from_utf8(out.bytes).map_err(|e| whole(&source, format!("the template renders no text: {e}")))
}

/// What is rendered, up to what is still a file.
struct Limited {
    bytes: Vec<u8>,
    /// Whether there was more.
    full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full = self.bytes.len() + bytes.len() > MAX_BYTES;
        if self.full {
            return Err(io::Error::other("the template renders too much"));
        }
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renders a template to YAML that Compose never sees.
///
/// # Errors
/// What is wrong with it, at its line.
pub fn render_plain(
    name: &str,
    templates: &Overrides,
    context: &impl Serialize,
) -> Result<String, Diagnostic> {
    render(name, templates, Dollar::Plain, context)
}

/// What a template is.
const TERA: &str =
    "templates are Tera's (https://keats.github.io/tera/); docs/inventory.md says what they are given";

/// An error of a template, at its line.
fn diagnostic(error: &tera::Error, source: &Arc<Source>) -> Diagnostic {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            let span = report.span();
            let length = if span.start_line == span.end_line {
                span.end_col.saturating_sub(span.start_col)
            } else {
                1
            };
            let origin = Origin {
                source: Arc::clone(source),
                line: span.start_line.max(1),
                column: span.start_col + 1,
                length: length.max(1),
            };
            let (why, there) = match report.message().split_once(" Available variables: ") {
                Some((why, names)) => (why.to_owned(), format!("there are {names}")),
                None => (report.message().to_string(), TERA.to_owned()),
            };
            Diagnostic::error(&origin, format!("the template does not render: {}", why.trim_end_matches('.')))
                .hint(there)
        }
        _ => whole(source, format!("the template does not render: {error}")).hint(TERA),
    }
}

/// An error of a file as a whole.
pub(super) fn whole(source: &Arc<Source>, message: String) -> Diagnostic {
    Diagnostic::error(&Origin { source: Arc::clone(source), line: 1, column: 1, length: 1 }, message)
}

fn escape_doubled(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(scalar(text, Dollar::Doubled).as_bytes())
}

fn escape_plain(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(scalar(text, Dollar::Plain).as_bytes())
}

/// A text as a YAML scalar: a JSON string, which is one, or bare where it is plainly a word.
fn scalar(text: &str, dollar: Dollar) -> String {
    let mut chars = text.chars();
    let word = chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
    let typed = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text);
    if word && !typed { text.to_owned() } else { json(&Value::from(text), dollar) }
}

/// The filter `yaml`: lists, maps and everything else as JSON, which is YAML.
struct Yaml(Dollar);

impl Filter<Value, String> for Yaml {
    fn call(&self, value: Value, _: Kwargs, _: &State) -> String {
        match value.as_str() {
            Some(text) => scalar(text, self.0),
            None => json(&value, self.0),
        }
    }

    fn is_safe(&self) -> bool {
        true
    }
}

/// The filter `exec`: a list of words as a command line of systemd's.
struct Exec;

impl Filter<Value, String> for Exec {
    fn call(&self, value: Value, _: Kwargs, _: &State) -> String {
        match value.as_array() {
            Some(words) => unit::command_line(words.iter().filter_map(Value::as_str)),
            None => unit::command_line(value.as_str().into_iter()),
        }
    }

    fn is_safe(&self) -> bool {
        true
    }
}

/// The filter `path`: a path where systemd unquotes nothing.
struct Path;

impl Filter<Value, String> for Path {
    fn call(&self, value: Value, _: Kwargs, _: &State) -> String {
        unit::path(value.as_str().unwrap_or_default())
    }

    fn is_safe(&self) -> bool {
        true
    }
}

fn json(value: &Value, dollar: Dollar) -> String {
    // Values come from data that was serialized already; it cannot fail a second time.
    let text = serde_json::to_string(value).unwrap_or_default();
    match dollar {
        Dollar::Doubled => doubled(&text),
        Dollar::Plain => text,
    }
}

/// JSON with `$` doubled in its values; Compose interpolates no keys
/// (compose-spec/compose-go, interpolation/interpolation.go).
fn doubled(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let mut escaped = false;
        let end = rest[start + 1..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let (text, after) = rest.split_at(end.map_or(rest.len(), |end| start + 1 + end + 1));
        if after.starts_with(':') {
            out.push_str(text);
        } else {
            out.push_str(&text.replace('$', "$$"));
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_leave_its_place_in_the_yaml() {
        let source =
            Source { name: "templates/t.tera".into(), text: "a: {{ v }}\nb: {{ v | yaml }}\n".into() };
        let overrides = Overrides::from([("t.tera".to_owned(), Arc::new(source))]);
        for hostile in
            ["x\ny: 1", "\"", "'", "{{ 1 }}", "#", "$HOME", "- a", "yes", "1", "", "a: b", "\u{1b}[0m"]
        {
            let context = BTreeMap::from([("v", hostile)]);
            for dollar in [Dollar::Plain, Dollar::Doubled] {
                let text = render("t.tera", &overrides, dollar, &context).unwrap();
                let back: BTreeMap<String, String> = serde_yaml::from_str(&text).unwrap();
                let want =
                    if dollar == Dollar::Doubled { hostile.replace('$', "$$") } else { hostile.to_owned() };
                assert_eq!(back["a"], want);
                assert_eq!(back["b"], want);
            }
        }
    }

    #[test]
    fn a_dollar_is_doubled_where_compose_would_interpolate_it() {
        for (json, text) in [
            (
                r#"{"a$":"$b","c":["$","\\\"$"],"d":{"e$":1}}"#,
                r#"{"a$":"$$b","c":["$$","\\\"$$"],"d":{"e$":1}}"#,
            ),
            (r#""$\\""#, r#""$$\\""#),
            ("12", "12"),
        ] {
            assert_eq!(doubled(json), text);
        }
    }

    #[test]
    fn a_mistake_in_a_template_has_its_line() {
        let source = Source { name: "templates/t.tera".into(), text: "a: 1\nb: {{ nothing.here }}\n".into() };
        let overrides = Overrides::from([("t.tera".to_owned(), Arc::new(source))]);
        let error = render("t.tera", &overrides, Dollar::Plain, &BTreeMap::from([("v", 1)])).unwrap_err();
        assert!(error.to_string().contains("--> templates/t.tera:2:"), "{error}");
    }
}
