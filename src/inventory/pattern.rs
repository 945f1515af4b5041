//! Host names with ranges: `web[01:10].lan`, `[a:c]`, `node[1:9:2]:2222`.
//! It works on text alone and follows Ansible (plugins/inventory/__init__.py, parsing/utils/addresses.py).

/// How many hosts one inventory may have.
pub(super) const MAX_HOSTS: usize = 10_000;
/// How often one inventory may name hosts, ranges written out: a host may be in many groups.
pub(super) const MAX_NAMED: usize = 200_000;
/// How long a pattern may be: a host name has 253 characters.
const MAX_LENGTH: usize = 1_000;

/// The host names a pattern under `hosts` stands for, and the SSH port it ends with.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    if pattern.len() > MAX_LENGTH {
        return Err("this is too long for the name of a host".into());
    }
    let (address, port) = address(pattern, true);
    let mut names = Vec::new();
    expand_into(address, &mut names)?;
    Ok((names, port))
}

/// A host, perhaps with ranges, and the port that follows it: `host:22`, `[fe80::1]:22`. A text that is no
/// such thing is a name as it stands.
pub(super) fn address(text: &str, ranges: bool) -> (&str, Option<u16>) {
    let (host, port) = split_port(text);
    let good = is_host(host) && (ranges || !host.contains('['));
    if good { (host, port) } else { (text, None) }
}

/// Whether a text is one host, perhaps with ranges and a port, and its colons separate nothing.
pub(super) fn is_address(text: &str) -> bool {
    is_host(split_port(text).0)
}

/// The colons of a bare IPv6 address or of a range begin no port.
fn split_port(text: &str) -> (&str, Option<u16>) {
    let Some((host, port)) = text.rsplit_once(':') else { return (text, None) };
    let digits = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    let Some(port) = digits.then(|| port.parse().ok()).flatten() else { return (text, None) };
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).filter(|h| is_host(h)) {
        return (inner, Some(port));
    }
    let outside = without_ranges(host).is_some_and(|host| !host.contains(':'));
    if outside { (host, Some(port)) } else { (text, None) }
}

/// A text with a digit in place of every bracket and what is in it; nothing when one stays open.
fn without_ranges(text: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(open) = rest.find(['[', ']']) {
        let inner = rest[open..].strip_prefix('[')?;
        let close = inner.find(']')?;
        out.push_str(&rest[..open]);
        out.push('0');
        rest = &inner[close + 1..];
    }
    Some(out + rest)
}

/// What Ansible takes for a host: labels of letters, digits, `_` and `-` between dots, or an IPv6 address;
/// ranges of numbers or single letters stand for a part.
fn is_host(text: &str) -> bool {
    let brackets = text.split('[').skip(1).map(|part| part.split(']').next().unwrap_or(part));
    let number = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    let letter = |part: &str| part.len() == 1 && part.bytes().all(|c| c.is_ascii_alphabetic());
    let range = |bounds: &str| {
        let parts: Vec<&str> = bounds.split(':').collect();
        let both = |is: &dyn Fn(&str) -> bool| is(parts[0]) && is(parts[1]);
        matches!(parts.len(), 2 | 3)
            && (both(&number) || both(&letter))
            && parts[2..].iter().all(|p| number(p))
    };
    let Some(plain) = without_ranges(text).filter(|_| brackets.into_iter().all(range)) else { return false };
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with(['-', '_'])
            && label.chars().all(word)
    };
    plain.split('.').all(label) || plain.parse::<std::net::Ipv6Addr>().is_ok()
}

/// The first range of a name: what stands before, in and after its brackets.
fn range(name: &str) -> Option<(&str, &str, &str)> {
    let (open, colon, close) = (name.find('[')?, name.find(':')?, name.find(']')?);
    (open < colon && colon < close).then(|| (&name[..open], &name[open + 1..close], &name[close + 1..]))
}

fn expand_into(name: &str, names: &mut Vec<String>) -> Result<(), String> {
    let Some((head, bounds, tail)) = range(name) else {
        if names.len() >= MAX_HOSTS {
            return Err(format!(
                "`{name}` is one more than the {MAX_HOSTS} hosts an inventory may have: split it"
            ));
        }
        names.push(name.to_owned());
        return Ok(());
    };
    for middle in members(bounds)? {
        expand_into(&format!("{head}{middle}{tail}"), names)?;
    }
    Ok(())
}

