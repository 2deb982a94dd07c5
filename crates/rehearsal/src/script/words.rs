//! Cutting a line into words that remember their column, and reading single words.

use super::{Comparison, Relation};
use std::time::Duration;

/// A word and the column it starts at, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) column: usize,
}

/// What is wrong with a word, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) column: usize,
    pub(super) message: String,
}

impl Complaint {
    pub(super) fn new(column: usize, message: impl Into<String>) -> Self {
        Self { column, message: message.into() }
    }
}

/// Cuts at blanks; `"…"` is one word without its quotes; `#` at a word's start begins a comment.
pub(super) fn split(line: &str) -> Result<Vec<Word>, Complaint> {
    let mut words = Vec::new();
    let mut chars = line.chars().enumerate().peekable();
    while let Some(&(at, first)) = chars.peek() {
        match first {
            '#' => break,
            '"' => words.push(quoted(&mut chars, at)?),
            _ if first.is_whitespace() => {
                chars.next();
            }
            _ => words.push(bare(&mut chars, at)),
        }
    }
    Ok(words)
}

type Chars<'a> = std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>;

fn bare(chars: &mut Chars<'_>, at: usize) -> Word {
    let mut text = String::new();
    while let Some((_, letter)) = chars.next_if(|(_, letter)| !letter.is_whitespace()) {
        text.push(letter);
    }
    Word { text, column: at + 1 }
}

fn quoted(chars: &mut Chars<'_>, at: usize) -> Result<Word, Complaint> {
    chars.next();
    let mut text = String::new();
    for (_, letter) in chars.by_ref() {
        if letter == '"' {
            return Ok(Word { text, column: at + 1 });
        }
        text.push(letter);
    }
    Err(Complaint::new(at + 1, "this quotation mark is never closed"))
}

/// Reads `90s`, `1h30m`, `250ms`: whole numbers with the units d, h, m, s and ms, in any order.
pub(super) fn duration(word: &Word) -> Result<Duration, Complaint> {
    let wrong = || {
        Complaint::new(
            word.column,
            format!("`{}` is not a length of time; write it like 90s, 5m or 1h30m", word.text),
        )
    };
    let mut rest = word.text.as_str();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit_end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let millis = unit_millis(&rest[..unit_end]).ok_or_else(wrong)?;
        let part = Duration::from_millis(count.checked_mul(millis).ok_or_else(wrong)?);
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = &rest[unit_end..];
    }
    if word.text.is_empty() { Err(wrong()) } else { Ok(total) }
}

fn unit_millis(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

/// Reads `5%` or `0.05` as a share between 0 and 1.
pub(super) fn share(text: &str, column: usize) -> Result<f64, Complaint> {
    let (digits, divisor) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    digits
        .parse::<f64>()
        .ok()
        .map(|number| number / divisor)
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| Complaint::new(column, format!("`{text}` is not a share; write it like 5%")))
}

/// Reads `= 3`, `<= 40` or `<=40`, or a number alone, which means `=`.
pub(super) fn comparison(words: &[Word], column: usize) -> Result<Comparison, Complaint> {
    let joined: String = words.iter().map(|word| word.text.as_str()).collect();
    let relation = Relation::ALL.into_iter().find(|relation| joined.starts_with(relation.sign()));
    let digits = relation.map_or(joined.as_str(), |relation| &joined[relation.sign().len()..]);
    digits
        .parse()
        .map(|bound| Comparison { relation: relation.unwrap_or(Relation::Equal), bound })
        .map_err(|_| {
            Complaint::new(column, format!("`{joined}` is not a bound; write it like <= 40"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word { text: text.to_owned(), column: 1 }
    }

    #[test]
    fn durations_add_up_their_units() {
        for (text, millis) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("2d", 172_800_000)]
        {
            assert_eq!(duration(&word(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn durations_without_a_unit_or_a_number_are_refused() {
        for text in ["", "5", "m", "5x", "-5s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(&word(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn words_remember_their_columns_and_comments_end_the_line() {
        let words = split(r#"expect  message "two words" # why"#).unwrap();
        let seen: Vec<_> = words.iter().map(|word| (word.text.as_str(), word.column)).collect();
        assert_eq!(seen, [("expect", 1), ("message", 9), ("two words", 17)]);
    }

    #[test]
    fn comparisons_take_their_sign_apart_or_joined() {
        for (words, value) in [(vec!["<=", "40"], 40.0), (vec!["<=40"], 40.0), (vec!["40"], 40.0)] {
            let words: Vec<_> = words.into_iter().map(word).collect();
            assert!(comparison(&words, 1).unwrap().holds(value));
        }
    }
}
