//! The words of a condition.
//!
//! Start with [`words`]. Texts come out without their quotes and escapes.

use super::limits::{MAX_CONDITION_BYTES, MAX_CONDITION_OPERATORS, MAX_CONDITION_WORDS};
use std::{borrow::Cow, fmt};

/// What sort of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    Operator,
    Bracket,
    End,
}

/// One word of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) kind: Kind,
    pub(super) text: Cow<'a, str>,
}

impl Word<'_> {
    pub(super) const END: Word<'static> = Word { kind: Kind::End, text: Cow::Borrowed("") };

    /// Whether this is that operator.
    pub(super) fn is(&self, operator: &str) -> bool {
        self.kind == Kind::Operator && self.text == operator
    }

    /// Whether this is that bracket.
    pub(super) fn is_bracket(&self, bracket: &str) -> bool {
        self.kind == Kind::Bracket && self.text == bracket
    }
}

/// In the words of upstream's engine: `Operator(">")`.
impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Name => "Identifier",
            Kind::Number => "Number",
            Kind::Text => "String",
            Kind::Operator => "Operator",
            Kind::Bracket => "Bracket",
            Kind::End => return f.write_str("EOF"),
        };
        if self.text.is_empty() { f.write_str(kind) } else { write!(f, "{kind}({:?})", self.text) }
    }
}

/// Words that are operators though they look like names.
const OPERATORS: &[&str] = &[
    "not",
    "in",
    "or",
    "and",
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "let",
    "if",
    "else",
];

/// Splits a condition into words, without blanks and comments.
///
/// # Errors
/// A sentence, when there is something that is no word, or when a limit is passed.
pub(super) fn words(condition: &str) -> Result<Vec<Word<'_>>, String> {
    if condition.len() > MAX_CONDITION_BYTES {
        return Err(format!("condition is longer than {MAX_CONDITION_BYTES} bytes"));
    }
    let mut words = Vec::new();
    let mut operators = 0;
    let mut rest = skip_blank(condition)?;
    while !rest.is_empty() {
        let (word, length) = next(rest)?;
        operators += usize::from(word.kind == Kind::Operator && word.text != ",");
        words.push(word);
        if words.len() > MAX_CONDITION_WORDS {
            return Err(format!("condition has more than {MAX_CONDITION_WORDS} words"));
        }
        rest = skip_blank(&rest[length..])?;
    }
    if operators > MAX_CONDITION_OPERATORS {
        return Err(format!("condition has more than {MAX_CONDITION_OPERATORS} operators"));
    }
    Ok(words)
}

fn skip_blank(mut rest: &str) -> Result<&str, String> {
    loop {
        rest = rest.trim_start();
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").ok_or("unclosed comment")?;
            &comment[end + 2..]
        } else {
            return Ok(rest);
        };
    }
}

/// The first word and its length in bytes.
fn next(rest: &str) -> Result<(Word<'_>, usize), String> {
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or_default();
    let second = chars.next().unwrap_or_default();
    let (kind, length) = match first {
        '\'' | '"' => return quoted(rest, first),
        '`' => return raw(rest),
        'b' | 'B' if matches!(second, '\'' | '"') => {
            return Err("bytes such as b\"…\" are not supported in conditions".to_owned());
        }
        '0'..='9' => (Kind::Number, number_length(rest)?),
        '.' if second.is_ascii_digit() => (Kind::Number, number_length(rest)?),
        '(' | '[' | '{' | ')' | ']' | '}' => (Kind::Bracket, 1),
        ',' | ';' | '%' | '+' | '-' | '^' | '/' | '#' => (Kind::Operator, 1),
        '?' => (Kind::Operator, 1 + usize::from(matches!(second, '.' | '?'))),
        '|' | ':' | '.' => (Kind::Operator, 1 + usize::from(second == first)),
        '&' | '!' | '=' | '*' | '<' | '>' => {
            (Kind::Operator, 1 + usize::from(matches!(second, '&' | '=' | '*')))
        }
        _ if is_of_name(first) => return Ok(name(rest)),
        _ => {
            return Err(format!("unrecognized character: U+{:04X} {first:?}", u32::from(first)));
        }
    };
    Ok((Word { kind, text: Cow::Borrowed(&rest[..length]) }, length))
}

fn is_of_name(character: char) -> bool {
    matches!(character, '_' | '$') || character.is_alphanumeric()
}

fn name(rest: &str) -> (Word<'_>, usize) {
    let length = rest.find(|it: char| !is_of_name(it)).unwrap_or(rest.len());
    let text = &rest[..length];
    let kind = if OPERATORS.contains(&text) { Kind::Operator } else { Kind::Name };
    (Word { kind, text: Cow::Borrowed(text) }, length)
}

