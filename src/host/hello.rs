//! Whether a server has a certificate for a name: the first words of TLS 1.2 (RFC 5246, section 7.4), and what comes
//! back. It agrees on no key and sends nothing else, so it needs no cryptography and trusts nobody.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// A record that goes on with the handshake, which only a server with a certificate does.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
/// Elliptic curves with AES-GCM or ChaCha20, for keys of either kind: what servers of this decade take.
const CIPHERS: [u16; 6] = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8];
const GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];
const SIGNATURES: [u16; 9] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601];

/// Says hello to whoever is at the other end.
///
/// # Errors
/// Why there is no certificate for that name, in words.
pub(super) async fn hello(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: &str) -> Result<(), String> {
    let io = |e: std::io::Error| format!("no answer to a TLS hello: {e}");
    stream.write_all(&message(name)).await.map_err(io)?;
    let mut head = [0; 7];
    stream.read_exact(&mut head).await.map_err(io)?;
    judge(head)
}

fn judge(head: [u8; 7]) -> Result<(), String> {
    match head {
        [HANDSHAKE, ..] => Ok(()),
        // Go's and others' way to say that no certificate fits.
        [ALERT, .., 80 | 112] => Err("it has no certificate for that name yet".to_owned()),
        [ALERT, .., description] => Err(format!("it refuses a TLS hello (alert {description})")),
        _ => Err("it does not speak TLS".to_owned()),
    }
}

/// A ClientHello that asks for this name; addresses name nobody (RFC 6066, section 3).
fn message(name: &str) -> Vec<u8> {
    let mut extensions = Vec::new();
    if name.parse::<IpAddr>().is_err() {
        let entry = [&[0], prefixed(name.as_bytes()).as_slice()].concat();
        extension(&mut extensions, 0, &prefixed(&entry));
    }
    extension(&mut extensions, 10, &prefixed(&words(&GROUPS)));
    extension(&mut extensions, 11, &[1, 0]);
    extension(&mut extensions, 13, &prefixed(&words(&SIGNATURES)));
    let mut body = vec![3, 3];
    // The random: nothing secret will ever depend on it.
    body.extend([0x68; 32]);
    body.push(0);
    body.extend(prefixed(&words(&CIPHERS)));
    body.extend([1, 0]);
    body.extend(prefixed(&extensions));
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let handshake = [&[1], &length[1..], &body].concat();
    [[HANDSHAKE, 3, 1].as_slice(), &prefixed(&handshake)].concat()
}

fn extension(all: &mut Vec<u8>, number: u16, content: &[u8]) {
    all.extend(number.to_be_bytes());
    all.extend(prefixed(content));
}

/// Bytes after their number in two bytes.
fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
    [length.as_slice(), bytes].concat()
}

fn words(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_says_its_own_lengths() {
        let message = message("llm.example.org");
        let number = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        assert_eq!((message[0], number(3)), (HANDSHAKE, message.len() - 5));
        assert_eq!((message[5], number(7)), (1, message.len() - 9));
        assert!(message.windows(15).any(|part| part == b"llm.example.org"));
        assert!(super::message("192.0.2.1").len() + 24 == message.len());
    }

    #[test]
    fn only_a_handshake_is_a_certificate() {
        assert_eq!(judge([22, 3, 3, 0, 90, 2, 0]), Ok(()));
        assert!(judge([21, 3, 3, 0, 2, 2, 80]).unwrap_err().contains("no certificate"));
        assert!(judge([21, 3, 3, 0, 2, 2, 40]).unwrap_err().contains("alert 40"));
        assert!(judge(*b"HTTP/1.").unwrap_err().contains("does not speak TLS"));
    }
}
