//! Numbers: as conditions write them, and as Go prints them.

use super::ast::Node;
use std::borrow::Cow;

/// The value that a number in a condition stands for.
///
/// # Errors
/// A sentence, when it is too large or is none.
pub(super) fn node(written: &str) -> Result<Node, String> {
    let text = written.replace('_', "").to_ascii_lowercase();
    let in_base = |digits: &str, radix: u32, kind: &str| {
        let number = i64::from_str_radix(digits, radix);
        number.map(Node::Int).map_err(|_| {
            format!(
                "invalid {kind} literal: strconv.ParseInt: parsing {text:?}: value out of range"
            )
        })
    };
    if let Some(digits) = text.strip_prefix("0x") {
        in_base(digits, 16, "hex")
    } else if let Some(digits) = text.strip_prefix("0b") {
        in_base(digits, 2, "binary")
    } else if let Some(digits) = text.strip_prefix("0o") {
        in_base(digits, 8, "octal")
    } else if text.contains(['.', 'e']) {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Node::Float).ok_or_else(|| format!("invalid float literal: {written}"))
    } else {
        in_base(&text, 10, "integer")
    }
}

/// A float as Go's `%v` prints it: `0.95`, `1e+06`, `NaN`, `+Inf`.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{value}"),
    }
}

/// A float of a whole number.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn to_float(value: i64) -> f64 {
    value as f64
}

/// A float without what is behind its point; beyond the whole numbers, the nearest of them.
#[expect(clippy::cast_possible_truncation, reason = "towards zero, as Go converts")]
pub(super) fn truncated(value: f64) -> i64 {
    value as i64
}

/// Reads a whole number as Go's `strconv.ParseInt` does.
///
/// # Errors
/// Go's sentence.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|error| {
        let is_large = matches!(
            error.kind(),
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
        );
        let why = if is_large { "value out of range" } else { "invalid syntax" };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

/// Reads a float as Go's `strconv.ParseFloat` does.
///
/// # Errors
/// Go's sentence.
pub(super) fn parse_float(text: &str) -> Result<f64, String> {
    let refused = |why: &str| Err(format!("strconv.ParseFloat: parsing {text:?}: {why}"));
    let plain = without_separators(text);
    match plain.parse::<f64>() {
        Ok(number) if number.is_infinite() && text.contains(|it: char| it.is_ascii_digit()) => {
            refused("value out of range")
        }
        Ok(number) => Ok(number),
        Err(_) => refused("invalid syntax"),
    }
}

/// A number without the underscores that may stand between two of its digits.
fn without_separators(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_separator = |(at, _): (usize, &str)| at > 0 && is_digit(at - 1) && is_digit(at + 1);
    if text.contains('_') && text.match_indices('_').all(is_separator) {
        return Cow::Owned(text.replace('_', ""));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        let check = |value: f64, expected: &str| assert_eq!(float_text(value), expected);
        check(0.95, "0.95");
        check(2.0, "2");
        check(123_456.0, "123456");
        check(1_234_567.0, "1.234567e+06");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-07");
        check(0.0001, "0.0001");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Inf");
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        assert!(matches!(node("0x1F_f"), Ok(Node::Int(0x1ff))));
        assert!(matches!(node("1_000"), Ok(Node::Int(1000))));
        assert!(matches!(node("1e3"), Ok(Node::Float(1000.0))));
        assert!(node("9223372036854775808").is_err());
        assert!(node("1e999").is_err());
        assert!(node("0x").is_err());
        assert!(parse_int("99999999999999999999").unwrap_err().contains("out of range"));
        assert!(parse_float("1e999").unwrap_err().contains("out of range"));
        assert!(parse_float("inf").unwrap().is_infinite());
    }
}
