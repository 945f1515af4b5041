//! What a plain scalar means in YAML 1.1, as PyYAML and therefore Ansible reads it.
//! It looks at one text only; quoting and tags are the builder's business.

use crate::inventory::Value;

/// The value of a plain scalar, after PyYAML's resolver (<https://github.com/yaml/pyyaml/blob/main/lib/yaml/resolver.py>).
///
/// Two things are kept as text that PyYAML types: dates, as Ansible prints them, and whole numbers
/// beyond 64 bits (so that no digit is lost).
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        _ => boolean(text)
            .map(Value::Bool)
            .or_else(|| int(text).map(Value::Int))
            .or_else(|| float(text).map(Value::Float))
            .unwrap_or_else(|| Value::Str(timestamp(text).unwrap_or_else(|| text.to_owned()))),
    }
}

/// The value of a plain scalar of JSON.
pub(super) fn json(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if text.contains(['.', 'e', 'E']) => {
            text.parse().map_or_else(|_| Value::Str(text.to_owned()), Value::Float)
        }
        _ => text.parse().map_or_else(|_| Value::Str(text.to_owned()), Value::Int),
    }
}

/// A date with a time as Python writes it: `2001-12-14T21:59:43.100000-05:00`. A mere date stays as it is.
fn timestamp(text: &str) -> Option<String> {
    let digits = |text: &str, least: usize, most: usize| {
        let good = (least..=most).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
        good.then(|| text.parse::<u32>().ok())?
    };
    let (date, time) = text.split_once(['T', 't', ' ', '\t'])?;
    let time = time.trim_start_matches([' ', '\t']);
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (digits(year, 4, 4)?, digits(month, 1, 2)?, digits(day, 1, 2)?);
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(time.len());
    let (clock, zone) = (&time[..end], time[end..].trim_start_matches([' ', '\t']));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute, second) = (digits(hour, 1, 2)?, digits(minute, 2, 2)?, digits(second, 2, 2)?);
    let micros = format!("{:0<6}", fraction.get(..fraction.len().min(6))?);
    let micros = if digits(&micros, 6, 6)? == 0 { String::new() } else { format!(".{micros}") };
    let zone = match zone.chars().next() {
        None => String::new(),
        Some('Z') if zone.len() == 1 => "+00:00".into(),
        Some(sign @ ('+' | '-')) => {
            let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
            format!("{sign}{:02}:{:02}", digits(hours, 1, 2)?, digits(minutes, 2, 2)?)
        }
        Some(_) => return None,
    };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{micros}{zone}"))
}