/// What `01:10`, `a:c` or `1:9:2` stands for.
fn members(bounds: &str) -> Result<Box<dyn Iterator<Item = String>>, String> {
    let bad = |why: &str| {
        let example = if why.contains(": ") { "" } else { ": as in [1:9], [01:10:3] or [a:f]" };
        Err(format!("the range [{bounds}] {why}{example}"))
    };
    let parts: Vec<&str> = bounds.split(':').collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, "1"),
        [first, last, step] => (first, last, step),
        _ => return bad("must be [first:last] or [first:last:step]"),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return bad("has no end");
    }
    let step = match step.parse::<usize>() {
        Ok(step) if step > 0 => step,
        _ => return bad("has a step that is not a number from 1"),
    };
    if let (Some(from), Some(to)) = (letter(first), letter(last)) {
        if from > to {
            return bad("ends before it begins");
        }
        return Ok(Box::new(LETTERS[from..=to].chars().step_by(step).map(String::from)));
    }
    let (Ok(from), Ok(to)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return bad("must be of numbers or of single letters");
    };
    let width = if first.len() > 1 && first.starts_with('0') { first.len() } else { 0 };
    if width > 0 && width != last.len() {
        return bad("begins with a zero: both ends must be equally long");
    }
    if from > to {
        return bad("ends before it begins");
    }
    Ok(Box::new((from..=to).step_by(step).map(move |n| format!("{n:0width$}"))))
}

/// The alphabet that Ansible counts in.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn letter(text: &str) -> Option<usize> {
    (text.len() == 1).then(|| LETTERS.find(text))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> String {
        expand(pattern).unwrap().0.join(" ")
    }

    #[test]
    fn ranges_expand_as_in_ansible() {
        assert_eq!(names("web[08:10].lan"), "web08.lan web09.lan web10.lan");
        assert_eq!(names("[a:c]"), "a b c");
        assert_eq!(names("n[1:5:2]"), "n1 n3 n5");
        assert_eq!(names("n[:2]"), "n0 n1 n2");
        assert_eq!(names("r[1:2]-[a:b]"), "r1-a r1-b r2-a r2-b");
        assert_eq!(names("plain.lan"), "plain.lan");
        assert_eq!(names("fe80::1"), "fe80::1");
    }

    #[test]
    fn a_port_at_the_end_is_the_ssh_port() {
        assert_eq!(expand("a:2222").unwrap(), (vec!["a".into()], Some(2222)));
        assert_eq!(expand("n[1:2]:22").unwrap(), (vec!["n1".into(), "n2".into()], Some(22)));
        assert_eq!(expand("[fe80::1]:22").unwrap(), (vec!["fe80::1".into()], Some(22)));
        assert_eq!(expand("n[1:2]").unwrap().1, None);
        assert_eq!(expand("a:99999").unwrap(), (vec!["a:99999".into()], None));
    }

    #[test]
    fn a_bad_range_says_why() {
        for (pattern, why) in [
            ("n[1:]", "the range [1:] has no end: as in [1:9], [01:10:3] or [a:f]"),
            ("n[2:1]", "the range [2:1] ends before it begins: as in [1:9], [01:10:3] or [a:f]"),
            ("n[c:a]", "the range [c:a] ends before it begins: as in [1:9], [01:10:3] or [a:f]"),
            ("n[01:100]", "the range [01:100] begins with a zero: both ends must be equally long"),
            (
                "n[1:x]",
                "the range [1:x] must be of numbers or of single letters: as in [1:9], [01:10:3] or [a:f]",
            ),
            (
                "n[1:2:0]",
                "the range [1:2:0] has a step that is not a number from 1: as in [1:9], [01:10:3] or [a:f]",
            ),
            (
                "n[1:2:3:4]",
                "the range [1:2:3:4] must be [first:last] or [first:last:step]: as in [1:9], [01:10:3] or [a:f]",
            ),
        ] {
            assert_eq!(expand(pattern).unwrap_err(), why);
        }
        assert!(expand("n[1:99999999999]").unwrap_err().contains("10000 hosts"));
    }
}
