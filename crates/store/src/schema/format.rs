//! OpenAPI string formats that a server checks.

/// Whether a text has a format; formats nobody checks hold always.
pub(crate) fn holds(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "byte" => is_base64(text),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uuid" => is_uuid(text),
        "uri" => is_uri(text),
        "email" => is_mail(text),
        "duration" => is_duration(text),
        "hostname" => !text.is_empty() && text.len() <= 255 && text.is_ascii(),
        _ => true,
    }
}

fn is_base64(text: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

/// What Go reads as the target of a request: an absolute path or a URL.
fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let word = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    text.starts_with('/') || scheme.is_some_and(word)
}

fn is_mail(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !text.contains(' '))
}

fn is_uuid(text: &str) -> bool {
    let hex = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| *byte == b'-').count();
    hex == 32 && (dashes == 0 || dashes == 4) && hex + dashes == text.len()
}

/// A Go duration such as `1h30m` or `1.5s`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['-', '+']);
    if rest == "0" {
        return true;
    }
    let mut seen = false;
    while !rest.is_empty() {
        let number =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let after = &rest[number..];
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].iter().find(|unit| {
            let tail = after.strip_prefix(**unit);
            tail.is_some_and(|tail| !tail.starts_with(|c: char| c.is_alphabetic()))
        });
        let (true, Some(unit)) = (number > 0, unit) else { return false };
        rest = &after[unit.len()..];
        seen = true;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart() {
        let check = |format: &str, text: &str, expected: bool| {
            assert_eq!(holds(format, text), expected, "{format} {text}");
        };
        check("date-time", "2026-01-02T03:04:05Z", true);
        check("date-time", "yesterday", false);
        check("duration", "1h30m", true);
        check("duration", "1.5s", true);
        check("duration", "10", false);
        check("uuid", "123e4567-e89b-12d3-a456-426614174000", true);
        check("ipv4", "1.2.3", false);
        check("whatever", "x", true);
    }
}
