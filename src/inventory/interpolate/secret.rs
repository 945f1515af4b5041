//! What expressions make of values of Ansible Vault: that is secret, too, all of it.
//! A template that touches such a value is tainted; what it comes to is marked before anybody sees it.

use std::collections::BTreeSet;

use minijinja::value::Value as Jinja;

use super::explain::{self, Failure};
use super::lazy::Place;
use super::{Inner, scalar};
use crate::diagnostic::Diagnostic;
use crate::inventory::vault::Values;
use crate::inventory::{Node, Value, Vaulted, python};

/// What stands for a value that is not opened, where an expression wants one.
const UNKNOWN: &str = "vaulted";

/// What a template touched of vaults.
#[derive(Clone, Debug, Default)]
pub(super) struct Taint {
    /// Whether a value was secret.
    secret: bool,
    /// The texts of those that were not opened: what came out of it is not what it will be.
    sealed: BTreeSet<String>,
}

impl Taint {
    /// That of a template by itself: one that stands in an encrypted file is secret.
    pub(super) fn at(place: &Place) -> Self {
        Self { secret: matches!(place.node().value, Value::Vault(_)), ..Self::default() }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.secret |= other.secret;
        self.sealed.extend(other.sealed.iter().cloned());
    }

    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

    pub(super) fn is_guess(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// What a template came to, secret if the template is tainted.
    pub(super) fn mark(&self, node: Node) -> Node {
        if !self.secret {
            return node;
        }
        node.each(&mut |value| match value {
            vaulted @ Value::Vault(_) => vaulted,
            value => Value::Vault(self.of(value)),
        })
    }

    fn of(&self, value: Value) -> Vaulted {
        if self.sealed.is_empty() {
            return Vaulted::Open(Box::new(value));
        }
        match (&value, self.sealed.first()) {
            (Value::Str(text), Some(only)) if text == UNKNOWN && self.sealed.len() == 1 => {
                Vaulted::Sealed(only.clone())
            }
            _ => {
                let texts: Vec<&str> = self.sealed.iter().map(String::as_str).collect();
                Vaulted::Sealed(format!("{}\n{}", python::written(&value), texts.join("\n")))
            }
        }
    }
}

/// An error in a tainted template. The engine's own words may hold a value, so they go, unless they are about
/// something else further down.
pub(super) fn hushed(failure: Failure, place: &Place) -> Failure {
    let quiet = |was: Diagnostic| Diagnostic {
        origin: was.origin,
        ..Diagnostic::error(&place.node().origin, "this expression fails on a value of Ansible Vault")
            .hint("why is not shown, for it might show the value; take the value as it is: \"{{ name }}\"")
    };
    match failure {
        Failure::Undefined(was) => Failure::Undefined(quiet(was)),
        Failure::Broken(was) => Failure::Broken(quiet(was)),
    }
}

impl Inner {
    /// A value of a vault as the engine sees it, inside the template that is last in the chain.
    pub(super) fn revealed(&self, place: &Place, vaulted: &Vaulted) -> Jinja {
        let text = match vaulted {
            Vaulted::Open(value) => {
                self.taint(None);
                return scalar(value);
            }
            Vaulted::Sealed(text) => text,
        };
        if self.values == Values::Sealed {
            self.taint(Some(text));
            return Jinja::from(UNKNOWN);
        }
        match self.world.keys.open(text, &place.node().origin) {
            Ok(plain) => {
                self.taint(None);
                Jinja::from(&*plain)
            }
            Err(diagnostic) => {
                self.taint(Some(text));
                Jinja::from(explain::wrapped(diagnostic))
            }
        }
    }

    /// A sealed value opened, for whoever asked for it by itself. It is never a template, as in Ansible.
    pub(super) fn opened(&self, node: &Node) -> Result<Node, Diagnostic> {
        let sealed = match &node.value {
            Value::Vault(Vaulted::Sealed(text)) if self.values == Values::Opened => text,
            _ => return Ok(node.clone()),
        };
        let plain = self.world.keys.open(sealed, &node.origin)?;
        let value = Value::Vault(Vaulted::Open(Box::new(Value::Str(plain.as_ref().to_owned()))));
        Ok(Node { origin: node.origin.clone(), value })
    }

    /// A node without its marks, for use inside the template that is last in the chain and tainted by it.
    pub(super) fn bare(&self, node: Node) -> Node {
        node.each(&mut |value| match value {
            Value::Vault(Vaulted::Open(value)) => {
                self.taint(None);
                *value
            }
            Value::Vault(Vaulted::Sealed(text)) => {
                self.taint(Some(&text));
                Value::Str(UNKNOWN.to_owned())
            }
            plain => plain,
        })
    }

    fn taint(&self, sealed: Option<&String>) {
        if let Some(link) = self.state().chain.last_mut() {
            link.taint.secret = true;
            link.taint.sealed.extend(sealed.cloned());
        }
    }
}
