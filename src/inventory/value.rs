//! A YAML tree in which every key and value knows its place.
//! It holds data only; reading files and evaluating expressions happen elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use super::interpolate::is_template;
use super::yaml;
use crate::diagnostic::{Diagnostic, Origin};
use crate::names::Secret;
use crate::secret::SecretRef;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub origin: Origin,
    /// What it is.
    pub value: Value,
}

/// What a YAML node is, after YAML 1.1's typing of plain scalars (as Ansible reads them).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Any other scalar.
    Str(String),
    /// Text tagged `!unsafe`: it is never read as a template.
    Unsafe(String),
    /// What is or was encrypted by Ansible Vault, or was made of that. It is secret: whoever reads it as
    /// anything else gets an error.
    Vault(Vaulted),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Map),
}

/// A value of Ansible Vault.
#[derive(Clone, PartialEq)]
pub enum Vaulted {
    /// Encrypted: the text of a `!vault`, or of what would be made of some if they were opened.
    Sealed(String),
    /// Opened: no list, no map and no vault.
    Open(Box<Value>),
}

impl fmt::Debug for Vaulted {
    /// Nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed(_) => "Sealed(…)",
            Self::Open(_) => "Open(…)",
        })
    }
}

/// A mapping, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub Vec<Entry>);

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key; keys that are not strings are written as YAML writes them.
    pub key: String,
    /// Whether it is a string in the file: `8000` and `yes` are none.
    pub text: bool,
    /// Where the key stands.
    pub origin: Origin,
    /// Its value.
    pub node: Node,
}

impl Map {
    /// The last entry of that key: as in Ansible, the later of two wins.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().rev().find(|e| e.key == key)
    }

    /// Where each key stands; of two entries of one key the later counts.
    #[must_use]
    pub fn origins(&self) -> BTreeMap<String, Origin> {
        self.0.iter().map(|entry| (entry.key.clone(), entry.origin.clone())).collect()
    }

    /// The entries that count, in the order in which their keys first stand: of two the later.
    #[must_use]
    pub fn effective(&self) -> Vec<&Entry> {
        let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut order = Vec::with_capacity(self.0.len());
        for entry in &self.0 {
            if last.insert(&entry.key, entry).is_none() {
                order.push(entry.key.as_str());
            }
        }
        order.into_iter().filter_map(|key| last.get(key).copied()).collect()
    }

    /// Every entry whose key stands in this mapping already, with the entry that came first.
    #[must_use]
    pub fn duplicates(&self) -> Vec<(&Entry, &Entry)> {
        let mut seen = BTreeMap::new();
        let mut found = Vec::new();
        for entry in &self.0 {
            match seen.get(entry.key.as_str()) {
                Some(first) => found.push((*first, entry)),
                None => {
                    seen.insert(entry.key.as_str(), entry);
                }
            }
        }
        found
    }
}

impl Value {
    /// Whether Python would take it for nothing: what Ansible treats as if it were not there.
    #[must_use]
    pub fn is_falsy(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) | Self::Int(0) => true,
            Self::Float(number) => *number == 0.0,
            Self::Str(text) | Self::Unsafe(text) => text.is_empty(),
            Self::Seq(seq) => seq.is_empty(),
            Self::Map(map) => map.0.is_empty(),
            Self::Bool(true) | Self::Int(_) | Self::Vault(_) => false,
        }
    }
}

/// How a value of that kind is written in YAML.
fn how_to_write(what: &str) -> &'static str {
    let of = |word: &str| what.contains(word);
    if of("variables") || of("map") {
        "write `key: value` lines below it, or {key: value}"
    } else if of("list") {
        "write `- item` lines below it, or [item, item]"
    } else if of("true or false") {
        "write true or false, without quotes"
    } else if of("number") || of("0 or more") {
        "write a number without quotes or unit, as in 8080"
    } else {
        "write one text, in quotes if YAML would take it for something else"
    }
}

impl Node {
    /// What kind of value this is, in a word that fits "expected X, found …".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) | Value::Unsafe(_) => "a string",
            Value::Vault(_) => "a value of Ansible Vault",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The error that something else was expected here.
    #[must_use]
    pub fn expected(&self, what: &str) -> Diagnostic {
        let error = Diagnostic::error(&self.origin, format!("expected {what}, found {}", self.kind()));
        match &self.value {
            Value::Str(text) if yaml::is_typed(text) => error.hint(format!(
                "`{text}` is text here: take away its quotes; from -e KEY={text}, which is always text, make \
                 -e '{{\"KEY\": {text}}}'"
            )),
            Value::Vault(_) => error.hint(
                "what comes out of a vault is secret, and this shows in plans and files: take it out of the \
                 vault. Secrets stand in environment, master_key and hf_token",
            ),
            _ => error.hint(how_to_write(what)),
        }
    }

    /// This as a mapping.
    ///
    /// # Errors
    /// When it is something else.
    pub fn as_map(&self) -> Result<&Map, Diagnostic> {
        match &self.value {
            Value::Map(map) => Ok(map),
            _ => Err(self.expected("a map")),
        }
    }

