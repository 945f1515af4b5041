//! What is wrong with the user's files: what, where, what next.
//! It describes and renders; it never prints and never reads a file.

mod frame;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// How many characters of a message's beginning and end are shown: a hostile file is not shown whole.
const MAX_TEXT: usize = 1_000;
/// The longest name that is compared with others.
const MAX_NAME: usize = 300;

/// A file of the user's as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the user would write it: relative to the inventory's directory.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A place in a file: line and column count from 1, in characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub source: Arc<Source>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// How many characters the thing is long, at least 1.
    pub length: usize,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line, self.column)
    }
}

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be planned.
    Error,
    /// It works, but not as the user may think.
    Warning,
}

/// One thing that is wrong with the user's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong: a sentence fragment in lower case.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What to do next.
    pub hint: Option<String>,
    /// Whether it says that something is not there. Where a part of the files could not be read, it may be in that part.
    pub absent: bool,
    /// A value that has none because of this: what else is wrong with that value only follows from it.
    pub spoils: Option<Origin>,
}

impl Diagnostic {
    /// An error at a place.
    #[must_use]
    pub fn error(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: Some(origin.clone()), ..Self::everywhere(message) }
    }

    /// An error at a place, for a reason that may say what to do behind its first `: `.
    #[must_use]
    pub fn because(origin: &Origin, why: &str) -> Self {
        let outside = |at: &usize| why[..*at].matches('`').count().is_multiple_of(2);
        match why.match_indices(": ").map(|(at, _)| at).find(outside) {
            Some(at) => Self::error(origin, &why[..at]).hint(&why[at + 2..]),
            None => Self::error(origin, why),
        }
    }

    /// An error of the files as a whole.
    #[must_use]
    pub fn everywhere(message: impl Into<String>) -> Self {
        let (severity, message) = (Severity::Error, message.into());
        Self { severity, message, origin: None, hint: None, absent: false, spoils: None }
    }

    /// A warning of the files as a whole.
    #[must_use]
    pub fn aside(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::everywhere(message) }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(origin: &Origin, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(origin, message) }
    }

    /// The same with what to do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with what may have been meant, or else with what to do next.
    #[must_use]
    pub fn meant(self, near: Option<&str>, hint: impl Into<String>) -> Self {
        self.hint(near.map_or_else(|| hint.into(), |near| format!("did you mean `{near}`?")))
    }

    /// The same, told only where all files could be read.
    #[must_use]
    pub fn of_absence(self) -> Self {
        Self { absent: true, ..self }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", clipped(&self.message))?;
        if let Some(origin) = &self.origin {
            write!(f, "\n{}", frame::frame(origin))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {}", clipped(hint)),
            None => Ok(()),
        }
    }
}

/// A text that may quote something of any length, cleaned, without its middle if it is very long.
#[must_use]
pub fn clipped(text: &str) -> String {
    let length = text.chars().count();
    if length <= 2 * MAX_TEXT {
        return clean(text);
    }
    let start: String = text.chars().take(MAX_TEXT).collect();
    let end: String = text.chars().skip(length - MAX_TEXT).collect();
    format!("{} … {}", clean(&start), clean(&end))
}

/// Text from users, hosts and models without what would move a terminal's cursor or colour it:
/// escape sequences go, other control characters become `�`. Line breaks and tabs stay.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c if c.is_control() => out.push('\u{fffd}'),
            // Bidirectional overrides reorder what a reader sees.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Lines of a file of the user's as they may be shown: cleaned, and without the values that names of secrets have.
#[must_use]
pub fn without_secrets(text: &str) -> Vec<String> {
    let above = std::iter::once("").chain(text.lines());
    above.zip(text.lines()).map(|(above, line)| frame::harmless(above, line)).collect()
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // CSI: parameters, then one final byte in @ … ~.
        Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
        // OSC and its kin: text up to BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        _ => {}
    }
}

/// A place, to be compared.
type Spot = (usize, usize, usize, usize);

fn spot(o: &Origin) -> Spot {
    (Arc::as_ptr(&o.source).addr(), o.line, o.column, o.length)
}

