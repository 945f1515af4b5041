//! Ansible Vault: opens what `ansible-vault` encrypted with the passwords it is given.
//! Where passwords come from, whoever gives them knows; one that is not needed is not asked for.

mod envelope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use zeroize::Zeroizing;

use crate::diagnostic::{Diagnostic, Origin};
use envelope::Envelope;

pub(super) use envelope::is_sealed;

/// The bytes of a password, wiped when they are dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// Ansible's name for a password nobody named.
pub const DEFAULT_ID: &str = "default";

/// A password that can be had.
pub struct Password {
    id: String,
    from: String,
    fetch: Box<dyn Fn() -> Result<Bytes, String> + Send + Sync>,
    fetched: OnceLock<Result<Bytes, String>>,
}

impl Password {
    /// A password with its vault id and a word on where it comes from; `fetch` gets it when it is needed, once.
    pub fn new(
        id: impl Into<String>,
        from: impl Into<String>,
        fetch: impl Fn() -> Result<Bytes, String> + Send + Sync + 'static,
    ) -> Self {
        Self { id: id.into(), from: from.into(), fetch: Box::new(fetch), fetched: OnceLock::new() }
    }

    fn bytes(&self) -> Result<&Bytes, &String> {
        self.fetched.get_or_init(|| (self.fetch)()).as_ref()
    }
}

impl fmt::Debug for Password {
    /// Where it comes from, and nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.id, self.from)
    }
}

/// What becomes of a single value that is encrypted (`!vault`). Whole files are opened in any case: without
/// one nobody knows even the names of its variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// It is opened where its value is asked for.
    #[default]
    Opened,
    /// It stays sealed, and no password is needed for it.
    Sealed,
}

/// The passwords of a run in Ansible's order, and what was opened with them.
#[derive(Default)]
pub struct Keyring {
    passwords: Vec<Password>,
    values: Values,
    /// By its text: one value often reaches many hosts, and opening it takes milliseconds on purpose.
    opened: Mutex<BTreeMap<String, Result<Arc<str>, Refusal>>>,
}

impl fmt::Debug for Keyring {
    /// Neither passwords nor what they opened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.passwords).finish()
    }
}

/// Why a vault stays closed, and what to do.
#[derive(Clone, Debug)]
struct Refusal {
    what: String,
    hint: String,
}

impl Keyring {
    /// The passwords, the one to try first in front.
    #[must_use]
    pub fn new(passwords: Vec<Password>, values: Values) -> Self {
        Self { passwords, values, opened: Mutex::default() }
    }

    /// What becomes of single values.
    pub(super) fn values(&self) -> Values {
        self.values
    }

    /// What is in the vault that stands at `origin`.
    ///
    /// # Errors
    /// When it is none, no password was given, or none opens it: which were tried.
    pub(super) fn open(&self, text: &str, origin: &Origin) -> Result<Arc<str>, Diagnostic> {
        let known = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known().get(text).cloned();
        let opened = before.unwrap_or_else(|| {
            let opened = self.try_all(text);
            known().insert(text.to_owned(), opened.clone());
            opened
        });
        opened.map_err(|Refusal { what, hint }| Diagnostic::error(origin, what).hint(hint))
    }

    fn try_all(&self, text: &str) -> Result<Arc<str>, Refusal> {
        let refused = |what: String, hint: &str| Refusal { what, hint: hint.to_owned() };
        let envelope = Envelope::parse(text).map_err(|why| {
            refused(
                format!("this is not what ansible-vault writes: {why}"),
                "copy it again as a whole, each line below the other; `|` after !vault keeps the lines",
            )
        })?;
        let id = envelope.id.as_deref().unwrap_or(DEFAULT_ID);
        if self.passwords.is_empty() {
            return Err(no_password(id));
        }
        let (named, others): (Vec<&Password>, Vec<&Password>) =
            self.passwords.iter().partition(|password| password.id == id);
        let unknown_id = named.is_empty() && id != DEFAULT_ID;
        let (mut wrong, mut missing) = (Vec::new(), Vec::new());
        for password in named.into_iter().chain(others) {
            match password.bytes().map(|bytes| envelope.open(bytes)) {
                Ok(Some(plain)) => return utf8(&plain),
                Ok(None) => wrong.push(format!("{password:?}")),
                Err(why) => missing.push(format!("{password:?} ({why})")),
            }
        }
        let mut what = match wrong.is_empty() {
            true => format!("there is no password to open this vault of the id `{id}` with"),
            false => {
                format!("wrong password: this vault of the id `{id}` is not opened by {}", wrong.join(", "))
            }
        };
        if !missing.is_empty() {
            what = format!("{what}; not to be had: {}", missing.join(", "));
        }
        Err(match (wrong.is_empty(), unknown_id) {
            (_, true) => refused(what, &format!("give the password of that id: --vault-id {id}@FILE")),
            (true, false) => refused(what, "give its password in another way, or mend that one"),
            (false, false) => refused(
                what,
                "if the password is right, the text was changed after it was encrypted: the two look the same",
            ),
        })
    }
}

fn no_password(id: &str) -> Refusal {
    let named = if id == DEFAULT_ID { String::new() } else { format!("--vault-id {id}@FILE, ") };
    Refusal {
        what: "this is encrypted by Ansible Vault, and no password is given".to_owned(),
        hint: format!(
            "{named}--vault-password-file FILE or ANSIBLE_VAULT_PASSWORD_FILE names the file with it, \
             --ask-vault-pass asks for it"
        ),
    }
}

fn utf8(plain: &[u8]) -> Result<Arc<str>, Refusal> {
    std::str::from_utf8(plain).map(Arc::from).map_err(|_| Refusal {
        what: "what is in this vault is not UTF-8".to_owned(),
        hint: "encrypt it again from a text in UTF-8".to_owned(),
    })
}
