//! The tables of docs/troubleshooting.md are those of the program.
//! They are written from the rows; what stands around them is written by hand.

use std::fs;
use std::path::Path;

use homelab::diagnosis::{CONTAINER, DOCKER, HUB, KnownBy, NVIDIA, OLLAMA, PINNED, REGISTRY, Row, SYSTEM};
use homelab::{engine, gateway};

fn tables() -> Vec<(&'static str, &'static [Row])> {
    let mut all: Vec<_> = engine::ALL.iter().map(|e| (e.name(), e.causes())).collect();
    all.extend([("litellm", gateway::CAUSES), ("hub", HUB), ("nvidia", NVIDIA), ("ollama", OLLAMA)]);
    all.extend([
        ("system", SYSTEM),
        ("container", CONTAINER),
        ("docker", DOCKER),
        ("registry", REGISTRY),
        ("pins", PINNED),
    ]);
    all.retain(|(_, rows)| !rows.is_empty());
    all
}

fn table(rows: &[Row]) -> String {
    let mut out = "| it says | that is | what to do |\n| --- | --- | --- |\n".to_owned();
    for row in rows {
        let says = match row.known_by {
            KnownBy::Words(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
            KnownBy::OutOfMemory => "killed for its memory".to_owned(),
            KnownBy::Code(code) => format!("exit code {code}"),
        };
        out += &format!("| {says} | {} | {} |\n", plain(row.cause), plain(row.next));
    }
    out
}

fn code(word: &str) -> String {
    let word = word.trim().replace('|', "\\|");
    if word.contains('`') { format!("`` {word} ``") } else { format!("`{word}`") }
}

/// A template for readers: numbers and names are …, keys are code.
fn plain(template: &str) -> String {
    let mut out = template.replace("`{1}`", "…");
    for n in 1..=9 {
        out = out.replace(&format!("{{{n}}}"), "…");
    }
    let out = out.replace("{image}", "the image").replace("{registry}", "the registry");
    let mut text = String::new();
    for (i, part) in out.split('[').enumerate() {
        match part.split_once(']') {
            Some((key, rest)) if i > 0 => text += &format!("`{}`{rest}", key.replace('=', ": ")),
            _ => text += part,
        }
    }
    text
}

#[test]
fn the_page_shows_every_row() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut wanted = page.clone();
    for (name, rows) in tables() {
        let begin = format!("<!-- rows of {name} -->\n");
        let at =
            wanted.find(&begin).unwrap_or_else(|| panic!("the page has no place for {name}")) + begin.len();
        let end = at + wanted[at..].find("<!-- end -->").unwrap();
        wanted.replace_range(at..end, &table(rows));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/troubleshooting.md is not what the rows say; UPDATE_GOLDEN=1 writes it");
}
