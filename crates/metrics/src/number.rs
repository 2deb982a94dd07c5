//! Conversions between numbers, and how Prometheus writes them.

/// The value that marks the end of a series; a NaN told from others by its bits.
pub(crate) const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

pub(crate) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counters become floats in every scrape")]
pub(crate) fn float64(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
pub(crate) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what callers want")]
pub(crate) fn whole(value: f64) -> i64 {
    value as i64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what callers want"
)]
pub(crate) fn index(value: f64) -> usize {
    value as usize
}

/// A number as Prometheus' JSON and text format write it: shortest digits, `+Inf`, `-Inf`, `NaN`.
pub(crate) fn format(value: f64) -> String {
    const SMALLEST_PLAIN: f64 = 1e-6;
    const SMALLEST_LARGE: f64 = 1e21;
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && size < SMALLEST_PLAIN {
        return format!("{value:e}");
    }
    if size >= SMALLEST_LARGE {
        return format!("{value:e}").replace('e', "e+");
    }
    format!("{value}")
}

/// A time in seconds with the milliseconds that are left over, as Prometheus' JSON writes it.
pub(crate) fn format_time(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let (whole, rest) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    if rest == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest:03}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_prometheus_writes_them() {
        let cases = [
            (0.1, "0.1"),
            (1e-7, "1e-7"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (0.0, "0"),
            (-0.0, "-0"),
        ];
        for (value, expected) in cases {
            assert_eq!(format(value), expected);
        }
    }

    #[test]
    fn times_keep_their_milliseconds() {
        assert_eq!(format_time(1_435_781_430_781), "1435781430.781");
        assert_eq!(format_time(5_050), "5.050");
        assert_eq!(format_time(-5_000), "-5");
    }
}