    /// This as a list.
    ///
    /// # Errors
    /// When it is something else.
    pub fn as_seq(&self) -> Result<&[Node], Diagnostic> {
        match &self.value {
            Value::Seq(seq) => Ok(seq),
            _ => Err(self.expected("a list")),
        }
    }

    /// This as text; numbers and booleans are written as YAML writes them.
    ///
    /// # Errors
    /// When it is a list, a map or nothing.
    pub fn as_text(&self) -> Result<String, Diagnostic> {
        match &self.value {
            Value::Str(text) | Value::Unsafe(text) => Ok(text.clone()),
            Value::Int(number) => Ok(number.to_string()),
            Value::Float(number) => Ok(super::python::float(*number)),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(self.expected("a string")),
        }
    }

    /// This as a whole number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn as_int(&self) -> Result<i64, Diagnostic> {
        match self.value {
            Value::Int(number) => Ok(number),
            _ => Err(self.expected("a whole number")),
        }
    }

    /// This as true or false.
    ///
    /// # Errors
    /// When it is something else.
    pub fn as_bool(&self) -> Result<bool, Diagnostic> {
        match self.value {
            Value::Bool(flag) => Ok(flag),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Whether it says all by itself: nothing in it is an expression or encrypted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match &self.value {
            Value::Str(text) => !is_template(text),
            Value::Vault(_) => false,
            Value::Seq(seq) => seq.iter().all(Self::is_plain),
            Value::Map(map) => map.0.iter().all(|entry| entry.node.is_plain()),
            _ => true,
        }
    }

    /// Whether this is the same value as `other`, wherever the two stand.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Seq(a), Value::Seq(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.0.len() == b.0.len()
                    && a.0.iter().all(|e| b.get(&e.key).is_some_and(|o| e.node.same(&o.node)))
            }
            (Value::Seq(_) | Value::Map(_), _) | (_, Value::Seq(_) | Value::Map(_)) => false,
            (a, b) => a == b,
        }
    }

    /// The duplicate keys of this and of everything in it, each with the key that came first.
    #[must_use]
    pub fn duplicates(&self) -> Vec<(&Entry, &Entry)> {
        match &self.value {
            Value::Seq(seq) => seq.iter().flat_map(Self::duplicates).collect(),
            Value::Map(map) => {
                let deeper = map.0.iter().flat_map(|e| e.node.duplicates());
                map.duplicates().into_iter().chain(deeper).collect()
            }
            _ => Vec::new(),
        }
    }

    /// This as a secret, if it came out of a vault.
    ///
    /// # Errors
    /// When nothing is in the vault.
    pub fn as_vaulted(&self) -> Result<Option<SecretRef>, Diagnostic> {
        let Value::Vault(vaulted) = &self.value else { return Ok(None) };
        Ok(Some(match vaulted {
            Vaulted::Sealed(text) => SecretRef::Sealed(Secret::new(text.clone())),
            Vaulted::Open(value) => {
                let node = Self { origin: self.origin.clone(), value: (**value).clone() };
                SecretRef::Opened(Secret::new(node.as_text()?))
            }
        }))
    }

    /// Whether this or something in it came out of a vault.
    #[must_use]
    pub fn is_vaulted(&self) -> bool {
        match &self.value {
            Value::Vault(_) => true,
            Value::Seq(seq) => seq.iter().any(Self::is_vaulted),
            Value::Map(map) => map.0.iter().any(|e| e.node.is_vaulted()),
            _ => false,
        }
    }

    /// The same with `change` made to every single value in it that is not null.
    pub(super) fn each(self, change: &mut impl FnMut(Value) -> Value) -> Self {
        let value = match self.value {
            Value::Null => Value::Null,
            Value::Seq(seq) => Value::Seq(seq.into_iter().map(|node| node.each(change)).collect()),
            Value::Map(map) => {
                let entry = |e: Entry| Entry { node: e.node.each(change), ..e };
                Value::Map(Map(map.0.into_iter().map(entry).collect()))
            }
            single => change(single),
        };
        Self { origin: self.origin, value }
    }

    /// The same value as plain JSON, without its places; `!unsafe` as `ansible-inventory` writes it.
    ///
    /// # Errors
    /// When something in it came out of a vault.
    pub fn to_json(&self) -> Result<serde_json::Value, Diagnostic> {
        Ok(match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Int(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Str(text) => text.as_str().into(),
            Value::Unsafe(text) => serde_json::json!({ "__ansible_unsafe": text }),
            Value::Vault(_) => return Err(self.expected("a value")),
            Value::Seq(seq) => seq.iter().map(Self::to_json).collect::<Result<_, _>>()?,
            Value::Map(map) => {
                let pair = |e: &Entry| Ok((e.key.clone(), e.node.to_json()?));
                serde_json::Value::Object(map.0.iter().map(pair).collect::<Result<_, Diagnostic>>()?)
            }
        })
    }
}
