//! Random texts, and good inventories with random harm done to them: whatever they are, they are read or refused.

use std::collections::BTreeMap;

use homelab::lock::Pins;
use homelab::{cluster, inventory};
use proptest::prelude::*;

use crate::attack::FINE;
use crate::dice::Dice;

const INI: &str = "[gpu]\nbox ansible_host=10.0.0.9 v=\"[1, 'a', {'b': None}]\"\n[all:vars]\nw={{ v }}\n[site:children]\ngpu\n";
const EXPRESSIONS: &str = "all:\n  hosts: {h[1:3]: {a: '{{ b | default([1]) }}', b: &x {c: '{{ a ~ hostvars.h2.a }}'}}}\n  vars: {d: *x, <<: {e: !unsafe '{{ 1 }}'}}\n";
/// What parsers trip over.
const PARTS: [&str; 24] = [
    "{{ ",
    " }}",
    "{% for a in b %}",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!vault |\n ",
    "\t",
    "\n  ",
    "\r",
    ": ",
    "- ",
    "? ",
    "[",
    "{",
    "\"",
    "'",
    "\\",
    "#",
    "\u{feff}",
    "\0",
    "[0:9]",
    "---\n",
];

/// A good inventory with some bytes taken out, doubled, exchanged, or something else put in.
fn harmed(bytes: &[u8]) -> String {
    let mut dice = Dice::new(bytes);
    let mut text = [FINE, INI, EXPRESSIONS][dice.below(3)].to_owned();
    for _ in 0..=dice.below(6) {
        let at = |dice: &mut Dice, text: &str| {
            let at = (dice.below(256) * 256 + dice.below(256)) % (text.len() + 1);
            (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
        };
        let (one, other) = (at(&mut dice, &text), at(&mut dice, &text));
        let (from, to) = (one.min(other), one.max(other));
        if dice.coin() {
            text.insert_str(from, PARTS[dice.below(PARTS.len())]);
            continue;
        }
        match dice.below(3) {
            0 => text.replace_range(from..to, ""),
            1 => text = text[..to].to_owned() + &text[from..],
            _ => text.insert(from, char::from(u8::try_from(dice.below(256)).unwrap())),
        }
    }
    text
}

/// Reads it as far as it goes, and says all that is wrong.
fn read(text: &str) {
    let words = match inventory::parse("inventory.yml", text, BTreeMap::new()) {
        Err(wrong) => wrong.to_string(),
        Ok(inventory) => {
            let all = inventory.hosts.keys().cloned().collect();
            for form in [inventory::Form::Raw, inventory::Form::Resolved] {
                let _ = inventory.list(&all, form);
            }
            let _ = inventory.graph("all", Some(inventory::Form::Resolved));
            cluster::read(&inventory, Pins::default(), false)
                .map_or_else(|wrong| wrong.to_string(), |_| String::new())
        }
    };
    assert!(!words.contains(['\u{1b}', '\0', '\u{202e}']), "{words:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_harmed_inventory_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        read(&harmed(&bytes));
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_heap_of_syntax_is_read_or_refused(parts in proptest::collection::vec(0..PARTS.len(), 0..60)) {
        read(&parts.iter().map(|part| PARTS[*part]).collect::<String>());
    }
}
