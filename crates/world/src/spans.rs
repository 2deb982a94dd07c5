//! Spans of time: adding them without overflow and reading them as people write them.

use jiff::Timestamp;
use std::time::Duration;

/// `at` plus `span`, held at the end of time.
pub(crate) fn after(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `at` plus whole seconds, which may be negative.
pub(crate) fn after_seconds(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The time from `earlier` to `later`; zero when they are the other way round.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// Reads `1h30m`, `5s`, `200ms` or a bare number of seconds; `None` when it is none of these.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let seconds = number.parse::<f64>().ok()? * unit_seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = next;
    }
    (!text.trim().is_empty()).then_some(total)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(0.001),
        "us" | "µs" => Some(0.000_001),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, millis: Option<u64>) {
        assert_eq!(parse(text), millis.map(Duration::from_millis), "{text:?}");
    }

    #[test]
    fn spans_read_as_people_write_them() {
        check("5s", Some(5_000));
        check("1m30s", Some(90_000));
        check("200ms", Some(200));
        check("1.5", Some(1_500));
        check("2h", Some(7_200_000));
        for wrong in ["", "s", "5x", "-3s", "5s5"] {
            check(wrong, None);
        }
    }
}