fn number_length(rest: &str) -> Result<usize, String> {
    let bytes = rest.as_bytes();
    let prefix = match bytes {
        [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..] => 2,
        _ => 0,
    };
    let is_hex = prefix == 2 && matches!(bytes[1], b'x' | b'X');
    let digits = |from: usize| {
        let is_digit = |byte: &u8| {
            *byte == b'_' || byte.is_ascii_digit() || is_hex && byte.is_ascii_hexdigit()
        };
        from + bytes[from..].iter().take_while(|byte| is_digit(byte)).count()
    };
    let mut end = digits(prefix);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) != Some(&b'.') {
        end = digits(end + 1);
    } else if bytes.get(end) == Some(&b'.') {
        return Ok(end);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1;
        end += usize::from(matches!(bytes.get(end), Some(b'+' | b'-')));
        end = digits(end);
    }
    match rest[end..].chars().next() {
        Some(odd) if is_of_name(odd) => {
            Err(format!("bad number syntax: {:?}", &rest[..end + odd.len_utf8()]))
        }
        _ => Ok(end),
    }
}

fn raw(rest: &str) -> Result<(Word<'_>, usize), String> {
    let mut end = 1;
    loop {
        end += rest[end..].find('`').ok_or("literal not terminated")?;
        if !rest[end + 1..].starts_with('`') {
            break;
        }
        end += 2;
    }
    let text = &rest[1..end];
    let text =
        if text.contains('`') { Cow::Owned(text.replace("``", "`")) } else { Cow::Borrowed(text) };
    Ok((Word { kind: Kind::Text, text }, end + 1))
}

fn quoted(rest: &str, quote: char) -> Result<(Word<'_>, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, character)) = chars.next() {
        match character {
            '\n' => break,
            '\\' => {
                let escaped = &rest[at + 1..];
                let (character, length) = unescaped(escaped)?;
                text.push(character);
                for _ in escaped[..length].chars() {
                    chars.next();
                }
            }
            _ if character == quote => {
                return Ok((Word { kind: Kind::Text, text: Cow::Owned(text) }, at + 1));
            }
            _ => text.push(character),
        }
    }
    Err("literal not terminated".to_owned())
}

/// What stands for an escape sequence, given what follows the backslash, and how long that is.
fn unescaped(escaped: &str) -> Result<(char, usize), String> {
    let invalid = || "invalid char escape".to_owned();
    let coded = |digits: usize, radix: u32, skip: usize| {
        let code = escaped.get(skip..skip + digits).ok_or_else(invalid)?;
        let code = u32::from_str_radix(code, radix).map_err(|_| invalid())?;
        Ok((char::from_u32(code).ok_or_else(invalid)?, skip + digits))
    };
    match escaped.chars().next().ok_or("literal not terminated")? {
        'a' => Ok(('\x07', 1)),
        'b' => Ok(('\x08', 1)),
        'f' => Ok(('\x0c', 1)),
        'n' => Ok(('\n', 1)),
        'r' => Ok(('\r', 1)),
        't' => Ok(('\t', 1)),
        'v' => Ok(('\x0b', 1)),
        it @ ('\\' | '\'' | '"' | '`' | '?') => Ok((it, 1)),
        'x' | 'X' => coded(2, 16, 1),
        'u' => coded(4, 16, 1),
        'U' => coded(8, 16, 1),
        '0'..='3' => coded(3, 8, 0),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: &str, expected: &[&str]) {
        let words = words(condition).unwrap();
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_ref()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn words_are_split_as_the_language_splits_them() {
        check("result[0]>=0.95", &["result", "[", "0", "]", ">=", "0.95"]);
        check("1..5", &["1", "..", "5"]);
        check("1.5e-3 + .5", &["1.5e-3", "+", ".5"]);
        check("a?.b ?? 'it\\'s' /* x */ // y", &["a", "?.", "b", "??", "it's"]);
        check("all(result, {# > 1})", &["all", "(", "result", ",", "{", "#", ">", "1", "}", ")"]);
        check("x == `\\``` && !!y", &["x", "==", "\\`", "&&", "!", "!", "y"]);
        check("'\\x41\\u00e9\\101é'", &["AéAé"]);
        check("0xFF_f | _a$1", &["0xFF_f", "|", "_a$1"]);
        check("a ?: b::c", &["a", "?", ":", "b", "::", "c"]);
    }

    #[test]
    fn what_is_no_word_is_refused() {
        let refused = |condition: &str, expected: &str| {
            let message = words(condition).unwrap_err();
            assert!(message.contains(expected), "{condition}: {message}");
        };
        refused("'abc", "literal not terminated");
        refused("\"a\\", "literal not terminated");
        refused("`a", "literal not terminated");
        refused("'\\é'", "invalid char escape");
        refused("'\\u00'", "invalid char escape");
        refused("1x", "bad number syntax: \"1x\"");
        refused("a § b", "unrecognized character");
        refused("true /* and", "unclosed comment");
        refused("b'x' == `\\`", "bytes");
    }
}
