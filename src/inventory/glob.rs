//! Names with `*`, `?`, `[abc]`, `[a-c]` and `[!a]`, as Python's `fnmatch` reads them.
//! It works on text alone.

/// One step of a pattern.
enum Step {
    /// Any number of characters.
    Any,
    One,
    Char(char),
    /// One of these ranges, or none of them.
    Set(Vec<(char, char)>, bool),
}

/// Whether a whole name fits a pattern.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (steps, name): (Vec<Step>, Vec<char>) = (steps(pattern), name.chars().collect());
    let (mut step, mut at) = (0, 0);
    // Where the last `*` stands, and how far it reaches so far: the only place to go back to.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (steps.get(step), name.get(at)) {
            (None, None) => return true,
            (Some(Step::Any), _) => {
                star = Some((step, at));
                step += 1;
            }
            (Some(one), Some(c)) if one.takes(*c) => (step, at) = (step + 1, at + 1),
            _ => match star {
                Some((back, reached)) if reached < name.len() => {
                    star = Some((back, reached + 1));
                    (step, at) = (back + 1, reached + 1);
                }
                _ => return false,
            },
        }
    }
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Set(ranges, negated) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}

fn steps(pattern: &str) -> Vec<Step> {
    let chars: Vec<char> = pattern.chars().collect();
    let (mut steps, mut at) = (Vec::new(), 0);
    while let Some(c) = chars.get(at) {
        at += 1;
        match c {
            '*' => steps.push(Step::Any),
            '?' => steps.push(Step::One),
            '[' => match set(&chars[at..]) {
                Some((set, length)) => {
                    steps.push(set);
                    at += length;
                }
                None => steps.push(Step::Char('[')),
            },
            c => steps.push(Step::Char(*c)),
        }
    }
    steps
}

/// The set that begins behind a `[`, and how long it is; nothing when it is never closed. A `]` that comes
/// first is one of its characters.
fn set(chars: &[char]) -> Option<(Step, usize)> {
    let negated = chars.first() == Some(&'!');
    let start = usize::from(negated);
    let end = (start + 1..chars.len()).find(|at| chars[*at] == ']')?;
    let (inner, mut ranges, mut at) = (&chars[start..end], Vec::new(), 0);
    while let Some(from) = inner.get(at) {
        match (inner.get(at + 1), inner.get(at + 2)) {
            (Some('-'), Some(to)) => {
                ranges.push((*from, *to));
                at += 3;
            }
            _ => {
                ranges.push((*from, *from));
                at += 1;
            }
        }
    }
    Some((Step::Set(ranges, negated), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_python() {
        for (pattern, name, result) in [
            ("web*", "web1", true),
            ("*b*1", "web-b-1", true),
            ("*b*2", "web-b-1", false),
            ("web?", "web", false),
            ("web[13]", "web3", true),
            ("web[!13]", "web3", false),
            ("web[1-3]x", "web2x", true),
            ("[]a]", "]", true),
            ("a[b", "a[b", true),
            ("", "", true),
            ("***a", "bca", true),
        ] {
            assert_eq!(fits(pattern, name), result, "{pattern} {name}");
        }
    }
}
