//! Numbers for people: bytes in GiB with two decimals, tokens with separators.
//! It rounds and decides nothing.

/// `56.87 GiB`; below a tenth of one, `12 MiB`.
#[must_use]
pub fn gib(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) * 100 + (1 << 29)) >> 30;
    match hundredths {
        0..10 => format!("{} MiB", bytes.div_ceil(1 << 20)),
        _ => format!("{}.{:02} GiB", hundredths / 100, hundredths % 100),
    }
}

/// `12,288`.
#[must_use]
pub fn tokens(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
