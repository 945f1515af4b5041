//! Amounts as Compose writes them: bytes and seconds.
//! They are read and written; nothing here knows what they are of.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Reason;

/// A number of bytes, written as Compose writes them: `512m`, `16g`, `1gb`, `1024`
/// (<https://docs.docker.com/reference/compose-file/extension/#specifying-byte-values>; `k`, `m`
/// and `g` are powers of 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = ByteSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or a size such as 512m or 16g")
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes).map(ByteSize).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl FromStr for ByteSize {
    type Err = Reason;
    fn from_str(text: &str) -> Result<Self, Reason> {
        let bad = || {
            format!("`{}` is not a size: a number with b, k, m or g, as in 512m or 16g", text.escape_debug())
        };
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
        let (number, unit) = lower.split_at(digits);
        let factor: u64 = match unit.trim() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            _ => return Err(bad()),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(bad);
        }
        let (whole, fraction) = number.split_once('.').ok_or_else(bad)?;
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).map_err(|_| bad())?).ok_or_else(bad)?;
        let fraction: u64 = fraction.parse().map_err(|_| bad())?;
        let part = u64::try_from(u128::from(fraction) * u128::from(factor) / u128::from(scale))
            .map_err(|_| bad())?;
        whole.checked_mul(factor).and_then(|w| w.checked_add(part)).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        for (size, unit) in UNITS {
            if self.0 >= size {
                let tenths = u128::from(self.0) * 10 / u128::from(size);
                return write!(f, "{}.{} {unit}", tenths / 10, tenths % 10);
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// Whole seconds, written as Compose writes spans of time: `90s`, `1m30s`, `2h`
/// (<https://docs.docker.com/reference/compose-file/extension/#specifying-durations>; what is shorter than a
/// second is nothing Docker can wait). A bare number counts seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

impl Serialize for Seconds {
    /// With its unit: Compose takes no bare number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a time such as 90s or 1m30s")
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(seconds))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Seconds, E> {
                u64::try_from(seconds).map(Seconds).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl FromStr for Seconds {
    type Err = Reason;
    fn from_str(text: &str) -> Result<Self, Reason> {
        let wrong = || {
            format!("`{}` is not a time: seconds, or a number with s, m or h, as in 30m", text.escape_debug())
        };
        if let Ok(seconds) = text.parse() {
            return Ok(Self(seconds));
        }
        let (mut total, mut rest) = (0_u64, text);
        while !rest.is_empty() {
            let unit = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let factor = match rest.as_bytes()[unit] {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                _ => return Err(wrong()),
            };
            let number = rest[..unit].parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
            total = number.and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
            rest = &rest[unit + 1..];
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_size_reads_composes_units() {
        for (text, bytes) in
            [("1024", 1024), ("512m", 512 << 20), ("16gb", 16 << 30), ("1.5k", 1536), ("2b", 2)]
        {
            assert_eq!(text.parse::<ByteSize>(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "g", "1x", "-1m", "99999999999g", "1.", "1..2g"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(1 << 30).to_string(), "1.0 GiB");
    }

    #[test]
    fn seconds_read_composes_units_and_are_written_with_one() {
        for (text, seconds) in [("0", 0), ("90", 90), ("0s", 0), ("30m", 1800), ("1m30s", 90), ("2h1s", 7201)]
        {
            assert_eq!(text.parse::<Seconds>(), Ok(Seconds(seconds)), "{text}");
        }
        for text in
            ["", "s", "-1s", "1d", "500ms", "1m30", "1.5s", "99999999999999999999s", "9999999999999999999h"]
        {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Seconds(90)).unwrap(), "\"90s\"");
        assert_eq!(serde_json::from_str::<Seconds>("\"1m30s\"").unwrap(), Seconds(90));
        assert_eq!(serde_json::from_str::<Seconds>("20").unwrap(), Seconds(20));
    }
}
