//! Wake-on-LAN: how a machine that sleeps is woken, and the packet that does it, as data.
//! It sends nothing.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::names::{Port, Reason};

/// The port that the packet goes to unless somebody says otherwise: discard, where nobody listens.
pub const PORT: u16 = 9;
/// How long a machine may take to boot unless somebody says otherwise, in seconds.
pub const TIMEOUT: u64 = 120;

/// How a host is woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The address of its network card.
    pub mac: Mac,
    /// Where the packet goes, so that every card of the network sees it.
    pub broadcast: Ipv4Addr,
    /// The UDP port of the packet. Cards look for the bytes, not for the port.
    pub port: Port,
    /// How long its sshd may take to answer, in seconds.
    pub timeout: u64,
}

/// The address of a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac([u8; 6]);

impl FromStr for Mac {
    type Err = Reason;
    /// As Linux, Windows and switches write it: `a8:a1:59:0c:3e:7f`, `A8-A1-59-0C-3E-7F`, `a8a1.590c.3e7f`.
    fn from_str(text: &str) -> Result<Self, Reason> {
        let wrong = || {
            format!(
                "`{}` is not the address of a network card: six pairs of hexadecimal digits, as in a8:a1:59:0c:3e:7f \
                 (ip link shows it)",
                text.escape_debug()
            )
        };
        let groups = |mark: char, of: usize| text.split(mark).all(|group| group.len() == of);
        let formed = [(':', 2), ('-', 2), ('.', 4)].iter().any(|(mark, of)| groups(*mark, *of));
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| d.try_into().ok()).collect();
        let others = text.chars().filter(|c| !c.is_ascii_hexdigit()).count();
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        match <[u8; 6]>::try_from(bytes) {
            Ok(bytes) if digits.len() == 12 && formed && [5, 2].contains(&others) => Ok(Self(bytes)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Mac {
    /// The packet that wakes its machine: six bytes of ones, and the address sixteen times
    /// (AMD, "Magic Packet Technology", 1995).
    #[must_use]
    pub fn magic_packet(self) -> [u8; 102] {
        let mut packet = [0xff; 102];
        for place in packet[6..].chunks_exact_mut(6) {
            place.copy_from_slice(&self.0);
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_packet_is_six_times_ones_and_sixteen_times_the_address() {
        let mac: Mac = "a8:a1:59:0c:3e:7f".parse().unwrap();
        let packet = mac.magic_packet();
        let mut expected = vec![0xff_u8; 6];
        for _ in 0..16 {
            expected.extend([0xa8, 0xa1, 0x59, 0x0c, 0x3e, 0x7f]);
        }
        assert_eq!(packet.to_vec(), expected);
        assert_eq!(packet.len(), 102);
    }

    #[test]
    fn an_address_is_read_as_systems_write_it() {
        let mac: Mac = "a8:a1:59:0c:3e:7f".parse().unwrap();
        for text in ["A8-A1-59-0C-3E-7F", "a8a1.590c.3e7f", "A8:a1:59:0C:3e:7F"] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "a8:a1:59:0c:3e:7f");
        for text in [
            "",
            "a8:a1:59:0c:3e",
            "a8:a1:59:0c:3e:7f:00",
            "a8:a1-59:0c:3e:7f",
            "a8a1590c3e7f",
            "a8:a1:59:0c:3e:7g",
            "a:8a:1590c:3e:7:f",
            "8192030405",
            "a8:a1:59:0c:3e:7f\n",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
