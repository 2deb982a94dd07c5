//! Judging one measured value by a metric's conditions.
//!
//! Start with [`assess`]; [`finding`] says in a few words why a value did not pass.
//!
//! **Invariant.** A condition that gives no answer is an error; it never counts as success or failure.

use crate::condition::{Condition, ConditionError, Measured, simple_comparison};
use api::argo::{AnalysisPhase, Metric};
use jiff::Timestamp;

/// A condition that could not be evaluated on a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssessError {
    /// There was no data to evaluate it on.
    #[error(
        "could not evaluate {field} \"{condition}\": metric result is nil or empty: no data returned from the metric provider"
    )]
    NoData {
        /// `successCondition` or `failureCondition`.
        field: &'static str,
        /// The condition.
        condition: String,
    },
    /// It gave no answer.
    #[error("could not evaluate {field} \"{condition}\": {cause}")]
    NoAnswer {
        /// `successCondition` or `failureCondition`.
        field: &'static str,
        /// The condition.
        condition: String,
        /// Why not.
        cause: ConditionError,
    },
}

/// The conditions of a metric, read once.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    success: Option<Condition>,
    failure: Option<Condition>,
}

impl Conditions {
    /// Those of `metric`, whose arguments are substituted.
    pub fn of(metric: &Metric) -> Self {
        let read = |text: &Option<String>| {
            text.as_deref().filter(|text| !text.is_empty()).map(Condition::of)
        };
        Self { success: read(&metric.success_condition), failure: read(&metric.failure_condition) }
    }

    fn ask_for_nan(&self) -> bool {
        let conditions = [&self.success, &self.failure];
        conditions.into_iter().flatten().any(|condition| condition.text().contains("isNaN"))
    }
}

/// Judges a value: successful, failed, or inconclusive when neither condition holds.
///
/// With one condition alone its opposite decides; with none every value is a success. What is not a
/// number makes comparisons false and their opposites true by accident, so that it is inconclusive unless
/// a condition asks with `isNaN`.
///
/// # Errors
/// [`AssessError`] when a condition gives no answer for this value.
pub fn assess(
    conditions: &Conditions,
    value: &Measured,
    now: Timestamp,
) -> Result<AnalysisPhase, AssessError> {
    let success = answer("successCondition", conditions.success.as_ref(), value, now)?;
    let failure = answer("failureCondition", conditions.failure.as_ref(), value, now)?;
    if (success.is_some() || failure.is_some()) && value.is_nan() && !conditions.ask_for_nan() {
        return Ok(AnalysisPhase::Inconclusive);
    }
    Ok(match (success, failure) {
        (_, Some(true)) | (Some(false), None) => AnalysisPhase::Failed,
        (Some(false), Some(false)) => AnalysisPhase::Inconclusive,
        (None | Some(true), _) => AnalysisPhase::Successful,
    })
}

/// The condition that decided a phase, for evidence; empty when none did.
pub fn deciding_condition(metric: &Metric, phase: AnalysisPhase) -> String {
    let success = metric.success_condition.as_deref();
    let failure = metric.failure_condition.as_deref();
    match (phase, success, failure) {
        (AnalysisPhase::Failed, _, Some(failure)) => failure.to_owned(),
        (AnalysisPhase::Inconclusive, Some(success), Some(failure)) => {
            format!("{success}; {failure}")
        }
        _ => success.or(failure).unwrap_or_default().to_owned(),
    }
}

/// Says why a value did not pass, such as `success-rate 0.84 < 0.95`.
///
/// `value` is the text of the measurement.
pub fn finding(metric: &Metric, value: &str, phase: AnalysisPhase) -> String {
    let name = &metric.name;
    let condition = deciding_condition(metric, phase);
    let failed_by_success = phase == AnalysisPhase::Failed && metric.failure_condition.is_none();
    let simple = (phase == AnalysisPhase::Failed).then(|| simple_comparison(&condition)).flatten();
    let alone = value.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(value);
    match (simple, alone.parse::<f64>()) {
        (Some((operator, limit)), Ok(number)) if !number.is_nan() => {
            let operator = if failed_by_success { opposite(&operator) } else { &operator };
            format!("{name} {} {operator} {limit}", shortened(number, alone, &limit))
        }
        _ if phase == AnalysisPhase::Inconclusive && condition.contains("; ") => {
            format!("{name} is {value}: neither of {condition} holds")
        }
        _ if phase == AnalysisPhase::Inconclusive => {
            format!("{name} is {value}: {condition} says nothing about it")
        }
        _ if failed_by_success => format!("{name} is {value}: {condition} does not hold"),
        _ => format!("{name} is {value}: {condition} holds"),
    }
}

fn answer(
    field: &'static str,
    condition: Option<&Condition>,
    value: &Measured,
    now: Timestamp,
) -> Result<Option<bool>, AssessError> {
    let Some(condition) = condition else { return Ok(None) };
    condition.holds(value, now).map(Some).map_err(|cause| {
        let condition = condition.text().to_owned();
        if value.is_nil_or_empty() {
            AssessError::NoData { field, condition }
        } else {
            AssessError::NoAnswer { field, condition, cause }
        }
    })
}