/// All that was found wrong, in the order it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one more.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Keeps the good part of a result and notes the bad one.
    pub fn take<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|d| self.push(d)).ok()
    }

    /// Whether nothing can be planned.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Leaves out what says nothing new: hosts of one group share its mistakes; what is an error here may have been a
    /// warning before; one mistake at a place brings others with it, and the first is the one to mend.
    pub fn settle(&mut self) {
        let is_error = |d: &Diagnostic| d.severity == Severity::Error;
        let placed = |d: &Diagnostic| d.origin.as_ref().map(spot);
        let errors: BTreeSet<_> = self.0.iter().filter(|d| is_error(d)).filter_map(placed).collect();
        let spoilt = self.spoilt();
        let (mut told, mut said) = (BTreeSet::new(), BTreeSet::new());
        self.0.retain(|problem| match placed(problem) {
            Some(at) if problem.spoils.is_none() && spoilt.contains(&at) => false,
            Some(at) if is_error(problem) => told.insert(at),
            Some(at) if errors.contains(&at) => false,
            at => said.insert((at, problem.message.clone())),
        });
    }

    /// The places of values that have none.
    fn spoilt(&self) -> BTreeSet<Spot> {
        self.0.iter().filter_map(|d| d.spoils.as_ref()).map(spot).collect()
    }

    /// Adds what holds although not all could be read: neither that something is not there, nor what follows from that.
    pub fn extend_but_absences(&mut self, others: Self) {
        let spoilt = others.spoilt();
        let follows = |d: &Diagnostic| {
            d.spoils.is_none() && d.origin.as_ref().is_some_and(|origin| spoilt.contains(&spot(origin)))
        };
        self.0.extend(others.0.into_iter().filter(|d| !d.absent && !follows(d)));
    }

    /// All as they are shown: warnings before errors, file by file, from top to bottom.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<&Diagnostic> = self.0.iter().collect();
        let place = |d: &Diagnostic| d.origin.as_ref().map(|o| (o.source.name.clone(), o.line, o.column));
        all.sort_by_cached_key(|d| (std::cmp::Reverse(d.severity), d.origin.is_none(), place(d)));
        all
    }

    /// How many there are, where they are more than one.
    #[must_use]
    pub fn count(&self) -> Option<String> {
        let count = |severity, word: &str| match self.0.iter().filter(|d| d.severity == severity).count() {
            0 => None,
            1 => Some(format!("1 {word}")),
            many => Some(format!("{many} {word}s")),
        };
        let both = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
        (self.0.len() > 1).then(|| both.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join("\n\n"))
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate nearest to `typed`, if it is near enough to be what was meant.
#[must_use]
pub fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().count();
    let near = |c: &&str| {
        length <= MAX_NAME && c.chars().count().abs_diff(length) <= (c.len().max(length) / 3).max(1)
    };
    candidates
        .into_iter()
        .filter(near)
        .map(|c| (strsim::damerau_levenshtein(typed, c), c))
        .filter(|(distance, c)| *distance <= (c.chars().count().max(typed.chars().count()) / 3).max(1))
        .min()
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_the_line_and_the_place() {
        let source =
            Arc::new(Source { name: "group_vars/all.yml".into(), text: "a: 1\nport: 99999\n".into() });
        let origin = Origin { source, line: 2, column: 7, length: 5 };
        let shown = Diagnostic::error(&origin, "99999 is not a port").hint("use 1 to 65535").to_string();
        assert_eq!(
            shown,
            "error: 99999 is not a port\n --> group_vars/all.yml:2:7\n  |\n2 | port: 99999\n  |       ^^^^^\n  hint: use 1 to 65535"
        );
    }

    #[test]
    fn escape_sequences_do_not_reach_a_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}b\u{8}\r\n"), "aredb\u{fffd}\n");
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("lama_cpp", ["vllm", "llama_cpp"]), Some("llama_cpp"));
        assert_eq!(did_you_mean("postgres", ["vllm", "llama_cpp"]), None);
    }
}
