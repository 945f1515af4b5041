//! Who changes a host at the moment, or did so last, in one line of text.
//! It is not a lock, only what is written beside one.

use std::fmt;

/// A homelab that holds or held a host's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whether it holds the lock still, or ended without saying so.
    pub at_work: bool,
    /// When it took the lock, in seconds since 1970 by the host's clock; 0 before the host has said so.
    pub since: u64,
    /// A word that no other run has.
    pub run: String,
    /// The verb, as in `deploy`.
    pub verb: String,
    /// `USER@MACHINE`.
    pub from: String,
    /// Its process on that machine.
    pub process: u32,
}

impl Holder {
    /// What the host writes down, without the state and the time, which it adds.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{} {} {} {}", self.run, self.verb, self.process, self.from)
    }

    /// Who of these took the lock last.
    #[must_use]
    pub fn last(all: &[Self]) -> Option<&Self> {
        all.iter().max_by_key(|holder| holder.since)
    }

    /// Reads a line that a host wrote down. Whatever has another form is none.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (state, line) = line.split_once(' ')?;
        let at_work = [("at-work", true), ("done", false)].into_iter().find(|(word, _)| *word == state)?.1;
        let mut words = line.splitn(5, ' ');
        let (since, run, verb) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let (process, from) = (words.next()?.parse().ok()?, words.next()?);
        let text = |text: &str| crate::diagnostic::clean(text).trim().to_owned();
        Some(Self { at_work, since, run: text(run), verb: text(verb), from: text(from), process })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (homelab {}, process {})", self.from, self.verb, self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        Holder {
            at_work: true,
            since: 1_700_000_000,
            run: "1f2e".into(),
            verb: "deploy".into(),
            from: "anna@laptop".into(),
            process: 42,
        }
    }

    #[test]
    fn what_a_host_wrote_down_is_read_back() {
        assert_eq!(Holder::parse(&format!("at-work 1700000000 {}", holder().to_line())), Some(holder()));
        assert_eq!(holder().to_string(), "anna@laptop (homelab deploy, process 42)");
        let odd = Holder { from: "anna b@lap top".into(), ..holder() };
        assert_eq!(Holder::parse(&format!("at-work 1700000000 {}", odd.to_line())), Some(odd));
    }

    #[test]
    fn what_anybody_else_wrote_is_nobody() {
        for line in [
            "",
            "x",
            "done 2 3",
            "done 1 a deploy 42",
            "done no a deploy 42 x",
            "done 1 a deploy no x",
            "up 1 a deploy 42 x",
        ] {
            assert_eq!(Holder::parse(line), None, "{line}");
        }
        let hostile = Holder::parse("done 1 a deploy 1 \u{1b}[31mroot@x").unwrap();
        assert_eq!(hostile.from, "root@x");
    }
}
