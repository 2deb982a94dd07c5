//! Graphite: the first target's numbers.

use crate::support::{Expected, Stage, check_outcome, check_problem, numbers, play, reply};
use serde_json::{Value, json};

#[track_caller]
fn check(answer: &Value, expected: Expected<'_>) {
    let config = json!({"address": "http://graphite", "query": "target=a"});
    check_outcome(play("graphite", &config, &[reply(200, &answer.to_string())]).1, expected);
}

#[test]
fn graphite_is_asked_to_render_json() {
    let query = "target=sumSeries(app.http.*.*.count, x)\n  &from=-2min&format=png";
    let config = json!({"address": "http://host:8080/graphite/", "query": query});
    let (call, _) = Stage::new("graphite", &config).first_call();
    assert_eq!((call.method.as_str(), call.timeout.as_secs()), ("GET", 10));
    let expected = "http://host:8080/graphite/render?format=json&from=-2min&target=sumSeries%28app.http.*.*.count%2Cx%29";
    assert_eq!(call.url, expected);
}

#[test]
fn graphites_numbers_are_those_of_the_first_target() {
    let points = json!([[0.1, 1], [null, 2], ["0.25", "3"], [3, null]]);
    let answer = json!([{"target": "a", "datapoints": points}, {"datapoints": [[9, 1]]}]);
    check(&answer, Ok(("[0.100000,0.250000,3.000000]", numbers(&[0.1, 0.25, 3.0]))));
    check(&json!([{"datapoints": [[null, 1]]}]), Ok(("[]", numbers(&[]))));
    check(&json!([{"datapoints": [["NaN", 1]]}]), Ok(("[NaN]", numbers(&[f64::NAN]))));
    check(&json!([]), Err("no values found"));
    check(&json!([{"target": "a", "datapoints": []}]), Err("no values found"));
    check(&json!([{"datapoints": [[1]]}]), Err("error unmarshaling data point: [1]"));
    check(&json!([{"datapoints": [[true, 1]]}]), Err("error unmarshaling value: true"));
    check(&json!([{"datapoints": [[1, "x"]]}]), Err("error unmarshaling timestamp: \"x\""));
    check(&json!({"datapoints": []}), Err("not an answer of Graphite"));
}

#[test]
fn graphite_says_what_was_refused() {
    let config = json!({"address": "http://graphite", "query": "target=a"});
    let (_, outcome) = play("graphite", &config, &[reply(400, "bad target")]);
    assert_eq!(outcome.unwrap_err(), "error response: bad target");
    let (_, outcome) = play("graphite", &config, &[reply(300, r#"[{"datapoints": [[1, 1]]}]"#)]);
    assert_eq!(outcome.unwrap_err(), r#"error response: [{"datapoints": [[1, 1]]}]"#);
    let config = json!({"address": "some-graphite", "query": "target=a"});
    let expected = "Graphite address some-graphite is not a valid URL";
    check_problem("graphite", &config, ("address", expected));
}
