//! The words of a condition, as far as limits and index checks need them.
//!
//! This is not a parser: anything odd becomes a one-character symbol, and the real parser complains.

/// One word of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

/// What sort of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    Number,
    Text,
    Symbol,
}

impl Token<'_> {
    /// Whether this is that symbol.
    pub(crate) fn is(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Whether a value begins or stands here, unlike at an operator or a keyword.
    pub(crate) fn is_operand(&self) -> bool {
        match self.kind {
            Kind::Ident => !KEYWORDS.contains(&self.text),
            Kind::Number | Kind::Text => true,
            Kind::Symbol => false,
        }
    }
}

const KEYWORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "in",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "let",
    "if",
    "else",
];

/// Symbols of more than one character, longest first.
const SYMBOLS: &[&str] = &["?.", "??", "**", "..", "&&", "||", "==", "!=", "<=", ">="];

/// Splits a condition into words, leaving out blanks and comments.
pub(crate) fn tokens(mut rest: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    loop {
        rest = skip_blank(rest);
        if rest.is_empty() {
            return found;
        }
        let (kind, length) = next(rest);
        let (text, after) = rest.split_at(length);
        found.push(Token { kind, text });
        rest = after;
    }
}

fn skip_blank(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        rest = if let Some(comment) = rest.strip_prefix("//") {
            comment.find('\n').map_or("", |end| &comment[end..])
        } else {
            let comment = rest.strip_prefix("/*").and_then(|comment| comment.split_once("*/"));
            let Some((_, after)) = comment else { return rest };
            after
        };
    }
}

fn next(rest: &str) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'"' | b'\'' | b'`' => (Kind::Text, text_length(bytes, 0)),
        b'b' | b'B' if matches!(bytes.get(1), Some(b'"' | b'\'')) => {
            (Kind::Text, text_length(bytes, 1))
        }
        b'0'..=b'9' => (Kind::Number, number_length(bytes)),
        b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => {
            (Kind::Number, number_length(bytes))
        }
        b'#' | b'$' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
            (Kind::Ident, 1 + word_length(&bytes[1..]))
        }
        _ => (Kind::Symbol, symbol_length(rest)),
    }
}

fn text_length(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' && quote != b'`' { 2 } else { 1 };
    }
    // A backslash may stand before a character of several bytes, or at the very end.
    let mut end = (at + 1).min(bytes.len());
    while end < bytes.len() && bytes[end] & 0b1100_0000 == 0b1000_0000 {
        end += 1;
    }
    end
}

fn number_length(bytes: &[u8]) -> usize {
    let mut at = word_length(bytes);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1) != Some(&b'.') {
        at += 1;
        at += word_length(&bytes[at..]);
    }
    let exponent = matches!(bytes.get(at - 1), Some(b'e' | b'E')) && !bytes.starts_with(b"0x");
    if exponent && matches!(bytes.get(at), Some(b'+' | b'-')) {
        at += 1;
        at += word_length(&bytes[at..]);
    }
    at
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

fn symbol_length(rest: &str) -> usize {
    let long = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    long.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), |symbol| symbol.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: &str, expected: &[&str]) {
        let texts: Vec<&str> = tokens(condition).iter().map(|token| token.text).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn words_are_split_as_the_language_splits_them() {
        check("result[0]>=0.95", &["result", "[", "0", "]", ">=", "0.95"]);
        check("1..5", &["1", "..", "5"]);
        check("1.5e-3 + .5", &["1.5e-3", "+", ".5"]);
        check("a?.b ?? 'it\\'s' /* x */ // y", &["a", "?.", "b", "??", "'it\\'s'"]);
        check("all(result, {# > 1})", &["all", "(", "result", ",", "{", "#", ">", "1", "}", ")"]);
        check("b'x' == `\\`", &["b'x'", "==", "`\\`"]);
    }

    #[test]
    fn broken_text_ends_with_the_condition() {
        check("'abc", &["'abc"]);
        check("\"a\\", &["\"a\\"]);
        check("'\\é", &["'\\é"]);
        check("é§", &["é", "§"]);
        check("true /* and", &["true", "/", "*", "and"]);
    }
}
