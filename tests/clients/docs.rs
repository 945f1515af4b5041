//! docs/clients.md shows what the program prints. What stands around it is written by hand.

use std::fs;
use std::path::Path;

use homelab::client::{self, Choice, text};

use crate::offer;

/// The blocks of the page that the program writes, by name.
fn blocks() -> Vec<(String, String)> {
    let offer = offer();
    let choice = Choice::of(&offer, None, Some("qwen3-4b")).unwrap();
    let mut all =
        vec![("clients".to_owned(), table(&text::clients(client::ALL))), ("agents".to_owned(), agents())];
    for client in client::ALL {
        let files = client.files(&choice, text::PLACEHOLDER);
        let said = text::client(*client, &choice, &files, (None, "homelab clients --key")).unwrap();
        all.push((format!("settings of {}", client.name()), format!("```\n{said}```\n")));
    }
    all
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let line = |cells: &[String; N]| format!("| {} |\n", cells.join(" | "));
    let head =
        rows.first().map(|cells| line(&cells.clone().map(|cell| cell.to_lowercase()))).unwrap_or_default();
    head + &format!("|{}\n", " --- |".repeat(N)) + &rows[1..].iter().map(line).collect::<String>()
}

/// What every agent fills of a context before it was asked anything.
fn agents() -> String {
    let row = |client: &&dyn client::Client| {
        let first = client.first_request()?;
        let left = |context: u64| match context.checked_sub(first) {
            Some(left) => format!("{left} left"),
            None => "refused".to_owned(),
        };
        Some([client.title().to_owned(), format!("{first} tokens"), left(8192), left(16_384), left(32_768)])
    };
    let head = ["agent", "first request", "of 8192", "of 16384", "of 32768"].map(str::to_owned);
    table(&std::iter::once(head).chain(client::ALL.iter().filter_map(row)).collect::<Vec<_>>())
}

#[test]
fn the_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut wanted = page.clone();
    for (name, block) in blocks() {
        let begin = format!("<!-- {name} -->\n");
        let at =
            wanted.find(&begin).unwrap_or_else(|| panic!("the page has no place for {name}")) + begin.len();
        let end = at + wanted[at..].find("<!-- end -->").unwrap();
        wanted.replace_range(at..end, &block);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/clients.md is not what the program says; UPDATE_GOLDEN=1 writes it");
}
