//! What `ansible-vault` writes, formats 1.1 and 1.2: taken apart, and opened with one password.
//! It knows no file and asks nobody for a password.

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every vault begins with.
const HEADER: &str = "$ANSIBLE_VAULT";
/// How often PBKDF2 turns.
const ROUNDS: u32 = 10_000;
/// The lengths of AES's key and block, and of HMAC's key.
const KEY: usize = 32;
const BLOCK: usize = 16;

/// A vault that is still closed. Its parts as Ansible's `parsing/vault` has them: the text behind the header
/// is the hexadecimal form of three lines, each hexadecimal again.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The vault id it was made with (1.2). It is a hint: nothing checks it.
    pub(super) id: Option<String>,
    salt: Vec<u8>,
    mac: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// Whether a text is a vault, as Ansible tells.
pub(in crate::inventory) fn is_sealed(text: &str) -> bool {
    text.starts_with(HEADER)
}

impl Envelope {
    /// Takes a vault apart.
    ///
    /// # Errors
    /// Says what is not as `ansible-vault` writes it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(';').map(str::trim).collect();
        let [HEADER, version, cipher, rest @ ..] = header.as_slice() else {
            return Err(format!("it does not begin with a line such as `{HEADER};1.1;AES256`"));
        };
        if !["1.1", "1.2"].contains(version) {
            return Err(format!("it is of format `{version}`, and there are 1.1 and 1.2"));
        }
        if *cipher != "AES256" {
            return Err(format!("its cipher is `{cipher}`, and there is AES256"));
        }
        let body: String = lines.map(str::trim).collect();
        let inner = hex::decode(&body).map_err(|_| "what follows its first line is not hexadecimal")?;
        let mut parts = inner.splitn(3, |byte| *byte == b'\n').map(hex::decode);
        let (Some(Ok(salt)), Some(Ok(mac)), Some(Ok(ciphertext))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err("it does not hold a salt, a checksum and a text: is it cut off?".into());
        };
        let id = rest.first().filter(|id| !id.is_empty()).map(|id| (*id).to_owned());
        Ok(Self { id, salt, mac, ciphertext })
    }

    /// What is in it; nothing when the password is another one or a byte was changed, which are the same to
    /// whoever lacks the right password.
    pub(super) fn open(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut derived = Zeroizing::new([0_u8; 2 * KEY + BLOCK]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, &self.salt, ROUNDS, derived.as_mut());
        let (keys, iv) = derived.split_at(2 * KEY);
        let (cipher_key, mac_key) = keys.split_at(KEY);
        let mut mac = Hmac::<Sha256>::new_from_slice(mac_key).ok()?;
        mac.update(&self.ciphertext);
        mac.verify_slice(&self.mac).ok()?;
        let mut text = Zeroizing::new(self.ciphertext.clone());
        Ctr128BE::<Aes256>::new_from_slices(cipher_key, iv).ok()?.apply_keystream(&mut text);
        // PKCS #7: the last byte tells how many were added.
        let added = usize::from(*text.last()?);
        let length = text.len().checked_sub(added).filter(|_| (1..=BLOCK).contains(&added))?;
        text.truncate(length);
        Some(text)
    }
}
