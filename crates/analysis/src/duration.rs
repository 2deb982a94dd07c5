//! Go's way of writing durations: `30s`, `1h15m`, `1.5h`.

use std::time::Duration;

/// Text that is no duration, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form of a duration, or too long.
    #[error("time: invalid duration {text:?}")]
    Invalid {
        /// The text.
        text: String,
    },
    /// A number without a unit.
    #[error("time: missing unit in duration {text:?}")]
    MissingUnit {
        /// The text.
        text: String,
    },
    /// A unit that Go does not have, such as `d`.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The text.
        text: String,
    },
}

/// Longest duration in seconds, about 292 years, as in Go.
const MAX_SECONDS: f64 = 9_223_372_036.0;

/// Reads a duration. A negative one counts as zero: nothing here waits into the past.
///
/// # Errors
/// [`DurationError`] for text that Go's `time.ParseDuration` refuses.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(
            rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len()),
        );
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let (unit, after) = after.split_at(
            after.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after.len()),
        );
        seconds += number * unit_seconds(unit, text)?;
        rest = after;
    }
    if unsigned.is_empty() || seconds > MAX_SECONDS {
        return Err(invalid());
    }
    Ok(if negative { Duration::ZERO } else { Duration::from_secs_f64(seconds) })
}

fn unit_seconds(unit: &str, text: &str) -> Result<f64, DurationError> {
    match unit {
        "ns" => Ok(1e-9),
        "us" | "µs" | "μs" => Ok(1e-6),
        "ms" => Ok(1e-3),
        "s" => Ok(1.0),
        "m" => Ok(60.0),
        "h" => Ok(3600.0),
        "" => Err(DurationError::MissingUnit { text: text.to_owned() }),
        _ => Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<u64, &str>) {
        let got = parse(text)
            .map(|it| u64::try_from(it.as_millis()).unwrap())
            .map_err(|error| error.to_string());
        assert_eq!(got.as_ref().map(|it| *it).map_err(String::as_str), expected);
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        check("30s", Ok(30_000));
        check("1h15m", Ok(4_500_000));
        check("1.5h", Ok(5_400_000));
        check("250ms", Ok(250));
        check("0", Ok(0));
        check("-5s", Ok(0));
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        check("", Err("time: invalid duration \"\""));
        check("abc", Err("time: invalid duration \"abc\""));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5d", Err("time: unknown unit \"d\" in duration \"5d\""));
        check("1..5s", Err("time: invalid duration \"1..5s\""));
        check("99999999999h", Err("time: invalid duration \"99999999999h\""));
    }
}