fn opposite(operator: &str) -> &str {
    match operator {
        ">=" => "<",
        ">" => "<=",
        "<=" => ">",
        "<" => ">=",
        "==" => "!=",
        _ => "==",
    }
}

/// Four digits are enough for a person, unless they would hide the difference.
fn shortened(number: f64, exact: &str, limit: &str) -> String {
    let digits = number.abs().max(1e-9).log10().floor();
    let scale = 10_f64.powf(3.0 - digits);
    let rounded = (number * scale).round() / scale;
    let hides = limit
        .parse::<f64>()
        .is_ok_and(|limit| number.partial_cmp(&limit) != rounded.partial_cmp(&limit));
    if !rounded.is_finite() || hides { exact.to_owned() } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnalysisPhase::{Failed, Inconclusive, Successful};
    use serde_json::json;

    fn metric(success: &str, failure: &str) -> Metric {
        let text = |it: &str| (!it.is_empty()).then(|| it.to_owned());
        Metric {
            name: "rate".to_owned(),
            success_condition: text(success),
            failure_condition: text(failure),
            ..Metric::default()
        }
    }

    #[track_caller]
    fn check(
        success: &str,
        failure: &str,
        value: &Measured,
        expected: Result<AnalysisPhase, &str>,
    ) {
        let conditions = Conditions::of(&metric(success, failure));
        let got = assess(&conditions, value, Timestamp::UNIX_EPOCH).map_err(|it| it.to_string());
        assert_eq!(
            got.as_ref().map(|it| *it).map_err(String::as_str),
            expected,
            "{success} {failure}"
        );
    }

    #[test]
    fn two_conditions_decide_as_upstreams_table_says() {
        let value = Measured::Json(json!(true));
        check("true", "false", &value, Ok(Successful));
        check("true", "true", &value, Ok(Failed));
        check("false", "true", &value, Ok(Failed));
        check("false", "false", &value, Ok(Inconclusive));
        check("", "false", &value, Ok(Successful));
        check("", "true", &value, Ok(Failed));
        check("false", "", &value, Ok(Failed));
        check("true", "", &value, Ok(Successful));
        check("", "", &value, Ok(Successful));
    }

    #[test]
    fn a_value_that_is_no_number_decides_nothing_by_accident() {
        let nan = Measured::Numbers(vec![f64::NAN]);
        check("result[0] >= 0.95", "", &nan, Ok(Inconclusive));
        check("", "result[0] > 500", &nan, Ok(Inconclusive));
        check("result >= 0.95", "", &Measured::Number(f64::NAN), Ok(Inconclusive));
        check("result[0] >= 0.95", "result[0] < 0.9", &nan, Ok(Inconclusive));
        check("result[0] == 1", "result[0] != 1", &nan, Ok(Inconclusive));
        check("isNaN(result[0]) || result[0] >= 0.95", "", &nan, Ok(Successful));
        check("!isNaN(result[0]) && result[0] >= 0.95", "", &nan, Ok(Failed));
        check("", "", &nan, Ok(Successful));
        let some = Measured::Numbers(vec![f64::NAN, 0.99]);
        check("result[1] >= 0.95", "", &some, Ok(Successful));
    }

    #[test]
    fn a_condition_without_answer_is_an_error_that_names_it() {
        let value = Measured::Json(json!(true));
        let invalid = "could not evaluate successCondition \"a == true\": unknown name a";
        check("a == true", "true", &value, Err(invalid));
        let invalid = "could not evaluate failureCondition \"a == true\": unknown name a";
        check("true", "a == true", &value, Err(invalid));
    }

    #[test]
    fn no_data_is_an_error_in_its_own_words() {
        let expected = "could not evaluate successCondition \"result[0] >= 0.95\": \
            metric result is nil or empty: no data returned from the metric provider";
        check("result[0] >= 0.95", "", &Measured::Numbers(Vec::new()), Err(expected));
        check("result[0] >= 0.95", "", &Measured::Json(json!(null)), Err(expected));
    }

    #[track_caller]
    fn check_finding(
        success: &str,
        failure: &str,
        value: &str,
        phase: AnalysisPhase,
        expected: &str,
    ) {
        assert_eq!(finding(&metric(success, failure), value, phase), expected);
    }

    #[test]
    fn a_finding_compares_the_value_with_its_limit() {
        check_finding("result[0] >= 0.95", "", "[0.8412345]", Failed, "rate 0.8412 < 0.95");
        check_finding("result >= 0.95", "", "0.84", Failed, "rate 0.84 < 0.95");
        check_finding("", "result[0] > 500", "[1234567]", Failed, "rate 1235000 > 500");
        check_finding("result[0] >= 0.95", "", "[0.94999999]", Failed, "rate 0.94999999 < 0.95");
        check_finding(
            "result[0] >= 0.95",
            "",
            "[NaN]",
            Inconclusive,
            "rate is [NaN]: result[0] >= 0.95 says nothing about it",
        );
        check_finding(
            "all(result, # > 1)",
            "",
            "[0,2]",
            Failed,
            "rate is [0,2]: all(result, # > 1) does not hold",
        );
        let expected = "rate is 5: neither of result > 9; result < 1 holds";
        check_finding("result > 9", "result < 1", "5", Inconclusive, expected);
    }
}
