//! Times and durations in conditions. All times are of UTC.

use super::value::Value;
use crate::duration;
use jiff::{Timestamp, civil, tz::TimeZone};

/// Reads a duration such as `1h30m`; it may be negative.
///
/// # Errors
/// Go's sentence.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if unsigned.len() < text.len() && unsigned.starts_with(['-', '+']) {
        return Err(format!("time: invalid duration {text:?}"));
    }
    let parsed = duration::parse(unsigned).map_err(|error| {
        error.to_string().replace(&format!("{unsigned:?}"), &format!("{text:?}"))
    })?;
    let nanos = i64::try_from(parsed.as_nanos()).unwrap_or(i64::MAX);
    Ok(if unsigned.len() < text.len() { -nanos } else { nanos })
}

/// Reads a date such as `2026-08-14`, `2026-08-14 10:00:00` or one of RFC 3339.
///
/// # Errors
/// Go's sentence.
pub(super) fn parse_date(text: &str) -> Result<Timestamp, String> {
    let in_utc = |format: &str| {
        let time = civil::DateTime::strptime(format, text).ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let day = || {
        let date = civil::Date::strptime("%Y-%m-%d", text).ok()?;
        date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    day()
        .or_else(|| in_utc("%Y-%m-%d %H:%M:%S"))
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("invalid date {text}"))
}

/// What a method of a time or a duration answers; none when there is no such method.
pub(super) fn method(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Time(time) => of_time(*time, name),
        Value::Duration(nanos) => of_duration(*nanos, name),
        _ => None,
    }
}

/// The methods of times; all answer whole numbers.
pub(super) const OF_TIMES: &[&str] =
    &["Year", "Day", "Hour", "Minute", "Second", "Nanosecond", "YearDay", "Unix", "UnixMilli"];

fn of_time(time: Timestamp, name: &str) -> Option<Value> {
    let date = time.to_zoned(TimeZone::UTC);
    let number = match name {
        "Year" => i64::from(date.year()),
        "Day" => i64::from(date.day()),
        "Hour" => i64::from(date.hour()),
        "Minute" => i64::from(date.minute()),
        "Second" => i64::from(date.second()),
        "Nanosecond" => i64::from(date.subsec_nanosecond()),
        "YearDay" => i64::from(date.day_of_year()),
        "Unix" => time.as_second(),
        "UnixMilli" => time.as_millisecond(),
        _ => return None,
    };
    Some(Value::Int(number))
}

/// The methods of durations that answer floats.
pub(super) const FLOATS_OF_DURATIONS: &[&str] = &["Hours", "Minutes", "Seconds"];
/// The methods of durations that answer whole numbers.
pub(super) const INTS_OF_DURATIONS: &[&str] = &["Milliseconds", "Microseconds", "Nanoseconds"];

fn of_duration(nanos: i64, name: &str) -> Option<Value> {
    let whole = |unit: i64| Value::Int(nanos / unit);
    let parts = |unit: f64| Value::Float(super::number::to_float(nanos) / unit);
    Some(match name {
        "Hours" => parts(3.6e12),
        "Minutes" => parts(6e10),
        "Seconds" => parts(1e9),
        "Milliseconds" => whole(1_000_000),
        "Microseconds" => whole(1_000),
        "Nanoseconds" => whole(1),
        _ => return None,
    })
}

/// A duration as Go prints it: `1h0m0s`, `1.5s`, `20ms`.
pub(super) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let point = |unit: u64| {
        let digits = unit.ilog10() as usize;
        let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{nanos}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", point(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", point(1_000_000)),
        _ => {
            let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = format!("{}.{:09}", rest / 1_000_000_000, rest % 1_000_000_000);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
            match minutes {
                0 => format!("{sign}{seconds}s"),
                1..60 => format!("{sign}{minutes}m{seconds}s"),
                _ => format!("{sign}{}h{}m{seconds}s", minutes / 60, minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_and_read_as_go_does() {
        let check = |text: &str, nanos: i64, printed: &str| {
            assert_eq!(parse_duration(text), Ok(nanos));
            assert_eq!(duration_text(nanos), printed);
        };
        check("0", 0, "0s");
        check("90s", 90_000_000_000, "1m30s");
        check("-1.5h", -5_400_000_000_000, "-1h30m0s");
        check("250ms", 250_000_000, "250ms");
        check("1.5ms", 1_500_000, "1.5ms");
        assert!(parse_duration("1d").unwrap_err().contains("unknown unit"));
    }

    #[test]
    fn dates_are_read() {
        let seconds = |text: &str| parse_date(text).map(Timestamp::as_second);
        assert_eq!(seconds("1970-01-02"), Ok(86_400));
        assert_eq!(seconds("1970-01-01 00:01:00"), Ok(60));
        assert_eq!(seconds("1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(seconds("soon"), Err("invalid date soon".to_owned()));
    }
}
