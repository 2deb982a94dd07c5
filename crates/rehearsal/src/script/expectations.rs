//! Reading what a line expects, and when.

use super::{
    Command, Comparison, Expectation, FieldValue, When,
    parse::{exactly, usage, whole},
    words::{self, Complaint, Word},
};

/// Reads `expect [always] SUBJECT VALUE [within TIME | for TIME]`.
pub(super) fn expect(verb: &Word, arguments: &[Word]) -> Result<Command, Complaint> {
    let (claim, when) = match arguments {
        [always, claim @ ..] if always.text == "always" => (claim, When::Always),
        [claim @ .., word, span] if word.text == "within" => {
            (claim, When::Within(words::duration(span)?))
        }
        [claim @ .., word, span] if word.text == "for" => {
            (claim, When::For(words::duration(span)?))
        }
        claim => (claim, When::Now),
    };
    let Some((subject, rest)) = claim.split_first() else {
        return Err(usage(verb, "[always] SUBJECT VALUE [within TIME | for TIME]"));
    };
    let what = expectation(subject, rest)?;
    check_time(&what, when, subject)?;
    Ok(Command::Expect { what, when })
}

/// Refuses times that mean nothing for what is expected.
fn check_time(what: &Expectation, when: When, subject: &Word) -> Result<(), Complaint> {
    let lasting = matches!(when, When::For(_) | When::Always);
    let since_the_start = matches!(
        what,
        Expectation::Failed(_)
            | Expectation::Unserved(_)
            | Expectation::Mirrored(_)
            | Expectation::MetBad(_)
            | Expectation::Event(_)
            | Expectation::NoEvent(_)
            | Expectation::EventCount { .. }
            | Expectation::Events(_)
            | Expectation::Weights(_)
    );
    let message = match what {
        Expectation::Quiet if !matches!(when, When::For(_)) => {
            "write it like `expect quiet for 1h`".to_owned()
        }
        _ if lasting && since_the_start => {
            format!("`{}` speaks of all that has been; expect it once, later", subject.text)
        }
        _ => return Ok(()),
    };
    Err(Complaint::new(subject.column, message))
}

fn expectation(subject: &Word, rest: &[Word]) -> Result<Expectation, Complaint> {
    if let Some(counted) = counted(subject, rest)? {
        return Ok(counted);
    }
    match (subject.text.as_str(), rest) {
        ("no", _) => {
            let [_, reason] = exactly(subject, rest, ["event", "REASON"])?;
            return Ok(Expectation::NoEvent(reason.text.clone()));
        }
        ("event", [reason, bound @ ..]) if !bound.is_empty() => {
            let bound = words::comparison(bound, bound[0].column)?;
            return Ok(Expectation::EventCount { reason: reason.text.clone(), bound });
        }
        ("events", [_, ..]) => {
            return Ok(Expectation::Events(rest.iter().map(|word| word.text.clone()).collect()));
        }
        ("weights", [_, ..]) => {
            let weights = rest.iter().map(|word| whole(&word.text, word.column));
            return Ok(Expectation::Weights(weights.collect::<Result<_, _>>()?));
        }
        ("quiet", []) => return Ok(Expectation::Quiet),
        ("field", _) => return field(subject, rest),
        ("condition", [claim, reason]) => {
            return condition(&claim.text, claim.column, Some(reason.text.clone()));
        }
        _ => {}
    }
    let [value] = exactly(subject, rest, ["VALUE"])?;
    let text = value.text.clone();
    Ok(match subject.text.as_str() {
        "phase" => Expectation::Phase(text),
        "message" => Expectation::Message(text),
        "step" => Expectation::Step(whole(&text, value.column)?),
        "weight" => Expectation::Weight(whole(&text, value.column)?),
        "image" => Expectation::StableImage(text),
        "event" => Expectation::Event(text),
        "reason" => Expectation::Reason(text),
        "analysis" => Expectation::Analysis(text),
        "condition" => condition(&text, value.column, None)?,
        other => return Err(Complaint::new(subject.column, unknown_subject(other))),
    })
}

const SUBJECTS: &str = "phase, message, step, weight, weights, image, pods, stable-pods, canary-pods, load, event, \
                        no event, events, reason, analysis, condition, failed, unserved, mirrored, met-bad, replica-sets, \
                        analysis-runs, field, quiet";

fn unknown_subject(subject: &str) -> String {
    format!("`{subject}` cannot be expected; there are {SUBJECTS}")
}

