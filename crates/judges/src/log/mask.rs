//! Masks what differs from one line to the next, and what nobody should read in a report.
//!
//! Identifiers, addresses, times and numbers become `<id>`, `<ip>`, `<time>`, `<num>` and `<hex>`; what
//! follows a word for a secret becomes `<secret>`, and so does a long word of mixed letters and digits;
//! mail addresses become `<mail>`. Paths stay, but for their numbers.

use super::severity::head;

/// Words whose value is nobody's business.
const SECRETS: [&str; 8] =
    ["password", "passwd", "secret", "token", "authorization", "bearer", "apikey", "api_key"];
/// Hexadecimal words of at least this length are numbers.
const HEX_FROM: usize = 8;
/// Words of letters and digits of at least this length are keys, tokens or the like.
const OPAQUE_FROM: usize = 20;

/// The line with its variable parts masked, one blank between its words.
pub fn mask(line: &str) -> String {
    let mut masked = String::with_capacity(line.len().min(512));
    let mut secret = false;
    for (place, part) in head(line).split_whitespace().enumerate() {
        if place > 0 {
            masked.push(' ');
        }
        for piece in pieces(part) {
            let is_word = piece.chars().any(char::is_alphanumeric);
            if !is_word {
                masked.push_str(piece);
                continue;
            }
            if secret && !is_secret(piece) {
                masked.push_str("<secret>");
                secret = false;
                continue;
            }
            secret = is_secret(piece);
            push_word(&mut masked, piece);
        }
    }
    masked
}

fn is_secret(word: &str) -> bool {
    SECRETS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Characters that end a word and stand for themselves.
fn is_delimiter(c: char) -> bool {
    "=,;()[]{}<>\"'`|&?!".contains(c)
}

/// Words and delimiters, in order.
fn pieces(part: &str) -> impl Iterator<Item = &str> {
    part.split_inclusive(is_delimiter).flat_map(|piece| {
        let end = piece.trim_end_matches(is_delimiter).len();
        let (word, delimiter) = piece.split_at(end);
        let trimmed = word.trim_end_matches([':', '.', '-']);
        let (word, punctuation) = word.split_at(trimmed.len());
        [word, punctuation, delimiter].into_iter().filter(|piece| !piece.is_empty())
    })
}

fn push_word(masked: &mut String, word: &str) {
    let known = [
        (is_uuid as fn(&str) -> bool, "<id>"),
        (is_time, "<time>"),
        (is_ip, "<ip>"),
        (is_number, "<num>"),
        (is_hex, "<hex>"),
        (is_mail, "<mail>"),
        (is_opaque, "<secret>"),
    ];
    match known.iter().find(|(holds, _)| holds(word)) {
        Some((_, name)) => masked.push_str(name),
        None => push_without_digits(masked, word),
    }
}

/// Replaces each run of digits.
fn push_without_digits(masked: &mut String, word: &str) {
    let mut in_digits = false;
    for c in word.chars() {
        if c.is_ascii_digit() {
            if !in_digits {
                masked.push_str("<num>");
            }
            in_digits = true;
        } else {
            in_digits = false;
            masked.push(c);
        }
    }
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// `2026-11-22`, `05:00:00.123`, both with a `T` between and a zone behind, and `22/Nov/2026:05:00:00`.
fn is_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let starts_with_digit = word.starts_with(|c: char| c.is_ascii_digit());
    let is_time_like = |c: char| c.is_ascii_digit() || "-:/.+TZ_".contains(c);
    let separators = word.bytes().filter(|b| matches!(b, b'-' | b':' | b'/')).count();
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let has_month = word.split(['/', '-']).any(|part| months.contains(&part));
    let all_time_like = word.chars().all(is_time_like);
    starts_with_digit && digits >= 5 && separators >= 2 && (all_time_like || has_month)
}

/// An address of version 4 or 6, with or without a port or a prefix length.
fn is_ip(word: &str) -> bool {
    let bare = word.split('/').next().unwrap_or_default();
    let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    let is_v4 = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
    is_v4(bare) || is_v4(host) || bare.parse::<std::net::Ipv6Addr>().is_ok()
}

/// A number, signed or not, with a unit or not: `-3.5`, `12ms`, `4GiB`, `99%`.
fn is_number(word: &str) -> bool {
    let unsigned = word.trim_start_matches(['-', '+']);
    let unit = unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let number = unsigned.len() - unit.len();
    let is_unit = unit.chars().count() <= 3 && unit.chars().all(|c| c.is_alphabetic() || c == '%');
    number > 0 && unsigned.starts_with(|c: char| c.is_ascii_digit()) && is_unit
}

fn is_hex(word: &str) -> bool {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let is_marked = digits.len() < word.len() && !digits.is_empty();
    let is_long = digits.len() >= HEX_FROM && digits.bytes().any(|b| b.is_ascii_digit());
    (is_marked || is_long) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A key or a token, by its looks: long, in no known form, with letters of both cases or many digits.
fn is_opaque(word: &str) -> bool {
    let is_key_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+.~".contains(&byte);
    let count = |holds: fn(&u8) -> bool| word.bytes().filter(holds).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let is_shouted = upper > digits && lower == 0 && !word.contains('_');
    let is_mixed =
        digits >= 3 && (upper > 0 && lower > 0 || is_shouted || digits * 4 >= word.len());
    word.len() >= OPAQUE_FROM && is_mixed && word.bytes().all(is_key_like)
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(mask(line), expected);
    }

    #[test]
    fn what_varies_is_masked() {
        check(
            "2026-11-22T05:00:01.123Z ERROR  took 12ms for user 4711",
            "<time> ERROR took <num> for user <num>",
        );
        check("from 10.0.0.7:8080 to fe80::1", "from <ip> to <ip>");
        check("id=123e4567-e89b-12d3-a456-426614174000, at 0xdeadbeef", "id=<id>, at <hex>");
        check("commit 9c2fe7a04411 failed: -3.5%", "commit <hex> failed: <num>");
        check("GET /api/v1/orders/77?page=3 503", "GET /api/v<num>/orders/<num>?page=<num> <num>");
        check("[22/Nov/2026:05:00:00 +0000] done", "[<time> <num>] done");
        check("pod web-7 said Ä", "pod web-<num> said Ä");
    }

    #[test]
    fn secrets_and_people_are_not_shown() {
        check("password=hunter2 next", "password=<secret> next");
        check("Authorization: Bearer abc.def", "Authorization: Bearer <secret>");
        check("{\"token\":\"x\"} for jo@example.org", "{\"token\":\"<secret>\"} for <mail>");
        check("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqbyJ9.c2ln back", "got <secret> back");
        check("key AKIAIOSFODNN7EXAMPLE9Q2X is old", "key <secret> is old");
        check("in WebServerConnectionHandlerFactory", "in WebServerConnectionHandlerFactory");
    }

    #[test]
    fn a_masked_line_stays_as_it_is() {
        for line in ["<time> ERROR took <num> for user <num>", "a <ip> b"] {
            check(line, line);
        }
    }
}
