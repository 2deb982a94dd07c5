//! What Go's JSON does that other JSON does not.

use std::fmt::Write as _;

/// Escapes what HTML would take for markup, and the two line ends of Unicode, in JSON that is already
/// written; none of them can stand outside of a text.
pub fn escaped_for_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_line_ends_are_escaped_as_go_escapes_them() {
        let json = "{\"a<b\":[\"x>y & z\",\"\u{2028}\u{2029}\",\"é\\n\"]}";
        let expected = r#"{"a\u003cb":["x\u003ey \u0026 z","\u2028\u2029","é\n"]}"#;
        assert_eq!(escaped_for_html(json), expected);
    }
}
