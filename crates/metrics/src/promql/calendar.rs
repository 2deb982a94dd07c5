//! Dates: what a number of seconds since 1970 means on a calendar, in UTC.

use crate::number::whole;
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// The function of this name, from seconds since 1970.
pub(super) fn part(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "minute" => |at| of(at, |date| date.minute().into()),
        "hour" => |at| of(at, |date| date.hour().into()),
        "day_of_week" => |at| of(at, |date| date.weekday().to_sunday_zero_offset().into()),
        "day_of_month" => |at| of(at, |date| date.day().into()),
        "day_of_year" => |at| of(at, |date| date.day_of_year().into()),
        "days_in_month" => |at| of(at, |date| date.days_in_month().into()),
        "month" => |at| of(at, |date| date.month().into()),
        "year" => |at| of(at, |date| date.year().into()),
        _ => return None,
    })
}

/// NaN for a time that is not on the calendar.
fn of(at: f64, part: impl Fn(DateTime) -> f64) -> f64 {
    if at.is_nan() {
        return f64::NAN;
    }
    let date = Timestamp::from_second(whole(at)).map(|at| TimeZone::UTC.to_datetime(at));
    date.map_or(f64::NAN, part)
}
