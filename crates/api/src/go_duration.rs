//! Durations as Go writes them: `1h30m`, `1.5s`, `-250ms`.
//!
//! Start at [`parse`]; [`format`] is its inverse. Days and weeks do not exist in this notation.

use jiff::SignedDuration;

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// Digits after the point that can still make a nanosecond.
const FRACTION_DIGITS: usize = 18;

/// The units and their length in nanoseconds; a unit stands before any unit that it ends with.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];

/// A text that is no duration; its display is the message that users of Go know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDuration {
    message: String,
}

impl std::fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidDuration {}

/// Reads a duration.
///
/// # Errors
/// When a number has no unit or an unknown one, or the sum exceeds about 292 years.
pub fn parse(text: &str) -> Result<SignedDuration, InvalidDuration> {
    let invalid = || fault("invalid duration", text);
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits == "0" {
        return Ok(SignedDuration::ZERO);
    }
    let mut rest = digits;
    let mut nanoseconds: i128 = 0;
    while !rest.is_empty() || digits.is_empty() {
        let (term, after) = parse_term(rest, text)?;
        nanoseconds = nanoseconds.checked_add(term).ok_or_else(invalid)?;
        rest = after;
    }
    let signed = if negative { -nanoseconds } else { nanoseconds };
    let nanoseconds = i64::try_from(signed).map_err(|_| invalid())?;
    Ok(SignedDuration::from_nanos(nanoseconds))
}

/// Writes a duration as Go prints it: `1h30m0s`, `1.5s`, `250ms`, `0s`.
pub fn format(duration: SignedDuration) -> String {
    let nanoseconds = duration.as_nanos();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.abs();
    let body = match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{size}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(size, 1_000)),
        1_000_000..SECOND => format!("{}ms", decimal(size, 1_000_000)),
        _ => format_clock(size),
    };
    format!("{sign}{body}")
}

/// One second or more, as hours, minutes and seconds.
fn format_clock(nanoseconds: i128) -> String {
    let seconds = decimal(nanoseconds % (60 * SECOND), SECOND);
    let minutes = nanoseconds / (60 * SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// A number of units with as many decimals as it needs.
fn decimal(nanoseconds: i128, unit: i128) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", nanoseconds % unit);
    match fraction.trim_end_matches('0') {
        "" => (nanoseconds / unit).to_string(),
        fraction => format!("{}.{fraction}", nanoseconds / unit),
    }
}

/// Reads one number with its unit and returns the nanoseconds and what follows.
fn parse_term<'a>(rest: &'a str, whole: &str) -> Result<(i128, &'a str), InvalidDuration> {
    let invalid = || fault("invalid duration", whole);
    let number = &rest[..rest.find(|c: char| !matches!(c, '0'..='9' | '.')).unwrap_or(rest.len())];
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    if integer.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(invalid());
    }
    let rest = &rest[number.len()..];
    let unit = &rest[..rest.find(|c: char| matches!(c, '0'..='9' | '.')).unwrap_or(rest.len())];
    if unit.is_empty() {
        return Err(fault("missing unit in duration", whole));
    }
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(fault(&format!("unknown unit {unit:?} in duration"), whole));
    };
    let integer: i128 =
        if integer.is_empty() { 0 } else { integer.parse().map_err(|_| invalid())? };
    let term = integer.checked_mul(*length).ok_or_else(invalid)?;
    Ok((term + fraction_of(fraction, *length), &rest[unit.len()..]))
}

/// The nanoseconds in a decimal fraction of a unit; digits that no unit can show are dropped.
fn fraction_of(digits: &str, unit: i128) -> i128 {
    let (sum, place) = digits
        .bytes()
        .take(FRACTION_DIGITS)
        .fold((0, 1), |(sum, place), digit| (sum * 10 + i128::from(digit - b'0'), place * 10));
    sum * unit / place
}

fn fault(what: &str, text: &str) -> InvalidDuration {
    InvalidDuration { message: format!("time: {what} {text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let check = |text: &str, expected: i64| {
            assert_eq!(parse(text), Ok(SignedDuration::from_nanos(expected)), "{text}");
        };
        check("0", 0);
        check("10s", 10_000_000_000);
        check("1h30m", 5_400_000_000_000);
        check("1.5s", 1_500_000_000);
        check(".5m", 30_000_000_000);
        check("5.s", 5_000_000_000);
        check("-250ms", -250_000_000);
        check("+1us", 1_000);
        check("1µs2ns", 1_002);
        check("0.3333333333333333333h", 1_199_999_999_999);
        check("2540400h", 9_145_440_000_000_000_000);
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words_users_know() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        };
        check("", r#"time: invalid duration """#);
        check("abc", r#"time: invalid duration "abc""#);
        check("-", r#"time: invalid duration "-""#);
        check(".s", r#"time: invalid duration ".s""#);
        check("1..5s", r#"time: invalid duration "1..5s""#);
        check("10", r#"time: missing unit in duration "10""#);
        check("10d", r#"time: unknown unit "d" in duration "10d""#);
        check("1h 2m", r#"time: unknown unit "h " in duration "1h 2m""#);
        check("9999999h", r#"time: invalid duration "9999999h""#);
        check(
            "99999999999999999999999999999999999999999h",
            "time: invalid duration \"99999999999999999999999999999999999999999h\"",
        );
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let check = |nanoseconds: i64, expected: &str| {
            let duration = SignedDuration::from_nanos(nanoseconds);
            assert_eq!(format(duration), expected);
            assert_eq!(parse(expected), Ok(duration));
        };
        check(0, "0s");
        check(1, "1ns");
        check(1_100, "1.1µs");
        check(2_200_000, "2.2ms");
        check(3_300_000_000, "3.3s");
        check(245_000_000_000, "4m5s");
        check(245_001_000_000, "4m5.001s");
        check(5_400_000_000_000, "1h30m0s");
        check(-1_500_000_000, "-1.5s");
    }
}
