//! Regular expressions in Go's syntax.
//!
//! Both engines run in linear time; they differ in a few letters. `\d`, `\w`, `\s` and `\b` are of ASCII
//! in Go, `\Q…\E` is text as it stands, and a bracket within a class is one.

use super::limits::{MAX_COMPILED_PATTERN_BYTES, MAX_PATTERN_BYTES};
use regex::{Regex, RegexBuilder};
use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// Most patterns that one evaluation keeps.
const MOST_KEPT: usize = 16;

/// The patterns that were compiled for one condition.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    kept: BTreeMap<String, Regex>,
}

impl Patterns {
    /// A pattern, compiled.
    ///
    /// # Errors
    /// A sentence, when it is none or is too large.
    pub(super) fn compiled(&mut self, pattern: &str) -> Result<Regex, String> {
        if let Some(regex) = self.kept.get(pattern) {
            return Ok(regex.clone());
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("a regexp is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let regex = RegexBuilder::new(&translated(pattern))
            .size_limit(MAX_COMPILED_PATTERN_BYTES)
            .dfa_size_limit(MAX_COMPILED_PATTERN_BYTES)
            .build()
            .map_err(|error| in_a_line(pattern, &error))?;
        if self.kept.len() < MOST_KEPT {
            self.kept.insert(pattern.to_owned(), regex.clone());
        }
        Ok(regex)
    }

    /// Whether a pattern is compiled already.
    pub(super) fn knows(&self, pattern: &str) -> bool {
        self.kept.contains_key(pattern)
    }
}

fn in_a_line(pattern: &str, error: &regex::Error) -> String {
    let why = match error {
        regex::Error::CompiledTooBig(limit) => format!("larger than {limit} bytes"),
        other => other.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    };
    format!("error parsing regexp: {why}: `{pattern}`")
}

/// A pattern of Go in the syntax of the `regex` crate.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('Q') => out.push_str(&regex::escape(&until_end_of_quote(&mut rest))),
                Some(letter) => out.push_str(&escape(letter, in_class)),
                None => out.push('\\'),
            },
            '[' if in_class && rest.peek() != Some(&':') => out.push_str("\\["),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                out.extend(rest.next_if_eq(&'^'));
                out.push_str(rest.next_if_eq(&']').map_or("", |_| "\\]"));
            }
            '[' => {
                out.push('[');
                out.push_str(&until_end_of_name(&mut rest));
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out
}

/// What stands between `\Q` and `\E`.
fn until_end_of_quote(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(letter) = rest.next() {
        if letter == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        text.push(letter);
    }
    text
}

/// The rest of a class by name, such as `[:alpha:]`, with its own closing bracket.
fn until_end_of_name(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    for letter in rest.by_ref() {
        name.push(letter);
        if letter == ']' {
            break;
        }
    }
    name
}

fn escape(letter: char, in_class: bool) -> String {
    let class = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => r"\t\n\x0C\r\x20",
        _ if letter == 'b' && !in_class => return r"(?-u:\b)".to_owned(),
        _ => return format!("\\{letter}"),
    };
    match (letter.is_ascii_uppercase(), in_class) {
        (true, _) => format!("[^{class}]"),
        (false, true) => class.to_owned(),
        (false, false) => format!("[{class}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Patterns::default().compiled(pattern).unwrap().is_match(text), expected);
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        check(r"^\d+$", "12", true);
        check(r"^\d+$", "١٢", false);
        check(r"^[\w-]+$", "a-b_1", true);
        check(r"^[^\s]+$", "a b", false);
        check(r"\bok\b", "is ok.", true);
        check(r"^\Qa.b[\E", "a.b[", true);
        check(r"\Qx", "x", true);
        check(r"\Q\Ey", "y", true);
        check(r"^[[:alpha:][]+$", "a[", true);
        check(r"^[]a]+$", "]a", true);
        check("^[&&a]$", "&", true);
        check("(?i)^HEALTHY$", "Healthy", true);
    }

    #[test]
    fn a_pattern_that_is_none_or_too_large_is_refused() {
        let mut patterns = Patterns::default();
        assert!(patterns.compiled("(").unwrap_err().contains("error parsing regexp"));
        let large = patterns.compiled("(a{500}){500}").unwrap_err();
        assert!(large.contains("larger than 262144 bytes"), "{large}");
        assert!(patterns.compiled(&"a".repeat(5_000)).unwrap_err().contains("longer than 4096"));
    }
}
