//! Values as Go writes them, because people compare what stands in a status with what stood there.

use api::go_json::escaped_for_html;
use serde_json::Value;
use std::collections::BTreeMap;

/// Go writes numbers from here on with an exponent, in JSON.
const JSON_EXPONENT_FROM: f64 = 1e21;
/// Go writes numbers below this with an exponent, in JSON.
const JSON_EXPONENT_BELOW: f64 = 1e-6;
/// Go prints numbers from this power of ten on with an exponent.
const PRINTED_EXPONENT_FROM: i32 = 6;

/// A number with as many digits as it needs, and never an exponent.
pub(crate) fn fixed(number: f64) -> String {
    if number.is_infinite() { infinity(number) } else { number.to_string() }
}

/// A number with two or six digits after the point.
pub(crate) fn rounded(number: f64, digits: usize) -> String {
    if number.is_infinite() { infinity(number) } else { format!("{number:.digits$}") }
}

/// A number as `%v` prints it: with an exponent if it is very large or very small.
pub(crate) fn printed(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return fixed(number) };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..PRINTED_EXPONENT_FROM).contains(&exponent) {
        return fixed(number);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Reads JSON as Go does: what is no Unicode, be it bytes or half of a pair, becomes U+FFFD.
pub(crate) fn parsed(body: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(body).or_else(|error| {
        let mended = without_halves(&String::from_utf8_lossy(body));
        serde_json::from_str(&mended).map_err(|_| error)
    })
}

/// Escapes of U+FFFD in place of those of surrogates without their other half.
fn without_halves(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let half = |at: usize| escape.get(at..).and_then(surrogate);
        let (written, length) = match (half(0), half(6)) {
            (Some(0xD800..0xDC00), Some(0xDC00..)) => (&escape[..12], 12),
            (Some(_), _) => ("\\ufffd", 6),
            (None, _) => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                (&escape[..length], length)
            }
        };
        out.push_str(written);
        rest = &escape[length..];
    }
    out + rest
}

/// The half of a pair that text begins with, as an escape.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let half = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..0xE000).contains(&half).then_some(half)
}

/// Texts in brackets, with a separator.
pub(crate) fn list(items: impl IntoIterator<Item = String>, separator: &str) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(separator))
}

/// JSON with sorted keys, with floats for numbers, and safe within HTML.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    escaped_for_html(&out)
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Number(number) => out.push_str(&json_number(number.as_f64().unwrap_or_default())),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            out.push('{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_json(item, out);
            }
            out.push('}');
        }
    }
}

fn json_number(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (JSON_EXPONENT_BELOW..JSON_EXPONENT_FROM).contains(&size) {
        return number.to_string();
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => scientific,
    }
}

fn infinity(number: f64) -> String {
    if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_unicode_is_read_as_go_reads_it() {
        for (body, expected) in [
            (r#"{"a":"x \ud83d"}"#.as_bytes(), json!({"a": "x \u{fffd}"})),
            (br#"["\ud83d\ude00","\ude00\ud83d"]"#, json!(["\u{1f600}", "\u{fffd}\u{fffd}"])),
            (br#"["\\ud83d\ud83d!"]"#, json!(["\\ud83d\u{fffd}!"])),
            (b"[\"\xff\"]", json!(["\u{fffd}"])),
        ] {
            assert_eq!(parsed(body).unwrap(), expected);
        }
        for body in ["", "ok \\ud83d", "[\"\\ud8", "[\"\\"] {
            assert!(parsed(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        assert_eq!(fixed(1e-7), "0.0000001");
        assert_eq!(fixed(f64::INFINITY), "+Inf");
        assert_eq!(fixed(f64::NAN), "NaN");
        assert_eq!(rounded(2.5, 6), "2.500000");
        assert_eq!(rounded(f64::NEG_INFINITY, 2), "-Inf");
        let printings = [
            (0.0, "0"),
            (0.001, "0.001"),
            (0.000_015, "1.5e-05"),
            (250_000.0, "250000"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e21, "1e+21"),
            (-2.5e-10, "-2.5e-10"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (number, expected) in printings {
            assert_eq!(printed(number), expected);
        }
    }

    #[test]
    fn json_is_written_as_go_writes_it() {
        let value = json!({"b": [1, 2.0, 1e-7, 1e21, 0.25], "a": {"<&>": null}, "c": true});
        let expected = r#"{"a":{"\u003c\u0026\u003e":null},"b":[1,2,1e-7,1e+21,0.25],"c":true}"#;
        assert_eq!(json(&value), expected);
    }
}