fn counted(subject: &Word, rest: &[Word]) -> Result<Option<Expectation>, Complaint> {
    let make: fn(Comparison) -> Expectation = match subject.text.as_str() {
        "failed" => Expectation::Failed,
        "unserved" => Expectation::Unserved,
        "mirrored" => Expectation::Mirrored,
        "met-bad" => Expectation::MetBad,
        "pods" => Expectation::Pods,
        "stable-pods" => Expectation::StablePods,
        "canary-pods" => Expectation::CanaryPods,
        "replica-sets" => Expectation::ReplicaSets,
        "analysis-runs" => Expectation::AnalysisRuns,
        "load" => Expectation::Load,
        _ => return Ok(None),
    };
    let column = rest.first().map_or(subject.column, |word| word.column);
    words::comparison(rest, column).map(make).map(Some)
}

fn field(subject: &Word, rest: &[Word]) -> Result<Expectation, Complaint> {
    let way = "RESOURCE NAME /JSON/POINTER VALUE";
    let [resource, name, pointer, value @ ..] = rest else { return Err(usage(subject, way)) };
    if !pointer.text.starts_with('/') {
        let message =
            format!("`{}` is not a JSON pointer; write it like /spec/replicas", pointer.text);
        return Err(Complaint::new(pointer.column, message));
    }
    let value = match value {
        [text] => FieldValue::Text(text.text.clone()),
        [word, part] if word.text == "contains" => FieldValue::Containing(part.text.clone()),
        [sign, _] => FieldValue::Number(words::comparison(value, sign.column)?),
        _ => return Err(usage(subject, way)),
    };
    Ok(Expectation::Field {
        resource: resource.text.clone(),
        name: name.text.clone(),
        pointer: pointer.text.clone(),
        value,
    })
}

fn condition(text: &str, column: usize, reason: Option<String>) -> Result<Expectation, Complaint> {
    let (kind, status) = text
        .split_once('=')
        .ok_or_else(|| Complaint::new(column, format!("`{text}` is not TYPE=STATUS")))?;
    Ok(Expectation::Condition { kind: kind.to_owned(), status: status.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Relation, parse};
    use std::time::Duration;

    fn one(line: &str) -> (Expectation, When) {
        match parse("t", line).unwrap().remove(0).command {
            Command::Expect { what, when } => (what, when),
            other => panic!("{other:?} expects nothing"),
        }
    }

    fn bound(relation: Relation, bound: f64) -> Comparison {
        Comparison { relation, bound }
    }

    #[test]
    fn expectations_hold_now_or_in_time_or_all_the_while() {
        let phase = || Expectation::Phase("Healthy".into());
        for (line, when) in [
            ("expect phase Healthy", When::Now),
            ("expect phase Healthy within 2m", When::Within(Duration::from_mins(2))),
            ("expect phase Healthy for 1h", When::For(Duration::from_hours(1))),
            ("expect always phase Healthy", When::Always),
        ] {
            assert_eq!(one(line), (phase(), when), "{line}");
        }
    }

    #[test]
    fn every_kind_of_expectation_is_read() {
        let field = |value| Expectation::Field {
            resource: "service".into(),
            name: "@stable".into(),
            pointer: "/spec/type".into(),
            value,
        };
        for (line, what) in [
            ("failed <= 40", Expectation::Failed(bound(Relation::AtMost, 40.0))),
            ("load <= 150", Expectation::Load(bound(Relation::AtMost, 150.0))),
            ("weights 0 20 100", Expectation::Weights(vec![0, 20, 100])),
            ("events A B", Expectation::Events(vec!["A".into(), "B".into()])),
            (
                "event A = 1",
                Expectation::EventCount { reason: "A".into(), bound: bound(Relation::Equal, 1.0) },
            ),
            (
                "condition A=False B",
                Expectation::Condition {
                    kind: "A".into(),
                    status: "False".into(),
                    reason: Some("B".into()),
                },
            ),
            ("field service @stable /spec/type X", field(FieldValue::Text("X".into()))),
            (
                "field service @stable /spec/type contains X",
                field(FieldValue::Containing("X".into())),
            ),
            (
                "field service @stable /spec/type <= 3",
                field(FieldValue::Number(bound(Relation::AtMost, 3.0))),
            ),
        ] {
            assert_eq!(one(&format!("expect {line}")), (what, When::Now), "{line}");
        }
        let quiet = (Expectation::Quiet, When::For(Duration::from_hours(1)));
        assert_eq!(one("expect quiet for 1h"), quiet);
    }

    #[test]
    fn what_cannot_be_expected_is_reported_where_it_stands() {
        for (line, column) in [
            ("expect field service web spec.type ClusterIP", 26),
            ("expect always unserved = 0", 15),
            ("expect event A for 1h", 8),
            ("expect quiet", 8),
            ("expect weights 0 many", 18),
        ] {
            let errors = parse("t", line).unwrap_err();
            assert_eq!(errors[0].column, column, "{line}");
        }
    }
}
