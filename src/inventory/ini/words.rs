//! A line cut into words as Python's `shlex` cuts it: quotes, backslashes, comments.
//! It knows nothing of what the words mean.

/// A word without its quotes, and where it stands in the line, in characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Where it begins, from 0.
    pub(super) column: usize,
    /// How long it is as it was typed.
    pub(super) length: usize,
    /// Where its first `=` stands, from its beginning.
    pub(super) equals: Option<usize>,
}

/// The words of a line, up to a comment.
///
/// # Errors
/// Where a quote is opened that is never closed, or a backslash ends the line.
pub(super) fn split(line: &str) -> Result<Vec<Word>, (usize, &'static str)> {
    let mut words = Vec::new();
    let mut chars = line.chars().enumerate().peekable();
    while let Some(&(column, first)) = chars.peek() {
        if first == '#' {
            break;
        }
        if is_space(first) {
            chars.next();
            continue;
        }
        let mut word = Word { text: String::new(), column, length: 0, equals: None };
        let mut comment = false;
        while let Some((at, c)) = chars.next_if(|(_, c)| !is_space(*c)) {
            word.length = at + 1 - column;
            match c {
                // A comment begins in the middle of a word, too.
                '#' => {
                    word.length -= 1;
                    comment = true;
                    break;
                }
                '\'' | '"' => {
                    word.length = quoted(&mut chars, (at, c), &mut word.text)? + 1 - column;
                }
                '\\' => {
                    let (at, next) = chars.next().ok_or((at, "a backslash that escapes nothing"))?;
                    word.length = at + 1 - column;
                    word.text.push(next);
                }
                c => {
                    if c == '=' && word.equals.is_none() {
                        word.equals = Some(at - column);
                    }
                    word.text.push(c);
                }
            }
        }
        words.push(word);
        if comment {
            break;
        }
    }
    Ok(words)
}

fn is_space(c: char) -> bool {
    [' ', '\t', '\r', '\n'].contains(&c)
}

/// Reads on to the closing quote; where that stands.
fn quoted(
    chars: &mut impl Iterator<Item = (usize, char)>,
    (opened, quote): (usize, char),
    text: &mut String,
) -> Result<usize, (usize, &'static str)> {
    let never = (opened, "the quote that is opened here is never closed");
    loop {
        let (at, c) = chars.next().ok_or(never)?;
        if c == quote {
            return Ok(at);
        }
        text.push(c);
        // In double quotes a backslash escapes only a quote and itself.
        if c == '\\' && quote == '"' {
            let (_, next) = chars.next().ok_or(never)?;
            if next == quote || next == '\\' {
                text.pop();
            }
            text.push(next);
        }
    }
}
