//! The time expressions of range queries: `now() - duration("1h")`.

use expr::{Context, Environment, Error, Value};
use jiff::Timestamp;

/// Longest expression in bytes; it keeps the parser's stack shallow.
const MAX_TIME_BYTES: usize = 160;

/// Seconds since 1970 that an expression names; `now()` is the given time.
///
/// # Errors
/// A sentence, when it is no expression or names no time.
pub(crate) fn seconds_at(expression: &str, now: Timestamp) -> Result<f64, String> {
    match evaluate(expression, now)? {
        Value::DateTime(time) => Ok(seconds(time.timestamp_micros(), 1e6)),
        Value::String(_) => Err("expected time.Time, but got string".to_owned()),
        Value::Duration(_) => Err("expected time.Time, but got time.Duration".to_owned()),
        other => Err(format!("expected time.Time, but got {other}")),
    }
}

/// Seconds of a duration as Go writes it.
///
/// # Errors
/// A sentence, when it is none.
pub(crate) fn duration_seconds(text: &str) -> Result<f64, String> {
    let quoted = Value::String(text.to_owned());
    let mut context = Context::default();
    context.insert("text", quoted);
    match expr::eval("duration(text)", &context) {
        Ok(Value::Duration(nanos)) => Ok(seconds(nanos, 1e9)),
        _ => Err(format!("time: invalid duration {text:?}")),
    }
}

fn evaluate(expression: &str, now: Timestamp) -> Result<Value, String> {
    if expression.len() > MAX_TIME_BYTES || expression.contains("..") {
        return Err(format!("a time is at most {MAX_TIME_BYTES} bytes long and holds no range"));
    }
    let mut environment = Environment::new();
    environment.add_function("now", move |call| {
        Environment::new().eval(&format!("date(\"{now}\")"), call.ctx)
    });
    environment
        .add_function("repeat", |_| Err(Error::ExprError("repeat() makes no time".to_owned())));
    environment.eval(expression, &Context::default()).map_err(|error| error.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of this age fit into 53 bits")]
fn seconds(count: i64, per_second: f64) -> f64 {
    count as f64 / per_second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: Result<f64, &str>) {
        let now = Timestamp::from_second(7_200).unwrap();
        let got = seconds_at(expression, now);
        match (&got, expected) {
            (Err(got), Err(expected)) => {
                assert!(got.contains(expected), "{got:?} lacks {expected:?}");
            }
            _ => assert_eq!(got.as_ref().ok(), expected.as_ref().ok(), "{expression}"),
        }
    }

    #[test]
    fn expressions_name_times() {
        check("now()", Ok(7_200.0));
        check("now() - duration(\"1h\")", Ok(3_600.0));
        check("date(\"1970-01-01 00:00:10\", \"2006-01-02 15:04:05\", \"UTC\")", Ok(10.0));
        check("'hello'", Err("expected time.Time, but got string"));
        check("now() -- ?", Err(""));
        check(&"(".repeat(500), Err("at most 160 bytes"));
        assert_eq!(duration_seconds("1m30s"), Ok(90.0));
        assert!(duration_seconds("5d").is_err());
    }
}