/// The value of a scalar that carries one of YAML's own tags, `str` for `!!str`.
/// Nothing when the text cannot be that, or the tag is none of the scalar ones.
pub(super) fn tagged(tag: &str, text: &str) -> Option<Value> {
    match tag {
        "str" | "timestamp" => Some(Value::Str(text.to_owned())),
        "null" => (plain(text) == Value::Null).then_some(Value::Null),
        "bool" => boolean(text).map(Value::Bool),
        "int" => int(text).map(Value::Int),
        "float" => float(text).or_else(|| text.parse().ok()).map(Value::Float),
        _ => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn int(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    let number = match digits.as_bytes() {
        [b'0'] => 0,
        [b'0', b'b', ..] => radix(&digits[2..], 2)?,
        [b'0', b'x', ..] => radix(&digits[2..], 16)?,
        // The octal of YAML 1.1: `0755` is 493. `0_` is 0.
        [b'0', rest @ ..] if rest.iter().all(|c| *c == b'_') => 0,
        [b'0', ..] => radix(&digits[1..], 8)?,
        [b'1'..=b'9', ..] if digits.contains(':') => {
            let (first, rest) = digits.split_once(':')?;
            sixty(radix(first, 10)?, rest)?
        }
        [b'1'..=b'9', ..] => radix(digits, 10)?,
        _ => return None,
    };
    i64::try_from(if negative { -number } else { number }).ok()
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn radix(digits: &str, base: u32) -> Option<i128> {
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    // `from_str_radix` would take a second sign.
    plain.chars().all(|c| c.is_digit(base)).then(|| i128::from_str_radix(&plain, base).ok())?
}

/// Base 60: `12:30:45` is 45045, which surprises whoever meant a time.
fn sixty(first: i128, rest: &str) -> Option<i128> {
    rest.split(':').try_fold(first, |sum, part| {
        let digits = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        let part: i128 = digits.then(|| part.parse().ok())??;
        sum.checked_mul(60)?.checked_add(part)
    })
}

fn float(text: &str) -> Option<f64> {
    let (negative, number) = sign(text);
    let signed = number.len() < text.len();
    let value = match number {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if !signed => f64::NAN,
        _ => {
            let (whole, rest) = number.split_once('.')?;
            match whole.split_once(':') {
                Some((first, minutes)) => float_of_sixty(first, minutes, rest)?,
                None => decimal(whole, rest, signed)?,
            }
        }
    };
    Some(if negative { -value } else { value })
}

fn float_of_sixty(first: &str, minutes: &str, fraction: &str) -> Option<f64> {
    let whole = sixty(radix(starts_with_digit(first)?, 10)?, minutes)?;
    let fraction: String = underscored(fraction)?;
    format!("{whole}.{fraction}").parse().ok()
}

fn decimal(whole: &str, rest: &str, signed: bool) -> Option<f64> {
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    // `.5` is a number, `-.5` and `.` are text.
    if whole.is_empty() && (signed || starts_with_digit(fraction).is_none()) {
        return None;
    }
    if !whole.is_empty() {
        starts_with_digit(whole)?;
    }
    let exponent = match exponent {
        // PyYAML wants the sign: `1.5e3` is text.
        Some(e) => {
            let digits = e.strip_prefix(['+', '-'])?;
            (!digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())).then(|| format!("e{e}"))?
        }
        None => String::new(),
    };
    format!("0{}.{}0{exponent}", underscored(whole)?, underscored(fraction)?).parse().ok()
}

fn starts_with_digit(text: &str) -> Option<&str> {
    text.starts_with(|c: char| c.is_ascii_digit()).then_some(text)
}

/// The digits of a text that holds nothing but digits and `_`.
fn underscored(text: &str) -> Option<String> {
    let good = text.bytes().all(|c| c.is_ascii_digit() || c == b'_');
    good.then(|| text.chars().filter(|c| *c != '_').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are what `ansible-inventory --list` of ansible-core 2.19 prints.
    #[test]
    fn plain_scalars_mean_what_ansible_takes_them_for() {
        let ints = [
            ("0755", 493),
            ("1_000", 1000),
            ("0x1F", 31),
            ("0b11", 3),
            ("12:30:45", 45045),
            ("1:30", 90),
            ("+12", 12),
            ("-0", 0),
            ("0_7", 7),
            ("1__0", 10),
            ("-0x1f", -31),
            ("-0b1", -1),
            ("00", 0),
            ("0_", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, number) in ints {
            assert_eq!(plain(text), Value::Int(number), "{text}");
        }
        let floats = [
            ("190:20:30.15", 685_230.15),
            ("1.5e+3", 1500.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1.10", 1.1),
            ("+.inf", f64::INFINITY),
            ("-.INF", f64::NEG_INFINITY),
            ("-1_0.5_0", -10.5),
            ("6.02e-23", 6.02e-23),
        ];
        for (text, number) in floats {
            assert_eq!(plain(text), Value::Float(number), "{text}");
        }
        assert!(matches!(plain(".NaN"), Value::Float(n) if n.is_nan()));
        for text in ["yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"] {
            assert_eq!(plain(text), Value::Bool(true), "{text}");
        }
        for text in ["no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
            assert_eq!(plain(text), Value::Bool(false), "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Value::Null, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_stays_text() {
        for text in [
            "0o17",
            "08",
            "1e5",
            "1.5e3",
            "-.5",
            ".",
            "..",
            "1:60",
            "01:30",
            "y",
            "n",
            "Y",
            "oFF",
            "nULL",
            "tRue",
            "0x",
            "--1",
            "+-1",
            "1.2.3",
            "1-2",
            "2024-01-02",
            "8000:80",
            "_1",
            "-.nan",
            "123456789012345678901234",
            "a",
            "-",
            "+",
            "1.e",
            "::1",
            "1:",
            "e5",
            "1.5e+",
        ] {
            assert_eq!(plain(text), Value::Str(text.into()), "{text}");
        }
    }

    #[test]
    fn a_time_is_text_in_one_form() {
        for (text, written) in [
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43.100000-05:00"),
            ("2001-12-15 2:59:43.10Z", "2001-12-15T02:59:43.100000+00:00"),
            ("2001-12-15 02:59:43", "2001-12-15T02:59:43"),
            ("2001-1-5  02:59:43.0 +5", "2001-01-05T02:59:43+05:00"),
            ("2001-12-15 02:59", "2001-12-15 02:59"),
        ] {
            assert_eq!(plain(text), Value::Str(written.into()), "{text}");
        }
    }

    #[test]
    fn a_tag_decides_over_the_look() {
        assert_eq!(tagged("str", "12"), Some(Value::Str("12".into())));
        assert_eq!(tagged("int", "0755"), Some(Value::Int(493)));
        assert_eq!(tagged("float", "1"), Some(Value::Float(1.0)));
        assert_eq!(tagged("bool", "yes"), Some(Value::Bool(true)));
        assert_eq!(tagged("null", "~"), Some(Value::Null));
        assert_eq!(tagged("int", "x"), None);
        assert_eq!(tagged("binary", "aGk="), None);
    }
}
