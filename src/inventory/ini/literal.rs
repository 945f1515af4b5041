//! A value of an INI inventory: a literal of Python's where it is one, text where it is not.
//! It evaluates nothing and follows `ast.literal_eval`, which Ansible uses.

use std::collections::BTreeSet;

use crate::diagnostic::Origin;
use crate::inventory::python;
use crate::inventory::{Entry, Map, Node, Value};

/// How deep a literal may nest.
const MAX_DEPTH: usize = 90;

/// The longest text that is read as a literal, in bytes; what is longer stays text.
const MAX_BYTES: usize = 256 << 10;

/// The value that a text stands for.
pub(super) fn node(text: &str, origin: &Origin) -> Node {
    if text.len() > MAX_BYTES {
        return Node { origin: origin.clone(), value: Value::Str(text.to_owned()) };
    }
    let mut reader = Reader { chars: text.trim_start_matches([' ', '\t']).chars().collect(), at: 0, origin };
    let value = reader.whole().unwrap_or_else(|| Value::Str(text.to_owned()));
    Node { origin: origin.clone(), value }
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    origin: &'a Origin,
}

/// What a literal may be while it is being read: bytes do not mix with text.
enum Text {
    Bytes,
    Str,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c))
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.starts(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|c| [' ', '\t', '\u{c}'].contains(&c)) {
            self.at += 1;
        }
    }

    /// The whole text as one literal, or as a tuple without its parentheses. A comment may follow.
    fn whole(&mut self) -> Option<Value> {
        let first = self.item(0)?;
        self.space();
        let value =
            if self.peek() == Some(',') { Value::Seq(self.more(first, None, 0)?) } else { first.value };
        self.space();
        (self.at == self.chars.len() || self.peek() == Some('#')).then_some(value)
    }

    fn here(&self, value: Value) -> Node {
        Node { origin: self.origin.clone(), value }
    }

    /// A number with a sign, or anything else without one.
    fn item(&mut self, depth: usize) -> Option<Node> {
        self.space();
        let sign = self.peek().filter(|c| ['+', '-'].contains(c));
        self.at += usize::from(sign.is_some());
        self.space();
        let node = self.atom(depth)?;
        let value = match (sign, node.value) {
            (None, value) => value,
            (Some('-'), Value::Int(number)) => Value::Int(number.checked_neg()?),
            (Some('-'), Value::Float(number)) => Value::Float(-number),
            (Some(_), Value::Int(number)) => Value::Int(number),
            (Some(_), Value::Float(number)) => Value::Float(number),
            _ => return None,
        };
        Some(self.here(value))
    }

    fn atom(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let value = match self.peek()? {
            '(' => {
                self.at += 1;
                self.space();
                if self.take(")") {
                    return Some(self.here(Value::Seq(Vec::new())));
                }
                let first = self.item(depth + 1)?;
                self.space();
                if self.take(")") {
                    return Some(first);
                }
                Value::Seq(self.more(first, Some(')'), depth)?)
            }
            '[' => {
                self.at += 1;
                self.space();
                if self.take("]") {
                    return Some(self.here(Value::Seq(Vec::new())));
                }
                let first = self.item(depth + 1)?;
                Value::Seq(self.more(first, Some(']'), depth)?)
            }
            '{' => self.braces(depth)?,
            '0'..='9' => self.number()?,
            '.' if self.take("...") => Value::Str("...".into()),
            '.' => self.number()?,
            _ if self.opens_text() => self.text()?,
            _ => self.word()?,
        };
        Some(self.here(value))
    }

    /// The items after the first, up to what closes them or to the end.
    fn more(&mut self, first: Node, close: Option<char>, depth: usize) -> Option<Vec<Node>> {
        let mut items = vec![first];
        loop {
            self.space();
            if close.is_some() && self.peek() == close {
                self.at += 1;
                return Some(items);
            }
            if !self.take(",") {
                return close.is_none().then_some(items);
            }
            self.space();
            let ends = close.is_none() && matches!(self.peek(), None | Some('#'));
            if ends {
                return Some(items);
            }
            if self.peek() != close || close.is_none() {
                items.push(self.item(depth + 1)?);
            }
        }
    }

    /// A dict, or a set, which becomes a list.
    fn braces(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        self.space();
        if self.take("}") {
            return Some(Value::Map(Map::default()));
        }
        let first = self.item(depth + 1)?;
        self.space();
        if self.peek() != Some(':') {
            hashable(&first)?;
            let mut seen = BTreeSet::new();
            let mut items = self.more(first, Some('}'), depth)?;
            items.retain(|item| seen.insert(python::repr(item)));
            return Some(Value::Seq(items));
        }
        let (mut entries, mut key) = (Vec::new(), first);
        loop {
            self.space();
            let name = hashable(&key)?;
            if !self.take(":") {
                return None;
            }
            let node = self.item(depth + 1)?;
            let text = matches!(key.value, Value::Str(_) | Value::Unsafe(_));
            entries.push(Entry { key: name, text, origin: self.origin.clone(), node });
            self.space();
            let comma = self.take(",");
            self.space();
            if self.take("}") {
                return Some(Value::Map(Map(entries)));
            }
            if !comma {
                return None;
            }
            key = self.item(depth + 1)?;
        }
    }

    fn word(&mut self) -> Option<Value> {
        let word: String =
            self.chars[self.at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
        self.at += word.chars().count();
        match word.as_str() {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            "set" => self.take("()").then(|| Value::Seq(Vec::new())),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        let exponent = |reader: &Self| {
            let before = reader.chars[reader.at - 1];
            let decimal = !(reader.starts_at(start, "0x") || reader.starts_at(start, "0X"));
            decimal && ['e', 'E'].contains(&before)
        };
        while let Some(c) = self.peek() {
            let sign = ['+', '-'].contains(&c) && self.at > start && exponent(self);
            if !(c.is_alphanumeric() || c == '_' || c == '.' || sign) {
                break;
            }
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        python::number(&text)
    }

    fn starts_at(&self, start: usize, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.chars.get(start + i) == Some(&c))
    }

    /// How long the prefix of a quoted text is that begins here.
    fn prefix(&self) -> Option<usize> {
        let letters = self.chars[self.at..].iter().take_while(|c| c.is_ascii_alphabetic());
        let letters: String = letters.collect::<String>().to_lowercase();
        let known = ["", "r", "u", "b", "br", "rb"].contains(&letters.as_str());
        let quote = self.chars.get(self.at + letters.len()).is_some_and(|c| ['\'', '"'].contains(c));
        (known && quote).then_some(letters.len())
    }

    fn opens_text(&self) -> bool {
        self.prefix().is_some()
    }

    /// Quoted texts, one after the other: they are one.
    fn text(&mut self) -> Option<Value> {
        let (mut out, mut kind) = (String::new(), None);
        while let Some(length) = self.prefix() {
            let prefix: String =
                self.chars[self.at..self.at + length].iter().collect::<String>().to_lowercase();
            self.at += length;
            let bytes = prefix.contains('b');
            match kind {
                Some(Text::Bytes) if !bytes => return None,
                Some(Text::Str) if bytes => return None,
                _ => kind = Some(if bytes { Text::Bytes } else { Text::Str }),
            }
            let before = out.len();
            self.quoted(prefix.contains('r'), bytes, &mut out)?;
            if bytes && !out[before..].is_ascii() {
                return None;
            }
            self.space();
        }
        // Ansible takes bytes for text that is no template.
        Some(if matches!(kind, Some(Text::Bytes)) { Value::Unsafe(out) } else { Value::Str(out) })
    }

    fn quoted(&mut self, raw: bool, bytes: bool, out: &mut String) -> Option<()> {
        let quote = self.peek()?;
        let triple = quote.to_string().repeat(3);
        let close = if self.starts(&triple) { triple } else { quote.to_string() };
        self.take(&close);
        loop {
            if self.take(&close) {
                return Some(());
            }
            let c = self.peek()?;
            self.at += 1;
            if c != '\\' {
                out.push(c);
                continue;
            }
            let next = self.peek()?;
            self.at += 1;
            if raw {
                out.extend(['\\', next]);
            } else {
                self.escape(next, bytes, out)?;
            }
        }
    }

    fn escape(&mut self, c: char, bytes: bool, out: &mut String) -> Option<()> {
        let simple = match c {
            '\\' | '\'' | '"' => Some(c),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            'x' => Some(self.code(2, 16)?),
            'u' if !bytes => Some(self.code(4, 16)?),
            'U' if !bytes => Some(self.code(8, 16)?),
            // A character by its name would need all their names: the whole value stays text.
            'N' if !bytes => return None,
            '0'..='7' => {
                self.at -= 1;
                let digits = self.chars[self.at..].iter().take(3).take_while(|c| c.is_digit(8)).count();
                Some(self.code(digits, 8)?)
            }
            _ => None,
        };
        match simple {
            Some(c) => out.push(c),
            None => out.extend(['\\', c]),
        }
        Some(())
    }

    /// A character by this many digits.
    fn code(&mut self, digits: usize, base: u32) -> Option<char> {
        let text: String = self.chars.get(self.at..self.at + digits)?.iter().collect();
        self.at += digits;
        text.chars()
            .all(|c| c.is_digit(base))
            .then(|| u32::from_str_radix(&text, base).ok())?
            .and_then(char::from_u32)
    }
}

/// A value as a key; lists and maps can be none.
fn hashable(node: &Node) -> Option<String> {
    match &node.value {
        Value::Null => Some("null".into()),
        _ => node.as_text().ok(),
    }
}
